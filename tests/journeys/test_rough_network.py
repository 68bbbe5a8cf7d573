"""A rural night: loss, a thin line, a new address, ten seconds of nothing. The call goes on."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from signaling.addresses import of_this_machine
from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.steps import Clinician, Officer, picture_moves, sound, until
from tests.media.impaired import Network, impaired

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

BRIDGE = "127.0.0.1"
TOLD = next(iter(of_this_machine()), "127.0.0.2")  # browsers send to loopback only if they must

# Since the last call of this: the longest time without a new picture (ms), and how many came.
GAPS = """(video) => {
    const known = globalThis.gaps;
    const now = performance.now();
    const longest = known ? Math.max(known.longest, now - known.at) : 0;
    const said = known ? { longest, pictures: known.pictures } : null;
    const mine = globalThis.gaps = { longest: 0, at: now, pictures: 0 };
    const frame = () => {
        if (globalThis.gaps !== mine) return;
        const at = performance.now();
        mine.longest = Math.max(mine.longest, at - mine.at);
        mine.at = at;
        mine.pictures += 1;
        video.requestVideoFrameCallback(frame);
    };
    video.requestVideoFrameCallback(frame);
    return said;
}"""
NEXT = """([selector, before]) => {
    const now = Number(document.querySelector(selector).dataset.frames ?? 0);
    return now > before + 5 && now;
}"""


def free_on_both() -> int:
    """A UDP port that is free on both addresses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind((BRIDGE, 0))
        port: int = one.getsockname()[1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind((TOLD, port))
        return port


class Call:
    """A running call over a network that the test makes worse."""

    def __init__(self, network: Network, tablet: Page, desk: Page) -> None:
        self.network, self.tablet, self.desk = network, tablet, desk
        self.measured: dict[str, Any] = {}

    async def gaps(self) -> list[dict[str, float] | None]:
        """Of both sides, since the last time that this was asked."""
        found = [
            await page.locator("#remote-video").evaluate(GAPS) for page in (self.tablet, self.desk)
        ]
        return found

    async def both_move(self, seconds: float) -> list[float]:
        """New pictures on both sides; how long that took, in seconds."""
        return list(
            await asyncio.gather(*(self._moves(page, seconds) for page in (self.tablet, self.desk)))
        )

    async def _moves(self, page: Page, seconds: float) -> float:
        begun = time.monotonic()
        before = int(await page.locator("#remote-video").get_attribute("data-frames") or 0)
        await until(page, NEXT, ["#remote-video", before], seconds)
        return round(time.monotonic() - begun, 2)

    def note(self, what: str, value: object) -> None:
        """For people who look at the figures; only where a folder is named."""
        self.measured[what] = value
        if folder := os.environ.get("JOURNEY_PICTURES"):
            (Path(folder) / "rough.json").write_text(json.dumps(self.measured, indent=2))


@pytest.fixture
async def call(fresh_demo: Demo, people: People) -> AsyncIterator[Call]:
    port = free_on_both()
    fresh_demo.settings = {
        "CRISISBRIDGE_MEDIA_ADDRESSES": BRIDGE,
        "CRISISBRIDGE_MEDIA_PUBLIC_ADDRESSES": TOLD,
        "CRISISBRIDGE_MEDIA_PORT": str(port),
    }
    async with impaired((TOLD, port), (BRIDGE, port)) as network:
        await asyncio.to_thread(fresh_demo.start)
        tablet, desk = await people.page("sam", size=(1024, 768)), await people.page("dana")
        officer = Officer(tablet, fresh_demo.card["tablet"])
        dana = Clinician(desk, fresh_demo.card["clinicians"][0])
        await officer.enrol()
        await dana.arrive()
        await officer.press()
        await dana.accept()
        await picture_moves(tablet, "#remote-video")
        await picture_moves(desk, "#remote-video")
        assert network.passed > 100, "the call goes through this network"
        yield Call(network, tablet, desk)


async def test_the_call_goes_on_through_loss_a_thin_line_a_new_address_and_a_cut(
    call: Call,
) -> None:
    network = call.network
    await call.gaps()
    await call.both_move(20)
    call.note("clean", await call.gaps())

    network.loss, network.delay = 0.05, 0.03
    await asyncio.sleep(8)  # what is measured is this stretch of time itself
    call.note("5 % loss, 60 ms", await call.gaps())
    assert await sound(call.desk, "#remote-audio") > 0.01
    await call.both_move(20)

    network.delay, network.jitter = 0.15, 0.02
    assert await sound(call.desk, "#remote-audio") > 0.01
    await call.both_move(20)
    network.loss = network.delay = network.jitter = 0.0

    network.rebind()
    call.note("new address", await call.both_move(20))

    for tries in range(int(os.environ.get("ROUGH_CUTS", "1"))):
        network.down = True
        await asyncio.sleep(10)
        network.down = False
        call.note(f"10 s cut, {tries}", await call.both_move(30))
        assert await sound(call.desk, "#remote-audio") > 0.01

    network.rate = 150_000.0
    await asyncio.sleep(6)
    call.note("150 kbit/s", await call.both_move(30))
