"""Who goes first: what somebody waits for before what merely keeps pages and plans up to date.

One loop serves all. Looking at a line of a thousand takes it many milliseconds, a press takes few;
so whoever has much to do asks here before the next piece, and lets a press or an answer that is
under way finish first; and pictures let the line be looked at first. Never for long: what keeps
pages true must not starve either.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import TypeVar

from oncall.stepwise import Steps

T = TypeVar("T")

AT_MOST_SECONDS = 0.1  # one piece of other work waits no longer
IN_ALL_SECONDS = 0.5  # nor do all the steps of one work together


class Pace:
    """Presses and answers that are under way, and looks at the line."""

    def __init__(self) -> None:
        self._urgent = _Count()
        self._looks = _Count()

    def urgent(self) -> contextlib.AbstractContextManager[None]:
        """Somebody waits for this."""
        return self._urgent.one_more()

    def look(self) -> contextlib.AbstractContextManager[None]:
        """The line is looked at: only what is urgent goes first."""
        return self._looks.one_more()

    async def breathe(self, at_most: float = AT_MOST_SECONDS) -> None:
        """Before the next piece of a look: let everybody else run, and who is in a hurry finish."""
        await asyncio.sleep(0)
        await self._urgent.none_left(at_most)

    async def give_way(self) -> None:
        """Before the next piece of a picture: the same, and to whoever looks at the line."""
        await self.breathe()
        await self._looks.none_left(AT_MOST_SECONDS)

    async def through(self, steps: Steps[T]) -> T:
        """Do a long work step by step, with a breath before each; what it gives in the end."""
        loop = asyncio.get_running_loop()
        patience = IN_ALL_SECONDS
        while True:
            began = loop.time()
            await self.breathe(min(AT_MOST_SECONDS, patience))
            patience = max(0.0, patience - (loop.time() - began))
            try:
                next(steps)
            except StopIteration as done:
                given: T = done.value
                return given


class _Count:
    """How many do something, and a wait for nobody doing it any more."""

    def __init__(self) -> None:
        self._number = 0
        self._none = asyncio.Event()
        self._none.set()

    @contextlib.contextmanager
    def one_more(self) -> Iterator[None]:
        self._number += 1
        self._none.clear()
        try:
            yield
        finally:
            self._number -= 1
            if not self._number:
                self._none.set()

    async def none_left(self, at_most: float) -> None:
        """Wait for that, so many seconds at the most."""
        if self._number and at_most > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(at_most):
                    await self._none.wait()
