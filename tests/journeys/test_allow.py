"""A browser that may not use camera and microphone: the call goes on, and help is near."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.journeys import axe
from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.steps import Clinician, Officer, picture, picture_moves

pytestmark = [pytest.mark.journey, pytest.mark.timeout(180)]


@pytest.mark.whole_browser
async def test_a_tablet_without_permission_joins_by_ear_and_is_shown_how_to_allow_it(
    demo: Demo, people: People
) -> None:
    tablet = await people.page("sam", size=(1024, 768), allows=False)
    officer = Officer(tablet, demo.card["tablet"])
    dana = Clinician(await people.page("dana"), demo.card["clinicians"][0])
    await officer.enrol()
    await dana.arrive()
    # what is granted is all that is granted: camera and microphone are refused
    await tablet.context.grant_permissions(["geolocation"], origin=demo.base_url)
    await officer.press()
    await dana.accept()
    await picture_moves(tablet, "#remote-video", 20)  # seen and heard all the same
    await expect(tablet.locator("#device-text")).to_contain_text("not allowed")
    await tablet.click("#device-help")
    first = tablet.locator("#allow-devices > details").first
    await expect(first).to_have_attribute("data-allow", "chromium")
    await expect(first).to_have_attribute("open", "")
    assert await axe.violations(tablet) == []
    await picture(tablet, "allow-help")
    # the officer allows it, in the browser's own settings, and presses once
    await tablet.context.grant_permissions(["camera", "microphone"], origin=demo.base_url)
    await tablet.click("#allow-again")
    await expect(tablet.locator("#device")).to_be_hidden()
    await picture_moves(dana.page, "#remote-video", 20)
    await officer.end()
    await dana.wrap_up("remain_in_place")
