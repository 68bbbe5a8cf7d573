"""Signs the audit chain's head every hour, and tells those responsible when entries are missing.

Several processes may run: of two that sign the same head one is kept. What could not be written is
known to the process alone that failed, so each tells for itself; an alarm has one key an hour.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit, checkpoints
from auth.checkpoints import Checkpoint, Signer
from records import directory
from records.errors import RecordAway
from records.refusals import already_there
from signaling import metrics

if TYPE_CHECKING:
    from signaling.desk import Desk

log = logging.getLogger(__name__)

LOOK_SECONDS = 60.0
SIGN_SECONDS = HOUR = 3600.0
ALARM_KIND = "audit"
WORDS = "alert.words.audit"


class AuditWatch:
    """One process's look-out over the audit trail."""

    def __init__(self, desk: Desk) -> None:
        self.file: Path | None = None  # where signed heads are kept beside the database
        self._desk = desk
        self._signer = Signer(desk.vault)
        self._told = 0  # failures that somebody has been told of
        self._signed_at: float | None = None

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Tell of new failures, and sign when an hour has passed."""
        if audit.failures > self._told:
            await self._tell(audit.failures)
        loop_time = asyncio.get_running_loop().time()
        if self._signed_at is None or loop_time - self._signed_at >= SIGN_SECONDS:
            await self.sign()
            self._signed_at = loop_time

    async def sign(self) -> Checkpoint | None:
        """Sign the head now; None when it is signed already."""

        async def write(conn: AsyncConnection) -> Checkpoint | None:
            return await checkpoints.make(conn, self._signer, self._desk.now())

        try:
            made = await self._desk.db.write(write)
        except IntegrityError as error:
            if not already_there(error):
                raise
            return None  # another process was faster
        if made is not None:
            log.info("audit.signed no=%d", made.no)
            if self.file is not None:
                await asyncio.to_thread(checkpoints.append, self.file, made)
        return made

    async def close(self) -> None:
        """Sign what the last hour has brought; a database that is gone does not hold up the end."""
        try:
            await self.sign()
        except (SQLAlchemyError, RecordAway, OSError):
            log.exception("audit.not_signed")

    async def _tell(self, failures: int) -> None:
        metrics.AUDIT_FAILURES.inc(failures - self._told)
        desk = self._desk
        async with desk.db.read() as conn:
            who = await directory.read(conn)
        key = str(int(desk.now() // HOUR))
        for provider_id in sorted(who.providers):
            await desk.pager.raise_alarm(ALARM_KIND, provider_id, key, WORDS)
        self._told = failures
