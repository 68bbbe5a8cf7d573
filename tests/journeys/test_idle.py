"""A console forgotten after its shift asks, then says "off"; the next shift brings it back."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from playwright.async_api import Page, WebSocket, expect

from tests.journeys import axe
from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.steps import Clinician, sign_in
from tests.journeys.test_roster import send_off
from web.dev import cast

# beside others a tab may lose its line again and again, with a clock that jumps by minutes
pytestmark = [pytest.mark.journey, pytest.mark.alone]

MINUTE = 60_000


class Beats:
    """The heartbeats of a page that wait for their answer: a minute that passes meanwhile looks to
    the page like a line that was dead for a minute, and it begins to count anew."""

    def __init__(self, page: Page) -> None:
        self._open: set[int] = set()
        page.on("websocket", self._watch)

    def _watch(self, line: WebSocket) -> None:
        self._open.clear()
        line.on("framesent", self._sent)
        line.on("framereceived", self._received)

    def _sent(self, text: str | bytes) -> None:
        said = json.loads(text)
        if said.get("type") == "beat":
            self._open.add(said["id"])

    def _received(self, text: str | bytes) -> None:
        self._open.discard(json.loads(text).get("re"))

    async def answered(self) -> None:
        async with asyncio.timeout(20):
            while self._open:
                await asyncio.sleep(0.01)


async def pass_minutes(page: Page, minutes: int, beats: Sequence[Beats]) -> None:
    """On the clock of this page's browser, all tabs; the server's goes on as always."""
    for _ in range(minutes):
        for one in beats:
            await one.answered()
        await page.clock.fast_forward(MINUTE)


# A busy machine's network seems to change, and then a page asks whether its line is alive: with a
# clock that jumps by a minute nothing ever answers in time.
STEADY = "Object.defineProperty(navigator, 'connection', { value: undefined });"


@pytest.mark.whole_browser  # two tabs of one window: only one is in front
async def test_a_forgotten_console_asks_in_all_tabs_and_is_put_away_until_the_next_shift(
    demo: Demo, people: People
) -> None:
    office = await people.page("lena")
    await sign_in(office, demo.card["manager"])
    await office.goto(f"{demo.base_url}/manager/roster/shifts")

    first = await people.page("dana", size=(390, 844))
    await first.clock.install()
    await first.add_init_script(STEADY)
    beats = [Beats(first)]
    dana = Clinician(first, demo.card["clinicians"][0])
    await dana.arrive()
    second = await people.page("dana")
    beats.append(Beats(second))
    await second.add_init_script(STEADY)
    await second.goto(f"{demo.base_url}/console")
    question, other = first.locator("#still-here"), second.locator("#still-here")

    await pass_minutes(first, 40, beats)  # on call: never asked
    await expect(question).to_be_hidden()
    await send_off(office, cast.DANA.name)
    for tab in (first, second):  # each counts its own quiet half hour from when it has heard
        await expect(tab.locator("#on-call")).to_contain_text("Not on call")

    await first.bring_to_front()
    await pass_minutes(first, 31, beats)
    await expect(question).to_be_visible()
    await expect(other).to_be_visible()
    assert await axe.violations(first) == []
    if folder := os.environ.get("JOURNEY_PICTURES"):
        await first.screenshot(path=Path(folder) / "still-here.png")
    await first.click("#still-here-yes")
    await expect(question).to_be_hidden()
    await expect(other).to_be_hidden()  # one answer for all tabs
    await expect(first.locator("#activity-available")).to_have_attribute("aria-pressed", "true")

    await pass_minutes(first, 33, beats)
    await expect(second.locator("#activity-offline")).to_have_attribute("aria-pressed", "true")
    await expect(first.locator("#put-away")).to_be_visible()
    assert await axe.violations(second) == []
    await first.reload()
    await expect(first.locator("#put-away")).to_be_visible()  # the server knows why

    row = office.locator("[data-override]").filter(has_text=cast.DANA.name)
    await row.locator("summary").click()
    await row.locator('form[action$="/end"] button').click()
    await expect(first.locator("#activity-available")).to_have_attribute("aria-pressed", "true")
    await expect(first.locator("#put-away")).to_be_hidden()
