"""Chromium for each person: cookies, stores and permissions are not shared."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page, Playwright

from tests.journeys.hosts import Host

WHOLE = ("chromium", "chromium-browser", "google-chrome")
LIGHTER = "chromium-headless-shell"  # the same engine without the browser's own pages
ALLOWS = "--use-fake-ui-for-media-stream"
FLAGS = (
    "--use-fake-device-for-media-stream",
    ALLOWS,
    "--autoplay-policy=no-user-gesture-required",
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    # A page in the background goes on as one in front: three people use one machine here.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
)


def program(*, whole: bool = False) -> str:
    """Where Chromium is: as named, or the system's; `whole`: the browser that people use."""
    named = os.environ.get("CHROMIUM")
    names = WHOLE if whole else (LIGHTER, *WHOLE)
    found = named or next((path for name in names if (path := shutil.which(name))), None)
    assert found, "Chromium is missing: make test installs it"
    return found


class People:
    """Browsers by person's name; cookies, stores and permissions are each person's own.

    With the engine alone, they are windows of one browser, which costs a third of three of them.
    `whole`: for each person the browser that people use, with a profile that outlives a reload.
    """

    def __init__(self, playwright: Playwright, folder: Path, *, whole: bool = False) -> None:
        self._playwright = playwright
        self._folder = folder
        self._whole = whole
        self._program = program(whole=whole)
        self._browser: Browser | None = None
        self._open: dict[str, BrowserContext] = {}
        self.errors: dict[str, list[str]] = {}

    async def page(
        self,
        name: str,
        *,
        size: tuple[int, int] = (1366, 768),
        flags: Sequence[str] = (),
        allows: bool = True,
        host: Host | None = None,
        **options: Any,
    ) -> Page:
        """A page in the browser of `name`; the browser is started when it is not there.

        Without `allows`, camera and microphone are what the context's permissions say. `host`: that
        the browser runs on, if not this one.
        """
        if name in self._open:
            return await self._open[name].new_page()
        options["viewport"] = {"width": size[0], "height": size[1]}
        if self._whole or flags or host or not allows:
            given = [one for one in FLAGS if allows or one != ALLOWS]
            context = await self._playwright.chromium.launch_persistent_context(
                self._folder / name,
                executable_path=host.program(self._program) if host else self._program,
                headless=True,
                args=[*given, *flags],
                **options,
            )
        else:
            context = await (await self._shared()).new_context(**options)
        self._open[name] = context
        self.errors[name] = []
        context.on("weberror", lambda error: self.errors[name].append(str(error.error)))
        context.on("console", lambda message: self._note(name, message.type, message.text))
        return context.pages[0] if context.pages else await context.new_page()

    async def _shared(self) -> Browser:
        if self._browser is None:
            self._browser = await self._playwright.chromium.launch(
                executable_path=self._program, headless=True, args=FLAGS
            )
        return self._browser

    def _note(self, name: str, kind: str, text: str) -> None:
        if kind == "error":
            self.errors[name].append(text)

    async def close(self, name: str) -> None:
        """Close one person's browser, as shutting the laptop does. The profile stays."""
        context = self._open.pop(name, None)
        if context is not None:
            await context.close()

    async def close_all(self) -> None:
        for name in list(self._open):
            await self.close(name)
        if self._browser is not None:
            await self._browser.close()
            self._browser = None
