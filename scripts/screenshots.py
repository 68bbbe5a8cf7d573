"""Takes the pictures in docs/screens/ from the running product, at three sizes: `make screenshots`.

It plays one whole session with the cast, looks at each screen on the way, and lists them all in
docs/screens/README.md. SCREENS is the one list of what there is to see.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from playwright.async_api import FilePayload, Page, async_playwright, expect

from tests.directory import Directory
from tests.journeys import seeds
from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.second_factor import at, by_password, code_of, strict_demo
from tests.journeys.steps import (
    Clinician,
    Officer,
    fingerprint_reader,
    picture_moves,
    sign_in,
    until,
)
from web.dev import cast

ROOT = Path(__file__).resolve().parents[1]
CODE = re.compile(r"\b\d{3}\s?\d{3}\b")
SIZES = ((1024, 768), (1366, 768), (390, 844))
SIZE_NAMES = ("tablet", "laptop", "phone")
SCREENS = {
    "enrol": "Tablet: setting it up",
    "tablet-key": "Tablet: its browser has lost the key",
    "tablet-checkout": "Tablet: whose shift is it?",
    "tablet-passkey-offer": "Tablet: next time with a passkey",
    "tablet-pin": "Tablet: the officer's PIN",
    "tablet-ready": "Tablet: ready",
    "tablet-ready-light": "Tablet: ready, light",
    "tablet-ready-spanish": "Tablet: ready, in Spanish",
    "tablet-closed": "Tablet: nobody is on call",
    "tablet-offline": "Tablet: loaded anew while the service cannot be reached",
    "tablet-test": "Tablet: the test call",
    "tablet-overdose": "Tablet: the overdose card, a dose given",
    "tablet-overdose-spanish": "Tablet: the overdose card, in Spanish",
    "tablet-connecting": "Tablet: it rings",
    "tablet-scene": "Tablet: something else comes first",
    "tablet-activity": "Tablet: how is the person?",
    "tablet-late": "Tablet: nobody has answered for a while",
    "tablet-phone": "Tablet: by phone instead",
    "tablet-cancel": "Tablet: cancel?",
    "tablet-call": "Tablet: in the call",
    "tablet-saver": "Tablet: still pictures, to save data",
    "tablet-held": "Tablet: on hold",
    "tablet-call-lost": "Tablet: the line is lost in the call",
    "tablet-end": "Tablet: end?",
    "tablet-handed-over": "Tablet: handed over to the person",
    "tablet-sign": "Tablet: a consent to sign, in Spanish",
    "tablet-card": "Tablet: the recommendation",
    "tablet-outcome": "Tablet: what happened?",
    "tablet-reason": "Tablet: why not as recommended?",
    "console-idle": "Console: waiting",
    "console-offer": "Console: an incoming call",
    "console-taken": "Console: somebody else took it",
    "console-call": "Console: in the call",
    "console-saver": "Console: still pictures, to save data",
    "console-held": "Console: the tablet is on hold",
    "console-call-dark": "Console: in the call, dark",
    "console-call-spanish": "Console: in the call, in Spanish",
    "console-invite": "Console: a link for a guest",
    "console-transfer": "Console: handing the session on",
    "console-receive": "Console: reading first, before taking a session over",
    "console-call-lost": "Console: the line is lost in the call",
    "console-form": "Console: another form beside the video",
    "console-wrapup": "Console: wrap-up",
    "plan": "The person: my safety plan, by a link",
    "notes": "Clinician: my notes, and what is to be signed",
    "note": "Clinician: a session's note, before it is signed",
    "same-person": "Clinician: two sessions side by side, before they are one person",
    "followups": "Clinician: my follow-ups",
    "followup": "Clinician: one follow-up",
    "followup-gap": "Clinician: a session that nobody follows up",
    "shifts": "Clinician: my shifts",
    "shifts-offer": "Clinician: offering a shift",
    "roster-feed": "Clinician: a private calendar address",
    "alerts": "Clinician: how to be reached when the console is closed",
    "alert": "Clinician: where a page's link leads",
    "manager-log": "Manager: the session log",
    "manager-log-dark": "Manager: the session log, dark",
    "manager-session": "Manager: one session",
    "manager-tablets": "Manager: tablets",
    "manager-code": "Manager: a tablet's set-up code",
    "manager-views": "Manager: saved views of the log",
    "manager-audit": "Manager: the audit trail, week by week",
    "manager-misses": "Manager: near misses, by day",
    "manager-miss": "Manager: one near miss",
    "manager-reports": "Manager: reports",
    "manager-grants": "Manager: who pays, and packs for grants",
    "manager-planner": "Manager: how many clinicians each hour needs",
    "manager-reach": "Manager: who can be reached",
    "manager-matching": "Manager: whom a session rings",
    "manager-resources": "Manager: help near by",
    "manager-resource": "Manager: one entry of the directory",
    "manager-resources-import": "Manager: a directory's file, before it is taken over",
    "manager-odmap": "Manager: overdoses for ODMAP, before they go out",
    "manager-integrations": "Manager: programs of others",
    "manager-integrations-secret": "Manager: a token, shown once",
    "manager-webhook": "Manager: an address that is told of events",
    "manager-keeping": "Manager: how long sessions are kept, before a rule is saved",
    "manager-roster": "Manager: the roster's week and its gaps",
    "manager-roster-shifts": "Manager: shifts and exceptions",
    "manager-roster-shift": "Manager: one weekly shift",
    "manager-roster-calendar": "Manager: the roster as calendar files",
    "manager-roster-import": "Manager: a calendar file, before it is taken over",
    "join": "Guest: where a link leads",
    "guest-door": "Guest: before joining",
    "guest-call": "Guest: an interpreter in the call",
    "landing": "The first page",
    "sign-in": "Sign-in",
    "sign-in-second": "Sign-in: the step after the password",
    "sign-in-directory": "Sign-in: by the directory of an agency",
    "sign-on-trouble": "Sign-in: the directory knows somebody who has no access here",
    "sign-on-left": "Signed out here, and perhaps not at the directory",
    "account": "My sign-in: passkeys, an app, recovery codes",
    "account-logins": "My sign-in: the password, and where one is signed in",
    "account-app": "My sign-in: setting up an app with codes",
    "account-codes": "My sign-in: recovery codes, shown once",
    "covered": "A page that nobody was at for a while",
    "prove": "Proving that it is still you",
    "open-record": "Clinician: opening a record in an emergency",
    "manager-openings": "Supervisor: records that were opened in an emergency",
    "manager-people": "Administrator: people",
    "manager-person": "Administrator: one person",
    "manager-invitation": "Administrator: an invitation, shown once",
    "welcome": "Somebody new: choosing a password",
    "error": "An address that does not exist",
    "patterns": "The design system's parts",
}
LATE_SECONDS = 110  # the last words come at 90 s

FORGET_KEY = """() => new Promise((resolve, reject) => {
    const gone = indexedDB.deleteDatabase('crisisbridge');
    gone.onsuccess = resolve; gone.onerror = gone.onblocked = reject;
})"""


class Camera:
    """Takes each screen at each size, and puts the size back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.taken: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)

    async def take(self, page: Page, name: str, at: str | None = None) -> None:
        if name not in SCREENS:
            raise KeyError(f"{name} is not in SCREENS")
        self.taken.add(name)
        before = page.viewport_size
        for width, height in SIZES:
            await page.set_viewport_size({"width": width, "height": height})
            if at is not None:  # far down on a long page
                await page.locator(at).evaluate("(one) => one.scrollIntoView()")
            await page.evaluate("() => document.fonts.ready.then(() => undefined)")
            # Two frames: the layout of the new size, and its paint.
            await page.evaluate(
                "() => new Promise((done) => requestAnimationFrame("
                "() => requestAnimationFrame(() => done(undefined))))"
            )
            path = self._folder / f"{name}-{width}x{height}.png"
            await page.screenshot(path=path, animations="disabled")
            print(path.relative_to(self._folder.parent))
        if before is not None:
            await page.set_viewport_size(before)


