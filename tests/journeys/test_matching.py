"""The manager sets whom a session rings: the page, its try-out, and the next ring."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import expect

from tests.journeys import axe
from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.steps import sign_in
from web.dev import cast

pytestmark = pytest.mark.journey


async def test_a_saved_clinician_is_read_by_the_try_out(fresh_demo: Demo, people: People) -> None:
    await asyncio.to_thread(fresh_demo.start)
    office = await people.page("lena")
    await sign_in(office, fresh_demo.card["manager"])
    await office.goto(f"{fresh_demo.base_url}/manager/matching")
    person = office.locator(f'[data-person="{cast.DANA.id}"]')
    await person.locator("summary").click()
    assert await axe.violations(office) == []
    await person.locator("[name=licence_state]").first.select_option("ND")
    await person.locator("[type=submit]").click()
    await expect(office.locator("tbody tr", has_text=cast.DANA.name)).to_contain_text("ND")

    query = f"try={cast.PROVIDER_ID}&state=SD&language=&age=&field="
    await office.goto(f"{fresh_demo.base_url}/manager/matching?{query}")
    await expect(office.locator("#tried tbody tr").first).not_to_contain_text(cast.DANA.name)
    await expect(office.locator("#tried + h3 + ul")).to_contain_text(
        f"{cast.DANA.name}: no licence for this state"
    )
    assert await axe.violations(office) == []
