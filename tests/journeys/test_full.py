"""A server that carries all that it may: who comes next is told whom to phone, and gets the next
free place."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import expect

from tests.journeys import axe
from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.steps import Clinician, Officer, picture, picture_moves

pytestmark = [pytest.mark.journey, pytest.mark.timeout(240)]

TABLET = (1024, 768)


async def test_whoever_finds_all_lines_in_use_reads_it_and_whom_to_phone_until_one_is_free(
    fresh_demo: Demo, people: People
) -> None:
    demo = fresh_demo
    demo.settings = {"CRISISBRIDGE_MEDIA_CALLS": "1"}
    await asyncio.to_thread(demo.start)
    sam = Officer(await people.page("sam", size=TABLET), demo.card["tablets"][0])
    jo = Officer(await people.page("jo", size=TABLET), demo.card["tablets"][1])
    dana = Clinician(await people.page("dana"), demo.card["clinicians"][0])
    miguel = Clinician(await people.page("miguel"), demo.card["clinicians"][1])
    for officer, clinician in ((sam, dana), (jo, miguel)):
        await officer.enrol()
        await clinician.arrive()
        await officer.press()
        if officer is sam:
            await clinician.accept()
            await picture_moves(sam.page, "#remote-video", 40)

    blocked = jo.page.locator("#blocked")
    await expect(blocked).to_contain_text("All lines of this server are in use")
    code = (await blocked.locator("#blocked-text").inner_text()).split("code ")[1][:6]
    assert code.isdigit()
    await expect(blocked.locator("#blocked-call")).to_have_attribute("href", "tel:6055550188")
    await miguel.accept()
    await expect(jo.page.locator("#status-next")).to_have_text("")  # not "in a second or two"
    words = miguel.page.locator("#remote-words")
    await expect(words).to_contain_text("All lines of this server are in use")
    await expect(words).to_contain_text(code)
    await expect(miguel.page.locator("#remote-still")).to_be_visible(timeout=20_000)
    for page in (jo.page, miguel.page):
        assert await axe.violations(page) == []
    await picture(jo.page, "full-tablet")
    await picture(miguel.page, "full-console")

    await picture_moves(sam.page, "#remote-video", 20)  # the running one notices nothing
    await sam.end()
    await picture_moves(jo.page, "#remote-video", 40)
    await picture_moves(miguel.page, "#remote-video", 20)
    await expect(blocked).to_be_hidden()
    for name, errors in people.errors.items():
        assert errors == [], name
    assert demo.leaks() == []
