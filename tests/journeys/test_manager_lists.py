"""The manager's lists by keyboard alone: live table, log and views, near misses, follow-ups."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, ViewportSize, expect

from records.flags import BIT
from tests.journeys import axe, seeds
from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.steps import picture, sign_in
from web.dev import cast

pytestmark = [pytest.mark.journey, pytest.mark.timeout(240)]

WAITING: dict[str, Any] = {
    "state": "connected", "close_reason": None, "ended_at": None, "closed_at": None,
    "recommended_disposition": None, "actual_disposition": None, "epoch": 1,
}  # fmt: skip
PHONE: ViewportSize = {"width": 390, "height": 844}
MOST_TABS = 120


async def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the focus is there, as somebody without a mouse does."""
    for _ in range(MOST_TABS):
        await page.keyboard.press("Tab")
        if await page.evaluate("(one) => document.activeElement?.matches(one) ?? false", selector):
            return
    raise AssertionError(f"{selector} cannot be reached by keyboard")


async def accessible(page: Page, name: str) -> None:
    """Nothing for axe to say in either theme, nor on a phone, where nothing scrolls sideways."""
    before = page.viewport_size
    assert await axe.violations(page) == [], name
    await picture(page, name)
    await page.set_viewport_size(PHONE)
    width = await page.evaluate("() => document.documentElement.scrollWidth")
    await picture(page, f"{name}-phone")
    assert width <= PHONE["width"], name
    if before is not None:
        await page.set_viewport_size(before)


async def test_the_live_table_stays_under_the_keyboard_and_says_when_it_is_old(
    demo: Demo, people: People
) -> None:
    async with seeds.record_of(demo) as db:
        first = await seeds.session(db, "live-1", 300, **WAITING)
        office = await people.page("lena")
        await sign_in(office, demo.card["manager"])
        rows = office.locator("#scene-rows > tr")
        await expect(rows).to_have_count(1)
        await expect(rows.first).to_contain_text("Unit 12")
        await expect(rows.first.locator("[data-cell=state]")).not_to_be_empty()
        await tab_to(office, "#scene-rows a")
        place = await office.evaluate("() => document.activeElement.getBoundingClientRect().top")

        # somebody else comes: an older press, which would stand first
        other = await seeds.session(
            db, "live-2", 900, cast.UNIT_14, code="111222",
            **{**WAITING, "lead_id": cast.MIGUEL.id},
        )  # fmt: skip
        await expect(rows).to_have_count(2, timeout=12_000)
        await expect(rows.first).to_have_attribute("data-scene", first.id)
        await expect(office.locator("[data-announce=polite]")).to_contain_text("111 222")
        await seeds.now(db, first, state="closed", close_reason="completed", closed_at=1.0)
        await expect(rows.first.locator("[data-cell=state]")).to_have_text("Over", timeout=12_000)
        await expect(office.locator(f'[data-scene="{first.id}"] a')).to_be_focused()
        assert place == await office.evaluate(
            "() => document.activeElement.getBoundingClientRect().top"
        )
        await accessible(office, "scene")
        await office.keyboard.press("Tab")
        await office.keyboard.press("Tab")
        await expect(rows).to_have_count(1)
        await expect(rows.first).to_have_attribute("data-scene", other.id)

        # an outage: old numbers are called old, and the clocks stand
        await office.context.set_offline(True)
        await expect(office.locator("#board-stale")).to_be_visible(timeout=12_000)
        await expect(office.locator("#board-stale-words")).to_contain_text("no connection since")
        age = await rows.first.locator("[data-cell=age]").text_content()
        await office.wait_for_timeout(2500)
        assert age == await rows.first.locator("[data-cell=age]").text_content()
        await accessible(office, "scene-stale")
        await office.context.set_offline(False)
        await expect(office.locator("#board-stale")).to_be_hidden(timeout=12_000)
        await seeds.now(db, other, state="closed", close_reason="completed", closed_at=1.0)
        await expect(office.locator("#scene-empty")).to_be_visible(timeout=12_000)


async def test_a_near_miss_is_closed_with_a_note_by_keyboard_alone(
    demo: Demo, people: People
) -> None:
    async with seeds.record_of(demo) as db:
        row = await seeds.session(db, "miss-1", 4000)
        await seeds.miss(db, row, "unanswered")
        await seeds.miss(db, await seeds.session(db, "miss-2", 90_000), "to_phone")
    office = await people.page("lena")
    await sign_in(office, demo.card["manager"])
    await tab_to(office, "#misses a")
    await office.keyboard.press("Enter")
    await expect(office.locator("#miss-count")).to_have_text("2 near misses open")
    await accessible(office, "misses")
    await tab_to(office, "[data-miss] th a")
    await office.keyboard.press("Enter")
    await expect(office.locator("h1")).to_have_text("Nobody answered")
    await tab_to(office, "#miss-note")
    await office.keyboard.type("Both phones were on silent <b>tonight</b>.")
    await accessible(office, "miss")
    await tab_to(office, "form[action$='/close'] button")
    await office.keyboard.press("Enter")
    await expect(office.locator("[role=status]")).to_contain_text("The near miss is closed.")
    await expect(office.locator(".own-words")).to_have_text(
        "Both phones were on silent <b>tonight</b>."
    )
    await accessible(office, "miss-closed")
    await office.goto(f"{demo.base_url}/manager/misses")
    await expect(office.locator("#miss-count")).to_have_text("1 near miss open")
    assert people.errors["lena"] == []


