"""A rural night: ten seconds of nothing, a new address, loss, a long way. The call goes on."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import expect

from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.rough import WIDE, Call, rough_call
from tests.journeys.steps import Officer, heard

# by hand: twenty tries, or longer cuts
CUTS = int(os.environ.get("ROUGH_CUTS", "1"))
OLDEST_MS = 5000.0  # a machine full of other work; alone it is a tenth of a second
CUT_SECONDS = float(os.environ.get("ROUGH_CUT_SECONDS", "10"))

pytestmark = [
    pytest.mark.journey,
    pytest.mark.alone,
    pytest.mark.timeout(250 + CUTS * (CUT_SECONDS + 60)),
]


@pytest.fixture
async def call(fresh_demo: Demo, people: People) -> AsyncIterator[Call]:
    async with rough_call(fresh_demo, people, clock=True) as made:
        yield made


async def test_the_call_goes_on_through_a_cut_a_new_address_loss_and_a_long_way(
    call: Call,
) -> None:
    network = call.network
    await call.gaps()
    await call.both_move(20)
    call.note("clean", await call.gaps())
    await call.seen()
    await asyncio.sleep(4)  # what is measured is this stretch of time itself
    ages = await call.seen()
    call.note("clean, ages", ages)
    for side in ages:
        assert side.frames > 4
        assert side.p50 < OLDEST_MS, "what is seen is what is"

    for tries in range(CUTS):
        await call.both(WIDE, seconds=120)
        await call.gaps()
        network.down = True
        await asyncio.sleep(CUT_SECONDS)
        network.down = False
        back = await call.both_move(30)
        call.note(f"{CUT_SECONDS:.0f} s cut, {tries}", [back, await call.gaps()])
        await heard(call.desk, "#remote-audio")

    await call.both(WIDE, seconds=120)
    await call.gaps()
    call.rebind()
    await call.both_move(20)
    call.note("new address", await call.gaps())

    if call.host is not None:
        begun = time.monotonic()
        call.host.move()
        await call.both_move(20)
        call.note("another network", await call.gaps())
        await Officer(call.tablet, {}).write("We are on the road")
        await expect(call.desk.locator("#chat-lines")).to_contain_text(
            "on the road", timeout=30_000
        )
        call.note("another network: a text arrives after", time.monotonic() - begun)

    network.delay = 0.03
    if CUTS > 1:  # by hand: a longer way makes browsers careful for a while; that is another thing
        await asyncio.sleep(5)
        await call.both(WIDE, seconds=120)
    await call.gaps()
    await call.seen()
    network.loss = 0.05
    await asyncio.sleep(5)  # what is measured is this stretch of time itself
    call.note("5 % loss, 60 ms", [await call.gaps(), await call.seen()])
    await heard(call.desk, "#remote-audio")

    network.delay, network.jitter = 0.15, 0.02
    await heard(call.desk, "#remote-audio")
    await heard(call.tablet, "#remote-audio")
