"""Deletes sessions whose time is over, at night, a few at a time; several processes may.

What is due is decided anew inside the transaction that deletes (`records.retention.erase`), so a
hold that is set meanwhile wins, and of two processes one finds nothing to do. A process that dies
has deleted a session wholly or not at all.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from auth import signing
from auth.audit import record
from auth.erasures import ERASED
from auth.rekeying import rewrap
from records import retention
from records.crypto import Vault
from records.engine import Database
from records.errors import RecordError
from records.log import Scope

if TYPE_CHECKING:
    from signaling.desk import Desk

log = logging.getLogger(__name__)

EVERY_SECONDS = 600.0
NIGHT = range(7, 11)  # hours UTC: from the small hours in the east to those in the west
BATCH = 200  # sessions in one look; the next look has the next
REST_SECONDS = 0.02  # between two deletions, for whoever waits
EVERYTHING = Scope(everything=True)


class Keeper:
    """One process's look."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def run(self) -> None:
        while True:
            full = False
            if datetime.fromtimestamp(self._desk.now(), UTC).hour in NIGHT:
                full = await self.look() == BATCH
            await asyncio.sleep(REST_SECONDS if full else EVERY_SECONDS)

    async def look(self) -> int:
        """Delete up to a batch of what is due now; how many were deleted."""
        desk = self._desk
        await rewrap(desk.db, desk.vault, desk.now())
        await signing.tend(desk.db, desk.vault, desk.now())
        return await erase_due(desk.db, desk.vault, desk.now())


async def erase_due(db: Database, vault: Vault, now: float) -> int:
    """Delete up to a batch of sessions whose time is over; how many were deleted."""
    due: list[str] = []
    async with db.read() as conn:
        async for one in retention.candidates(conn, vault, now, scope=EVERYTHING):
            if one.goes:
                due.append(one.row.id)
            if len(due) == BATCH:
                break
    done = 0
    for session_id in due:
        done += await _erase(db, vault, session_id, now)
        await asyncio.sleep(REST_SECONDS)
    if done:
        log.info("keeper.erased sessions=%d", done)
    return done


async def _erase(db: Database, vault: Vault, session_id: str, now: float) -> bool:
    async def write(conn: AsyncConnection) -> bool:
        gone = await retention.erase(conn, vault, session_id, now)
        if gone is not None:
            await record(conn, None, ERASED, "session", session_id, "allowed", now)
        return gone is not None

    try:
        return await db.write(write)
    except RecordError as error:  # tried again tomorrow; the others go on
        log.warning("keeper.failed code=%s", error.code)
        return False
