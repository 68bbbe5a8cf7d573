"""A session changes hands between three browsers, and a supervisor takes one over."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page, expect

from tests.journeys import axe
from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.steps import (
    Clinician,
    Officer,
    heard,
    picture,
    picture_moves,
    sign_in,
    sound,
    until,
)

pytestmark = [pytest.mark.journey, pytest.mark.alone, pytest.mark.timeout(300)]

TABLET = (1024, 768)


async def quiet(page: Page, selector: str) -> None:
    """Nothing sounds there any more."""
    async with asyncio.timeout(20):
        while await sound(page, selector) > 0.005:
            await asyncio.sleep(0.2)


async def test_a_warm_transfer_and_then_a_supervisor_who_takes_over(
    fresh_demo: Demo, people: People
) -> None:
    demo = fresh_demo
    await asyncio.to_thread(demo.start)
    officer = Officer(await people.page("sam", size=TABLET), demo.card["tablet"])
    dana = Clinician(await people.page("dana"), demo.card["clinicians"][0])
    await officer.enrol()
    await dana.arrive()
    await officer.press()
    await dana.accept()
    miguel = Clinician(await people.page("miguel"), demo.card["clinicians"][1])
    await miguel.arrive()
    tablet, record, other = officer.page, dana.page, miguel.page
    await picture_moves(tablet, "#remote-video")
    await record.check('[data-item="thoughts"] input[value="yes"]', force=True)
    await expect(record.locator("#save-state")).to_contain_text("Saved")

    # Dana asks Miguel, with a note
    await record.click("#transfer")
    assert await axe.violations(record) == []
    await picture(record, "transfer-ask")
    await record.fill("#handing-note", "He answers to Joe.")
    await record.click("#handing-colleagues button:has-text('Miguel')")
    await expect(record.locator("#handing-ringing-words")).to_contain_text("Miguel")
    await miguel.rings()
    await expect(other.locator("#offer-heading")).to_contain_text("Dana")
    await picture(other, "transfer-offer")
    await other.click("#accept")

    # Miguel reads first, unheard; what he reads he cannot write
    await expect(other.locator("#handing-receive-words")).to_contain_text("Dana")
    await expect(other.locator("#handing-note-words")).to_have_text("He answers to Joe.")
    await expect(other.locator('[data-item="thoughts"] input[value="yes"]')).to_be_checked()
    await expect(other.locator('[data-item="thoughts"] input[value="yes"]')).to_be_disabled()
    await expect(other.locator("#end")).to_be_hidden()
    assert await axe.violations(other) == []
    await picture(other, "transfer-read-first")
    await expect(record.locator("#handing-ready")).to_be_disabled()
    await expect(tablet.locator("#company-words")).to_have_text("Dana is handing you to Miguel")
    await picture(tablet, "transfer-tablet")

    # he joins: everybody hears everybody, and Dana's face stays on the tablet
    await other.click("#handing-join")
    await picture_moves(other, "#remote-video", 20)
    await heard(other, "#remote-audio")  # the tablet
    await heard(other, "#more-audio-1")  # Dana
    await heard(tablet, "#more-audio-1")  # Miguel
    await heard(record, "#more-audio-1")  # Miguel
    await picture_moves(record, "#more-video-1")
    await picture(record, "transfer-both")
    await picture(other, "transfer-joined")

    # the two of them aside: the tablet hears and sees nobody, and reads why
    await record.click("#hold")
    await expect(record.locator("#held")).to_be_visible()
    await expect(tablet.locator("#face-words")).to_contain_text("Dana has stepped aside")
    await quiet(tablet, "#remote-audio")
    await quiet(tablet, "#more-audio-1")
    await heard(record, "#remote-audio")  # the tablet is heard as before
    await heard(other, "#more-audio-1")
    for page in (record, tablet):
        assert await axe.violations(page) == []
    await picture(tablet, "hold-tablet")
    await picture(record, "hold-console")
    await record.click("#held-end")
    await expect(tablet.locator("#face-words")).to_be_hidden()
    await picture_moves(tablet, "#remote-video", 20)
    await heard(tablet, "#remote-audio")

    # both confirm
    await record.click("#handing-ready")
    await expect(other.locator("#handing-receive-words")).to_contain_text("ready")
    await other.click("#handing-accept")
    await expect(other.locator("#end")).to_be_visible()
    await expect(tablet.locator("#clinician")).to_have_text("Miguel")
    await expect(tablet.locator("#company-words")).to_have_text("Miguel is with you now")
    await picture(tablet, "transfer-tablet-after")
    await expect(record.locator("#moved-text")).to_contain_text("Miguel")
    await expect(record.locator("#call")).to_be_hidden()
    await expect(record.locator("#wrapup")).to_be_hidden()
    await picture(record, "transfer-sender-after")
    await picture_moves(tablet, "#remote-video", 20)
    await heard(tablet, "#remote-audio")
    await other.check('[data-item="plan"] input[value="no"]', force=True)
    await expect(other.locator("#save-state")).to_contain_text("Saved")
    await other.reload()
    await picture_moves(other, "#remote-video", 20)

    # Ada listens, and is named to everybody; then she takes over
    ada = await people.page("ada")
    await sign_in(ada, demo.card["supervisor"])
    await ada.goto(f"{demo.base_url}/console")
    await expect(ada.locator("#live")).to_contain_text("Miguel")
    assert await axe.violations(ada) == []
    await picture(ada, "live-board")
    await ada.click("[data-listen]")
    await picture_moves(ada, "#remote-video", 20)
    await heard(ada, "#remote-audio")
    await expect(tablet.locator("#company-words")).to_contain_text("Ada, is listening")
    await expect(other.locator("#company")).to_contain_text("Ada")
    assert await axe.violations(ada) == []
    await picture(ada, "listening")
    await ada.click("#listen-take-over")
    await ada.click("#take-over-confirm")
    await expect(tablet.locator("#clinician")).to_have_text("Ada", timeout=15_000)
    await expect(other.locator("#moved-text")).to_contain_text("Ada")
    await picture_moves(tablet, "#remote-video", 20)
    await until(
        ada, "() => document.querySelector('#end') && !document.querySelector('#end').hidden"
    )
    await ada.click("#end")
    await ada.click("#end-confirm")
    await expect(ada.locator("#wrapup")).to_be_visible()
    for name, errors in people.errors.items():
        assert errors == [], name
    assert demo.leaks() == []


async def test_handed_back_to_the_line_it_rings_for_somebody_else(
    fresh_demo: Demo, people: People
) -> None:
    await asyncio.to_thread(fresh_demo.start)
    officer = Officer(await people.page("sam", size=TABLET), fresh_demo.card["tablet"])
    dana = Clinician(await people.page("dana"), fresh_demo.card["clinicians"][0])
    miguel = Clinician(await people.page("miguel"), fresh_demo.card["clinicians"][1])
    await officer.enrol()
    await dana.arrive()
    await miguel.arrive()
    await officer.press()
    await dana.accept()
    await picture_moves(officer.page, "#remote-video")
    await dana.page.click("#transfer")
    await dana.page.select_option("#requeue-reason", "end_of_shift")
    await dana.page.click("#requeue")
    await dana.page.click("#requeue-confirm")
    await miguel.rings(20)
    await expect(officer.page.locator("#status")).to_have_text("Dana cannot stay")
    await miguel.accept()
    await picture_moves(officer.page, "#remote-video", 20)
