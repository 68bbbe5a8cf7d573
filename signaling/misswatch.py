"""Looks over sessions that have closed: near misses, and people whom nobody follows up.

When a session closes, and once a night over the last week, because some things are known later: a
tablet that came back, what happened, an owner who left. How far it has come stands in the record,
so what closed while no server ran is looked at afterwards. Each thing is on record once, whoever
finds it, so several processes may look. What counts is decided without I/O, in
`records.near_miss_rules` and `records.care_gaps`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from oncall.escalation import ladder_for
from oncall.steps import used_up
from records import care_gaps, escalations, followup_board, look_outs, near_misses
from records.care_gaps import NewGap
from records.look_outs import Key
from records.near_misses import LastLevel, NewMiss
from records.sessions import SessionRow
from records.vocabulary import CARE_GAPS, GAP_FILLED
from signaling import ladders, metrics

if TYPE_CHECKING:
    from signaling.desk import Desk

log = logging.getLogger(__name__)

EVERY_SECONDS: Final = 60.0
DAY: Final = 86_400.0
NIGHT: Final = 9 * 3600.0  # 09:00 UTC: the small hours in all of the United States
FIRST_SECONDS: Final = 30 * DAY  # the very first look goes back so far
AGAIN_SECONDS: Final = 7 * DAY  # the nightly one
OVERLAP_SECONDS: Final = 600.0  # clocks of processes differ, and transactions take their time
BATCH: Final = 200
REST: Final = 20.0  # times as long as a look took, before the next one
LONGEST_REST_SECONDS: Final = 10.0
CLOSINGS, NIGHTS = "closings", "nights"


class MissWatch:
    """One process's look-out; several may run, the record keeps what was found."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """A session has closed: look at once."""
        self._wake.set()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await self.look()
            # where much closes, one look is for all that closed meanwhile
            await asyncio.sleep(min(LONGEST_REST_SECONDS, REST * (loop.time() - began)))
            try:
                async with asyncio.timeout(EVERY_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()

    async def look(self) -> int:
        """Put on record what is new; how much that was."""
        desk, now = self._desk, self._desk.now()
        async with desk.db.read() as conn:
            since = await look_outs.until(conn, CLOSINGS)
            night = await look_outs.until(conn, NIGHTS)
        start = now - FIRST_SECONDS if since is None else since
        found = await self._closed(start, now, CLOSINGS)
        due = (now - NIGHT) // DAY * DAY + NIGHT  # the last night's moment
        if night is None or night < due:
            found += await self._closed(now - AGAIN_SECONDS, now, None)
            found += await self._nightly(now)
            await desk.db.write(lambda conn: look_outs.move(conn, NIGHTS, due))
        return found

    async def _closed(self, since: float, now: float, name: str | None) -> int:
        """Look at what closed in that time, a batch after another; `name`: and remember how far."""
        desk, key, found = self._desk, (since, ""), 0
        while True:
            async with desk.db.read() as conn:
                rows = await look_outs.closed(conn, key, now + 1, BATCH)
                if not rows:
                    return found
                last_level = await self._last_levels(conn)
                misses = await near_misses.of_sessions(conn, rows, last_level)
                misses = await near_misses.missing(conn, misses)
                gaps = await care_gaps.of_sessions(conn, rows, now)
                gaps = await care_gaps.unknown(conn, gaps)
            key = _key(rows[-1])
            come = min(key[0], now) - OVERLAP_SECONDS
            if misses or gaps or (name is not None and come > since):
                await self._remember(misses, gaps, now, name, come)
            found += len(misses) + len(gaps)

    async def _nightly(self, now: float) -> int:
        """What no closing tells: owners who left, wrap-ups that nobody finished, gaps filled."""
        desk = self._desk
        async with desk.db.read() as conn:
            orphans = [
                NewMiss(session_id, "no_owner", now, pressed_at)
                for session_id, pressed_at in await followup_board.orphans(conn)
            ]
            misses = await near_misses.missing(conn, orphans)
            gaps = await care_gaps.of_sessions(conn, await care_gaps.unfinished(conn), now)
            gaps = await care_gaps.unknown(conn, gaps)
            filled = await care_gaps.filled(conn, now)
        await self._remember(misses, gaps, now, None, now)

        async def write(conn: AsyncConnection) -> None:
            for one in filled:
                await care_gaps.close(conn, one.session_id, one.kind, GAP_FILLED, None, now)

        await desk.db.write(write)
        async with desk.db.read() as conn:
            open_now = await care_gaps.counts(conn)
        for kind in CARE_GAPS:
            metrics.GAPS.labels(kind=kind).set(open_now.get(kind, 0))
        return len(misses) + len(gaps)

    async def _remember(
        self, misses: list[NewMiss], gaps: list[NewGap], now: float, name: str | None, come: float
    ) -> None:
        async def write(conn: AsyncConnection) -> None:
            await near_misses.open_all(conn, misses, now)
            await care_gaps.open_all(conn, gaps, now)
            if name is not None:
                await look_outs.move(conn, name, come)

        await self._desk.db.write(write)
        kinds = Counter([*(one.kind for one in misses), *(one.kind for one in gaps)])
        for kind, count in sorted(kinds.items()):
            log.info("misses.found kind=%s count=%d", kind, count)

    async def _last_levels(self, conn: AsyncConnection) -> LastLevel:
        """After how many steps a provider's ladder, as it is now, is used up."""
        own = ladders.of_rows(await escalations.steps(conn))
        rules = self._desk.rules
        return lambda provider_id: used_up(ladder_for(provider_id, own, rules))


def _key(row: SessionRow) -> Key:
    return (row.closed_at or 0.0, row.id)