def listing() -> str:
    """docs/screens/README.md."""
    parts = [
        "# All screens",
        "Taken from the running demo by `make screenshots`, with Chromium's test picture for "
        "cameras: tablet 1024×768, laptop 1366×768, phone 390×844.",
    ]
    for name, title in SCREENS.items():
        shown = [
            f"![{title}, {size} size]({name}-{width}x{height}.png)"
            for size, (width, height) in zip(SIZE_NAMES, SIZES, strict=True)
        ]
        parts += [f"## {title}", "\n".join(shown)]
    return "\n\n".join(parts) + "\n"


async def themed(camera: Camera, page: Page, theme: str, name: str) -> None:
    """The same screen in another theme, and back."""
    before = await page.evaluate("() => document.documentElement.dataset.theme")
    await page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
    await camera.take(page, name)
    await page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", before)


async def in_spanish(camera: Camera, page: Page, screen: str, name: str) -> None:
    """The same screen in Spanish, and back; a reload brings everybody back to where they were."""
    for language in ("es", "en"):
        await page.context.add_cookies([{"name": "cb_lang", "value": language, "url": page.url}])
        await page.reload()
        await page.locator(f'html[data-screen="{screen}"]').wait_for(state="attached")
        if screen == "call":
            await picture_moves(page, "#remote-video")
        if language == "es":
            await camera.take(page, name)


