"""Looks for follow-ups that are due: reminds the owner, then tells those responsible, once each.

Who was told of what stands in the record, so several processes may look and a restart tells nobody
twice. An alarm is raised before it is noted as told: a process that dies in between raises it again
under the same key, and the pager keeps one. Ten follow-ups of one morning are one page, not ten: an
owner hears once an hour, those responsible once a day for each thing.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from records import followup_board
from records.followup_board import BoardRow
from signaling import metrics, paging

if TYPE_CHECKING:
    from signaling.desk import Desk

log = logging.getLogger(__name__)

EVERY_SECONDS = 300.0
HOUR, DAY = 3600.0, 86_400.0
LATE_SECONDS = DAY  # after this, those responsible are told
OWNER, LATE, NO_OWNER = "owner", "late", "no_owner"
WORDS = {
    OWNER: "alert.words.followup_due",
    LATE: "alert.words.followup_late",
    NO_OWNER: "alert.words.followup_no_owner",
}
ALARM_KIND = "followup"


class FollowWatch:
    """One process's look-out; several may run, the record keeps what was told."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(EVERY_SECONDS)

    async def look(self) -> int:
        """Tell what is due; how many follow-ups were told of now."""
        desk, now = self._desk, self._desk.now()
        async with desk.db.read() as conn:
            due = await followup_board.to_tell(conn, OWNER, now)
            late = await followup_board.to_tell(conn, LATE, now - LATE_SECONDS)
            orphans = await followup_board.without_owner(conn)
            metrics.ORPHANS.set(len(await followup_board.orphans(conn)))
        for row in due:
            if row.owner_active:
                key = f"{row.owner_id}:{int(now // HOUR)}"
                await paging.remind(desk, row.owner_id, row.provider_id, key, WORDS[OWNER])
            await self._told(row, OWNER, now)
        for step, rows in ((LATE, late), (NO_OWNER, orphans)):
            for row in rows:
                key = f"{step}:{int(now // DAY)}"
                await desk.pager.raise_alarm(ALARM_KIND, row.provider_id, key, WORDS[step])
                await self._told(row, step, now)
        return len(due) + len(late) + len(orphans)

    async def _told(self, row: BoardRow, step: str, now: float) -> None:
        log.info("followup.told step=%s provider=%s", step, row.provider_id)
        await self._desk.db.write(lambda conn: followup_board.remember(conn, row.id, step, now))
