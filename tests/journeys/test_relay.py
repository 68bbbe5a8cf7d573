"""No UDP on this network: a real relay carries the call, or the tablet says whom to phone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.journeys import axe
from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.steps import Clinician, Officer, picture, picture_moves, sound
from tests.media.coturn import SECRET, Coturn

pytestmark = [pytest.mark.journey, pytest.mark.whole_browser, pytest.mark.alone]

# A browser that is not allowed a single UDP packet of WebRTC, as behind a firewall that drops them.
NO_UDP = ["--webrtc-ip-handling-policy=disable_non_proxied_udp"]


async def cast(demo: Demo, people: People) -> tuple[Officer, Clinician]:
    """A tablet on the bad network, a clinician at home on a good one."""
    await asyncio.to_thread(demo.start)
    tablet = await people.page("sam", size=(1024, 768), flags=NO_UDP)
    officer = Officer(tablet, demo.card["tablet"])
    dana = Clinician(await people.page("dana"), demo.card["clinicians"][0])
    await officer.enrol()
    await dana.arrive()
    return officer, dana


async def test_with_udp_blocked_the_call_goes_through_the_relay(
    fresh_demo: Demo, people: People, tmp_path: Path
) -> None:
    with Coturn(tmp_path).running() as coturn:
        fresh_demo.settings = {
            "CRISISBRIDGE_TURN_URLS": f"{coturn.urls['udp']},{coturn.urls['tcp']}",
            "CRISISBRIDGE_TURN_SECRET": SECRET,
        }
        officer, dana = await cast(fresh_demo, people)
        await officer.press()
        await dana.accept()
        # 8 seconds is what is asked for; the bound is wide, for this machine is shared
        await picture_moves(officer.page, "#remote-video", 20)
        await picture_moves(dana.page, "#remote-video", 20)
        assert await sound(officer.page, "#remote-audio") > 0.01
        assert await sound(dana.page, "#remote-audio") > 0.01
        await expect(officer.page.locator("#blocked")).to_be_hidden()
    assert fresh_demo.leaks() == []


async def test_with_udp_blocked_and_no_relay_the_tablet_says_whom_to_phone(
    fresh_demo: Demo, people: People
) -> None:
    officer, dana = await cast(fresh_demo, people)
    await officer.press()
    blocked = officer.page.locator("#blocked")
    await expect(blocked).to_be_visible(timeout=20_000)
    code = (await blocked.locator("#blocked-text").inner_text()).split("code ")[1][:6]
    assert code.isdigit()
    await expect(blocked.locator("#blocked-call")).to_have_attribute("href", "tel:6055550188")
    assert await axe.violations(officer.page) == []
    await picture(officer.page, "relay-blocked-tablet")
    await dana.accept()
    words = dana.page.locator("#remote-words")
    await expect(words).to_contain_text(f"with the code {code}", timeout=15_000)
    await picture(dana.page, "relay-blocked-console")
