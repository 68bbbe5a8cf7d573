"""The keys that this process holds; read again when a record names one that is not among them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from records.errors import RecordError
from records.kek import Kek
from records.kek_sources import Source

T = TypeVar("T")
log = logging.getLogger(__name__)

AGAIN_SECONDS: Final = 10.0  # until a name that was not found is looked for again
MOST_ABSENT: Final = 1_000


class Keyring:
    """Some keys, and where there may be more."""

    def __init__(self, keys: Sequence[Kek], source: Source | None = None) -> None:
        self.keys: tuple[Kek, ...] = tuple(keys)
        self._source = source
        self._absent: dict[str, float] = {}
        self._one_reads = asyncio.Lock()

    @property
    def first(self) -> Kek | None:
        """The record's first key, while it is here."""
        return next((one for one in self.keys if one.made_at is None), None)

    @property
    def newest(self) -> Kek:
        return self.keys[-1]

    def get(self, kek_id: str) -> Kek | None:
        return next((one for one in self.keys if one.id == kek_id), None)

    async def named(self, kek_id: str) -> Kek | None:
        """The key of that name, if it is here or has come meanwhile."""
        return await self.find(kek_id, lambda: self.get(kek_id))

    async def find(self, name: str, look: Callable[[], T | None]) -> T | None:
        """What `look` finds among the keys; where it finds nothing, among those read anew.

        A name that nobody has costs one reading in ten seconds, so that a lost key does not start a
        command for each value.
        """
        found = look()
        if found is not None or self._source is None:
            return found
        async with self._one_reads:
            found = look()  # somebody whom we have just waited for has read them
            if found is None and time.monotonic() >= self._absent.get(name, 0.0):
                await self._read()
                found = look()
                self._remember(name, found)
        return found

    async def _read(self) -> None:
        """The keys anew; those that are here stay when it fails."""
        if self._source is None:
            return
        try:
            self.keys = await asyncio.to_thread(self._source.read)
        except RecordError as error:
            log.warning("keys.unread code=%s", error.code)

    def _remember(self, name: str, found: object) -> None:
        if found is not None or len(self._absent) >= MOST_ABSENT:
            self._absent.clear()
        if found is None:
            self._absent[name] = time.monotonic() + AGAIN_SECONDS
