"""Each flow of the record by keyboard alone: one server and one browser for all of them.

Near misses and saved views are done so in test_manager_lists.py, keeping in test_keeping.py.
"""

from __future__ import annotations

import asyncio
import csv
import io
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import FileChooser, FilePayload, Page, async_playwright, expect

from records import followups
from records.crypto import Vault
from records.followups import NewFollowup
from tests.journeys import axe, seeds
from tests.journeys.chromium import FLAGS, program
from tests.journeys.harness import Demo
from tests.journeys.keyboard import NAMES, Keys
from tests.journeys.steps import picture
from web.dev import cast

pytestmark = [
    pytest.mark.journey, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module"),
]  # fmt: skip

Opens = Callable[[str, int, int], Awaitable[Keys]]
NEW_HELP = (
    b"name,kind,places,phone\n"
    b"Riverside Peers,peer,Hand SD,605-555-0171\nNight Kitchen,shelter,Prairie SD,605-555-0172\n"
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opens() -> AsyncIterator[Opens]:
    """One browser; a window of their own for each person."""
    errors: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program(), headless=True, args=[*FLAGS, NAMES]
        )
        people: dict[str, Page] = {}

        async def opened(who: str, width: int = 1366, height: int = 768) -> Keys:
            if who not in people:
                context = await browser.new_context(viewport={"width": width, "height": height})
                context.on("weberror", lambda error: errors.append(f"{who}: {error.error}"))
                people[who] = await context.new_page()
            return Keys(people[who])

        yield opened
        await browser.close()
    assert errors == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(demo: Demo, opens: Opens) -> Keys:
    """The program manager, signed in."""
    keys = await opens("lena", 1366, 768)
    await keys.sign_in(demo.card["manager"])
    return keys


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(demo: Demo, opens: Opens) -> Keys:
    """A clinician, signed in."""
    keys = await opens("dana", 1366, 768)
    await keys.sign_in(demo.card["clinicians"][0])
    return keys


async def says(keys: Keys, words: str) -> None:
    """What was done is said."""
    await expect(keys.page.locator("main [role=status]").first).to_contain_text(words)


async def saved_file(keys: Keys, name: str, role: str) -> bytes:
    """Press what downloads; what came."""
    async with keys.page.expect_download() as coming:
        await keys.press(name, role)
    return await asyncio.to_thread(Path.read_bytes, Path(await (await coming.value).path()))


async def test_the_directory_is_added_to_changed_taken_out_and_brought_in(
    demo: Demo, office: Keys
) -> None:
    page = office.page
    # from here on, because a busy machine opened it before it was watched
    chosen: asyncio.Future[FileChooser] = asyncio.get_running_loop().create_future()
    page.once("filechooser", lambda chooser: chosen.set_result(chooser))
    await page.goto(f"{demo.base_url}/manager/resources")
    await office.leads("Add an entry", "link", to="Add an entry")
    await office.write("Name", "Prairie Diner Friends")
    await office.choose("Kind", "Food")
    await office.write("Serves", "Prairie SD")
    await office.write("Phone", "605-555-0170")
    await office.leads("Save", "button")
    await says(office, "Saved.")
    await office.leads("Change Prairie Diner Friends", "link")
    await office.write("Whom it takes", "=everybody")
    await office.leads("Save", "button")
    file = await saved_file(office, "As CSV", "link")
    rows = {one["name"]: one for one in csv.DictReader(io.StringIO(file.decode("utf-8-sig")))}
    assert rows["Prairie Diner Friends"]["accepts"] == "'=everybody"

    await office.press("Bring in a file")
    await office.to("File: No file chosen")
    await page.keyboard.press("Space")
    async with asyncio.timeout(30):
        chooser = await chosen
    await chooser.set_files(FilePayload(name="help.csv", mimeType="text/csv", buffer=NEW_HELP))
    await office.leads("Show what changes", "button", to="What this file changes")
    await expect(page.locator("#changes")).to_contain_text("2 new")
    await office.leads("Keep the file as the directory", "button")
    await says(office, "The file is the directory now.")
    await expect(page.locator("#resources")).to_contain_text("Night Kitchen")
    await expect(page.locator("#resources")).not_to_contain_text("Prairie Diner Friends")


