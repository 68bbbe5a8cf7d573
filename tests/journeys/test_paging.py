"""A clinician at home: no console is open, yet the page reaches them and the officer reads it."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.journeys import axe
from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.steps import Officer, sign_in
from tests.signaling.services import hook, until

pytestmark = pytest.mark.journey

SHOWN = """() => navigator.serviceWorker.ready.then((one) => one.getNotifications())
    .then((all) => all.map(({ title, body, data }) => ({ title, body, data })))"""


async def test_a_page_by_sms_reaches_a_clinician_who_says_that_they_come(
    fresh_demo: Demo, people: People
) -> None:
    async with hook() as gateway:
        fresh_demo.settings = {
            "CRISISBRIDGE_SMS_GATEWAY": f"json://{gateway.address}/sms/{{to}}",
            "CRISISBRIDGE_PAGE_SECONDS": "1",
        }
        await asyncio.to_thread(fresh_demo.start)
        card = fresh_demo.card
        dana = await people.page("dana")
        await sign_in(dana, card["clinicians"][0])
        await dana.goto(f"{fresh_demo.base_url}/alerts")
        await dana.select_option("#kind", "sms")
        await dana.fill("#to", "605 555 0199")
        await dana.click('form[action="/alerts/ways"] button[type="submit"]')
        await dana.click('form[action$="/test"] button')
        await until(lambda: gateway.got)
        phone = await people.page("phone", size=(390, 844))  # not signed in anywhere
        await phone.goto(link(gateway.got[0][1]["message"]))
        await expect(phone.locator("#door-title")).to_have_text("A test")
        await expect(dana.locator('[data-test="opened"]')).to_be_visible()
        assert await axe.violations(dana) == []

        officer = Officer(await people.page("sam", size=(1024, 768)), card["tablet"])
        await officer.enrol()
        await officer.press()
        await until(lambda: len(gateway.got) == 2)
        message = gateway.got[1][1]["message"]
        for name in ("Prairie", "Sam", "Unit 12", "Dana"):
            assert name not in message
        await phone.goto("about:blank")
        await phone.goto(link(message))
        status = officer.page.locator("#status")
        await expect(status).to_have_text("Dana is opening the alert")
        assert await axe.violations(phone) == []
        assert "#" not in phone.url, "the link's secret does not stay in the address"
        await phone.click("#coming")
        await expect(status).to_have_text("Dana is coming")
        await phone.goto(f"{fresh_demo.base_url}/console")
        assert "/sign-in" in phone.url, "the link opens nothing else"
    assert [problem for who in people.errors.values() for problem in who] == []


@pytest.mark.whole_browser
async def test_a_push_is_shown_while_no_page_is_open_and_its_arrival_is_told(
    demo: Demo, people: People
) -> None:
    page = await people.page("dana")
    await page.context.grant_permissions(["notifications"], origin=demo.base_url)
    await page.goto(f"{demo.base_url}/alert")
    told: list[Any] = []
    page.context.on("request", lambda one: told.append(one.post_data_json))
    await register(page)
    await deliver(
        page, demo, {"purpose": "call", "title": "A call", "body": "Come", "token": "t" * 30}
    )
    await until(lambda: {"token": "t" * 30, "state": "delivered"} in told)
    [shown] = await page.evaluate(SHOWN)
    assert (shown["title"], shown["body"]) == ("A call", "Come")
    await deliver(
        page, demo, {"purpose": "stand_down", "title": "Over", "body": "Rest", "token": "u" * 30}
    )
    await until(lambda: {"token": "u" * 30, "state": "delivered"} in told)
    assert [one["title"] for one in await page.evaluate(SHOWN)] == ["Over"]


async def register(page: Page) -> None:
    """As the page for one's alerts does; no push service of a browser's maker is asked."""
    await page.evaluate(
        """async () => {
          const here = document.querySelector("script[type=module][src*='/js/pages/']").src;
          const { scriptAt } = await import(here.replace(/pages\\/[^/]*$/, "lib/trusted.js"));
          await navigator.serviceWorker.register(scriptAt("/service-worker.js"), { scope: "/" });
          await navigator.serviceWorker.ready;
        }"""
    )


async def deliver(page: Page, demo: Demo, message: dict[str, str]) -> None:
    """What the browser does when its push service brings a message."""
    debugger = await page.context.new_cdp_session(page)
    found: list[str] = []
    debugger.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: found.extend(one["registrationId"] for one in event["registrations"]),
    )
    await debugger.send("ServiceWorker.enable")
    await until(lambda: found)
    await debugger.send(
        "ServiceWorker.deliverPushMessage",
        {"origin": demo.base_url, "registrationId": found[0], "data": json.dumps(message)},
    )
    await debugger.detach()


def link(message: str) -> str:
    found = re.search(r"http://\S+/alert#[0-9a-f]+", message)
    assert found is not None, message
    return found[0]
