"""The test call: a tablet's own sound and picture, out to the bridge and back, in real browsers."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import expect

from tests.journeys import axe
from tests.journeys.chromium import People
from tests.journeys.firefox import INBOUND, Firefox
from tests.journeys.harness import Demo
from tests.journeys.steps import MOVED, STARTED, Officer, heard, picture_moves, until

pytestmark = pytest.mark.journey

# All but what only a person can tell; which checks there are is named by the tests.
ALL_WORK = """() => {
    const checks = [...document.querySelectorAll('#test-checks [data-check]')];
    const found = checks.filter((one) => one.dataset.check !== 'heard');
    return checks.length >= 6 && found.every((one) => one.dataset.result === 'ok');
}"""
NAMES = """() =>
    [...document.querySelectorAll('#test-checks [data-check]')].map((one) => one.dataset.check)
"""


async def test_chromium_s_own_picture_and_sound_come_back_from_the_bridge(
    demo: Demo, people: People
) -> None:
    page = await people.page("sam", size=(1024, 768))
    officer = Officer(page, demo.card["tablet"])
    await officer.enrol()
    await page.click("#test-call")
    await until(page, ALL_WORK, seconds=40)
    names = await page.evaluate(NAMES)
    assert names == ["camera", "microphone", "server", "media", "upload", "heard"]
    assert float(await page.locator("#test-level").get_attribute("max") or 0) == 1
    await page.click("#test-heard-no")
    await expect(page.locator("#test-advice")).to_contain_text("volume")
    await page.click("#test-heard-yes")
    await expect(page.locator("#test-advice")).to_contain_text("This tablet is ready")
    look = await picture_moves(page, "#remote-video")
    assert look["frames"] > 10
    await heard(page, "#remote-audio")
    assert await axe.violations(page) == []
    await page.click("#cancel")
    await officer.screen("ready")
    await expect(page.locator("#connect")).to_be_enabled()
    assert people.errors["sam"] == []
    assert demo.log_lines()
    assert demo.leaks() == []


async def test_firefox_s_own_picture_and_sound_come_back_from_the_bridge(
    demo: Demo, firefox: Firefox
) -> None:
    await firefox.goto(demo.card["tablets"][1]["url"])
    await firefox.wait_for("document.documentElement.dataset.screen === 'ready'")
    await firefox.click("#test-call")
    await firefox.wait_for(f"({ALL_WORK})()", 40)
    before = await firefox.wait_for(f"({STARTED})('#remote-video')")
    moved = f"({MOVED})(['#remote-video', {json.dumps(before)}])"
    assert (await firefox.wait_for(moved))["frames"] > before["frames"]
    quiet = await firefox.inbound("audio")
    louder = f"{INBOUND}('audio').then((now) => now && now.energy > {quiet['energy']} + 0.001)"
    await firefox.wait_for(louder)