async def test_who_has_nobody_is_followed_up_by_keyboard_alone(demo: Demo, people: People) -> None:
    async with seeds.record_of(demo) as db:
        row = await seeds.session(db, "gap-1", 5000, code="333444")
        await seeds.gap(db, row, "no_followup")
        told = await seeds.session(db, "gap-2", 5000, code="555666")
        await seeds.gap(db, told, "no_followup")
    desk = await people.page("dana")
    card = demo.card["clinicians"][0]
    await sign_in(desk, card)
    await desk.goto(f"{demo.base_url}/followups")
    await accessible(desk, "followup-gaps")
    await tab_to(desk, f'[data-gap="{row.id}"] a')
    await desk.keyboard.press("Enter")
    await expect(desk.locator("h1")).to_have_text("Session without a follow-up")
    await accessible(desk, "followup-gap")
    await tab_to(desk, "#kind")
    await desk.keyboard.type("Warm")
    await tab_to(desk, "#owner")
    await desk.keyboard.type("Miguel")
    await tab_to(desk, "#plan button")
    await desk.keyboard.press("Enter")
    await expect(desk.locator("[role=status]")).to_contain_text("The follow-up is planned.")
    await expect(desk.locator("[data-followup]")).to_contain_text(["Warm handoff"])
    await expect(desk.locator("[data-followup]").first).to_contain_text("Miguel Ortiz")
    await tab_to(desk, f'[data-gap="{told.id}"] a')
    await desk.keyboard.press("Enter")
    await expect(desk.locator("h1")).to_have_text("Session without a follow-up")
    await tab_to(desk, "#reason")
    await desk.keyboard.type("Another")
    await tab_to(desk, "#none button")
    await desk.keyboard.press("Enter")
    await expect(desk.locator("[role=status]")).to_contain_text("The reason is saved.")
    for one in (row, told):  # a look-out may have found others of this demo meanwhile
        await expect(desk.locator(f'[data-gap="{one.id}"]')).to_have_count(0)
    assert people.errors["dana"] == []


async def test_the_log_is_searched_filtered_and_kept_as_a_view_by_keyboard_alone(
    demo: Demo, people: People
) -> None:
    async with seeds.record_of(demo) as db:
        armed = await seeds.session(db, "log-1", 7000, code="700001", flags=BIT["weapon_present"])
        plain = await seeds.session(db, "log-2", 7100, cast.UNIT_14, code="700002")
    office = await people.page("lena")
    keys, row = office.keyboard, '#log tr[data-session="{}"]'
    await sign_in(office, demo.card["manager"])

    # a name is searched, and does not stand in the address
    await tab_to(office, "#q")
    await keys.type("rivera")
    await keys.press("Enter")
    await expect(office.locator("#found")).to_contain_text("Sam Rivera")
    assert "ivera" not in office.url
    await expect(office.locator(row.format(armed.id))).to_be_visible()
    await accessible(office, "log-found")
    await tab_to(office, "#q")
    await keys.type("nobody at all")
    await keys.press("Enter")
    await expect(office.locator("#q-nothing")).to_have_text("Nothing is called that.")

    # further filters, folded away until somebody asks for them
    await office.goto(f"{demo.base_url}/manager?all=1")
    await tab_to(office, ".filter__more summary")
    await keys.press("Enter")
    await tab_to(office, "#f-flag")
    await keys.type("Weapon")
    await tab_to(office, "#log-filter button")
    await keys.press("Enter")
    await expect(office.locator(row.format(armed.id))).to_be_visible()
    await expect(office.locator(row.format(plain.id))).to_have_count(0)
    await expect(office.locator("#f-flag")).to_be_visible()

    # kept under a name, and what the log begins with
    await tab_to(office, ".views__save summary")
    await keys.press("Enter")
    await tab_to(office, "#view-name")
    await keys.type("With weapons")
    await keys.press("Tab")
    await keys.press("Space")
    await keys.press("Tab")
    await keys.press("Space")
    await accessible(office, "log-filter")
    await tab_to(office, ".views__save button")
    await keys.press("Enter")
    view = office.locator(".views [aria-current=true]")
    await expect(view).to_have_text("With weapons")
    await office.goto(f"{demo.base_url}/manager")
    await expect(view).to_have_text("With weapons")
    await expect(office.locator(row.format(plain.id))).to_have_count(0)

    # renamed and removed
    await tab_to(office, ".views a[href='/manager/views']")
    await keys.press("Enter")
    await expect(office.locator("h1")).to_have_text("Saved views")
    await accessible(office, "views")
    await tab_to(office, "[data-view] input[name=name]")
    await keys.type("Armed")
    await keys.press("Enter")
    await expect(office.locator("[role=status]")).to_contain_text("The view is changed.")
    await expect(office.locator("[data-view] h3")).to_contain_text("Armed")
    await tab_to(office, "form[action$='/remove'] button")
    await keys.press("Enter")
    await expect(office.locator("[role=status]")).to_contain_text("The view is removed.")
    await office.goto(f"{demo.base_url}/manager")
    await expect(office.locator(row.format(plain.id))).to_be_visible()
    assert people.errors["lena"] == []
