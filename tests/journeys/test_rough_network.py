"""A rural night: loss, a thin line, a new address, ten seconds of nothing. The call goes on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

import pytest

from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.rough import MOVES, WIDE, Call, rough_call
from tests.journeys.steps import heard

# by hand: twenty tries, or longer cuts
CUTS = int(os.environ.get("ROUGH_CUTS", "1"))
CUT_SECONDS = float(os.environ.get("ROUGH_CUT_SECONDS", "10"))

pytestmark = [pytest.mark.journey, pytest.mark.timeout(250 + CUTS * (CUT_SECONDS + 60))]


@pytest.fixture
async def call(fresh_demo: Demo, people: People) -> AsyncIterator[Call]:
    async with rough_call(fresh_demo, people) as made:
        yield made


async def test_the_call_goes_on_through_loss_a_thin_line_a_new_address_and_a_cut(
    call: Call,
) -> None:
    network = call.network
    await call.gaps()
    await call.both_move(20)
    call.note("clean", await call.gaps())

    for tries in range(CUTS):
        await call.both(WIDE, seconds=120)
        await call.gaps()
        network.down = True
        await asyncio.sleep(CUT_SECONDS)
        network.down = False
        await call.both_move(30)
        call.note(f"{CUT_SECONDS:.0f} s cut, {tries}", await call.gaps())
        await heard(call.desk, "#remote-audio")

    await call.both(WIDE, seconds=120)
    await call.gaps()
    network.rebind()
    await call.both_move(20)
    call.note("new address", await call.gaps())

    await call.both(WIDE, seconds=120)
    network.delay = 0.03
    await asyncio.sleep(5)  # a longer way makes browsers careful for a while; that is another thing
    await call.both(WIDE, seconds=120)
    await call.gaps()
    network.loss = 0.05
    await asyncio.sleep(8)  # what is measured is this stretch of time itself
    call.note("5 % loss, 60 ms", await call.gaps())
    await heard(call.desk, "#remote-audio")
    await call.both_move(20)

    network.delay, network.jitter = 0.15, 0.02
    await heard(call.desk, "#remote-audio")
    await call.both_move(30)
    network.loss = network.delay = network.jitter = 0.0

    network.rate = 150_000.0
    await asyncio.sleep(6)
    await call.both(MOVES)
    call.note("150 kbit/s", await call.both_move(30))
