"""Who goes first: what somebody waits for before what merely keeps pages and plans up to date.

One loop serves all. Looking at a line of a thousand takes it many milliseconds, a press takes few;
so whoever has much to do asks here before the next piece, and lets a press or an answer that is
under way finish first. Never for long: what keeps pages true must not starve either.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

AT_MOST_SECONDS = 0.1  # one piece of other work waits no longer


class Pace:
    """Presses and answers that are under way."""

    def __init__(self) -> None:
        self._urgent = 0
        self._calm = asyncio.Event()
        self._calm.set()

    @contextlib.contextmanager
    def urgent(self) -> Iterator[None]:
        """Somebody waits for this."""
        self._urgent += 1
        self._calm.clear()
        try:
            yield
        finally:
            self._urgent -= 1
            if not self._urgent:
                self._calm.set()

    async def breathe(self) -> None:
        """Before the next piece of work: let everybody else run, and who is in a hurry finish."""
        await asyncio.sleep(0)
        if self._urgent:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(AT_MOST_SECONDS):
                    await self._calm.wait()
