"""A network whose proxy lets no WebSocket through: the whole call works by plain requests."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.steps import Clinician, Officer, heard, picture_moves

pytestmark = pytest.mark.journey


async def without_websockets(page: Page) -> None:
    """The upgrade fails on every page of this browser, as a proxy makes it fail."""

    async def refuse(socket: WebSocketRoute) -> None:
        await socket.close(code=1011, reason="refused")

    await page.context.route_web_socket("**/ws", refuse)


async def test_with_websockets_blocked_on_both_sides_the_call_is_the_same(
    fresh_demo: Demo, people: People
) -> None:
    await asyncio.to_thread(fresh_demo.start)
    asked: list[str] = []
    tablet, desk = await people.page("sam", size=(1024, 768)), await people.page("dana")
    for page in (tablet, desk):
        await without_websockets(page)
    tablet.on("request", lambda request: asked.append(request.url))
    officer = Officer(tablet, fresh_demo.card["tablet"])
    dana = Clinician(desk, fresh_demo.card["clinicians"][0])
    await officer.enrol()
    await dana.arrive()
    assert any(url.endswith("/poll") for url in asked)
    await officer.press()
    await dana.accept()
    await picture_moves(tablet, "#remote-video", 20)
    await picture_moves(desk, "#remote-video", 20)
    await heard(desk, "#remote-audio")
    await desk.click("#chat-toggle")
    await desk.fill("#chat-text", "Is he on any medicine?")
    await desk.press("#chat-text", "Enter")
    await expect(tablet.locator("#chat-lines")).to_contain_text("medicine")
    # the server goes, and comes back: by the same way to the same call
    fresh_demo.kill()
    await asyncio.to_thread(fresh_demo.start)
    await picture_moves(tablet, "#remote-video", 40)
    await picture_moves(desk, "#remote-video", 40)
    await officer.end()
    await dana.wrap_up("remain_in_place")
    assert fresh_demo.leaks() == []
