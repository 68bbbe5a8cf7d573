"""How long sessions are kept, by keyboard alone: a rule, a legal hold, and the deletion."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.journeys import seeds
from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.steps import sign_in
from tests.journeys.test_manager_lists import accessible, tab_to
from tests.journeys.test_record import typed
from web.dev import cast

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

YEAR = 31_557_600


async def retype(page: Page, text: str) -> None:
    """Other words in the field that has the focus."""
    await page.keyboard.press("Control+A")
    await page.keyboard.type(text)


async def test_a_rule_a_hold_and_the_deletion_by_keyboard_alone(demo: Demo, people: People) -> None:
    async with seeds.record_of(demo) as db:
        held = await seeds.session(db, "held", 28 * YEAR, code="482913")
        gone = await seeds.session(db, "gone", 29 * YEAR, code="318044")
    office = await people.page("lena")
    await sign_in(office, demo.card["manager"])
    rules, program = f"{demo.base_url}/manager/keeping", cast.PROGRAM_ID
    words = office.locator("#due-words")

    await office.goto(rules)
    await expect(words).to_have_text("Nothing is due.")
    await accessible(office, "keeping")
    await tab_to(office, f"#adult_years-{program}")
    await retype(office, "3")
    await office.keyboard.press("Enter")
    wrong = office.locator(f"#adult_years-{program}-error")
    await expect(wrong).to_have_text("A number of years from 6 to 100.")
    await accessible(office, "keeping-wrong")
    await tab_to(office, f"#adult_years-{program}")
    await retype(office, "7")
    await tab_to(office, f"#juvenile_years-{program}")
    await retype(office, "25")
    await tab_to(office, f"#form-{program} button[type=submit]")
    await office.keyboard.press("Enter")
    await expect(words).to_contain_text("2 sessions would be deleted.")
    await accessible(office, "keeping-preview")
    await tab_to(office, f"button[form=save-{program}]")
    await office.keyboard.press("Space")
    await expect(office.locator("[role=status]").first).to_contain_text("The rule is saved.")

    await office.goto(f"{demo.base_url}/manager/sessions/{held.id}")
    await tab_to(office, 'section[aria-labelledby="keeping"] summary')
    await office.keyboard.press("Enter")
    await tab_to(office, "#hold-reason")
    await office.keyboard.type("A court asks for it.")
    await accessible(office, "keeping-hold-form")
    await tab_to(office, f'form[action="/holds/{held.id}"] button')
    await office.keyboard.press("Enter")
    await expect(office.locator("[data-hold=open]")).to_contain_text("A court asks for it.")
    await accessible(office, "keeping-hold")

    await office.goto(rules)
    await expect(words).to_contain_text("One session would be deleted.")
    await expect(words).to_contain_text("One is on legal hold and stays.")
    await accessible(office, "keeping-due")
    assert "1 sessions deleted" in await typed("retention", "--run", "--data", str(demo.folder))
    await office.reload()
    await expect(words).to_contain_text("Nothing is due. One is on legal hold and stays.")
    left = await office.goto(f"{demo.base_url}/manager/sessions/{gone.id}")
    assert left is not None
    assert left.status == 404
    people.errors["lena"].clear()

    await office.goto(f"{demo.base_url}/manager/sessions/{held.id}")
    await tab_to(office, "[data-hold=open] button")
    await office.keyboard.press("Enter")
    await expect(office.locator("[data-hold=lifted]")).to_be_visible()
    await office.goto(rules)
    await expect(words).to_contain_text("One session would be deleted.")
    assert people.errors["lena"] == []
