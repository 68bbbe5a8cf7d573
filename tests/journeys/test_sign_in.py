"""Signing in and setting up, in the browsers that people have."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.journeys import axe
from tests.journeys.chromium import People
from tests.journeys.firefox import Firefox
from tests.journeys.harness import Demo
from tests.journeys.steps import Officer, sign_in

pytestmark = pytest.mark.journey


@pytest.mark.parametrize("who", ["manager", "supervisor", "admin"])
async def test_each_of_the_office_signs_in_and_stands_where_they_wanted_to(
    demo: Demo, people: People, who: str
) -> None:
    page = await people.page(who)
    await sign_in(page, demo.card[who])
    await expect(page.locator("h1")).to_be_visible()
    assert await axe.violations(page) == []
    assert people.errors[who] == []
    await page.reload()
    assert page.url == demo.card[who]["url"]


async def test_a_wrong_password_is_refused_in_words_and_nobody_is_signed_in(
    demo: Demo, people: People
) -> None:
    page = await people.page("stranger")
    await page.goto(demo.card["manager"]["url"])
    await page.fill("#email", demo.card["manager"]["email"])
    await page.fill("#password", "not the password")
    await page.click('#sign-in button[type="submit"]')
    await expect(page.locator("#sign-in-error")).to_be_visible()
    assert await axe.violations(page) == []
    await page.goto(demo.card["manager"]["url"])
    assert "/sign-in" in page.url


async def test_a_tablet_is_set_up_by_its_link_and_stays_set_up(demo: Demo, people: People) -> None:
    page = await people.page("sam", size=(1024, 768))
    officer = Officer(page, demo.card["tablet"])
    await officer.enrol()
    assert demo.card["tablet"]["code"] not in page.url
    await expect(page.locator("#connect")).to_be_enabled()
    assert await axe.violations(page) == []
    await page.reload()
    await officer.screen("ready")
    assert people.errors["sam"] == []


async def test_firefox_signs_in_and_sets_up_a_tablet(demo: Demo, firefox: Firefox) -> None:
    manager = demo.card["manager"]
    await firefox.goto(manager["url"])
    await firefox.fill("#email", manager["email"])
    await firefox.fill("#password", manager["password"])
    await firefox.click('#sign-in button[type="submit"]')
    await firefox.wait_for("location.pathname === '/manager'")
    await firefox.goto(demo.card["tablets"][2]["url"])
    await firefox.wait_for(
        "['ready', 'checkout'].includes(document.documentElement.dataset.screen)"
    )
