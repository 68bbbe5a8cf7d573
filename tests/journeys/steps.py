"""What people do, in their own words: the steps that journeys, pictures and measurements share.

Selectors of the pages are named here and nowhere else in the journeys.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from playwright.async_api import Page, expect

# The picture that a video element shows: decoded frames and a coarse fingerprint of what is seen.
LOOK = """(video) => {
    const canvas = document.createElement('canvas');
    canvas.width = 16; canvas.height = 12;
    const context = canvas.getContext('2d', { willReadFrequently: true });
    context.drawImage(video, 0, 0, 16, 12);
    const seen = [...context.getImageData(0, 0, 16, 12).data].filter((_, i) => i % 4 !== 3);
    return {
        frames: Math.max(
            video.getVideoPlaybackQuality().totalVideoFrames,
            Number(video.dataset.frames ?? 0),  // decoded frames by getStats: Firefox says 0 above
        ),
        width: video.videoWidth, height: video.videoHeight, seen,
    };
}"""

# Loudest sample of what an element plays, over a second.
LISTEN = """async (element) => {
    const context = new AudioContext();
    await context.resume();
    const source = context.createMediaStreamSource(element.srcObject);
    const analyser = context.createAnalyser();
    source.connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    let loudest = 0;
    const until = performance.now() + 1000;
    while (performance.now() < until) {
        analyser.getFloatTimeDomainData(samples);
        for (const sample of samples) loudest = Math.max(loudest, Math.abs(sample));
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await context.close();
    return loudest;
}"""


class Officer:
    """Somebody with a tablet."""

    def __init__(self, page: Page, card: dict[str, Any]) -> None:
        self.page = page
        self.card = card

    async def screen(self, name: str, seconds: float = 15.0) -> None:
        """Wait until the tablet shows this screen."""
        await self.page.locator(f'html[data-screen="{name}"]').wait_for(
            state="attached", timeout=seconds * 1000
        )

    async def enrol(self) -> None:
        """Open the link with the code; the tablet is ready after it."""
        await self.page.goto(self.card["url"])
        await self.page.wait_for_url("**/tablet")
        await self.screen("ready")

    async def check_in(self) -> None:
        """The shift is over; the tablet waits for the next officer."""
        await self.page.click("#shift-end")
        await self.page.click("#shift-confirm")
        await self.screen("checkout")

    async def press(self) -> None:
        await self.page.click("#connect")
        await self.screen("connecting")

    async def tell(self, tile: str) -> None:
        await self.page.click(f'#tiles [data-tile="{tile}"]')

    async def cancel(self) -> None:
        await self.page.click("#cancel")
        await self.page.click("#cancel-confirm")
        await self.screen("ready")

    async def hand_over(self) -> None:
        await self.page.click("#handover")
        await self.screen("handed-over")

    async def take_back(self) -> None:
        """Leave the hand-over with the officer's PIN."""
        await self.page.click("#talk-officer")
        await self.type_pin(self.card["pin"])
        await self.screen("call")

    async def type_pin(self, pin: str) -> None:
        for digit in pin:
            await self.page.click(f"#pin-{digit}")
        await self.page.click("#pin-ok")

    async def write(self, text: str) -> None:
        if await self.page.locator("#chat").is_hidden():
            await self.page.click("#chat-toggle")
        await self.page.fill("#chat-text", text)
        await self.page.click("#chat-send")

    async def end(self) -> None:
        await self.page.click("#end")
        await self.page.click("#end-confirm")

    async def acknowledge(self) -> None:
        await self.page.click("#acknowledge")
        await expect(self.page.locator("#card")).to_be_hidden()

    async def record(self, disposition: str, reason: str | None = None) -> None:
        """What happened, in two taps at most."""
        await self.screen("outcome")
        await self.page.click(f'#dispositions [data-disposition="{disposition}"]')
        if reason is not None:
            await self.screen("reason")
            await self.page.click(f'#reasons [data-reason="{reason}"]')
        await self.screen("ready")


class Clinician:
    """Somebody at a console."""

    def __init__(self, page: Page, card: dict[str, Any]) -> None:
        self.page = page
        self.card = card

    async def arrive(self) -> None:
        """Sign in and be available; the click also lets the page ring."""
        await sign_in(self.page, self.card)
        await self.page.click("#activity-available")
        await expect(self.page.locator("#activity-available")).to_have_attribute(
            "aria-pressed", "true"
        )

    async def rings(self, seconds: float = 10.0) -> None:
        await expect(self.page.locator("#offer")).to_be_visible(timeout=seconds * 1000)

    async def accept(self) -> None:
        await self.rings()
        await self.page.click("#accept")
        await expect(self.page.locator("#call")).to_be_visible()

    async def recommend(self, level: str, disposition: str, words: str) -> None:
        """Fill the card and send it to the tablet."""
        await self.page.check(f'#card-levels input[value="{level}"]', force=True)
        await self.page.select_option("#card-disposition", disposition)
        await self.page.fill("#card-words", words)
        await self.page.click("#card-send")

    async def wrap_up(self, disposition: str) -> None:
        await expect(self.page.locator("#wrapup")).to_be_visible(timeout=15_000)
        await self.page.select_option("#wrapup-disposition", disposition)
        await self.page.click("#wrapup-finish")
        await expect(self.page.locator("#wrapup")).to_be_hidden()


async def sign_in(page: Page, card: dict[str, Any]) -> None:
    """Open the person's page; sign in there."""
    await page.goto(card["url"])
    await page.fill("#email", card["email"])
    await page.fill("#password", card["password"])
    await page.click('#sign-in button[type="submit"]')
    await page.wait_for_url(card["url"])


async def fingerprint_reader(
    page: Page, *, verifies: bool = True, transport: str = "internal"
) -> Callable[[], Awaitable[None]]:
    """A device that can hold passkeys: Chromium's virtual authenticator.

    `transport`: "usb" for a security key, which its owner carries. Gives what lets it lie: from
    then on nobody touches it, and questions stay open.
    """
    session = await page.context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": transport,
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": verifies,
        "automaticPresenceSimulation": True,
    }
    made = await session.send("WebAuthn.addVirtualAuthenticator", {"options": options})

    async def let_lie() -> None:
        nobody = {"authenticatorId": made["authenticatorId"], "enabled": False}
        await session.send("WebAuthn.setAutomaticPresenceSimulation", nobody)

    return let_lie


