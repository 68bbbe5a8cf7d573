"""Opening hours follow the roster: the tablet says that nobody is on call; a press still waits."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Page, expect

from tests.journeys import axe
from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.steps import Clinician, Officer, sign_in
from web.dev import cast

pytestmark = pytest.mark.journey


async def send_off(office: Page, name: str) -> None:
    """An exception to the roster by its form: off from now for half a day."""
    form = office.locator('form[action="/manager/roster/overrides"]')
    now = datetime.now(ZoneInfo(cast.TIMEZONE))
    await form.locator("[name=kind][value=remove]").check()
    await form.locator("[name=goes]").select_option(label=name)
    for field, at in (("starts", now - timedelta(minutes=2)), ("ends", now + timedelta(hours=12))):
        await form.locator(f"[name={field}]").fill(at.strftime("%Y-%m-%dT%H:%M"))
    await form.locator("[type=submit]").click()
    await office.locator("[role=status]").wait_for()


async def test_with_nobody_on_call_the_tablet_shows_whom_to_phone_and_a_press_still_waits(
    fresh_demo: Demo, people: People
) -> None:
    await asyncio.to_thread(fresh_demo.start)
    card, base = fresh_demo.card, fresh_demo.base_url
    officer = Officer(await people.page("sam", size=(1024, 768)), card["tablet"])
    tablet = officer.page
    await officer.enrol()
    await expect(tablet.locator("#closed")).to_be_hidden()

    office = await people.page("lena")
    await sign_in(office, card["manager"])
    await office.goto(f"{base}/manager/roster/shifts")
    for one in cast.CLINICIANS:
        await send_off(office, one.name)
    assert await axe.violations(office) == []
    await office.goto(f"{base}/manager/roster")
    await expect(office.locator('#gaps [data-kind="nobody"]')).to_have_count(1)
    assert await axe.violations(office) == []

    # without a reload of the tablet
    await expect(tablet.locator("#closed")).to_be_visible()
    await expect(tablet.locator("#closed-regional")).to_have_attribute("href", "tel:6055550142")
    await expect(tablet.locator("#closed-next")).to_contain_text("The next clinician comes on")
    assert await axe.violations(tablet) == []
    await officer.press()
    await officer.screen("connecting")
    await expect(tablet.locator("#status-next")).to_contain_text("Nobody is on duty")

    dana = Clinician(await people.page("dana"), card["clinicians"][0])
    await dana.arrive()
    await office.goto(f"{base}/manager/roster/shifts")
    row = office.locator("[data-override]").filter(has_text=cast.DANA.name)
    await row.locator("summary").click()
    await row.locator('form[action$="/end"] button').click()
    await office.locator("[role=status]").wait_for()
    await dana.rings()  # the press waited for somebody to come on, and the change counts at once

    await dana.page.goto(f"{base}/shifts")
    assert await axe.violations(dana.page) == []
    await dana.page.locator('a[href^="/shifts/offer"]').nth(1).click()
    await dana.page.locator("#to").wait_for()
    assert await axe.violations(dana.page) == []
