"""Takes the pictures in docs/screens/ from the running product, at three sizes: `make screenshots`.

It plays one whole session with the cast, and looks at each screen on the way.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from playwright.async_api import Page, async_playwright

from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.steps import Clinician, Officer, picture_moves, sign_in

ROOT = Path(__file__).resolve().parents[1]
SIZES = ((1024, 768), (1366, 768), (390, 844))


class Camera:
    """Takes each screen at each size, and puts the size back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    async def take(self, page: Page, name: str) -> None:
        before = page.viewport_size
        for width, height in SIZES:
            await page.set_viewport_size({"width": width, "height": height})
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


async def pictures(demo: Demo, people: People, camera: Camera) -> None:
    """One session, screen by screen."""
    card = demo.card
    tablet = await people.page("sam", size=(1024, 768))
    console = await people.page("dana")
    office = await people.page("lena")

    await office.goto(f"{demo.base_url}/sign-in")
    await camera.take(office, "sign-in")
    await tablet.goto(f"{demo.base_url}/enrol")
    await camera.take(tablet, "enrol")

    officer, dana = Officer(tablet, card["tablet"]), Clinician(console, card["clinicians"][0])
    await dana.arrive()
    await camera.take(console, "console-idle")
    await officer.enrol()
    await camera.take(tablet, "tablet-ready")
    await officer.press()
    await dana.rings()
    await camera.take(console, "console-offer")
    await officer.tell("adult")
    await camera.take(tablet, "tablet-connecting")
    await dana.accept()
    await officer.screen("call")
    await picture_moves(tablet, "#remote-video")
    await picture_moves(console, "#remote-video")
    await camera.take(tablet, "tablet-call")
    await officer.hand_over()
    await camera.take(tablet, "tablet-handed-over")
    await camera.take(console, "console-call")
    await officer.take_back()
    await dana.recommend("soon", "remain_in_place", "Stay with him until his sister is here.")
    await tablet.locator("#card").wait_for()
    await camera.take(tablet, "tablet-card")
    await officer.acknowledge()
    await officer.end()
    await officer.screen("outcome")
    await camera.take(tablet, "tablet-outcome")
    await console.locator("#wrapup").wait_for()
    await camera.take(console, "console-wrapup")
    await dana.wrap_up("remain_in_place")
    await officer.record("remain_in_place")

    await sign_in(office, card["manager"])
    await camera.take(office, "manager-log")
    await office.click("#log [data-session] a")
    await camera.take(office, "manager-session")
    await office.goto(f"{demo.base_url}/manager/tablets")
    await camera.take(office, "manager-tablets")


async def main() -> None:
    parser = argparse.ArgumentParser(description="Take the pictures in docs/screens/.")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "screens")
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory() as folder:
        demo = Demo(Path(folder) / "data").start()
        try:
            async with async_playwright() as playwright:
                people = People(playwright, Path(folder) / "profiles")
                await pictures(demo, people, Camera(out))
                await people.close_all()
        finally:
            demo.stop()


if __name__ == "__main__":
    asyncio.run(main())
