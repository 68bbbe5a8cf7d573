"""A server that asks for more than a password, and what people do there."""

from __future__ import annotations

import base64
import time
from pathlib import Path

from playwright.async_api import Page, expect

from auth import totp
from tests.journeys.harness import Demo


def strict_demo(folder: Path) -> Demo:
    """A running demo that asks everybody for a second factor, and covers pages after a minute."""
    demo = Demo(folder).prepared()
    demo.settings = {
        "CRISISBRIDGE_SECOND_FACTOR": "clinician,supervisor,manager,admin",
        "CRISISBRIDGE_IDLE_MINUTES": "1",
    }
    return demo.start()


def at(demo: Demo, path: str) -> str:
    """Passkeys belong to a name: the page is opened by it."""
    return f"http://localhost:{demo.port}{path}"


async def by_password(page: Page, demo: Demo, who: str, path: str) -> None:
    """Open a page and sign in with the password; what follows is another step."""
    await page.goto(at(demo, path))
    await page.fill("#email", demo.card[who]["email"])
    await page.fill("#password", demo.card[who]["password"])
    await page.click('#sign-in button[type="submit"]')


async def nobody_is_there(page: Page) -> None:
    """A minute goes by, by this page's clock: it is covered, and the server has heard of it.

    Of a real minute the server's own clock knows. Of this one only the page tells it, after it
    has covered itself: who opens another page before that is heard still gets it.
    """
    async with page.expect_response("**/api/v1/cover") as told:
        await page.clock.fast_forward(61_000)
    assert (await told.value).ok
    await expect(page.locator("#cover")).to_be_visible(timeout=12_000)


def code_of(shown: str, ahead: int = 0) -> str:
    """The code that an app with this secret shows now, or some steps `ahead`."""
    secret = base64.b32decode(shown.replace(" ", ""))
    return totp.code_at(secret, int(time.time() // totp.STEP_SECONDS) + ahead)
