"""Sums up the days that are over, reads what older answers say, and keeps the record quick to
search, behind everything else.

Reports are right without it and slow. What is to be done stands in the record (`records.daybook`,
`records.fact_reading`), so several processes may do it, and a restart goes on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from records import daybook, fact_reading, medication, upkeep

if TYPE_CHECKING:
    from signaling.desk import Desk

log = logging.getLogger(__name__)

EVERY_SECONDS = 60.0
UPKEEP_SECONDS = 24 * 3600.0
FIRST_UPKEEP_SECONDS = 3600.0  # after the start, when every page comes back at once
AT_A_TIME = 50  # sessions whose answers are read, of one look
REST = 4.0  # times what a piece of work took, so that a call never waits for it


class DayWatch:
    """One process's part of the work."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._upkeep_at: float | None = None

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(EVERY_SECONDS)

    async def look(self) -> int:
        """Do what is due; how many days were summed up now."""
        desk = self._desk
        await self._keep_up()
        await self._read_answers()
        async with desk.db.read() as conn:
            days = await daybook.due(conn, desk.now())
        done = 0
        for day in days:
            started = time.monotonic()
            done += await daybook.build(desk.db, day, desk.now())
            await asyncio.sleep(REST * (time.monotonic() - started))
        async with desk.db.read() as conn:
            blocks = await daybook.due_blocks(conn, desk.now())
        for block in blocks:
            started = time.monotonic()
            await daybook.build_block(desk.db, block, desk.now())
            await asyncio.sleep(REST * (time.monotonic() - started))
        await self._count_medication()
        if done:
            log.info("reports.summed_up days=%d", done)
        return done

    async def _keep_up(self) -> None:
        now = self._desk.now()
        if self._upkeep_at is None:
            self._upkeep_at = now + FIRST_UPKEEP_SECONDS
        elif now >= self._upkeep_at:
            self._upkeep_at = now + UPKEEP_SECONDS
            await upkeep.keep_up(self._desk.db)

    async def _count_medication(self) -> None:
        desk = self._desk
        while True:
            async with desk.db.read() as conn:
                month = await medication.due(conn, desk.now())
            if month is None:
                return
            started = time.monotonic()
            await medication.count(desk.db, desk.vault, month, desk.now())
            await asyncio.sleep(REST * (time.monotonic() - started))

    async def _read_answers(self) -> None:
        desk = self._desk
        async with desk.db.read() as conn:
            waiting = await fact_reading.waiting(conn, AT_A_TIME)
        for session_id in waiting:
            await desk.db.write(
                lambda conn, one=session_id: fact_reading.read(conn, desk.vault, one)  # type: ignore[misc]
            )