async def nobody_there(demo: Demo, people: People, camera: Camera) -> None:
    """A press that nobody answers, until the words end in an instruction."""
    page = await people.page("jo", size=(1024, 768))
    by_name = f"http://localhost:{demo.port}"  # passkeys are not for an address by number
    url = demo.card["tablets"][1]["url"].replace(demo.base_url, by_name)
    officer = Officer(page, demo.card["tablets"][1] | {"url": url})
    await officer.enrol()
    await officer.press()
    await expect(page.locator("#status-number")).to_be_visible(timeout=LATE_SECONDS * 1000)
    await camera.take(page, "tablet-late")
    await page.click("#phone-instead")
    await page.locator("#phone").wait_for()
    await camera.take(page, "tablet-phone")
    await page.click("#phone-close")
    await page.click("#cancel")
    await page.locator("#cancel-confirm").wait_for()
    await camera.take(page, "tablet-cancel")
    await page.click("#cancel-confirm")
    await officer.screen("ready")
    await page.click("#shift-end")
    await page.click("#shift-confirm")
    await officer.screen("checkout")
    await camera.take(page, "tablet-checkout")
    await page.locator("#officers button").first.click()
    await page.locator("#pin").wait_for()
    await camera.take(page, "tablet-pin")
    await officer.type_pin(officer.card["pin"])
    await page.locator("#passkey-offer").wait_for()
    await camera.take(page, "tablet-passkey-offer")
    await page.goto(f"{by_name}/enrol")
    await page.evaluate(FORGET_KEY)
    await page.goto(f"{by_name}/tablet")
    await officer.screen("key")
    await camera.take(page, "tablet-key")
    await people.close("jo")


async def first_pages(demo: Demo, office: Page, tablet: Page, camera: Camera) -> None:
    """What anybody sees who is not signed in."""
    for path, name in (
        ("/", "landing"),
        ("/alert", "alert"),
        ("/nowhere", "error"),
    ):
        await office.goto(f"{demo.base_url}{path}")
        await camera.take(office, name)
    await office.goto(f"{demo.base_url}/-/patterns")
    await camera.take(office, "patterns")
    await tablet.goto(f"{demo.base_url}/enrol")
    await camera.take(tablet, "enrol")


async def before_the_call(officer: Officer, camera: Camera) -> None:
    """The tablet, ready."""
    page = officer.page
    await officer.enrol()
    await camera.take(page, "tablet-ready")
    ready = page.url.split("#")[0].removesuffix("/")
    await page.goto(f"{ready}/offline")
    await camera.take(page, "tablet-offline")
    await page.goto(ready)
    await officer.screen("ready")
    await themed(camera, page, "light", "tablet-ready-light")
    await in_spanish(camera, page, "ready", "tablet-ready-spanish")
    await page.click("#test-call")
    await until(
        page, "() => document.querySelectorAll('#test-checks [data-result=ok]').length === 4"
    )
    await camera.take(page, "tablet-test")
    await page.click("#cancel")
    await officer.screen("ready")
    await page.context.add_cookies([{"name": "cb_lang", "value": "es", "url": page.url}])
    await page.reload()
    await officer.screen("ready")
    await page.click("#overdose-open")
    await camera.take(page, "tablet-overdose-spanish")
    await page.context.add_cookies([{"name": "cb_lang", "value": "en", "url": page.url}])
    await page.reload()
    await officer.screen("ready")
    await page.click("#overdose-open")
    await page.click("#dose-given")
    await page.click('[data-product="nasal-4"]')
    await camera.take(page, "tablet-overdose")
    await page.click("#overdose-close")


async def company(people: People, dana: Clinician, miguel: Clinician, camera: Camera) -> None:
    """A guest comes and goes; a transfer is asked for and called off."""
    console, marta = dana.page, await people.page("marta", size=(390, 844))
    await console.click("#add")
    await console.click('[data-invite="interpreter"]')
    await console.locator("#invite-links li").wait_for()
    await camera.take(console, "console-invite")
    await marta.goto(await console.input_value("#invite-url"))
    await camera.take(marta, "join")
    await marta.fill("#name", "Marta R.")
    await marta.click("#join-submit")
    await marta.locator("#enter").wait_for()
    await camera.take(marta, "guest-door")
    await marta.click("#enter")
    await picture_moves(marta, "#remote-video")
    await marta.locator("#company-1").wait_for()
    await camera.take(marta, "guest-call")
    await console.click("#company-out-1")
    await people.close("marta")
    await console.click("#transfer")
    await camera.take(console, "console-transfer")
    await console.fill("#handing-note", "He answers to Joe.")
    await console.click("#handing-colleagues button:has-text('Miguel')")
    await miguel.rings()
    await miguel.page.click("#accept")
    await miguel.page.locator("#handing-join").wait_for()
    await camera.take(miguel.page, "console-receive")
    await miguel.page.click("#handing-receive [data-call-off]")
    await console.locator("#handing-seen").click()
    await people.close("miguel")