async def a_follow_up(demo: Demo, key: str, kind: str, code: str) -> None:
    """One that is due today, of a session of its own."""
    vault = Vault.from_key_file(demo.folder / "records.key", create=False)
    async with seeds.record_of(demo) as db:
        row = await seeds.session(db, key, 80_000, code=code)

        async def add(conn: Any) -> None:
            await vault.check(conn)
            task = NewFollowup(kind, cast.MIGUEL.id, row.pressed_at + 79_000, "Call her sister")
            await followups.add_many(conn, vault, row.id, [task], row.pressed_at)

        await db.write(add)


async def test_a_follow_up_is_taken_worked_on_and_closed_and_an_arrival_confirmed(
    demo: Demo, office: Keys, opens: Opens
) -> None:
    await a_follow_up(demo, "followed", "contact_24h", "612345")
    await a_follow_up(demo, "carried", "confirm_arrival", "612346")
    ada = await opens("ada", 1366, 768)
    await ada.sign_in(demo.card["supervisor"])
    page = ada.page
    await page.goto(f"{demo.base_url}/followups")
    await ada.leads("Everybody's", "link")
    await ada.leads("Contact within 24 hours", "link", to="Contact within 24 hours")
    await ada.choose("Owner", "Ada")
    await ada.leads("Give it", "button")
    await says(ada, "new owner")
    await ada.choose("What came of it", "No answer")
    await ada.write("Note (optional)", "Rang out")
    await ada.leads("Save the attempt", "button")
    await says(ada, "The attempt is saved.")
    await expect(page.locator("#tried")).to_contain_text("No answer · Phone")
    await ada.choose("What became of it", "Not needed")
    await ada.leads("Close the follow-up", "button")
    await expect(page.get_by_test_id("state")).to_have_text("Not needed any more")

    await page.goto(f"{demo.base_url}/followups?whose=all")
    await ada.leads("Confirm arrival", "link", to="Confirm arrival")
    await ada.choose("What came of it", "Reached")
    await ada.leads("Save the attempt", "button")
    await ada.choose("What became of it", "Done")
    await ada.leads("Close the follow-up", "button")
    await expect(page.get_by_test_id("state")).to_have_text("Done")
    await ada.leads("← All follow-ups", "link")
    await ada.leads("Everybody's", "link")
    await ada.leads("Closed", "link")
    await expect(page.locator("tbody")).to_contain_text("Confirm arrival")


async def test_a_person_is_named_and_found_to_be_the_same_as_another(
    demo: Demo, desk: Keys
) -> None:
    async with seeds.record_of(demo) as db:
        first = await seeds.session(db, "named", 600_000, code="712345")
        second = await seeds.session(db, "unnamed", 90_000, code="712346")
    page = desk.page
    await page.goto(f"{demo.base_url}/manager/sessions/{first.id}")
    await desk.write("Name", "Maria Stone")
    await desk.to("Day of birth")
    await page.keyboard.type("02031990")
    await desk.leads("Save", "button")
    await expect(page.locator("#person-born")).to_have_value("1990-02-03")
    await page.goto(f"{demo.base_url}/manager/sessions/{second.id}")
    await desk.write("While the name is not known: how to tell them apart", "red coat")
    await desk.leads("Save", "button")
    await desk.press("The same person as in another session")
    await desk.write("Code of the other session", "712345")
    await desk.leads("Compare", "button", to="One person or two?")
    await desk.choose("Why are they one person?", "Nobody")
    await desk.leads("They are one person", "button")
    await expect(page.locator("#visits")).to_contain_text("712")
    await desk.leads("Take apart", "button")
    await expect(page.locator("#visits")).to_have_count(0)


async def test_grant_packs_are_made_downloaded_ordered_and_ended(demo: Demo, office: Keys) -> None:
    page = office.page
    await page.goto(f"{demo.base_url}/manager/grants")
    await office.choose(f"Funding source of {cast.AGENCY}", "Opioid")
    await office.leads("Save", "button")
    await says(office, "It holds from the next press on.")
    await office.to("Period", "combobox")
    pack = await saved_file(office, "Make the pack", "button")
    assert {"report.pdf", "report.csv"} <= set(zipfile.ZipFile(io.BytesIO(pack)).namelist())
    await office.choose("How often", "Each month")
    await office.leads("Order", "button")
    await says(office, "Ordered.")
    await expect(page.locator("#orders")).to_contain_text("Each month")
    await office.to("End: Each month, All agencies", "button")
    async with page.expect_navigation():
        await page.keyboard.press("Space")
    await says(office, "Ended.")


