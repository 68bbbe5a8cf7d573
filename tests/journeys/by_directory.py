"""A demo whose sign-in page knows a directory, and what people do there."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Page

from tests.directory import Directory
from tests.journeys.harness import Demo


def with_directory(folder: Path) -> tuple[Demo, Directory]:
    """Both running, each in a process of its own."""
    demo = Demo(folder / "data").prepared()
    directory = Directory(folder / "directory", [f"http://127.0.0.1:{demo.port}"])
    demo.settings = {
        "CRISISBRIDGE_SINGLE_SIGN_ON": str(directory.described()),
        "CRISISBRIDGE_IDLE_MINUTES": "1",
    }
    demo.start()
    return demo, directory.start()


async def by_directory(page: Page, demo: Demo, who: str, path: str = "/sign-in") -> None:
    """Open a page, press the directory's button, and sign in there."""
    await page.goto(f"{demo.base_url}{path}")
    await page.click('[data-issuer="prairie"]')
    await there(page, who)


async def there(page: Page, who: str) -> None:
    await page.fill('[name="who"]', who)
    await page.click('button[value="yes"]')