async def a_signature(tablet: Page, console: Page, camera: Camera) -> None:
    """The clinician puts a consent on the tablet, and takes it off again."""
    await console.click("#consent summary")
    await console.select_option("#consent-language", "es")
    await console.click("#consent-ask")
    await expect(tablet.locator("#sign")).to_be_visible()
    await camera.take(tablet, "tablet-sign")
    await console.click("#consent-call-off")
    await expect(tablet.locator("#sign")).to_be_hidden()
    await console.click("#consent summary")


async def the_call(demo: Demo, officer: Officer, dana: Clinician, camera: Camera) -> None:
    """From the first picture to the hand-over, with the server's power cut on the way."""
    tablet, console = officer.page, dana.page
    await officer.screen("call")
    await picture_moves(tablet, "#remote-video")
    await picture_moves(console, "#remote-video")
    await camera.take(tablet, "tablet-call")
    await saved_and_held(tablet, console, camera)
    await tablet.click("#end")
    await tablet.locator("#end-confirm").wait_for()
    await camera.take(tablet, "tablet-end")
    await tablet.click("#end-keep")
    await officer.hand_over()
    await camera.take(tablet, "tablet-handed-over")
    await camera.take(console, "console-call")
    await themed(camera, console, "dark", "console-call-dark")
    await a_signature(tablet, console, camera)
    await officer.take_back()
    await console.select_option("#form-others", "lethal-means")
    await console.focus('[data-item="firearm"] input')
    for digit in "112":  # within reach, locked away; no medicine
        await console.keyboard.press(digit)
        if digit == "1" and await console.locator("#item-firearm-who:focus").count():
            await console.keyboard.press("Tab")
    await camera.take(console, "console-form")
    await the_plan(console, camera)
    await console.click("#form-tab-field-safety")
    await in_spanish(camera, console, "call", "console-call-spanish")
    demo.kill()
    for page, name in ((tablet, "tablet-call-lost"), (console, "console-call-lost")):
        await page.locator("#network").wait_for(timeout=30_000)
        await camera.take(page, name)
    demo.start()
    for page in (tablet, console):
        await page.locator("#network").wait_for(state="hidden", timeout=30_000)
        await picture_moves(page, "#remote-video")
        await expect(page.locator("#quality-word")).to_have_text("Good", timeout=30_000)


async def saved_and_held(tablet: Page, console: Page, camera: Camera) -> None:
    """Still pictures by choice, and the tablet on hold."""
    await tablet.click("#saver")
    for page in (tablet, console):
        await page.locator("#remote-still").wait_for(timeout=20_000)
    await camera.take(tablet, "tablet-saver")
    await camera.take(console, "console-saver")
    await tablet.click("#saver")
    await picture_moves(tablet, "#remote-video")
    await console.click("#hold")
    await expect(tablet.locator("#face-words")).to_contain_text("has stepped aside")
    await camera.take(tablet, "tablet-held")
    await camera.take(console, "console-held")
    await console.click("#held-end")
    await picture_moves(tablet, "#remote-video")


async def afterwards(demo: Demo, officer: Officer, dana: Clinician, camera: Camera) -> None:
    """Card, end, wrap-up, what happened."""
    tablet, console = officer.page, dana.page
    await dana.recommend("soon", "remain_in_place", "Stay with him until his sister is here.")
    await tablet.locator("#card").wait_for()
    await camera.take(tablet, "tablet-card")
    await officer.acknowledge()
    await officer.end()
    await officer.screen("outcome")
    await camera.take(tablet, "tablet-outcome")
    await console.locator("#wrapup").wait_for()
    await console.click("#followup-add")
    await console.fill("[data-followup] [name=note]", "Ask whether his sister came.")
    await expect(console.locator("#wrapup-state")).to_contain_text("Saved")
    await camera.take(console, "console-wrapup")
    await dana.wrap_up("remain_in_place")
    await console.goto(f"{demo.base_url}/notes")
    await camera.take(console, "notes")
    await console.click("table a")
    await console.locator("#note").evaluate("(one) => one.scrollIntoView()")
    await camera.take(console, "note")
    await the_same_person(demo, console, camera)
    await console.goto(f"{demo.base_url}/followups")
    await camera.take(console, "followups")
    await console.click("[data-followup] a")
    await camera.take(console, "followup")
    await without_followup(demo, console, camera)
    await console.goto(f"{demo.base_url}/alerts")
    await camera.take(console, "alerts")
    await tablet.click('#dispositions [data-disposition="voluntary_transport"]')
    await officer.screen("reason")
    await camera.take(tablet, "tablet-reason")
    await tablet.click('#reasons [data-reason="scene_changed"]')
    await officer.screen("ready")


PLAN = {
    "warning-signs": "I stop sleeping, and do not answer the phone.",
    "alone": "Walk the dog. Music, loud. A shower.",
    "distraction": "My sister's kitchen. The library in town.",
    "people": "Ruth 605-555-0117. Uncle Dale 605-555-0164.",
    "professionals": "Plains Crisis Care 605-555-0188. 988, day and night.",
    "safer": "Ruth keeps the key to the cabinet until June.",
}


