"""The record beside the video: forms by keyboard alone, a site's own wording, the signed note."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.journeys import axe
from tests.journeys import typed as command
from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.steps import Clinician, Officer, picture, sign_in
from tests.records.test_site_forms import screener

pytestmark = [pytest.mark.journey, pytest.mark.timeout(240)]

TABLET = (1024, 768)
CALM = {  # the field safety screen by digits, in its order; thoughts are told, a plan is not
    "danger-now": "2", "medical": "2", "impaired": "1", "thoughts": "1", "plan": "2",
    "intent": "2", "means": "2", "attempt": "1", "others": "2", "care": "1", "support": "1",
    "agrees": "1",
}  # fmt: skip
PARTS = ("warning-signs", "alone", "distraction", "people", "professionals", "safer")


async def import_form(demo: Demo, folder: Path, body: dict[str, Any]) -> str:
    """`crisisbridge instruments import`, as an administrator types it; what it says."""
    file = folder / f"form-{body['version']}.json"
    file.write_text(json.dumps(body))
    return await typed("instruments", "import", "--data", str(demo.folder), str(file))


async def typed(*arguments: str) -> str:
    """A command of `crisisbridge`; what it says."""
    code, said = await asyncio.to_thread(command.run, *arguments)
    assert code == 0, said
    return said


async def saved(page: Page) -> None:
    await expect(page.locator("#save-state")).to_have_attribute("data-state", "saved")


async def in_call(demo: Demo, people: People) -> tuple[Officer, Clinician]:
    officer = Officer(await people.page("sam", size=TABLET), demo.card["tablet"])
    dana = Clinician(await people.page("dana"), demo.card["clinicians"][0])
    await officer.enrol()
    await dana.arrive()
    await officer.press()
    await officer.page.click("#voice-only")  # what is written needs no pictures; they cost most
    await dana.accept()
    await officer.screen("call")
    await dana.page.click("#camera")
    return officer, dana


async def test_forms_are_answered_by_keyboard_alone_and_the_note_is_signed(
    fresh_demo: Demo, people: People
) -> None:
    await asyncio.to_thread(fresh_demo.start)
    officer, dana = await in_call(fresh_demo, people)
    desk, keys = dana.page, dana.page.keyboard

    # a digit answers and goes on; what hangs on an answer comes in its turn
    await desk.focus("#form-tab-field-safety")
    await keys.press("Tab")
    await keys.press("Tab")
    for item, digit in CALM.items():
        await expect(desk.locator(f'[data-item="{item}"] input:focus')).to_have_count(1)
        await keys.press(digit)
    await expect(desk.locator("#level-badge")).to_have_text("Computed: Moderate")
    await expect(desk.locator("#form-tab-field-safety")).to_contain_text("12/12")
    await saved(desk)
    await desk.reload()
    await expect(desk.locator("#form-tab-field-safety")).to_contain_text("12/12")
    assert await axe.violations(desk) == []

    # who it is about: folded away, saves itself, and is there after a reload
    await desk.focus("#about summary")
    await keys.press("Enter")
    await keys.press("Tab")
    await keys.type("John Doe")
    await keys.press("Tab")
    await desk.fill("#about-born", "1990-02-03")
    await expect(desk.locator("#about-state")).to_contain_text("Saved")
    await picture(desk, "record-person")
    assert await axe.violations(desk) == []
    await desk.reload()
    await expect(desk.locator("#about-words")).to_have_text("John Doe")
    assert "John" not in await desk.title()

    # another form, from the list
    await desk.focus("#form-others")
    await keys.type("Safety")
    await expect(desk.locator("#form-tab-safety-plan")).to_have_attribute("aria-selected", "true")
    await desk.focus('[data-item="made"] input')
    await keys.press("1")
    for part in PARTS:
        await expect(desk.locator(f"#item-{part}")).to_be_focused()
        await keys.type(f"Words on {part}, 7 of them")  # digits here are words
        await keys.press("Tab")
    await expect(desk.locator("#level-badge")).to_have_text("Computed: Plan made, 6")
    await saved(desk)
    await picture(desk, "record-safety-plan")
    assert await axe.violations(desk) == []

    # the person takes the plan away: a link of their own, that opens without an account
    await desk.click("#takeaway-make")
    await expect(desk.locator("#takeaway-said")).to_contain_text("30 days")
    await read_plan(people, await desk.input_value("#takeaway-url"))

    # a second window of the same clinician has both, and the arrows lead from one to the other
    second = await people.page("dana")
    await second.goto(f"{fresh_demo.base_url}/console")
    await expect(second.locator("#form-tabs [role=tab]")).to_have_count(2)
    await second.focus("#form-tab-field-safety")
    await second.keyboard.press("ArrowRight")
    await expect(second.locator("#item-safer")).to_have_value("Words on safer, 7 of them")
    await second.close()

    # help near by, from the directory: on the card, and on the person's plan
    help_near = desk.locator("#card-resources label")
    await expect(help_near).to_have_count(4)
    for name in ("Open Door Shelter", "Quiet Rooms", "Dakota Peer Line"):
        await help_near.filter(has_text=name).locator("input").focus()
        await keys.press("Space")
    await picture(desk, "record-help")
    await dana.recommend("soon", "remain_in_place", "Stay with a friend tonight.")
    await expect(officer.page.locator("#card-resources")).to_contain_text("Open Door Shelter")
    await expect(officer.page.locator("#card-resources")).to_contain_text("Text: 605-555-0163")
    await expect(officer.page.locator("#card-resources")).not_to_contain_text("Quiet Rooms")
    assert await axe.violations(officer.page) == []
    await picture(officer.page, "record-help-tablet")
    await read_help(people, await desk.input_value("#takeaway-url"))
    await officer.acknowledge()

    # another level than the computed one wants a reason before it can be signed
    await desk.focus("#form-tab-safety-plan")
    await keys.press("Home")
    await desk.focus('[data-item="judged-level"] input')
    await keys.press("4")
    await expect(desk.locator("#judged-badge")).to_have_text("Your level: High")
    await expect(desk.locator("#judged-hint")).to_be_visible()
    await picture(desk, "record-judged")
    await officer.end()
    await expect(desk.locator("#wrapup")).to_be_visible(timeout=15_000)
    await desk.select_option("#wrapup-disposition", "remain_in_place")
    await desk.focus("#wrapup-none")
    await keys.type("Another")
    await expect(desk.locator("#wrapup-state")).to_have_attribute("data-state", "saved")
    await desk.reload()
    await expect(desk.locator("#wrapup-none")).to_have_value("elsewhere", timeout=15_000)
    await desk.focus("#wrapup-sign")
    await keys.press("Space")
    await desk.press("#wrapup-finish", "Enter")
    await expect(desk.locator("#wrapup-error")).to_contain_text("nothing says why")
    await picture(desk, "record-unjustified")
    await expect(desk.locator("#wrapup-none")).to_have_value("elsewhere")
    await desk.fill("#item-judged-reason", "Known to us from last week")
    await desk.press("#wrapup-finish", "Enter")
    await expect(desk.locator("#wrapup")).to_be_hidden(timeout=15_000)
    board = await desk.context.new_page()
    await board.goto(f"{fresh_demo.base_url}/followups")
    await expect(board.locator("h1")).to_have_text("Follow-ups")
    await expect(board.locator("#gaps")).to_have_count(0)  # it was said why none is needed
    await board.close()

    await the_note(fresh_demo, people, desk)


async def read_plan(people: People, url: str) -> None:
    """On the person's own phone, in either language, and once more tomorrow."""
    phone = await people.page("person", size=(390, 844))
    await phone.goto(url)
    await expect(phone.locator("#plan-parts")).to_contain_text("Words on safer, 7 of them")
    await expect(phone.locator("#plan-until")).to_be_visible()
    assert await axe.violations(phone) == []
    await picture(phone, "plan")
    await phone.click(".languages a")
    await expect(phone.locator("h1")).to_have_text("Mi plan de seguridad")
    await expect(phone.locator("#plan-parts")).to_contain_text("Words on safer, 7 of them")
    await phone.reload()
    await expect(phone.locator("#plan-parts")).to_contain_text("Words on safer, 7 of them")
    await phone.emulate_media(media="print")
    await expect(phone.locator("#plan-print")).to_be_hidden()
    await expect(phone.locator("#plan-parts")).to_be_visible()
    await picture(phone, "plan-print")
    await phone.close()