async def until(page: Page, function: str, argument: object = None, seconds: float = 15.0) -> Any:
    """Call a function in the page until its value is truthy; gives that value.

    Playwright's own way evaluates text inside the page, which our Content-Security-Policy forbids.
    """
    try:
        async with asyncio.timeout(seconds):
            while True:
                if found := await page.evaluate(function, argument):
                    return found
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise TimeoutError(f"never true in the page: {function}") from None


STARTED = f"""(selector) => {{
    const look = ({LOOK})(document.querySelector(selector));
    return look.frames > 0 && look.width > 0 ? look : null;
}}"""

MOVED = f"""([selector, before]) => {{
    const look = ({LOOK})(document.querySelector(selector));
    const differences = look.seen.map((one, i) => Math.abs(one - before.seen[i]));
    const changed = differences.reduce((sum, one) => sum + one, 0);
    return look.frames >= before.frames + 10 && changed > 200 ? look : null;
}}"""


async def picture(page: Page, name: str) -> None:
    """For people who look at the pages; only where a folder is named."""
    if folder := os.environ.get("JOURNEY_PICTURES"):
        await page.screenshot(path=Path(folder) / f"{name}.png")


async def picture_moves(page: Page, selector: str, seconds: float = 15.0) -> dict[str, Any]:
    """Wait until frames are decoded and what is seen changes; gives the last look."""
    before = await until(page, STARTED, selector, seconds)
    after: dict[str, Any] = await until(page, MOVED, [selector, before], seconds)
    return after


async def heard(page: Page, selector: str, seconds: float = 15.0) -> None:
    """Wait until something can be heard."""
    try:
        async with asyncio.timeout(seconds):
            while await sound(page, selector) <= 0.01:
                pass
    except TimeoutError:
        raise TimeoutError(f"nothing was heard at {selector}") from None


async def sound(page: Page, selector: str) -> float:
    """The loudest sample of what the element plays, 0 to 1, over a second."""
    loudest: float = await page.locator(selector).evaluate(LISTEN)
    return loudest
