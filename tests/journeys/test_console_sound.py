"""A browser that allows no sound before a press: the idle console says so, one press heals it."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.journeys import axe
from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.steps import sign_in

pytestmark = pytest.mark.journey


async def test_blocked_sound_is_said_before_the_first_call_and_one_press_heals_it(
    demo: Demo, people: People
) -> None:
    strict = "--autoplay-policy=document-user-activation-required"
    page = await people.page("dana", flags=[strict])
    await sign_in(page, demo.card["clinicians"][0])
    await page.goto(f"{demo.base_url}/console")
    await page.reload()  # a page that nobody has pressed on yet
    banner = page.locator("#sound-blocked")
    await expect(banner).to_be_visible()
    words = await banner.locator("p").inner_text()
    assert "blocked" in words
    await expect(page.locator('[data-announce="assertive"]')).to_have_text(words)
    assert await axe.violations(page) == []
    await page.click("#sound-unlock")
    await expect(banner).to_be_hidden()
