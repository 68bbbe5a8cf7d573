"""Every page there is, looked at by axe in both themes, with something on it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import FilePayload, Page, ViewportSize, expect

from records import followups
from records.crypto import Vault
from records.followups import NewFollowup
from tests.journeys import axe, seeds
from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.second_factor import at, by_password, code_of, nobody_is_there, strict_demo
from tests.journeys.steps import fingerprint_reader, picture, sign_in
from web.dev import cast

pytestmark = [pytest.mark.journey, pytest.mark.timeout(400)]

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "web" / "templates" / "pages"
HELP = b"name,kind,places,phone\nOpen Door Shelter,shelter,Prairie SD,605-555-0170\n"

OFFICE = {
    "manager_log": "/manager",
    "manager_views": "/manager/views",
    "manager_session": "/manager/sessions/{session}",
    "manager_tablets": "/manager/tablets",
    "manager_misses": "/manager/misses",
    "manager_reports": "/manager/reports",
    "manager_grants": "/manager/grants",
    "manager_planner": "/manager/planner",
    "manager_reach": "/manager/reach",
    "manager_matching": "/manager/matching",
    "manager_resources": "/manager/resources",
    "manager_resource": "/manager/resources/new",
    "manager_odmap": "/manager/odmap",
    "manager_integrations": "/manager/integrations",
    "manager_keeping": "/manager/keeping",
    "manager_audit": "/manager/audit?all=1",
    "manager_roster": "/manager/roster",
    "manager_roster_shifts": "/manager/roster/shifts",
    "manager_roster_calendar": "/manager/roster/calendar",
}
CLINIC = {
    "console": "/console",
    "followups": "/followups",
    "followup": "/followups/{followup}",
    "followup_gap": "/followups/without/{gap}",
    "notes": "/notes",
    "same_person": "/persons/{session}/same/{gap}",
    "alerts": "/alerts",
    "account": "/account",
    "shifts": "/shifts",
    "open_record": "/records/open",
}
NOBODY = {
    "landing": "/",
    "sign_in": "/sign-in",
    "welcome": "/welcome",
    "enrol": "/enrol",
    "alert": "/alert",
    "join": "/join",
    "plan": "/plan",
    "patterns": "/-/patterns",
    "error": "/nowhere",
}
# pages that come of something somebody does: done in the tests below
DONE = {
    "manager_miss", "manager_code", "manager_resources_import", "manager_integrations_secret",
    "manager_webhook", "manager_roster_shift", "manager_roster_import", "manager_openings",
    "manager_people", "manager_person", "manager_invitation", "shifts_offer", "roster_feed",
    "account_app", "account_codes", "sign_in_second", "prove", "tablet",
    "tablet_offline",
}  # fmt: skip
# pages that need a call, or a directory of another house: looked at there, by the same function
ELSEWHERE = {
    "guest": "test_guests.py",
    "sign_on_trouble": "test_sso.py",
    "sign_on_left": "test_sso.py",
}


def test_every_page_of_the_site_is_in_the_walk() -> None:
    walked = {*OFFICE, *CLINIC, *NOBODY, *DONE, *ELSEWHERE}
    assert walked == {path.stem for path in PAGES.glob("*.html")}
    for file in ELSEWHERE.values():
        assert "axe.violations" in (Path(__file__).parent / file).read_text()


async def looked_at(page: Page, name: str) -> None:
    """It is that page, and nothing is wrong on it."""
    assert await page.evaluate("() => document.documentElement.dataset.page") == name
    assert await axe.violations(page) == [], name
    await picture(page, f"every-{name}")


TOO_WIDE = """() => [...document.querySelectorAll('main :is(table, svg, h1, h2)')]
    .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
    .map((one) => one.id || one.className || one.tagName)"""
INK = """() => {
    const { dataset } = document.documentElement, before = dataset.theme;
    dataset.theme = 'dark';
    const scheme = getComputedStyle(document.documentElement).colorScheme;
    if (before === undefined) delete dataset.theme;
    else dataset.theme = before;
    return scheme;
}"""
SHEET = ViewportSize(width=720, height=960)  # of US Letter, within its margins


async def fits_a_sheet(page: Page, name: str) -> None:
    """Printed, nothing is cut off, tables are tables, and what was dark on the screen is not."""
    usual = page.viewport_size
    await page.set_viewport_size(SHEET)
    await page.emulate_media(media="print")
    assert await page.evaluate(TOO_WIDE) == [], name
    assert await page.evaluate(INK) == "light", f"{name}: pale letters on white paper"
    cards = page.locator("main .table--cards thead tr")
    for one in await cards.all():
        shape = await one.evaluate("(row) => getComputedStyle(row).display")
        assert shape == "table-row", name
    await page.emulate_media(media="null")
    await page.set_viewport_size(usual or SHEET)


async def does(page: Page, name: str, *clicks: str) -> None:
    """Click, and look at the page to which the last one leads."""
    for one in clicks[:-1]:
        await page.click(one)
    async with page.expect_navigation():
        await page.click(clicks[-1])
    await looked_at(page, name)


async def some_records(demo: Demo) -> dict[str, str]:
    """A session with a follow-up, one that nobody follows up, near misses and overdoses."""
    vault = Vault.from_key_file(demo.folder / "records.key", create=False)
    async with seeds.record_of(demo) as db:
        row = await seeds.session(db, "every-1", 90_000)
        await seeds.miss(db, row, "to_phone")
        other = await seeds.session(db, "every-2", 180_000, code="718205")
        await seeds.gap(db, other, "no_followup")
        await seeds.session(db, "every-3", 9000, code="318044", intake=("adult", "overdose"))
        await seeds.person(demo, db, row, "Jon Doe", "1990-02-03")
        await seeds.person(demo, db, other, "John Doe", "1990-02-04")

        async def add(conn: Any) -> str:
            await vault.check(conn)
            task = NewFollowup("contact_24h", cast.DANA.id, time.time() - 60, "Call")
            await followups.add_many(conn, vault, row.id, [task], time.time())
            return (await followups.of_session(conn, vault, row.id))[0].id

        task = await db.write(add)
    return {"session": row.id, "followup": task, "gap": other.id}


async def test_the_pages_of_managers_clinicians_and_of_nobody(demo: Demo, people: People) -> None:
    ids = await some_records(demo)
    office, desk = await people.page("lena"), await people.page("dana")
    stranger = await people.page("nobody")
    await sign_in(office, demo.card["manager"])
    await sign_in(desk, demo.card["clinicians"][0])
    for page, addresses in ((office, OFFICE), (desk, CLINIC), (stranger, NOBODY)):
        for name, path in addresses.items():
            await page.goto(demo.base_url + path.format_map(ids))
            await looked_at(page, name)
            if page is office:
                await fits_a_sheet(page, name)
    await of_the_manager(demo, office)
    await of_the_clinician(demo, desk)
    await stranger.goto(demo.card["tablets"][0]["url"])
    await stranger.wait_for_url("**/tablet")
    await expect(stranger.locator('html[data-screen="ready"]')).to_be_attached()
    await looked_at(stranger, "tablet")
    await stranger.goto(f"{demo.base_url}/tablet/offline")
    await looked_at(stranger, "tablet_offline")


async def of_the_manager(demo: Demo, office: Page) -> None:
    """Pages that come of something that a manager does."""
    base = f"{demo.base_url}/manager"
    await office.goto(f"{base}/misses")
    await does(office, "manager_miss", "[data-miss] th a")
    await office.goto(f"{base}/tablets")
    await does(office, "manager_code", 'form[action$="/code"] button >> nth=-1')
    await office.goto(f"{base}/resources")
    await office.click("#import summary")
    await office.set_input_files(
        "#import-file", FilePayload(name="help.csv", mimeType="text/csv", buffer=HELP)
    )
    await does(office, "manager_resources_import", 'form[action$="/import"] button')
    await office.goto(f"{base}/integrations")
    await office.click("#new-token summary")
    await office.fill("#token-name", "County dashboard")
    await office.check('[name="scope:log.read"]')
    await does(office, "manager_integrations_secret", "#new-token [type=submit]")
    await office.goto(f"{base}/integrations")
    await office.click("#new-webhook summary")
    await office.fill("#webhook-name", "County records")
    await office.fill("#webhook-url", f"{demo.base_url}/healthz")
    await office.check('[name="event:session.closed"]')
    await office.click("#new-webhook [type=submit]")
    await office.goto(f"{base}/integrations")
    await does(office, "manager_webhook", "#webhooks a")
    await office.goto(f"{base}/roster/shifts")
    await does(office, "manager_roster_shift", "#weekly tbody a >> nth=0")
    await office.goto(f"{base}/roster/calendar")
    await office.set_input_files(
        "#file", FilePayload(name="shifts.ics", mimeType="text/calendar", buffer=seeds.CALENDAR)
    )
    await does(
        office, "manager_roster_import", 'form[action="/manager/roster/import"] [type=submit]'
    )


async def of_the_clinician(demo: Demo, desk: Page) -> None:
    """Pages that come of something that a clinician does."""
    await desk.goto(f"{demo.base_url}/shifts")
    await does(desk, "shifts_offer", 'a[href^="/shifts/offer"] >> nth=0')
    await desk.goto(f"{demo.base_url}/shifts")
    await does(desk, "roster_feed", 'form[action="/shifts/feeds"] button')


async def test_the_pages_of_people_and_of_a_sign_in_with_two_factors(
    tmp_path: Path, people: People
) -> None:
    strict = strict_demo(tmp_path / "strict")
    try:
        page = await people.page("tom")
        await fingerprint_reader(page)
        await page.clock.install()
        await by_password(page, strict, "admin", "/manager/people")
        await does(page, "account_app", "#app-begin")
        await page.click("main details summary")
        await page.fill("#code", code_of(await page.locator("#app-secret").inner_text()))
        await page.click('form[action="/account/app/confirm"] button')
        await page.wait_for_url("**/account?done=app")
        await does(page, "account_codes", "#recovery-make")
        for path, name in (("/manager/people", "manager_people"),):
            await page.goto(at(strict, path))
            await looked_at(page, name)
        await page.click("#add summary")
        await page.fill("#name", "Noor Haddad")
        await page.fill("#short_name", "Noor")
        await page.fill("#email", "noor@demo.invalid")
        await page.check('input[name="role"][value="clinician"]')
        await does(page, "manager_invitation", "#add button[type=submit]")
        await page.goto(at(strict, "/manager/people"))
        await does(page, "manager_person", "[data-person] a >> nth=0")
        await nobody_is_there(page)
        await page.goto(at(strict, "/manager/people"))
        await page.wait_for_url("**/prove?**")
        await looked_at(page, "prove")
        again = await people.page("tom-again")
        await by_password(again, strict, "admin", "/manager/people")
        await again.wait_for_url("**/sign-in/second?**")
        await looked_at(again, "sign_in_second")
    finally:
        strict.stop()


async def test_the_list_of_records_that_were_opened_in_an_emergency(
    demo: Demo, people: People
) -> None:
    office = await people.page("ada")
    await sign_in(office, demo.card["supervisor"])
    await office.goto(f"{demo.base_url}/manager/openings")
    await looked_at(office, "manager_openings")