async def the_plan(console: Page, camera: Camera) -> None:
    """A safety plan, and what the person sees of it on a phone of their own."""
    await console.select_option("#form-others", "safety-plan")
    await console.check('[data-item="made"] input[value="yes"]')
    for part, words in PLAN.items():
        await console.fill(f"#item-{part}", words)
    await console.focus("#form-tab-safety-plan")
    await console.click("#takeaway-make")
    await console.locator("#takeaway-made").wait_for()
    context = console.context.browser
    assert context is not None
    person = await context.new_page()
    await person.goto(await console.input_value("#takeaway-url"))
    await person.locator("#plan-until").wait_for()
    await camera.take(person, "plan")
    await person.context.close()


async def the_office(demo: Demo, office: Page, camera: Camera) -> None:
    """The manager's pages."""
    await sign_in(office, demo.card["manager"])
    await camera.take(office, "manager-log")
    await themed(camera, office, "dark", "manager-log-dark")
    await office.click("#log [data-session] a")
    await camera.take(office, "manager-session")
    await saved_views(demo, office, camera)
    await office.goto(f"{demo.base_url}/manager/audit?all=1")
    await camera.take(office, "manager-audit")
    await near_misses(demo, office, camera)
    await office.goto(f"{demo.base_url}/manager/reports")
    await camera.take(office, "manager-reports")
    await office.goto(f"{demo.base_url}/manager/grants")
    await camera.take(office, "manager-grants")
    await office.goto(f"{demo.base_url}/manager/planner")
    await camera.take(office, "manager-planner")
    await office.goto(f"{demo.base_url}/manager/reach")
    await camera.take(office, "manager-reach")
    await office.goto(f"{demo.base_url}/manager/matching")
    await camera.take(office, "manager-matching")
    await keeping(demo, office, camera)
    await help_near_by(demo, office, camera)
    await overdoses(demo, office, camera)
    await other_programs(demo, office, camera)
    await office.goto(f"{demo.base_url}/manager/tablets")
    await camera.take(office, "manager-tablets")
    await office.locator('form[action$="/code"] button').last.click()
    await office.wait_for_load_state()
    await camera.take(office, "manager-code")


async def without_followup(demo: Demo, console: Page, camera: Camera) -> None:
    """An answered call that left nothing to follow up."""
    async with seeds.record_of(demo) as db:
        row = await seeds.session(db, "gap", 7200, code="604217")
        await seeds.gap(db, row, "no_followup")
    await console.goto(f"{demo.base_url}/followups/without/{row.id}")
    await camera.take(console, "followup-gap")


async def the_same_person(demo: Demo, console: Page, camera: Camera) -> None:
    """A name that was misspelt, beside the right one."""
    async with seeds.record_of(demo) as db:
        rows = []
        for number, (code, name) in enumerate(
            (("550912", "Jon Redbird"), ("417836", "John Redbird"))
        ):
            rows.append(await seeds.session(db, f"same-{number}", 90_000 + number, code=code))
            await seeds.person(demo, db, rows[-1], name, "1990-02-03")
    await console.goto(f"{demo.base_url}/persons/{rows[1].id}/same/{rows[0].id}")
    await camera.take(console, "same-person")


async def saved_views(demo: Demo, office: Page, camera: Camera) -> None:
    """Two filters kept under a name."""
    for name, query in (("This week", "span=7"), ("Open near misses", "miss=open")):
        await office.goto(f"{demo.base_url}/manager?{query}")
        await office.click(".views__save summary")
        await office.fill("#view-name", name)
        await office.click(".views__save button")
        await office.locator(".views [aria-current=true]", has_text=name).wait_for()
    await office.goto(f"{demo.base_url}/manager/views")
    await camera.take(office, "manager-views")


async def near_misses(demo: Demo, office: Page, camera: Camera) -> None:
    """The list by day, and one of them."""
    async with seeds.record_of(demo) as db:
        for number, kind in enumerate(("connection_lost", "to_phone", "licence_relaxed")):
            row = await seeds.session(db, f"miss-{number}", (number + 1) * 30_000)
            await seeds.miss(db, row, kind)
    await office.goto(f"{demo.base_url}/manager/misses")
    await camera.take(office, "manager-misses")
    await office.click("[data-miss] th a")
    await camera.take(office, "manager-miss")


