"""A tablet is its device: set up, copied, forgotten by its browser, and lost during a call."""

from __future__ import annotations

import asyncio
import time

import pytest
from playwright.async_api import Page, expect

from scripts.screenshots import FORGET_KEY
from tests.journeys import axe
from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.steps import (
    Clinician,
    Officer,
    fingerprint_reader,
    picture,
    picture_moves,
    sign_in,
    until,
)

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

TABLET = (1024, 768)
EXPORT = """() => new Promise((resolve, reject) => {
    const opening = indexedDB.open('crisisbridge');
    opening.onerror = reject;
    opening.onsuccess = () => {
        const asked = opening.result.transaction('keys').objectStore('keys').get('tablet');
        asked.onsuccess = () => crypto.subtle.exportKey('jwk', asked.result.privateKey)
            .then(() => resolve('given out'), (error) => resolve(error.name));
    };
})"""

HAS_KEY = """() => new Promise((resolve) => {
    const opening = indexedDB.open('crisisbridge');
    opening.onupgradeneeded = () => opening.transaction.abort();
    opening.onerror = () => resolve(false);
    opening.onsuccess = () => {
        const asked = opening.result.transaction('keys').objectStore('keys').count('tablet');
        asked.onsuccess = () => { opening.result.close(); resolve(asked.result === 1); };
    };
})"""
KEEPS = """
    globalThis.kept = [];
    RTCPeerConnection.prototype.close = () => {};
    globalThis.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(...given) { super(...given); globalThis.kept.push(this); }
    };
"""
COUNT_PRESSES = """() => {
    globalThis.presses = 0;
    document.addEventListener('click', () => { globalThis.presses += 1; }, { capture: true });
}"""
RECEIVED = """async () => {
    let bytes = 0;
    for (const pc of globalThis.kept) {
        for (const one of (await pc.getStats()).values()) {
            if (one.type === 'inbound-rtp') bytes += one.bytesReceived;
        }
    }
    return bytes;
}"""


async def fine(page: Page, name: str) -> None:
    assert await axe.violations(page) == [], name
    await picture(page, name)


async def test_a_copied_cookie_opens_nothing_and_the_tablet_goes_on(
    demo: Demo, people: People
) -> None:
    officer = Officer(await people.page("sam", size=TABLET), demo.card["tablet"])
    await officer.enrol()
    await officer.page.reload()
    await officer.screen("ready")
    assert await officer.page.evaluate(EXPORT) == "InvalidAccessError", "the key can be copied"

    thief = await people.page("thief", size=TABLET)
    cookies = await officer.page.context.cookies()
    mine = [
        {key: one[key] for key in ("name", "value", "domain", "path")}
        for one in cookies
        if one["name"].endswith("cb_tablet")
    ]
    assert mine
    await thief.context.add_cookies(mine)  # type: ignore[arg-type]
    await thief.goto(f"{demo.base_url}/tablet")
    await thief.locator('html[data-screen="key"]').wait_for(state="attached")
    await expect(thief.locator("#connect")).to_be_hidden()
    html = await thief.content()
    assert officer.card["officer"] not in html
    assert "Jo Larsen" not in html
    await expect(officer.page.locator("#connect")).to_be_visible()
    await officer.press()  # the copy has not put the tablet out
    await expect(officer.page.locator("#intake")).to_be_visible()  # there is a session to cancel
    await officer.cancel()


