"""Looks for hours without anybody on call, and pages those responsible a day ahead, once for a gap.

What is due is decided in `oncall.gaps` (pure). An alarm is raised before it is noted as told: a
process that dies in between raises it again under the same key, and the pager keeps one.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from oncall.gaps import AHEAD_SECONDS, Gap, GapKind, due_alarms, gaps, settled
from records import directory, roster
from records.directory import Directory
from records.roster import AlarmRow
from signaling import metrics
from signaling.rosters import licensed_only, read_plan

if TYPE_CHECKING:
    from signaling.desk import Desk

log = logging.getLogger(__name__)

EVERY_SECONDS = 300.0
ALARM_KIND = "uncovered"
WORDS = "alert.words.uncovered"


class GapWatch:
    """One process's look-out; several may run, the record keeps what was told."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """The roster changed: look at once."""
        self._wake.set()

    async def run(self) -> None:
        while True:
            await self.look()
            try:
                async with asyncio.timeout(EVERY_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()

    async def look(self) -> list[Gap]:
        """Tell what is due, of all providers; what was told now."""
        desk, now = self._desk, self._desk.now()
        await desk.db.write(lambda conn: roster.lapse(conn, now))
        async with desk.db.read() as conn:
            who = await directory.read(conn)
        told, uncovered = [], 0.0
        for provider_id in sorted(who.providers):
            due, seconds = await self._of_provider(who, provider_id, now)
            told += due
            uncovered += seconds
        metrics.UNCOVERED.set(uncovered)
        return told

    async def _of_provider(
        self, who: Directory, provider_id: str, now: float
    ) -> tuple[list[Gap], float]:
        """What was told now, and for how many of the coming seconds nobody is on call."""
        desk = self._desk
        # from the past on, so that a gap that runs keeps the moment at which it began
        since, until = now - AHEAD_SECONDS, now + AHEAD_SECONDS
        async with desk.db.read() as conn:
            plan = licensed_only(await read_plan(conn, provider_id, since), who.people, until)
            known = await roster.alarms_told(conn, provider_id)
            version = await roster.version(conn)
        found = [gap for gap in gaps(plan.coverage(since, until)) if gap.ends_at > now]
        told = [Gap(one.starts_at, one.ends_at, GapKind(one.kind)) for one in known]
        nobody = [gap for gap in found if gap.kind is GapKind.NOBODY]
        uncovered = sum(gap.ends_at - max(gap.starts_at, now) for gap in nobody)
        due = due_alarms(found, now, told)
        for gap in due:
            log.warning(
                "roster.gap provider=%s kind=%s in_minutes=%d minutes=%d",
                provider_id, gap.kind.value, max(0.0, gap.starts_at - now) // 60, gap.seconds // 60,
            )  # fmt: skip
            await desk.pager.raise_alarm(ALARM_KIND, provider_id, _key(gap, until, version), WORDS)
        await self._remember(provider_id, due, settled(found, told), now)
        return due, uncovered

    async def _remember(
        self, provider_id: str, due: list[Gap], over: list[Gap], now: float
    ) -> None:
        if not due and not over:
            return

        async def write(conn: AsyncConnection) -> None:
            await roster.forget_alarms(conn, [_row(provider_id, gap) for gap in over])
            for gap in due:
                await roster.remember_alarm(conn, _row(provider_id, gap), now)

        await self._desk.db.write(write)


def _row(provider_id: str, gap: Gap) -> AlarmRow:
    return AlarmRow(provider_id, gap.kind.value, gap.starts_at, gap.ends_at)


def _key(gap: Gap, until: float, version: int) -> str:
    """The same in every process and at every look, as long as the plan and its gap are the same."""
    ends = "open" if gap.ends_at >= until else str(int(gap.ends_at))
    return f"{version}:{gap.kind.value}:{int(gap.starts_at)}:{ends}"
