"""Somebody new: added by the administrator, in by the link, a passkey, and shut out again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from tests.journeys import axe
from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.second_factor import at, by_password, strict_demo
from tests.journeys.steps import fingerprint_reader

pytestmark = pytest.mark.journey
CHOSEN = "seven green kites"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    running = strict_demo(tmp_path_factory.mktemp("people") / "data")
    yield running
    if running.running:
        running.stop()


async def test_somebody_new_comes_in_by_a_link_and_is_shut_out_at_once(
    strict: Demo, people: People
) -> None:
    office = await people.page("tom")
    await fingerprint_reader(office)
    await by_password(office, strict, "admin", "/manager/people")
    await office.fill("#passkey-name", "Laptop")
    await office.click("#passkey-submit")
    await office.wait_for_url("**/account?done=added")
    await office.goto(at(strict, "/manager/people"))
    assert await axe.violations(office) == []
    await office.click("#add summary")
    await office.fill("#name", "Noor Haddad")
    await office.fill("#short_name", "Noor")
    await office.fill("#email", "noor@demo.invalid")
    await office.check('input[name="role"][value="clinician"]')
    assert await axe.violations(office) == []
    await office.click("#add button[type=submit]")
    link = await office.locator("#invitation-link").input_value()
    assert await axe.violations(office) == []

    noor = await people.page("noor", size=(390, 844))
    await fingerprint_reader(noor)
    await noor.goto(link)
    await noor.locator("#choose").wait_for()
    assert "#" not in noor.url
    assert await axe.violations(noor) == []
    await noor.fill("#password", CHOSEN)
    await noor.click('#choose button[type="submit"]')
    await noor.click('a[href="/sign-in"]')
    await noor.fill("#email", "noor@demo.invalid")
    await noor.fill("#password", CHOSEN)
    await noor.click('#sign-in button[type="submit"]')
    await noor.wait_for_url("**/account")
    await noor.fill("#passkey-name", "Phone")
    await noor.click("#passkey-submit")
    await noor.wait_for_url("**/account?done=added")
    await noor.goto(at(strict, "/console"))
    await expect(noor.locator("#activity-available")).to_be_visible()

    await office.goto(at(strict, "/manager/people"))
    await office.locator("[data-person] a", has_text="Noor").click()
    assert await axe.violations(office) == []
    await office.locator("summary", has_text="Shut out").click()
    await office.click('form[action$="/close"] button')
    await office.wait_for_url("**?done=closed")
    await noor.goto(at(strict, "/notes"))
    await noor.wait_for_url("**/sign-in?**")
    assert people.errors["tom"] == []
