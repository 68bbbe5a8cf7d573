"""Consent beside the video by keyboard, signed and refused on the tablet, and revoked later."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import ViewportSize, expect

from tests.journeys import axe
from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.steps import Clinician, Officer, picture
from tests.journeys.test_record import in_call

pytestmark = [pytest.mark.journey, pytest.mark.timeout(240)]


PHONE = ViewportSize(width=320, height=568)
TABLET = ViewportSize(width=1024, height=768)
NAME = "María José Núñez"
REACH = """(form) => {  // how much is cut off at the right, and whether both answers are in sight
    const sheet = form.closest('#sign');
    const seen = [...form.querySelectorAll('button')].map((one) => {
        const { left, top, width, height } = one.getBoundingClientRect();
        const there = document.elementFromPoint(left + width / 2, top + height / 2);
        return height >= 48 && one.contains(there);
    });
    const page = document.documentElement;
    return [sheet.scrollWidth - sheet.clientWidth, page.scrollWidth - innerWidth, ...seen];
}"""


async def signed_and_refused(officer: Officer, dana: Clinician) -> None:
    """A guardian is asked in Spanish before the tablet is handed over and signs; somebody refuses.

    On a phone's screen, the narrowest that there is, and after a reload in the middle.
    """
    desk, tablet = dana.page, officer.page
    sheet = tablet.locator('#sign form[data-sign="es"]')
    await desk.select_option("#consent-who", "guardian")
    await desk.select_option("#consent-language", "es")
    await desk.select_option("#consent-sign", "treatment")
    await desk.click("#consent-ask")
    await expect(desk.locator("#consent-waits")).to_contain_text("when the officer hands it over")
    await expect(tablet.locator("#sign")).to_be_hidden()
    await officer.hand_over()
    await expect(sheet.locator("h2")).to_be_focused()
    await expect(sheet).to_contain_text("Usted firma por la persona, como su tutor.")
    back = tablet.get_by_role("button", name="Talk to the officer Hablar con el oficial")
    await expect(back).to_be_visible()  # the way back, in their language too
    await picture(tablet, "tablet-sign-guardian")

    await tablet.set_viewport_size(PHONE)
    assert await sheet.evaluate(REACH) == [0, 0, True, True]
    assert await axe.violations(tablet) == []
    await picture(tablet, "tablet-sign-phone")
    await sheet.locator("[type=submit]").click()
    await expect(sheet.locator("[data-error]")).to_have_text("Escriba su nombre para firmar.")
    await expect(sheet.locator(".input")).to_be_focused()
    await tablet.keyboard.type("somebody who thinks again")
    await tablet.reload()
    await expect(sheet.locator(".input")).to_have_value("")
    await sheet.locator("[data-substances]:visible").check()
    await sheet.locator(".input").fill(NAME)
    await tablet.keyboard.press("Enter")
    await expect(tablet.locator("#sign")).to_be_hidden()
    await expect(tablet.locator("#talk-officer [data-also]")).to_be_hidden()
    await expect(desk.locator("#consent-waits")).to_have_text(
        "Signed on the tablet: Sharing with who treats next (A guardian)"
    )
    await expect(desk.locator('[data-signed="guardian.treatment"]')).to_be_visible()
    aloud = desk.locator('[data-field="guardian.treatment"][value="verbal"]')
    await expect(aloud).not_to_be_checked()  # it was signed, and not said
    await expect(desk.locator("#consent-giver")).to_have_value(NAME)

    await tablet.set_viewport_size(TABLET)
    await desk.select_option("#consent-who", "person")
    await desk.select_option("#consent-sign", "agency")
    await desk.click("#consent-ask")
    await sheet.locator("[data-refuse]").click()
    await expect(tablet.locator("#sign")).to_be_hidden()
    await expect(desk.locator("#consent-waits")).to_contain_text(
        "Refused on the tablet: Sharing with the officer's agency."
    )
    refused = desk.locator('[data-field="person.agency"][value="refused"]')
    await expect(refused).to_be_checked()
    await picture(desk, "record-consent-signed")
    await desk.focus("#consent summary")  # nothing is cut off by the pane's edge
    assert await axe.violations(desk) == []
    await officer.take_back()


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

    await signed_and_refused(officer, dana)

    # later, on the session's page: revoked, by keyboard
    await officer.end()
    await dana.wrap_up("remain_in_place")
    await desk.click('a[href="/notes"]')
    await desk.locator('a[href^="/manager/sessions/"]').first.click()
    await expect(desk.locator('[data-consent="given"]')).to_have_count(2)
    await expect(desk.locator('[data-consent="refused"]')).to_have_count(2)
    signed = desk.locator('[data-consent="given"]', has_text="María José Núñez")
    await expect(signed).to_contain_text("Signed on the tablet as María José Núñez")
    assert await axe.violations(desk) == []
    await desk.focus('form[action$="/revoke"] button')
    await keys.press("Enter")
    await expect(desk.locator('[data-consent="revoked"]')).to_have_count(1)
    await expect(desk.locator("#events")).to_contain_text("A consent was revoked")
    await expect(desk.locator("#events")).to_contain_text("body camera: off")
    await desk.locator("details", has_text="Write down a consent").locator("summary").click()
    await picture(desk, "session-consents")
    assert await axe.violations(desk) == []