async def test_a_browser_that_forgot_the_key_says_so_at_once_and_an_officer_s_pin_mends_it(
    demo: Demo, people: People
) -> None:
    officer = Officer(await people.page("sam", size=TABLET), demo.card["tablet"])
    tablet = officer.page
    await officer.enrol()

    # forgotten under an open page: the page has the key in memory, and puts it back
    await tablet.evaluate(FORGET_KEY)
    await tablet.context.set_offline(True)
    await expect(tablet.locator("#network")).to_be_visible(timeout=30_000)
    # without any network the overdose card is there, and its clock runs
    await tablet.click("#overdose-open")
    await tablet.click("#dose-given")
    await tablet.click('[data-product="nasal-4"]')
    await expect(tablet.locator("#dose-clock")).to_have_text("0:01")
    await expect(tablet.locator("#dose-left")).to_have_text("1:58")
    await expect(tablet.locator("#dose-kept")).to_contain_text("this screen only")
    await tablet.click("#overdose-close")
    await expect(tablet.locator("#overdose-running")).to_contain_text("1 dose")
    stored = await tablet.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert "nasal" not in stored, "nothing clinical in the browser's storage"
    await tablet.context.set_offline(False)
    await expect(tablet.locator("#network")).to_be_hidden(timeout=30_000)
    await until(tablet, HAS_KEY)
    await tablet.reload()
    await officer.screen("ready")

    # forgotten while the page was closed
    await tablet.goto("about:blank")
    await tablet.goto(f"{demo.base_url}/enrol")
    await tablet.evaluate(FORGET_KEY)
    await tablet.goto(f"{demo.base_url}/tablet")
    await officer.screen("key")
    assert "988" in await tablet.locator(".screen--key").inner_text()
    await expect(tablet.locator("#key-number")).not_to_be_empty()
    await fine(tablet, "tablet-key")
    await tablet.set_viewport_size({"width": 320, "height": 640})
    assert await tablet.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await tablet.set_viewport_size({"width": TABLET[0], "height": TABLET[1]})
    await tablet.fill("#key-name", "sam rivera")
    await tablet.fill("#key-pin", "0000")
    await tablet.click("#key-submit")
    await expect(tablet.locator("#key-error")).to_be_visible()
    await tablet.fill("#key-pin", officer.card["pin"])
    await tablet.click("#key-submit")
    await officer.screen("ready")
    await officer.press()
    await expect(tablet.locator("#intake")).to_be_visible()
    await officer.cancel()


# what becomes of each question for a passkey
QUESTIONS = """() => {
    globalThis.questions = [];
    const ask = navigator.credentials.get.bind(navigator.credentials);
    navigator.credentials.get = (options) => {
        questions.push('asked');
        const answer = ask(options);
        answer.then(() => questions.push('answered'), (error) => questions.push(error.name));
        return answer;
    };
}"""


async def checked_out(officer: Officer) -> None:
    await officer.screen("checkout")
    await officer.page.click(f'#officers :text("{officer.card["officer"]}")')
    await officer.type_pin(officer.card["pin"])
    await officer.screen("ready")


async def test_checking_out_by_pin_or_by_passkey_takes_less_than_fifteen_seconds(
    demo: Demo, people: People
) -> None:
    by_name = demo.card["tablet"]["url"].replace("127.0.0.1", "localhost")  # or no passkey works
    card = demo.card["tablet"] | {"url": by_name}
    officer = Officer(await people.page("sam", size=TABLET), card)
    tablet = officer.page
    await officer.enrol()
    await officer.check_in()
    await tablet.reload()  # from the moment that the tablet is taken out of the charger
    began = time.monotonic()
    await checked_out(officer)
    assert time.monotonic() - began < 15

    # the next shift: with the officer's own key, in one press
    let_lie = await fingerprint_reader(tablet, transport="usb")
    await expect(tablet.locator("#passkey-offer")).to_be_visible()
    await fine(tablet, "tablet-passkey-offer")
    await tablet.focus("#passkey-keep")
    await tablet.keyboard.press("Enter")
    await expect(tablet.locator("#passkey-keep")).to_be_hidden()
    await expect(tablet.locator("#passkey-later")).to_be_focused()
    await tablet.keyboard.press("Enter")
    await expect(tablet.locator("#passkey-offer")).to_be_hidden()
    await officer.check_in()
    await tablet.reload()
    began = time.monotonic()
    await officer.screen("checkout")
    await expect(tablet.locator("#passkey-checkout")).to_be_visible()
    assert await axe.violations(tablet) == []
    await tablet.evaluate(COUNT_PRESSES)
    await tablet.focus("#passkey-checkout")
    await tablet.keyboard.press("Enter")
    await officer.screen("ready")
    assert time.monotonic() - began < 15
    assert await tablet.evaluate("globalThis.presses") == 1
    await expect(tablet.locator("#officer")).to_contain_text("Sam")
    await expect(tablet.locator("#passkey-offer")).to_be_hidden()

    # a key that nobody touches: the question stays open, and a call for help takes it back
    await officer.check_in()
    await tablet.evaluate(QUESTIONS)
    await let_lie()
    await tablet.click("#passkey-checkout")
    await until(tablet, "() => globalThis.questions.join() === 'asked'")
    await tablet.click("#skip-checkout")
    await officer.screen("ready")
    assert await tablet.evaluate("globalThis.questions.join()") == "asked,AbortError"
    await officer.press()
    await expect(tablet.locator("#intake")).to_be_visible()
    await officer.cancel()
    await tablet.reload()
    await checked_out(officer)  # as the next test finds every tablet


