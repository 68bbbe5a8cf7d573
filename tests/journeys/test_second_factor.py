"""Passkeys by Chromium's virtual authenticator, codes of an app, and pages that nobody sits at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from tests.journeys import axe
from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.second_factor import at, by_password, code_of, nobody_is_there, strict_demo
from tests.journeys.steps import fingerprint_reader, picture

pytestmark = pytest.mark.journey


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One for the tests of this module."""
    running = strict_demo(tmp_path_factory.mktemp("strict") / "data")
    yield running
    if running.running:
        running.stop()


async def test_a_passkey_is_set_up_signs_in_by_itself_and_uncovers_the_page(
    strict: Demo, people: People
) -> None:
    page = await people.page("lena")
    await fingerprint_reader(page)
    await page.clock.install()
    await by_password(page, strict, "manager", "/manager/tablets")
    await page.wait_for_url("**/account?next=/manager/tablets")
    await expect(page.locator(".banner--wait")).to_be_visible()
    await page.goto(at(strict, "/manager"))  # nothing else opens yet
    await page.wait_for_url("**/account?next=/manager")
    assert await axe.violations(page) == []
    await picture(page, "account-missing")
    await page.fill("#passkey-name", "Laptop")
    await page.click("#passkey-submit")
    await page.wait_for_url("**/account?done=added")
    await expect(page.locator("[data-passkey]")).to_contain_text("Laptop")
    assert await axe.violations(page) == []
    await picture(page, "account")
    await page.click("#recovery-make")
    await expect(page.locator("#recovery-codes li")).to_have_count(10)
    assert await axe.violations(page) == []
    await picture(page, "account-codes")

    await page.goto(at(strict, "/manager"))
    await page.click('form[action="/sign-out"] button')
    await page.wait_for_url("**/sign-in")
    await expect(page.locator("#passkey-use")).to_be_visible()
    assert await axe.violations(page) == []
    await picture(page, "sign-in")
    await page.click("#passkey-use")
    await page.wait_for_url("**/manager")

    await nobody_is_there(page)
    await expect(page.locator("h1")).to_be_hidden()
    assert "Covered" in await page.title()
    assert await axe.violations(page) == []
    await picture(page, "covered")
    await page.keyboard.press("Escape")
    await page.keyboard.press("Escape")
    await expect(page.locator("#cover")).to_be_visible(timeout=12_000)
    await page.goto(at(strict, "/manager/tablets"))  # no way around it by the address
    await page.wait_for_url("**/prove?next=/manager/tablets")
    assert await axe.violations(page) == []
    await picture(page, "prove")
    await page.click("#passkey-use")
    await page.wait_for_url(at(strict, "/manager/tablets"))
    await nobody_is_there(page)
    await page.click("#cover-passkey")
    await expect(page.locator("#cover")).to_be_hidden()
    await expect(page.locator("h1")).to_be_visible()
    # A page that asks something while it is covered is refused, and the browser writes that down.
    assert [error for error in people.errors["lena"] if "423 (Locked)" not in error] == []


async def test_a_device_that_does_not_verify_its_user_lets_nobody_in(
    strict: Demo, people: People
) -> None:
    page = await people.page("tom")
    await fingerprint_reader(page, verifies=False)
    await by_password(page, strict, "admin", "/manager/tablets")
    await page.wait_for_url("**/account?next=/manager/tablets")
    await page.fill("#passkey-name", "Key")
    await page.click("#passkey-submit")
    await expect(page.locator("#passkey-error")).to_be_visible()
    await expect(page.locator("[data-passkey]")).to_have_count(0)


async def test_an_app_is_set_up_by_its_picture_and_its_codes_are_asked_for(
    strict: Demo, people: People
) -> None:
    page = await people.page("ada")
    await by_password(page, strict, "supervisor", "/manager")
    await page.click("#app-begin")
    await expect(page.locator("img.qr")).to_be_visible()
    await page.click("main details summary")
    secret = await page.locator("#app-secret").inner_text()
    assert await axe.violations(page) == []
    await picture(page, "account-app")
    used = code_of(secret)
    await page.fill("#code", used)
    await page.click('form[action="/account/app/confirm"] button')
    await page.wait_for_url("**/account?done=app")
    await page.goto(at(strict, "/manager"))
    await page.click('form[action="/sign-out"] button')

    await by_password(page, strict, "supervisor", "/manager/tablets")
    await page.wait_for_url("**/sign-in/second?next=/manager/tablets")
    assert await axe.violations(page) == []
    await picture(page, "sign-in-second")
    await page.fill("#code", used)  # the code of the set-up, again
    await page.click('#second button[type="submit"]')
    await expect(page.locator("#second-error")).to_be_visible()
    await page.fill("#code", code_of(secret, ahead=1))
    await page.click('#second button[type="submit"]')
    await page.wait_for_url(at(strict, "/manager/tablets"))


async def test_the_demo_lets_its_people_in_by_the_password_and_says_so(
    demo: Demo, people: People
) -> None:
    page = await people.page("lena")
    await page.goto(at(demo, "/sign-in"))
    await expect(page.locator(".banner--wait")).to_contain_text("demo")
    await by_password(page, demo, "manager", "/manager")
    await page.wait_for_url("**/manager")
