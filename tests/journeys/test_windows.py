"""One clinician with the console open twice: one page has the call, whichever of them goes."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import expect

from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.steps import Clinician, Officer, picture_moves, sign_in

# What a page plays, or sends of itself.
OPEN_HERE = """() => ['#remote-video', '#remote-audio', '#self-view']
    .filter((one) => document.querySelector(one).srcObject !== null)"""

pytestmark = [pytest.mark.journey, pytest.mark.timeout(240)]


async def test_the_window_that_gave_the_call_away_goes_on_with_it_when_the_other_closes(
    fresh_demo: Demo, people: People
) -> None:
    await asyncio.to_thread(fresh_demo.start)
    officer = Officer(await people.page("sam", size=(1024, 768)), fresh_demo.card["tablet"])
    dana = Clinician(await people.page("dana"), fresh_demo.card["clinicians"][0])
    await officer.enrol()
    await dana.arrive()
    await officer.press()
    await dana.accept()
    first = dana.page
    await picture_moves(first, "#remote-video", 40)
    for _ in range(2):  # once more: by the same window as before
        other = await people.page("dana")
        await other.goto(dana.card["url"])
        await other.click("#take-here")
        await picture_moves(other, "#remote-video", 20)
        await expect(first.locator("#elsewhere")).to_be_visible()
        await other.close()
        await picture_moves(first, "#remote-video", 20)
        await expect(first.locator("#elsewhere")).to_be_hidden()
        await picture_moves(officer.page, "#remote-video", 20)
    await in_another_browser_too(people, dana, officer)
    assert people.errors["dana"] == []


async def in_another_browser_too(people: People, dana: Clinician, officer: Officer) -> None:
    """On a laptop beside the desk: the newest on purpose has the call, and the other one rests."""
    laptop = Clinician(await people.page("dana-laptop"), dana.card)
    await sign_in(laptop.page, laptop.card)
    for there, here in ((laptop.page, dana.page), (dana.page, laptop.page)):
        if there is dana.page:
            await there.click("#take-here")
        await picture_moves(there, "#remote-video", 20)
        await expect(here.locator("#elsewhere")).to_be_visible()
        await expect(there.locator("#elsewhere")).to_be_hidden()
        assert await here.evaluate(OPEN_HERE) == [], "no camera, no microphone, nothing received"
        await picture_moves(officer.page, "#remote-video", 20)
    other = await people.page("sam")  # the tablet's page once more
    await other.goto(f"{officer.page.url}")
    await picture_moves(other, "#remote-video", 20)
    await expect(officer.page.locator("#network")).to_be_visible()
    assert await officer.page.evaluate(OPEN_HERE) == []
    await officer.page.click("#try-now")
    await picture_moves(officer.page, "#remote-video", 20)
    await expect(other.locator("#network")).to_be_visible()
