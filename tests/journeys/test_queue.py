"""Ringing as people see it: races, several pages, rings that nobody answers, nobody at all."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest
from playwright.async_api import expect

from tests.journeys import axe
from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.steps import Clinician, Officer, picture

pytestmark = pytest.mark.journey

TABLET = (1024, 768)


async def cast(demo: Demo, people: People) -> tuple[Officer, Clinician, Clinician]:
    """An officer whose tablet is ready, and two clinicians on call with their consoles open."""
    await asyncio.to_thread(demo.start)
    officer = Officer(await people.page("sam", size=TABLET), demo.card["tablet"])
    dana = Clinician(await people.page("dana"), demo.card["clinicians"][0])
    miguel = Clinician(await people.page("miguel"), demo.card["clinicians"][1])
    await officer.enrol()
    await dana.arrive()
    await miguel.arrive()
    return officer, dana, miguel


async def test_of_two_who_accept_at_once_one_leads_and_the_other_reads_who(
    fresh_demo: Demo, people: People
) -> None:
    officer, dana, miguel = await cast(fresh_demo, people)
    await officer.press()
    await asyncio.gather(dana.rings(), miguel.rings())
    # not by the mouse, which would first wait until the button stands still
    press = "document.querySelector('#accept').click()"
    await asyncio.gather(dana.page.evaluate(press), miguel.page.evaluate(press))
    await officer.screen("call")
    name = await officer.page.locator("#clinician").inner_text()
    winner, loser = (dana, miguel) if "Dana" in name else (miguel, dana)
    await expect(winner.page.locator("#call")).to_be_visible()
    await expect(loser.page.locator("#taken-text")).to_contain_text(name)
    await expect(loser.page.locator("#offer")).to_be_hidden()
    await expect(loser.page.locator("#call")).to_be_hidden()
    await expect(loser.page.locator("html")).to_have_attribute("data-ringing", "false")
    assert [problem for who in people.errors.values() for problem in who] == []


async def test_every_page_of_a_clinician_rings_and_one_answer_stops_them_all(
    fresh_demo: Demo, people: People
) -> None:
    await asyncio.to_thread(fresh_demo.start)
    officer = Officer(await people.page("sam", size=TABLET), fresh_demo.card["tablet"])
    await officer.enrol()
    card = fresh_demo.card["clinicians"][0]
    desk = Clinician(await people.page("dana"), card)
    await desk.arrive()
    tab = await people.page("dana")
    await tab.goto(f"{fresh_demo.base_url}/console")
    phone = Clinician(await people.page("dana's phone", size=(390, 844)), card)
    await phone.arrive()
    pages = [desk.page, tab, phone.page]
    await officer.press()
    for page in pages:
        await expect(page.locator("html")).to_have_attribute("data-ringing", "true")
    await phone.page.click("#accept")
    await officer.screen("call")
    for page in pages:
        await expect(page.locator("html")).to_have_attribute("data-ringing", "false")
        await expect(page.locator("#offer")).to_be_hidden()
        await expect(page.locator("html")).to_have_attribute("data-screen", "call")


async def test_who_lets_two_rings_pass_reads_them_later_and_is_paused_unless_the_last_one(
    fresh_demo: Demo, people: People
) -> None:
    fresh_demo.settings = {"CRISISBRIDGE_RING_SECONDS": "5"}
    officer, dana, miguel = await cast(fresh_demo, people)
    await officer.press()
    paused = [page.locator("#paused-by-missing") for page in (dana.page, miguel.page)]
    async with asyncio.timeout(45):  # at least two rings for both, five seconds each
        while not any([await one.is_visible() for one in paused]):
            await asyncio.sleep(0.1)
    one = (dana, miguel)[[await box.is_visible() for box in paused].index(True)]
    other = (miguel, dana)[one is miguel]
    await expect(one.page.locator("#missed-count")).to_have_text("2")
    await picture(one.page, "queue-missed")
    assert await axe.violations(one.page) == []
    await expect(other.page.locator("#missed-count")).not_to_have_text("1", timeout=20_000)
    await expect(other.page.locator("#paused-by-missing")).to_be_hidden()  # the last one
    await one.page.click("#missed-read")
    await expect(one.page.locator("#missed")).to_be_hidden()
    await one.page.click("#activity-available")
    await expect(one.page.locator("#paused-by-missing")).to_be_hidden()
    await one.accept()  # nothing is lost: it rings again
    await officer.screen("call")


def pressed_earlier(demo: Demo, seconds: float) -> None:
    """As if the officer had pressed so long before."""
    with sqlite3.connect(demo.folder / "crisisbridge.db", timeout=10) as database:
        database.execute(
            "update session set pressed_at = pressed_at - ? where state = 'waiting'", (seconds,)
        )
    database.close()


async def test_an_officer_whom_nobody_answers_is_told_more_at_each_step_and_at_last_whom_to_phone(
    fresh_demo: Demo, people: People
) -> None:
    officer, dana, _ = await cast(fresh_demo, people)
    await officer.press()
    await dana.rings()
    words, then = officer.page.locator("#status"), officer.page.locator("#status-next")
    said = [(await words.inner_text(), await then.inner_text())]
    for seconds in (20, 25, 45):
        await asyncio.to_thread(pressed_earlier, fresh_demo, seconds)
        async with asyncio.timeout(40):
            while said[-1] == (await words.inner_text(), await then.inner_text()):
                await asyncio.sleep(0.1)
        said.append((await words.inner_text(), await then.inner_text()))
        await picture(officer.page, f"queue-step-{len(said)}")
    assert len(set(said)) == 4, said
    await expect(officer.page.locator('#status-number a[href^="tel:"]')).to_be_visible()
    assert await axe.violations(officer.page) == []
    await dana.accept()  # the line has never given up
    await officer.screen("call")