async def overdoses(demo: Demo, office: Page, camera: Camera) -> None:
    """Overdoses that wait for a manager, one that was held back, and a file that left."""
    async with seeds.record_of(demo) as db:
        for number, code in enumerate(("318044", "725519", "640287")):
            await seeds.session(
                db, f"overdose-{number}", (number + 1) * 20_000, code=code,
                intake=("adult", "overdose"), flags=8,
            )  # fmt: skip
    await office.goto(f"{demo.base_url}/manager/odmap")
    first, second = (office.locator("fieldset[data-session]").nth(place) for place in (0, 1))
    await first.locator("[name$=outcome]").select_option("nonfatal")
    await first.locator("[name$=place]").fill("Main Street and 3rd Avenue")
    await first.locator("[name$=decision]").select_option("release")
    await second.locator("[name$=decision]").select_option("hold")
    await second.locator("[name$=reason]").select_option("not_overdose")
    await office.locator("#review [type=submit]").click()
    await office.locator("[role=status]").wait_for()
    await camera.take(office, "manager-odmap")


async def help_near_by(demo: Demo, office: Page, camera: Camera) -> None:
    """The directory, one of its entries, and a file that would change it."""
    await office.goto(f"{demo.base_url}/manager/resources")
    await camera.take(office, "manager-resources")
    await office.locator("#resources a.button").first.click()
    await office.wait_for_load_state()
    await camera.take(office, "manager-resource")
    await office.goto(f"{demo.base_url}/manager/resources")
    await office.locator("#import summary").click()
    table = b"name,kind,places,phone\nOpen Door Shelter,shelter,Prairie SD,605-555-0170\n"
    await office.locator("#import-file").set_input_files(
        FilePayload(name="help.csv", mimeType="text/csv", buffer=table)
    )
    await office.locator('form[action$="/import"] button').click()
    await office.wait_for_load_state()
    await camera.take(office, "manager-resources-import")


async def other_programs(demo: Demo, office: Page, camera: Camera) -> None:
    """A token and an address, made; the address is this server's own, which takes no notices."""
    page = f"{demo.base_url}/manager/integrations"
    await office.goto(page)
    await office.click("#new-token summary")
    await office.fill("#token-name", "County dashboard")
    for scope in ("log.read", "report.read"):
        await office.check(f'[name="scope:{scope}"]')
    await office.click("#new-token [type=submit]")
    await office.locator("#secret").evaluate(  # a secret is in no picture
        "(one) => { one.value = 'cbt_…'; }"
    )
    await camera.take(office, "manager-integrations-secret")
    await office.goto(page)
    await office.click("#new-webhook summary")
    await office.fill("#webhook-name", "County records")
    await office.fill("#webhook-url", f"{demo.base_url}/healthz")
    for event in ("session.closed", "disposition.recorded"):
        await office.check(f'[name="event:{event}"]')
    await office.click("#new-webhook [type=submit]")
    await office.goto(page)
    await office.click("#webhooks a")
    await office.click('form[action$="/test"] button')
    await until(  # the server's own answer to it
        office, "async () => (await (await fetch(location.pathname)).text()).includes('405')"
    )
    await office.goto(office.url.partition("?")[0])
    await camera.take(office, "manager-webhook")
    await office.goto(page)
    await camera.take(office, "manager-integrations")


async def keeping(demo: Demo, office: Page, camera: Camera) -> None:
    """What a rule would delete."""
    async with seeds.record_of(demo) as db:
        for number in range(2):
            await seeds.session(db, f"old-{number}", (27 + number) * 31_557_600)
    await office.goto(f"{demo.base_url}/manager/keeping")
    await office.locator('form[method="get"] button').first.click()
    await office.wait_for_load_state()
    await camera.take(office, "manager-keeping")


async def off(office: Page, name: str, starts: datetime, ends: datetime) -> None:
    """An exception to the roster: somebody is off."""
    form = office.locator('form[action="/manager/roster/overrides"]')
    await form.locator("[name=kind][value=remove]").check()
    await form.locator("[name=goes]").select_option(label=name)
    await form.locator("[name=starts]").fill(starts.strftime("%Y-%m-%dT%H:%M"))
    await form.locator("[name=ends]").fill(ends.strftime("%Y-%m-%dT%H:%M"))
    await form.locator("[type=submit]").click()
    await office.locator("[role=status]").wait_for()


