"""An interpreter joins a running call by a link, in a browser that nobody has signed in."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.journeys import axe
from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.steps import Clinician, Officer, heard, picture_moves, until

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

# What a page asks for, and what it has been given.
ASKED = """(() => {
    const media = navigator.mediaDevices, open = media.getUserMedia.bind(media);
    globalThis.asked = [];
    globalThis.opened = [];
    media.getUserMedia = async (wanted) => {
        globalThis.asked.push(...['audio', 'video'].filter((kind) => wanted[kind]));
        const stream = await open(wanted);
        await globalThis.slow;
        globalThis.opened.push(...stream.getTracks());
        return stream;
    };
})()"""
ALL_CLOSED = "() => globalThis.opened.every((one) => one.readyState === 'ended')"
TWICE = "() => { for (const time of [1, 2]) document.querySelector('#whisper').click(); }"
# The microphone is gone, and what is opened in its place takes a while; gives how often anything
# was asked for before.
PULLED_OUT = """() => {
    globalThis.slow = new Promise((goOn) => { globalThis.goOn = goOn; });
    globalThis.opened.at(-1).stop();
    const asked = globalThis.asked.length;
    navigator.mediaDevices.dispatchEvent(new Event('devicechange'));
    return asked;
}"""
SIZES = {"tablet": (1024, 768), "laptop": (1366, 768), "phone": (390, 844)}


async def picture(page: Page, name: str) -> None:
    """For people who look at the pages; only where a folder is named."""
    folder = os.environ.get("JOURNEY_PICTURES")
    if not folder:
        return
    before = page.viewport_size
    for size, (width, height) in SIZES.items():
        await page.set_viewport_size({"width": width, "height": height})
        await page.screenshot(path=Path(folder) / f"{name}-{size}.png")
    if before is not None:
        await page.set_viewport_size(before)


async def test_an_interpreter_by_link_hears_and_is_heard_until_the_link_is_taken_back(
    fresh_demo: Demo, people: People
) -> None:
    demo = fresh_demo
    await asyncio.to_thread(demo.start)
    officer = Officer(await people.page("sam", size=(1024, 768)), demo.card["tablet"])
    dana = Clinician(await people.page("dana"), demo.card["clinicians"][0])
    await officer.enrol()
    await dana.arrive()
    await officer.press()
    await dana.accept()
    tablet, console = officer.page, dana.page
    await picture_moves(tablet, "#remote-video")

    # Dana makes a link
    await console.click("#add")
    await console.click('[data-invite="interpreter"]')
    await expect(console.locator("#invite-links li")).to_have_count(1)
    link = await console.input_value("#invite-url")
    assert "/join#" in link
    assert await axe.violations(console) == []
    await picture(console, "invite")

    # Marta opens it, and gives her name
    marta = await people.page("marta", size=(390, 844))
    await marta.goto(link)
    await expect(marta.locator("#join-submit")).to_be_enabled()
    assert "#" not in marta.url, "the secret does not stay in the address"
    assert await axe.violations(marta) == []
    await picture(marta, "join")
    await marta.fill("#name", "Marta R.")
    await marta.click("#join-submit")
    await expect(marta.locator("#enter")).to_be_visible()
    assert await axe.violations(marta) == []
    await picture(marta, "guest-door")
    await marta.click("#enter")

    # everybody hears everybody, and is told who has come
    await picture_moves(marta, "#remote-video", 20)
    await heard(marta, "#remote-audio")
    await heard(marta, "#more-audio-1")
    await heard(tablet, "#more-audio-1")
    await heard(console, "#more-audio-1")
    await expect(tablet.locator("#company-words")).to_contain_text("Marta R.")
    await expect(console.locator("#company")).to_contain_text("Marta R.")
    await picture_moves(marta, "#more-video-1")
    assert await axe.violations(marta) == []
    await marta.set_viewport_size({"width": 320, "height": 640})  # the topbar has two lines there
    await expect(marta.locator("#leave")).to_be_in_viewport(ratio=1)
    await marta.set_viewport_size({"width": 390, "height": 844})
    await picture(marta, "guest-call")
    await picture(console, "guest-console")
    await picture(tablet, "guest-tablet")

    # on hold: she hears nobody and reads why, and comes back
    await console.click("#company-hold-1")
    await expect(marta.locator("#remote-words")).to_contain_text("You are on hold.")
    await expect(tablet.locator("#company-words")).to_contain_text("on hold")
    await expect(console.locator("#company-role-1")).to_contain_text("on hold")
    for page in (marta, console):
        assert await axe.violations(page) == []
    await picture(marta, "guest-held")
    await picture(console, "guest-held-console")
    await console.click("#company-hold-1")
    await picture_moves(marta, "#remote-video", 20)
    await heard(tablet, "#more-audio-1")

    # the same link opens no second door; a reload comes back to the call
    other = await people.page("stranger", size=(390, 844))
    await other.goto(link)
    await other.fill("#name", "Somebody")
    await other.click("#join-submit")
    await expect(other.locator("#join-error")).to_contain_text("does not work any more")
    people.errors["stranger"].clear()  # the browser's own line about the 410
    await marta.reload()
    await picture_moves(marta, "#remote-video", 20)
    await heard(tablet, "#more-audio-1")

    # put out: at once, and for good
    await console.click("#company-out-1")
    await expect(marta.locator("#door-title")).to_have_text("The call is over for you")
    await expect(tablet.locator("#company-words")).to_be_hidden()
    await picture(marta, "guest-over")
    await a_supervisor_by_link_is_asked_for_no_device(people, console)
    for name, errors in people.errors.items():
        assert errors == [], name
    assert demo.leaks() == []


async def a_supervisor_by_link_is_asked_for_no_device(people: People, console: Page) -> None:
    """Whoever only listens; a microphone is opened to speak to the lead, and closed after it."""
    await console.click('[data-invite="supervisor"]')
    await expect(console.locator("#invite-links li")).to_have_count(1)
    ada = await people.page("ada", size=(390, 844))
    await ada.add_init_script(ASKED)
    await ada.goto(await console.input_value("#invite-url"))
    await ada.fill("#name", "Ada O.")
    await ada.click("#join-submit")
    await ada.click("#enter")
    await picture_moves(ada, "#remote-video", 20)
    assert await ada.evaluate("globalThis.asked") == []
    await ada.click("#whisper")
    await heard(console, "#more-audio-1")
    assert await ada.evaluate("globalThis.asked") == ["audio"]
    await ada.click("#whisper")
    await until(ada, ALL_CLOSED)

    # two presses at once, and a press while a microphone that was pulled out is being opened anew
    await ada.evaluate(TWICE)
    await until(ada, ALL_CLOSED)
    await expect(ada.locator("#whisper")).to_have_attribute("aria-pressed", "false")
    await ada.click("#whisper")
    await until(ada, "() => globalThis.opened.some((one) => one.readyState === 'live')")
    before = await ada.evaluate("globalThis.opened.length")
    asked = await ada.evaluate(PULLED_OUT)
    await until(ada, "(before) => globalThis.asked.length > before", asked)
    await ada.click("#whisper")
    await ada.evaluate("globalThis.goOn()")
    await until(ada, "(before) => globalThis.opened.length > before", before)
    await until(ada, ALL_CLOSED)
    await expect(ada.locator("#whisper")).to_have_attribute("aria-pressed", "false")