async def read_help(people: People, url: str) -> None:
    """Where to turn to, in the language that they read before, and in the other."""
    phone = await people.page("person", size=(390, 844))
    await phone.goto(url)
    await expect(phone.locator("#plan-resources-list")).to_contain_text("Quiet Rooms")
    await expect(phone.locator("#plan-resources-list")).to_contain_text("Cada noche")
    assert await axe.violations(phone) == []
    await phone.locator("#plan-resources").scroll_into_view_if_needed()
    await picture(phone, "plan-help")
    await phone.click(".languages a")
    await expect(phone.locator("#plan-resources-list")).to_contain_text("Every night")
    await picture(phone, "plan-help-english")
    await phone.close()


async def the_note(demo: Demo, people: People, desk: Page) -> None:
    """Signed with the licence, added to, and read by others as far as they may."""
    await desk.goto(f"{demo.base_url}/notes")
    await expect(desk.locator("main")).to_contain_text("Nothing waits for your signature.")
    assert await axe.violations(desk) == []
    await picture(desk, "notes")
    await desk.click("table a")
    note = desk.locator("#signing")
    await expect(note).to_contain_text("The record is unchanged since it was signed.")
    await expect(note).to_contain_text("SD")  # where the licence is from
    await expect(desk.locator('[data-form="field-safety"]')).to_contain_text(
        "Clinician's own level: High"
    )
    await desk.fill("#words", "   ")
    await desk.click("#signing button")
    await expect(note.get_by_role("alert")).to_contain_text("needs words")
    await desk.fill("#words", "Her sister called back.")
    await desk.click("#signing button")
    await expect(desk.get_by_test_id("addendum")).to_contain_text("Her sister called back.")
    assert await axe.violations(desk) == []
    await picture(desk, "note-signed")
    address = desk.url

    office = await people.page("lena")
    await sign_in(office, demo.card["manager"])
    await office.goto(address)
    await expect(office.locator("#signing")).to_contain_text("Signed")
    await expect(office.locator("main")).not_to_contain_text("Her sister called back.")
    await expect(office.locator("main")).not_to_contain_text("Words on")
    await expect(office.locator("#words")).to_have_count(0)


