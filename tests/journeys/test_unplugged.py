"""Devices that go away in the middle of a call and come back: both sides read it."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page, expect

from tests.journeys import axe
from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.steps import Clinician, Officer, heard, picture, picture_moves, until

pytestmark = [pytest.mark.journey, pytest.mark.timeout(240)]

# Cameras and microphones that the test can pull out (`why`: what the browser says when it is asked
# for one then) and plug in again.
PLUGS = """(() => {
    const media = navigator.mediaDevices, open = media.getUserMedia.bind(media);
    const missing = {}, tracks = [];
    media.getUserMedia = async (wanted) => {
        for (const kind of ['audio', 'video']) {
            if (wanted[kind] && missing[kind]) throw new DOMException('', missing[kind]);
        }
        const stream = await open(wanted);
        tracks.push(...stream.getTracks());
        return stream;
    };
    globalThis.unplug = (kind, why) => {
        missing[kind] = why;
        for (const track of tracks.filter((one) => one.kind === kind)) {
            if (track.readyState !== 'live') continue;
            track.stop();
            track.dispatchEvent(new Event('ended'));
        }
        media.dispatchEvent(new Event('devicechange'));
    };
    globalThis.plug = (kind) => {
        delete missing[kind];
        media.dispatchEvent(new Event('devicechange'));
    };
})()"""
# What else an element says from now on.
ALL_THAT_IS_READ = """(words) => {
    const before = words.textContent, read = [];
    new MutationObserver(() => { if (words.textContent !== before) read.push(words.textContent); })
        .observe(words, { childList: true, characterData: true, subtree: true });
    return read;
}"""
FRAMES = "(count) => Number(document.querySelector('#remote-video').dataset.frames) >= count"
GONE, DIED = "NotFoundError", ""  # "": it can be opened again at once


async def unplug(page: Page, kind: str, why: str) -> None:
    await page.evaluate("([kind, why]) => globalThis.unplug(kind, why)", [kind, why])


async def plug(page: Page, kind: str) -> None:
    await page.evaluate("(kind) => globalThis.plug(kind)", kind)


async def test_a_device_that_is_pulled_out_is_named_to_both_sides_and_used_when_it_is_back(
    fresh_demo: Demo, people: People
) -> None:
    await asyncio.to_thread(fresh_demo.start)
    tablet, desk = await people.page("sam", size=(1024, 768)), await people.page("dana")
    for page in (tablet, desk):
        await page.add_init_script(PLUGS)
    officer = Officer(tablet, fresh_demo.card["tablet"])
    dana = Clinician(desk, fresh_demo.card["clinicians"][0])
    await officer.enrol()
    await dana.arrive()
    await officer.press()
    await dana.accept()
    for page in (tablet, desk):
        await picture_moves(page, "#remote-video", 40)
    for name, page, other in (("tablet", tablet, desk), ("console", desk, tablet)):
        await _without_sound(name, page, other)
        await _without_picture(name, page, other)
        await _without_both(name, page, other)

    # the other camera, which dies and can be opened again: nobody has to do anything
    await tablet.click("#flip")
    await picture_moves(desk, "#remote-video", 20)
    await unplug(tablet, "video", DIED)
    await picture_moves(desk, "#remote-video", 20)
    for name, errors in people.errors.items():
        assert errors == [], name


async def _without_sound(name: str, page: Page, other: Page) -> None:
    device = page.locator("#device-text")
    await unplug(page, "audio", GONE)
    await expect(device).to_contain_text("No microphone")
    await expect(other.locator("#peer-words")).to_contain_text("muted")
    await picture_moves(other, "#remote-video", 20)
    assert await axe.violations(page) == []
    await picture(page, f"unplugged-microphone-{name}")
    await plug(page, "audio")
    await expect(device).to_be_hidden()
    await expect(other.locator("#peer-words")).to_be_hidden()
    await heard(other, "#remote-audio")


async def _without_picture(name: str, page: Page, other: Page) -> None:
    device = page.locator("#device-text")
    await unplug(page, "video", GONE)
    await expect(device).to_contain_text("No camera")
    # no old face: the other side reads why there is none
    words = other.locator("#face-words" if name == "console" else "#remote-words")
    await expect(words).to_contain_text("camera is off")
    await picture(other, f"unplugged-camera-{name}-seen")
    await heard(other, "#remote-audio")
    await plug(page, "video")
    await expect(device).to_be_hidden()
    await picture_moves(other, "#remote-video", 20)
    await until(page, "() => document.querySelector('#self-view').srcObject?.active === true")


async def _without_both(name: str, page: Page, other: Page) -> None:
    """Who can only hear is not said to be reconnecting, however long nothing comes of them."""
    for kind in ("audio", "video"):
        await unplug(page, kind, GONE)
    words = other.locator("#face-words" if name == "console" else "#remote-words")
    await expect(words).to_contain_text("hears you")
    read = await words.evaluate_handle(ALL_THAT_IS_READ)
    began = int(await page.locator("#remote-video").get_attribute("data-frames") or 0)
    await until(page, FRAMES, began + 120, 30)  # four seconds; two of silence are noticed
    assert await read.json_value() == []
    await picture(other, f"unplugged-both-{name}-seen")
    for kind in ("audio", "video"):
        await plug(page, kind)
    await expect(page.locator("#device-text")).to_be_hidden()
    await picture_moves(other, "#remote-video", 20)
    await heard(other, "#remote-audio")
