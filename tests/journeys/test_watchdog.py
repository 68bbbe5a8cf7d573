"""A camera that stops giving pictures: said to the other side, healed once, and then named."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import expect

from tests.journeys import axe
from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.steps import Clinician, Officer, picture, picture_moves

pytestmark = [pytest.mark.journey, pytest.mark.alone]

# A camera that the test can stop: the first `stuck` ones that were opened give no more.
CAMERA = """(() => {
    const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    globalThis.opened = 0;
    globalThis.stuck = 0;
    navigator.mediaDevices.getUserMedia = async (wanted) => {
        const stream = await real(wanted);
        if (!wanted.video) return stream;
        const number = globalThis.opened += 1;
        const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
        const context = canvas.getContext('2d');
        let n = 0;
        setInterval(() => {
            if (number <= globalThis.stuck) return;
            context.fillStyle = `hsl(${(n += 7) % 360} 80% 50%)`;
            context.fillRect(0, 0, 640, 360);
        }, 50);
        for (const track of stream.getVideoTracks()) { stream.removeTrack(track); track.stop(); }
        stream.addTrack(canvas.captureStream(20).getVideoTracks()[0]);
        return stream;
    };
})()"""


async def test_a_camera_that_stands_still_is_read_healed_once_and_then_said(
    fresh_demo: Demo, people: People
) -> None:
    await asyncio.to_thread(fresh_demo.start)
    tablet, desk = await people.page("sam", size=(1024, 768)), await people.page("dana")
    await tablet.add_init_script(CAMERA)
    officer = Officer(tablet, fresh_demo.card["tablet"])
    dana = Clinician(desk, fresh_demo.card["clinicians"][0])
    await officer.enrol()
    await dana.arrive()
    await officer.press()
    await dana.accept()
    await picture_moves(desk, "#remote-video")
    words = desk.locator("#peer-words")
    await expect(words).not_to_contain_text("stands still")

    await tablet.evaluate("globalThis.stuck = 1")
    await expect(words).to_contain_text("stands still", timeout=15_000)
    await picture(desk, "watchdog-frozen")
    # opened anew by itself: nobody has to do anything
    await expect(words).not_to_contain_text("stands still", timeout=20_000)
    await picture_moves(desk, "#remote-video")
    assert await tablet.evaluate("globalThis.opened") == 2
    await expect(tablet.locator("#device")).to_be_hidden()

    await tablet.evaluate("globalThis.stuck = 99")
    await expect(tablet.locator("#device-text")).to_contain_text("no picture", timeout=20_000)
    await expect(words).to_contain_text("stands still")
    assert await axe.violations(tablet) == []
    await picture(tablet, "watchdog-stuck")
    await tablet.evaluate("globalThis.stuck = 2")
    await tablet.click("#device-retry")
    await picture_moves(desk, "#remote-video")
    await expect(words).not_to_contain_text("stands still", timeout=15_000)
    await expect(tablet.locator("#device")).to_be_hidden(timeout=15_000)