async def the_roster(
    demo: Demo, officer: Officer, office: Page, console: Page, camera: Camera
) -> None:
    """The roster with gaps, a clinician's shifts, calendar files, a tablet with nobody there."""
    roster, now = f"{demo.base_url}/manager/roster", datetime.now(ZoneInfo(cast.TIMEZONE))
    night = (now + timedelta(days=1)).replace(hour=2, minute=0)
    await office.goto(f"{roster}/shifts")
    names = [one.name for one in cast.CLINICIANS]
    for name in names:
        await off(office, name, night, night + timedelta(hours=3))
    for name in names[:2]:
        await off(office, name, night + timedelta(days=2), night + timedelta(days=2, hours=6))
    await console.goto(f"{demo.base_url}/shifts")
    await console.locator('a[href^="/shifts/offer"]').nth(2).click()
    await console.locator("#to").wait_for()
    await camera.take(console, "shifts-offer")
    await console.click("main form [type=submit]")
    await console.locator("#own").wait_for()
    await camera.take(console, "shifts")
    await console.click('form[action="/shifts/feeds"] button')
    await console.locator("#address").wait_for()
    await console.locator("#address").evaluate(  # a secret is in no picture
        "(one) => { one.value = 'https://bridge.example.org/calendar/….ics'; }"
    )
    await camera.take(console, "roster-feed")
    await office.goto(roster)
    await camera.take(office, "manager-roster")
    await office.goto(f"{roster}/shifts")
    await camera.take(office, "manager-roster-shifts")
    await office.locator("#weekly tbody a").first.click()
    await office.locator("#shift-person").wait_for()
    await camera.take(office, "manager-roster-shift")
    await office.goto(f"{roster}/calendar")
    await camera.take(office, "manager-roster-calendar")
    file = FilePayload(name="shifts.ics", mimeType="text/calendar", buffer=seeds.CALENDAR)
    await office.set_input_files("#file", files=file)
    await office.click('form[action="/manager/roster/import"] [type=submit]')
    await office.locator("tbody").wait_for()
    await camera.take(office, "manager-roster-import")
    await office.goto(f"{roster}/shifts")
    for name in names:
        await off(office, name, now - timedelta(minutes=1), night)
    await officer.page.locator("#closed").wait_for()
    await camera.take(officer.page, "tablet-closed")


async def signing_in(folder: Path, people: People, camera: Camera) -> None:
    """The sign-in of a real server: everybody needs more than a password, and pages are covered."""
    demo = strict_demo(folder)
    try:
        page = await people.page("strict")
        await fingerprint_reader(page)
        await page.clock.install()
        await by_password(page, demo, "supervisor", "/manager")
        await page.click("#app-begin")
        await page.locator("img.qr").wait_for()
        await camera.take(page, "account-app")
        await page.click("main details summary")
        await page.fill("#code", code_of(await page.locator("#app-secret").inner_text()))
        await page.click('form[action="/account/app/confirm"] button')
        await page.wait_for_url("**/account?done=app")
        await page.fill("#passkey-name", "Laptop")
        await page.click("#passkey-submit")
        await page.wait_for_url("**/account?done=added")
        await page.goto(at(demo, "/account"))
        await camera.take(page, "account")
        await camera.take(page, "account-logins", at="#password-title")
        await page.click("#recovery-make")
        await page.locator("#recovery-codes").wait_for()
        await camera.take(page, "account-codes")
        await page.goto(at(demo, "/manager"))
        await page.clock.fast_forward(61_000)
        await page.locator("#cover").wait_for()
        await camera.take(page, "covered")
        await page.goto(at(demo, "/manager"))
        await page.wait_for_url("**/prove?next=/manager")
        await camera.take(page, "prove")
        await page.click('form[action="/sign-out"] button')
        await page.locator("#passkey-use").wait_for()
        await camera.take(page, "sign-in")
        await by_password(page, demo, "supervisor", "/manager")
        await page.wait_for_url("**/sign-in/second?next=/manager")
        await camera.take(page, "sign-in-second")
        await some_people(demo, people, camera)
    finally:
        demo.stop()


def sampled_demo(folder: Path) -> Demo:
    """A running demo with some days behind it."""
    sample = [sys.executable, "-m", "crisisbridge", "sample", "--data", str(folder)]
    demo = Demo(folder).start()  # its people first: their password is the card's
    demo.stop()
    subprocess.run([*sample, "--sessions", "40", "--days", "3"], check=True, cwd=ROOT)
    return demo.start()


async def opened_records(folder: Path, people: People, camera: Camera) -> None:
    """A colleague's record opened in an emergency, and the list that is reviewed."""
    demo = sampled_demo(folder)
    try:
        office, console = await people.page("reviewer"), await people.page("opener")
        await sign_in(office, demo.card["supervisor"])
        rows = await office.locator("#log [data-session]").all_inner_texts()
        dana = cast.DANA.name
        code = next(found[0] for row in rows if dana not in row and (found := CODE.findall(row)))
        await sign_in(console, demo.card["clinicians"][0])
        await console.goto(f"{demo.base_url}/records/open")
        await console.fill("#code", code)
        await console.fill("#reason", "She calls from the bridge and asks for what we agreed.")
        await camera.take(console, "open-record")
        await console.click("#open-record button")
        await console.wait_for_url("**/manager/sessions/**")
        await office.goto(f"{demo.base_url}/manager/openings")
        await camera.take(office, "manager-openings")
    finally:
        demo.stop()