async def test_a_manager_sees_which_tablets_are_ready_and_why_the_others_are_not(
    demo: Demo, people: People
) -> None:
    officer = Officer(await people.page("sam", size=TABLET), demo.card["tablet"])
    tom = await people.page("tom")
    await officer.enrol()
    await sign_in(tom, demo.card["admin"])
    row = tom.locator("tr[data-tablet]").filter(has_text=officer.card["unit"])

    async def shows(selector: str) -> None:
        async def look() -> bool:
            await tom.reload()
            return await row.locator(selector).count() > 0

        async with asyncio.timeout(20):
            while not await look():
                await asyncio.sleep(0.5)

    await shows("details.device")
    assert await row.get_attribute("data-word") == "ready"
    assert await row.locator('[data-remark="never_tested"]').count() == 1
    await expect(row.locator("details.device summary")).to_contain_text("Chrome")
    await officer.page.click("#test-call")
    await officer.screen("connecting")
    good = "() => document.querySelectorAll('#test-checks [data-result=ok]').length >= 4"
    await until(officer.page, good)
    await officer.page.click("#test-heard-no")
    await officer.page.click("#cancel")
    await officer.screen("ready")
    await shows('[data-reason="test_failed"]')
    assert await row.get_attribute("data-word") == "not_ready"
    assert await tom.locator("tr[data-tablet]").last.get_attribute("data-word") != "not_ready"
    await row.locator("details.device summary").click()
    await expect(row.locator("details.device")).to_contain_text("Heard by somebody: failed")
    await fine(tom, "manager-tablets")
    await tom.set_viewport_size({"width": 390, "height": 844})
    await picture(tom, "manager-tablets-phone")
    assert await tom.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_a_tablet_lost_in_a_call_is_out_at_once(demo: Demo, people: People) -> None:
    officer = Officer(await people.page("jo", size=TABLET), demo.card["tablets"][1])
    dana = Clinician(await people.page("dana"), demo.card["clinicians"][0])
    tom = await people.page("tom")
    # its script is not ours any more: it keeps its connection whatever the server says
    await officer.page.add_init_script(KEEPS)
    await officer.enrol()
    await dana.arrive()
    await officer.press()
    await dana.accept()
    await picture_moves(officer.page, "#remote-video", 20)
    await picture_moves(dana.page, "#remote-video", 20)
    first = await officer.page.evaluate(RECEIVED)
    await until(officer.page, f"async (first) => await ({RECEIVED})() > first", first)

    await sign_in(tom, demo.card["admin"])
    row = tom.locator("tr[data-tablet]").filter(has_text=officer.card["unit"])
    await row.locator(".sure summary").click()
    await row.locator(".sure .button--danger").click()
    await expect(officer.page.locator("#network-text")).to_be_visible()
    await expect(dana.page.locator("#remote-words")).to_contain_text("does not come back")
    before = await officer.page.evaluate(RECEIVED)
    await asyncio.sleep(3)  # long enough for a hundred pictures; nothing can be waited for here
    assert await officer.page.evaluate(RECEIVED) == before, "it goes on hearing and seeing"
    await officer.page.goto(f"{demo.base_url}/tablet")
    await officer.page.wait_for_url("**/enrol?why=ended")