async def test_a_sites_own_form_keeps_the_version_that_its_answers_were_given_to(
    fresh_demo: Demo, people: People, tmp_path: Path
) -> None:
    await asyncio.to_thread(fresh_demo.start)
    said = await import_form(fresh_demo, tmp_path, screener())
    assert "Our screener (our-screener 2026), scored by cssrs-screener" in said
    officer, dana = await in_call(fresh_demo, people)
    desk = dana.page
    await desk.select_option("#form-others", label="Our screener")
    await desk.focus('[data-item="wish"] input')
    for digit in "21121":  # no wish; thoughts; a method; no intent; a plan
        await desk.keyboard.press(digit)
    await expect(desk.locator("#level-badge")).to_have_text("Computed: High")
    await saved(desk)

    newer = screener() | {"version": "2027", "title": "Our newer screener"}
    await import_form(fresh_demo, tmp_path, newer)
    await desk.fill("#item-judged-reason", "Known to us")
    await desk.reload()  # in the middle of typing: what is there goes out first
    await desk.click("#form-tab-our-screener")
    await expect(desk.locator("#item-judged-reason")).to_have_value("Known to us")
    await expect(desk.locator("#form-tab-our-screener")).to_contain_text("Our screener")
    await expect(desk.locator('[data-item="plan"] input:checked')).to_have_count(1)
    await desk.focus('[data-item="behaviour-ever"] input')
    await desk.keyboard.press("2")
    await saved(desk)
    await picture(desk, "record-own-form")
    await officer.end()
    await dana.wrap_up("voluntary_transport")

    await desk.goto(f"{fresh_demo.base_url}/notes")
    await desk.click("table a")
    form = desk.locator('[data-form="our-screener"]')
    await expect(form).to_contain_text("Our screener")
    await form.locator("summary").click()
    await expect(form).to_contain_text("Licensed words 5")
    await expect(form).to_contain_text("2026")
    await desk.click("#signing button")
    await expect(desk.locator("#signing")).to_contain_text("unchanged since it was signed")


