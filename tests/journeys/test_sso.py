"""Signing in by a directory, with real browsers, the real product, and a real OpenID provider."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from tests.directory import Directory
from tests.journeys import axe
from tests.journeys.by_directory import by_directory, there, with_directory
from tests.journeys.chromium import People
from tests.journeys.firefox import Firefox
from tests.journeys.harness import Demo
from tests.journeys.second_factor import nobody_is_there
from tests.journeys.steps import picture, sign_in

pytestmark = pytest.mark.journey


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Demo, Directory]]:
    """One demo and one directory for the tests of this module."""
    demo, directory = with_directory(tmp_path_factory.mktemp("sso"))
    yield demo, directory
    directory.kill()
    if demo.running:
        demo.stop()


@pytest.fixture
def demo(both: tuple[Demo, Directory]) -> Demo:
    return both[0]


@pytest.fixture
def directory(both: tuple[Demo, Directory]) -> Directory:
    return both[1]


async def test_a_clinician_and_a_manager_sign_in_by_their_directory(
    demo: Demo, directory: Directory, people: People
) -> None:
    directory.person("casey", ["crisis-clinicians"])
    directory.person("morgan", ["crisis-managers"])
    page = await people.page("casey")
    await page.goto(f"{demo.base_url}/sign-in")
    await expect(page.locator('[data-issuer="prairie"]')).to_have_text(
        "Sign in with Prairie County"
    )
    assert await axe.violations(page) == []
    await picture(page, "sign-in-directory")
    await by_directory(page, demo, "casey", "/console")
    await page.wait_for_url("**/console")
    await expect(page.locator("h1")).to_be_visible()
    assert people.errors["casey"] == []

    other = await people.page("morgan")
    await by_directory(other, demo, "morgan", "/manager/reports")
    await other.wait_for_url("**/manager/reports")
    await other.click('form[action="/sign-out"] button')
    await other.wait_for_url("**/sign-in/with/prairie/left")
    await expect(other.locator("#leave-there")).to_have_text("Sign out at Prairie County")
    assert await axe.violations(other) == []
    await picture(other, "sign-on-left")
    await other.click("#leave-there")
    await other.click('button[name="logout"]')
    await other.wait_for_url("**/sign-in")
    assert people.errors["morgan"] == []


async def test_a_wrong_group_is_told_in_words_and_another_account_can_be_used(
    demo: Demo, directory: Directory, people: People
) -> None:
    directory.person("wren", ["staff"])
    directory.person("robin", ["crisis-managers"])
    page = await people.page("wren")
    await by_directory(page, demo, "wren", "/manager")
    await page.wait_for_url("**/trouble/no-group")
    await expect(page.locator("h1")).to_contain_text("none of your groups")
    assert await axe.violations(page) == []
    await picture(page, "sign-on-trouble")
    await page.click("a[lang=es], a[hreflang=es]")
    await expect(page.locator("h1")).to_contain_text("ninguno de sus grupos")
    assert await axe.violations(page) == []
    await page.click("#other-account")  # the directory knows wren still, and asks all the same
    await there(page, "robin")
    await page.wait_for_url("**/manager")


async def test_new_keys_between_two_sign_ins_are_no_trouble(
    demo: Demo, directory: Directory, people: People
) -> None:
    directory.person("kelly", ["crisis-managers"])
    page = await people.page("kelly")
    await by_directory(page, demo, "kelly")
    await page.wait_for_url("**/manager")
    directory.rotate()
    again = await people.page("kelly-elsewhere")
    await by_directory(again, demo, "kelly")
    await again.wait_for_url("**/manager")


async def test_a_covered_page_is_uncovered_by_the_directory(
    demo: Demo, directory: Directory, people: People
) -> None:
    directory.person("quinn", ["crisis-managers"])
    page = await people.page("quinn")
    await page.clock.install()
    await by_directory(page, demo, "quinn", "/manager/tablets")
    await page.wait_for_url("**/manager/tablets")
    await nobody_is_there(page)
    assert await axe.violations(page) == []
    await picture(page, "covered-directory")
    await page.click("#cover-directory")
    await there(page, "quinn")  # signed in there a moment ago, and asked anew
    await page.wait_for_url("**/manager/tablets")
    await expect(page.locator("#cover")).to_be_hidden()
    await expect(page.locator("h1")).to_be_visible()


async def test_firefox_comes_back_from_the_directory_too(
    demo: Demo, directory: Directory, firefox: Firefox
) -> None:
    directory.person("fern", ["crisis-managers"])
    await firefox.goto(f"{demo.base_url}/sign-in")
    await firefox.click('[data-issuer="prairie"]')
    await firefox.wait_for("document.querySelector('[name=who]') !== null")
    await firefox.fill('[name="who"]', "fern")
    await firefox.click('button[value="yes"]')
    await firefox.wait_for("location.pathname === '/manager'")


async def test_somebody_with_a_password_connects_the_directory_on_their_own_page(
    demo: Demo, directory: Directory, people: People
) -> None:
    directory.person("lena", ["crisis-managers"], email=demo.card["manager"]["email"])
    page = await people.page("lena")
    await sign_in(page, demo.card["manager"])
    await page.goto(f"{demo.base_url}/account")
    assert await axe.violations(page) == []
    await page.click('[data-connect="prairie"]')
    await there(page, "lena")
    await page.wait_for_url("**/account?done=connected")
    await expect(page.locator("#connected")).to_contain_text("Prairie County")
    assert people.errors["lena"] == []


async def test_a_directory_that_was_killed_is_a_calm_page_and_nobody_is_in_the_log(
    demo: Demo, directory: Directory, people: People
) -> None:
    page = await people.page("late")
    directory.kill()
    await page.goto(f"{demo.base_url}/sign-in")
    await page.click('[data-issuer="prairie"]')
    await page.wait_for_url("**/trouble/away")
    await expect(page.locator("#advice")).to_be_visible()
    assert await axe.violations(page) == []
    await picture(page, "sign-on-away")
    await expect(page.locator("#again")).to_be_visible()
    assert demo.leaks() == []
    assert "prairie.invalid" not in "".join(demo.log_lines())