async def test_an_overdose_is_looked_at_and_released(demo: Demo, office: Keys) -> None:
    async with seeds.record_of(demo) as db:
        await seeds.session(db, "overdose", 9000, code="812345", intake=("adult", "overdose"))
    page = office.page
    await page.goto(f"{demo.base_url}/manager/odmap")
    await office.leads("Release and hold back as chosen", "button")
    await expect(page.locator("main [role=alert]")).to_contain_text("Nothing was chosen.")
    await office.write("Where, as near as you want", "Main and 3rd")
    await office.choose("Did the person survive?", "Yes")
    await office.choose("Naloxone", "One")
    await office.choose("Who gave it", "EMS")
    await office.choose("Decision", "Goes")
    await office.leads("Release and hold back as chosen", "button")
    await says(office, "Released.")
    file = await saved_file(office, "Download the file", "link")
    assert b"Main and 3rd" in file


async def test_a_token_and_an_address_for_other_programs_are_made_and_ended(
    demo: Demo, office: Keys
) -> None:
    page = office.page
    await page.goto(f"{demo.base_url}/manager/integrations")
    await office.press("Make a token")
    await office.write("Name", "County dashboard")
    await office.press("the session log log.read", "checkbox", key="Space")
    await office.leads("Make a token", "button", to="The new token")
    await office.to("Token")
    await office.leads("I have copied it", "link", to="Other programs")
    await office.press("Take back County dashboard")
    await office.leads("Take back", "button")
    await says(office, "The token was taken back.")

    await office.press("Add an address")
    await office.write("Name", "County records")
    await office.write("Address", f"{demo.base_url}/healthz")
    await office.press("a session is closed session.closed", "checkbox", key="Space")
    await office.leads("Add an address", "button", to="The new address")
    await office.leads("I have copied it", "link", to="Other programs")
    await office.leads("County records", "link", to="County records")
    await office.leads("Pause", "button")
    await says(office, "Paused.")
    await office.leads("Go on", "button")
    await says(office, "It goes on.")
    await office.press("Remove")
    await office.leads("Remove", "button")
    await says(office, "The address was removed.")


async def screen(tablet: Keys, name: str) -> None:
    """The tablet has come to this screen, and the focus with it."""
    await tablet.page.locator(f'html[data-screen="{name}"]').wait_for(state="attached")
    await tablet.kept()


async def called(demo: Demo, desk: Keys, tablet: Keys) -> None:
    """The press, what the officer would choose alone, and the answer."""
    await tablet.page.goto(demo.card["tablet"]["url"])
    await tablet.page.wait_for_url("**/tablet")
    await tablet.page.locator('html[data-screen="ready"]').wait_for(state="attached")
    await desk.page.goto(f"{demo.base_url}/console")
    await desk.press("Available", "button")
    await tablet.press("Connect to a clinician", "button")
    await screen(tablet, "connecting")
    await expect(tablet.page.locator("#otherwise")).to_be_visible(timeout=15_000)  # it is kept
    await tablet.press("Yes", "button")  # the scene is safe
    for answer in ("No", "No", "Yes"):
        assert (await tablet.kept())["name"] == "Yes"  # of the next question
        if answer == "No":
            await tablet.press("No", "button")
        else:
            await tablet.page.keyboard.press("Enter")
    await tablet.press("5 restless", "button")
    assert (await tablet.kept())["name"] == "Change"
    await tablet.press("Overdose card", "button")
    await tablet.press("Dose given now", "button")
    await tablet.page.keyboard.press("Escape")
    assert (await tablet.kept())["name"].startswith("Overdose card 1 dose")
    await tablet.choose("Without this call I would choose", "Arrest")
    await expect(desk.page.locator("#offer")).to_be_visible(timeout=15_000)
    await desk.kept()
    await desk.press("Accept", "button")
    await screen(tablet, "call")
    await expect(desk.page.locator("#call")).to_be_visible()
    await desk.kept()
    await desk.press("Camera off", "button")  # pictures cost most, and nothing here needs them


