"""Who goes first in the one loop: a press before a look at the line, a look before pictures."""

from __future__ import annotations

import asyncio

from oncall.stepwise import Steps
from signaling import pace
from signaling.pace import Pace
from tests.signaling.pages import BOUND


def counting(done: list[int], until: int) -> Steps[str]:
    for number in range(until):
        yield
        done.append(number)
    return "counted"


async def test_between_two_steps_of_a_long_work_whoever_is_in_a_hurry_finishes() -> None:
    one, done, order = Pace(), list[int](), list[object]()

    async def press() -> None:
        with one.urgent():
            order.append(len(done))
            for _ in range(5):  # as many turns of the loop as a press takes
                await asyncio.sleep(0)
            order.append(len(done))

    async with asyncio.timeout(BOUND), asyncio.TaskGroup() as tasks:
        work = tasks.create_task(one.through(counting(done, 50)))
        while len(done) < 10:
            await asyncio.sleep(0)
        await tasks.create_task(press())
        assert await work == "counted"
    assert done == list(range(50))
    began, ended = order
    assert began == ended, "the work went on while the press was under way"


async def test_a_long_work_comes_to_its_end_however_busy_the_line_is() -> None:
    one, done = Pace(), list[int]()
    loop = asyncio.get_running_loop()
    with one.urgent():  # for ever
        began = loop.time()
        async with asyncio.timeout(BOUND):
            await one.through(counting(done, 200))
    # a breath may wait for long, all of them together may not: 200 of these would be 20 s
    assert loop.time() - began < 200 * pace.AT_MOST_SECONDS / 2
    assert len(done) == 200


async def test_a_picture_lets_a_look_at_the_line_end_first() -> None:
    one, drawn = Pace(), asyncio.Event()

    async def draw() -> None:
        await one.give_way()
        drawn.set()

    async with asyncio.timeout(BOUND), asyncio.TaskGroup() as tasks:
        with one.look():
            drawing = tasks.create_task(draw())
            for _ in range(20):
                await asyncio.sleep(0)
            assert not drawn.is_set()
        await drawing


async def test_pictures_are_drawn_also_while_the_line_is_looked_at_all_the_time() -> None:
    one = Pace()
    with one.look():
        async with asyncio.timeout(BOUND):
            await one.give_way()
