"""Consent beside the video by keyboard alone, the body camera's banner, and a revocation later."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import expect

from tests.journeys import axe
from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.steps import picture
from tests.journeys.test_record import in_call

pytestmark = [pytest.mark.journey, pytest.mark.timeout(240)]


async def test_consent_is_asked_by_keyboard_kept_over_a_reload_and_revoked_on_the_page(
    fresh_demo: Demo, people: People
) -> None:
    await asyncio.to_thread(fresh_demo.start)
    officer, dana = await in_call(fresh_demo, people)
    desk, keys = dana.page, dana.page.keyboard

    # the officer says that the body camera runs: the clinician reads it on top
    await officer.page.select_option("#body-camera-call", "on")
    await expect(desk.locator("#body-camera")).to_contain_text("body camera runs")
    assert await axe.violations(officer.page) == []
    await picture(officer.page, "tablet-body-camera")
    await picture(desk, "console-body-camera")
    await officer.page.select_option("#body-camera-call", "off")
    await expect(desk.locator("#body-camera")).to_be_hidden()

    # the words in the person's language, and one choice a purpose
    await desk.focus("#consent summary")
    await keys.press("Enter")
    await keys.press("Tab")
    await expect(desk.locator("#consent-who")).to_be_focused()
    await keys.press("Tab")
    await keys.type("Esp")
    spoken = desk.locator('[data-who="person"] [data-spoken="es"]').first
    await expect(spoken).to_be_visible()
    await expect(spoken).to_have_attribute("lang", "es")
    await keys.press("Tab")
    await keys.press("Space")  # agreed aloud
    await keys.press("Tab")
    await keys.press("Space")
    await keys.press("ArrowRight")  # refused, passed over agreed
    await keys.press("Tab")
    await expect(desk.locator("#consent-state")).to_have_attribute("data-state", "saved")
    await expect(desk.locator("#consent-count")).to_have_text("2 answers")
    await picture(desk, "record-consent")
    assert await axe.violations(desk) == []
    await desk.reload()
    await expect(desk.locator("#consent-count")).to_have_text("2 answers")
    await desk.focus("#consent summary")
    await keys.press("Enter")
    for purpose, method in (("assessment", "verbal"), ("treatment", "refused")):
        radio = f'[data-field="person.{purpose}"][value="{method}"]'
        await expect(desk.locator(radio)).to_be_checked()

    # later, on the session's page: revoked, by keyboard
    await officer.end()
    await dana.wrap_up("remain_in_place")
    await desk.click('a[href="/notes"]')
    await desk.locator('a[href^="/manager/sessions/"]').first.click()
    await expect(desk.locator('[data-consent="given"]')).to_have_count(1)
    await expect(desk.locator('[data-consent="refused"]')).to_have_count(1)
    assert await axe.violations(desk) == []
    await desk.focus('form[action$="/revoke"] button')
    await keys.press("Enter")
    await expect(desk.locator('[data-consent="revoked"]')).to_have_count(1)
    await expect(desk.locator("#events")).to_contain_text("A consent was revoked")
    await expect(desk.locator("#events")).to_contain_text("body camera: off")
    await desk.locator("details", has_text="Write down a consent").locator("summary").click()
    await picture(desk, "session-consents")
    assert await axe.violations(desk) == []