async def taken_away(desk: Keys, person: Keys) -> None:
    """The plan is made, and the person opens, prints and saves it."""
    page = desk.page
    await desk.choose("Open another form…", "Safety")
    await desk.kept()
    await desk.to("1 Yes", "radio")
    await page.keyboard.press("1")
    for words in ("I stop sleeping", "Walk", "The library", "My sister", "988", "Pills away"):
        await page.keyboard.type(words)
        await page.keyboard.press("Tab")
    await expect(page.locator("#takeaway")).to_be_visible(timeout=15_000)
    await desk.press("Give the person a link to this plan", "button")
    await expect(page.locator("#takeaway-said")).to_contain_text("30 days")
    await desk.kept()
    await desk.to("The link, shown this once")
    await person.page.goto(await page.input_value("#takeaway-url"))
    await expect(person.page.locator("#plan-parts")).to_contain_text("I stop sleeping")
    await person.page.evaluate("() => { print = () => { document.title = 'printed'; }; }")
    await person.press("Print or save", "button")
    await expect(person.page).to_have_title("printed")
    await person.kept()
    assert (await saved_file(person, "As PDF", "button")).startswith(b"%PDF")
    await person.kept()
    await person.press("Español", "link")
    await expect(person.page.locator("h1")).to_have_text("Mi plan de seguridad")
    await expect(person.page.locator("#plan-parts")).to_contain_text("I stop sleeping")


async def advised(desk: Keys, tablet: Keys) -> None:
    """The card is written, sent, and read."""
    page = desk.page
    await desk.press("Recommend", "button")
    await desk.to("Routine", "radio")
    await page.keyboard.press("ArrowDown")
    await desk.choose("Recommended disposition", "Volun")
    await desk.write("Anything else, in your words", "She goes with her sister.")
    await desk.press("Send to tablet", "button")
    await expect(tablet.page.locator("#card")).to_be_visible(timeout=15_000)
    await desk.kept()
    await tablet.press("I have read it", "button")
    await expect(tablet.page.locator("#card")).to_be_hidden()
    await tablet.kept()
    await expect(page.locator("#card-state")).to_have_attribute("data-state", "saved")


async def agreed(desk: Keys, tablet: Keys) -> None:
    """The person reads what they are asked for, on the tablet, and signs with their name."""
    await desk.press("Consent*")
    await desk.press("Ask on the tablet", "button")
    await expect(tablet.page.locator("#sign")).to_be_visible(timeout=15_000)
    await desk.kept()
    assert (await tablet.kept())["name"] == "Your consent"
    assert await axe.violations(tablet.page) == []
    await picture(tablet.page, "tablet-sign")
    await tablet.press("I agree and sign", "button")
    await expect(tablet.page.locator("#sign-error-en")).to_have_text("Type your name to sign.")
    assert (await tablet.kept())["name"] == "Your full name"
    await tablet.page.keyboard.type("Maria Stone")
    await tablet.page.keyboard.press("Enter")
    await expect(tablet.page.locator("#sign")).to_be_hidden()
    await tablet.kept()
    await expect(desk.page.locator("#consent-waits")).to_contain_text("Signed on the tablet")
    await picture(desk.page, "console-signed")


async def test_a_call_its_card_the_plan_to_take_away_and_what_happened(
    demo: Demo, desk: Keys, opens: Opens
) -> None:
    tablet, person = await opens("sam", 1024, 768), await opens("person", 390, 844)
    await called(demo, desk, tablet)
    await taken_away(desk, person)
    await advised(desk, tablet)

    await tablet.press("Hand over", "button")
    await screen(tablet, "handed-over")
    await agreed(desk, tablet)
    await tablet.press("Talk to the officer", "button")
    await tablet.page.keyboard.type(f"{demo.card['tablet']['pin']}\n")
    await screen(tablet, "call")
    await tablet.press("End", "button")
    await tablet.press("Yes, end", "button")
    await screen(tablet, "outcome")
    await tablet.press("Involuntary hold", "button")
    await screen(tablet, "reason")
    await tablet.press("The scene changed", "button")
    await screen(tablet, "ready")

    await expect(desk.page.locator("#wrapup")).to_be_visible(timeout=15_000)
    await desk.kept()
    await desk.choose("Recommended disposition", "Volun")
    await desk.press("Add a follow-up", "button")
    await desk.kept()
    await desk.press("Finish", "button")
    await expect(desk.page.locator("#wrapup")).to_be_hidden()
    await desk.kept()
    await desk.leads("My notes*", "link", to="My notes")
