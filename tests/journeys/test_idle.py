"""A console forgotten after its shift asks, then says "off"; the next shift brings it back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.journeys import axe
from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.steps import Clinician, sign_in
from tests.journeys.test_roster import send_off
from web.dev import cast

pytestmark = pytest.mark.journey

MINUTE = 60_000


async def pass_minutes(page: Page, minutes: int) -> None:
    """On the clock of this page's browser, all tabs; the server's goes on as always."""
    for _ in range(minutes):
        await page.clock.fast_forward(MINUTE)


@pytest.mark.whole_browser  # two tabs of one window: only one is in front
async def test_a_forgotten_console_asks_in_all_tabs_and_is_put_away_until_the_next_shift(
    demo: Demo, people: People
) -> None:
    office = await people.page("lena")
    await sign_in(office, demo.card["manager"])
    await office.goto(f"{demo.base_url}/manager/roster/shifts")

    first = await people.page("dana", size=(390, 844))
    await first.clock.install()
    dana = Clinician(first, demo.card["clinicians"][0])
    await dana.arrive()
    second = await people.page("dana")
    await second.goto(f"{demo.base_url}/console")
    question, other = first.locator("#still-here"), second.locator("#still-here")

    await pass_minutes(first, 40)  # on call: never asked
    await expect(question).to_be_hidden()
    await send_off(office, cast.DANA.name)
    for tab in (first, second):  # each counts its own quiet half hour from when it has heard
        await expect(tab.locator("#on-call")).to_contain_text("Not on call")

    await first.bring_to_front()
    await pass_minutes(first, 31)
    await expect(question).to_be_visible()
    await expect(other).to_be_visible()
    assert await axe.violations(first) == []
    if folder := os.environ.get("JOURNEY_PICTURES"):
        await first.screenshot(path=Path(folder) / "still-here.png")
    await first.click("#still-here-yes")
    await expect(question).to_be_hidden()
    await expect(other).to_be_hidden()  # one answer for all tabs
    await expect(first.locator("#activity-available")).to_have_attribute("aria-pressed", "true")

    await pass_minutes(first, 33)
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
