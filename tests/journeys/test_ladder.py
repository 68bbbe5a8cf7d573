"""A thin line carries less picture, never less voice; it is said on both sides, and comes back."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, expect

from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.rough import MOVES, WIDE, Call, rough_call
from tests.journeys.steps import Clinician, Officer, heard, picture, picture_moves, sign_in, until

pytestmark = [pytest.mark.journey, pytest.mark.alone, pytest.mark.timeout(480)]

SENDS = "([step]) => document.querySelector('#self-view').dataset.step === step"
# So many pictures more than when this was asked for the first time.
SHOWN = """([count]) => {
    const frames = Number(document.querySelector("#remote-video").dataset.frames ?? 0);
    globalThis.from ??= frames;
    return frames >= globalThis.from + count;
}"""
STILLS = "(count) => Number(document.querySelector('#remote-still').dataset.stills ?? 0) >= count"


@pytest.fixture
async def call(fresh_demo: Demo, people: People) -> AsyncIterator[Call]:
    async with rough_call(fresh_demo, people) as made:
        yield made


async def test_a_thin_line_shows_stills_keeps_the_voice_and_gives_the_picture_back(
    call: Call, fresh_demo: Demo, people: People
) -> None:
    tablet, desk = call.tablet, call.desk
    await call.both(SENDS, ["720p"])
    call.network.rate = 70_000.0
    await call.both(SENDS, ["stills"])
    await call.both(STILLS, 2)
    # a side may try a small picture meanwhile, which this line does not carry: it comes back
    weak, again = "Still pictures: weak connection", 90_000
    await expect(tablet.locator("#peer-words")).to_have_text(weak, timeout=again)
    await expect(tablet.locator("#sent")).to_have_text("You send still pictures", timeout=again)
    await expect(desk.locator("#peer-words")).to_have_text(weak, timeout=again)
    await expect(desk.locator("#remote-still")).to_be_visible(timeout=again)
    await heard(desk, "#remote-audio")
    await heard(tablet, "#remote-audio")
    await picture(tablet, "ladder-tablet-stills")
    await picture(desk, "ladder-console-stills")

    call.network.rate = 150_000.0  # small pictures, for as long as one looks
    await call.both(SENDS, ["180p"], 90)  # tries that did not hold make the next one wait
    await call.both(SHOWN, [60], 45)
    await call.both(SENDS, ["180p"], 1)
    await heard(desk, "#remote-audio")
    await expect(desk.locator("#remote-still")).to_be_hidden()
    await picture(desk, "ladder-console-small")

    call.network.rate = None
    await call.both(WIDE)
    await picture_moves(tablet, "#remote-video", 30)
    await picture_moves(desk, "#remote-video", 30)
    await expect(desk.locator("#remote-still")).to_be_hidden()

    shown = int(await desk.locator("#remote-still").get_attribute("data-stills") or 0)
    await tablet.click("#saver")
    await expect(desk.locator("#saver")).to_have_attribute("aria-pressed", "true")
    await call.both(SENDS, ["stills"], 15)
    await until(desk, STILLS, shown + 1)
    await expect(desk.locator("#peer-words")).to_have_text("Saving data: still pictures")
    await picture(tablet, "ladder-tablet-saver")
    await desk.click("#saver")
    await call.both(MOVES)  # a step that did not hold a moment ago is waited for longer
    await expect(tablet.locator("#saver")).to_have_attribute("aria-pressed", "false")
    await picture_moves(desk, "#remote-video", 30)

    await Officer(tablet, fresh_demo.card["tablet"]).end()
    await Clinician(desk, fresh_demo.card["clinicians"][0]).wrap_up("remain_in_place")
    await _the_log_tells_it(fresh_demo, await call.visitor(people, "lena"))


async def _the_log_tells_it(demo: Demo, page: Page) -> None:
    await sign_in(page, demo.card["manager"])
    await page.locator("table a").first.click()
    events = page.locator("#events")
    await expect(events).to_contain_text("The officer's side sends: still pictures")
    await expect(events).to_contain_text("The clinician's side sends: still pictures")
    await expect(events).to_contain_text("Data saver turned on")
    for way in ("officer", "clinician"):
        strip = page.locator(f'[data-way="{way}"]')
        # at 70 kbit/s a moment of voice alone may be among them
        await expect(strip).to_contain_text(re.compile("at the least (still pictures|voice only)"))
        assert await strip.locator("rect").count() >= 3
    await page.locator("details", has_text="When it was not good").first.click()
    await picture(page, "ladder-log")