async def test_a_follow_up_is_worked_on_until_it_is_closed(
    fresh_demo: Demo, people: People
) -> None:
    await asyncio.to_thread(fresh_demo.start)
    officer, dana = await in_call(fresh_demo, people)
    desk = dana.page
    await officer.end()
    await expect(desk.locator("#wrapup")).to_be_visible(timeout=15_000)
    await desk.click("#followup-add")
    await desk.fill("[name=note]", "Call her sister")
    await dana.wrap_up("voluntary_transport")
    await officer.record("voluntary_transport")

    # the one that was planned, and the arrival that nobody had to think of
    await desk.goto(f"{fresh_demo.base_url}/followups")
    await expect(desk.locator("#followup-counts")).to_have_text("2 open, 0 overdue")
    assert await axe.violations(desk) == []
    await picture(desk, "followups")
    await desk.get_by_role("link", name="Confirm").click()
    await desk.select_option("#outcome", "no_answer")
    await desk.fill("#note", "Rang out")
    await desk.click("#attempts button")
    await expect(desk.locator("#tried li")).to_have_count(1)
    assert await axe.violations(desk) == []
    await picture(desk, "followup")
    stale = await people.page("dana")  # the same page in another window, not loaded anew
    await stale.goto(desk.url.partition("?")[0])
    await desk.select_option("#reason", "done")
    await desk.click("#close button")
    await expect(desk.get_by_test_id("state")).to_have_text("Done")
    await stale.select_option("#outcome", "reached")
    await stale.fill("#note", "They have arrived")
    await stale.click("#attempts button")
    await expect(stale.get_by_role("alert")).to_contain_text("Somebody changed this first.")

    # the supervisor sees everybody's, and gives one to somebody else
    await desk.goto(f"{fresh_demo.base_url}/followups")
    await expect(desk.locator("#followup-counts")).to_have_text("1 open, 0 overdue")
    office = await people.page("ada")
    await sign_in(office, fresh_demo.card["supervisor"])
    await office.goto(f"{fresh_demo.base_url}/followups?whose=all")
    await office.locator("[data-followup] a").first.click()
    await expect(office.locator("main")).to_contain_text("Call her sister")
    await office.select_option("#owner", label="Miguel Ortiz")
    await office.click("#assign button")
    await expect(office.get_by_role("status").first).to_contain_text("new owner")
    await office.set_viewport_size({"width": 390, "height": 844})
    await picture(office, "followup-phone")
    await desk.reload()
    await expect(desk.locator("main")).to_contain_text("Nothing is open here.")


async def test_reports_over_a_sample_log_are_readable_in_both_themes_and_on_a_phone(
    fresh_demo: Demo, people: People
) -> None:
    await asyncio.to_thread(fresh_demo.start)
    said = await typed(
        "sample", "--data", str(fresh_demo.folder), "--sessions", "600", "--days", "60"
    )
    assert "600 sessions of 60 days" in said
    office = await people.page("lena")
    await sign_in(office, fresh_demo.card["manager"])
    await office.goto(f"{fresh_demo.base_url}/manager/reports")
    await expect(office.locator('[data-figure="in_place"]')).to_contain_text("%")
    assert await axe.violations(office) == []
    await picture(office, "reports")
    await office.set_viewport_size({"width": 390, "height": 844})
    wide = "() => document.documentElement.scrollWidth <= innerWidth"
    assert await office.evaluate(wide), "only the tables are pushed along, not the page"
    await office.check("[name=share]")
    await office.get_by_role("button", name="Show").click()
    await expect(office.locator("#matrix")).to_contain_text("<11")