async def by_a_directory(folder: Path, people: People, camera: Camera) -> None:
    """Signing in by an agency's own directory, being refused, and leaving."""
    demo = Demo(folder)
    directory = Directory(folder.with_name("directory"), [f"http://127.0.0.1:{demo.port}"])
    demo.settings = {"CRISISBRIDGE_SINGLE_SIGN_ON": str(directory.described())}
    demo.start()
    try:
        directory.start()
        directory.person("wren", ["staff"])
        directory.person("morgan", ["crisis-managers"])
        page = await people.page("by-directory")
        await page.goto(f"{demo.base_url}/sign-in")
        await camera.take(page, "sign-in-directory")
        await page.click('[data-issuer="prairie"]')
        await page.fill('[name="who"]', "wren")
        await page.click('button[value="yes"]')
        await page.wait_for_url("**/trouble/no-group")
        await camera.take(page, "sign-on-trouble")
        await page.click("#other-account")
        await page.fill('[name="who"]', "morgan")
        await page.click('button[value="yes"]')
        await page.wait_for_url("**/manager")
        await page.click('form[action="/sign-out"] button')
        await page.locator("#leave-there").wait_for()
        await camera.take(page, "sign-on-left")
    finally:
        directory.kill()
        demo.stop()


async def some_people(demo: Demo, people: People, camera: Camera) -> None:
    """The administrator's list, somebody who is added, and the door that is opened to them."""
    page = await people.page("admin")
    await fingerprint_reader(page)
    await by_password(page, demo, "admin", "/manager/people")
    await page.fill("#passkey-name", "Laptop")
    await page.click("#passkey-submit")
    await page.wait_for_url("**/account?done=added")
    await page.goto(at(demo, "/manager/people"))
    await page.click("#add summary")
    await page.fill("#name", "Noor Haddad")
    await page.fill("#short_name", "Noor")
    await page.fill("#email", "noor@demo.invalid")
    await page.check('input[name="role"][value="clinician"]')
    await page.click("#add button[type=submit]")
    link = await page.locator("#invitation-link").input_value()
    await camera.take(page, "manager-invitation")
    await page.goto(at(demo, "/manager/people"))
    await camera.take(page, "manager-people")
    await page.locator("[data-person] a", has_text="Noor").click()
    await page.locator("#roles-title").wait_for()
    await camera.take(page, "manager-person")
    new = await people.page("noor")
    await new.goto(link)
    await new.locator("#choose").wait_for()
    await camera.take(new, "welcome")


async def pictures(demo: Demo, people: People, camera: Camera) -> None:
    """One session, screen by screen."""
    card = demo.card
    await nobody_there(demo, people, camera)
    tablet = await people.page("sam", size=(1024, 768))
    console, other = await people.page("dana"), await people.page("miguel")
    office = await people.page("lena")
    await first_pages(demo, office, tablet, camera)

    officer = Officer(tablet, card["tablet"])
    dana, miguel = (
        Clinician(page, one)
        for page, one in zip((console, other), card["clinicians"], strict=False)
    )
    await dana.arrive()
    await camera.take(console, "console-idle")
    await miguel.arrive()
    await before_the_call(officer, camera)
    await officer.press()
    await dana.rings()
    await miguel.rings()
    await officer.tell("adult")
    await camera.take(tablet, "tablet-connecting")
    await tablet.click('[data-said="safe:yes"]')
    await tablet.click('[data-said="medical:yes"]')
    await expect(console.locator("#offer-scene")).to_contain_text("No-go")
    await camera.take(console, "console-offer")
    await camera.take(tablet, "tablet-scene")
    for said in ("read:medical", "intoxicated:no", "willing:yes"):
        await tablet.click(f'[data-said="{said}"]')
    await camera.take(tablet, "tablet-activity")
    await tablet.click('[data-said="activity:5"]')
    await dana.accept()
    await other.locator("#taken-notice").wait_for()
    await camera.take(other, "console-taken")
    await picture_moves(console, "#remote-video")
    await company(people, dana, miguel, camera)
    await the_call(demo, officer, dana, camera)
    await afterwards(demo, officer, dana, camera)
    await the_office(demo, office, camera)
    await the_roster(demo, officer, office, console, camera)


async def main() -> None:
    parser = argparse.ArgumentParser(description="Take the pictures in docs/screens/.")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "screens")
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory() as folder:
        demo = Demo(Path(folder) / "data").start()
        try:
            async with async_playwright() as playwright:
                people = People(playwright, Path(folder) / "profiles")
                camera = Camera(out)
                await pictures(demo, people, camera)
                await signing_in(Path(folder) / "strict", people, camera)
                await by_a_directory(Path(folder) / "by-directory", people, camera)
                await opened_records(Path(folder) / "opened", people, camera)
                await people.close_all()
        finally:
            demo.stop()
    (out / "README.md").write_text(listing(), encoding="utf-8")
    missing = SCREENS.keys() - camera.taken
    if missing:
        raise SystemExit(f"not taken: {', '.join(sorted(missing))}")


if __name__ == "__main__":
    asyncio.run(main())
