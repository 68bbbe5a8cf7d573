"""Looks after the audit chain: signs its head, and tells of entries that are missing.

Within a second of an entry the chain's head is signed and noted in a file, each hour in the
database and in a file that only grows. A head that was noted and is not in the chain any more means
that the end was cut off, or that another record lies there: that is told, and stays provable.

Several processes may run: of two that sign the same head one is kept. What could not be written is
known to the process alone that failed, so each tells for itself; an alarm has one key an hour.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
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

NOTE_SECONDS = 1.0
LOOK_SECONDS = 60.0
SIGN_SECONDS = HOUR = 3600.0
ALARM_KIND, CUT_KIND = "audit", "audit_cut"
WORDS = "alert.words.audit"
WORDS_CUT = "alert.words.audit_cut"


class AuditWatch:
    """One process's look-out over the audit trail."""

    def __init__(self, desk: Desk) -> None:
        self.file: Path | None = None  # where signed heads are kept beside the database
        self.head_file: Path | None = None  # where the newest one is
        self._desk = desk
        self._signer = Signer(desk.vault)
        self._told = 0  # failures that somebody has been told of
        self._signed_at: float | None = None
        self._head: Checkpoint | None = None  # noted last
        self._noted = 0  # entries of this process that were there then
        self._said: Checkpoint | None = None  # in the log
        self._begun = False
        self._full = False  # the disk, or whatever hinders keeping them
        self.cut = False  # entries were found missing since this process began

    async def run(self) -> None:
        looked_at: float | None = None
        while True:
            now = asyncio.get_running_loop().time()
            if looked_at is None or now - looked_at >= LOOK_SECONDS:
                looked_at = now
                await self.look()
            elif audit.added != self._noted:
                await self.note()
            await asyncio.sleep(NOTE_SECONDS)

    async def look(self) -> None:
        """Tell of new failures, note what other processes wrote, and sign when it is time."""
        if audit.failures > self._told:
            await self._tell_of_failures(audit.failures)
        await self.note()
        if self._head is not None and self._head != self._said:  # who keeps the log has a witness
            log.info("audit.head no=%d digest=%s", self._head.no, self._head.digest)
            self._said = self._head
        loop_time = asyncio.get_running_loop().time()
        if self._signed_at is None or loop_time - self._signed_at >= SIGN_SECONDS:
            await self.sign()
            self._signed_at = loop_time

    async def note(self) -> None:
        """Note the chain's head, after a look whether the one before is still in it."""
        before, self._noted = await self._last(), audit.added
        async with self._desk.db.read() as conn:
            head = await audit.head(conn)
            whole = before is None or await checkpoints.contains(conn, before)
        if before is not None and not whole:
            await self._cut(before)
        elif before is not None and head.no == before.no:
            return
        if head.no:
            self._head = self._signer.sign(head.no, head.digest, self._desk.now())
            await self._put(checkpoints.note, self.head_file, self._head)

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
            await self._put(checkpoints.append, self.file, made)
        return made

    async def close(self) -> None:
        """Sign what the last hour has brought; a database that is gone does not hold up the end."""
        try:
            await self.note()
            await self.sign()
        except (SQLAlchemyError, RecordAway):
            log.exception("audit.not_signed")

    async def _last(self) -> Checkpoint | None:
        """The head that was noted last, by the process before this one at the beginning."""
        if not self._begun and self.head_file is not None:
            try:
                found = await asyncio.to_thread(checkpoints.noted, self.head_file)
            except (OSError, ValueError):
                found = None
                log.error("audit.head_unreadable")  # noqa: TRY400 - what stands there is no matter
            if found is not None and self._signer.genuine(found):
                self._head = found
        self._begun = True
        return self._head

    async def _cut(self, lost: Checkpoint) -> None:
        """Entries that were there are gone. Kept as a proof, written into the trail, and told."""
        log.error("audit.cut no=%d digest=%s", lost.no, lost.digest)
        self.cut = True
        await self._put(checkpoints.append, self.file, lost)
        number, now = str(lost.no), self._desk.now()
        await self._desk.db.write(
            lambda conn: audit.try_record(conn, None, audit.CUT, "audit", number, "failed", now)
        )
        await self._tell(CUT_KIND, WORDS_CUT, f"cut:{lost.no}")

    async def _put(
        self, how: Callable[[Path, Checkpoint], None], where: Path | None, one: Checkpoint
    ) -> None:
        """A full disk holds up nothing here: the database has the entries and the hours' heads."""
        if where is None:
            return
        try:
            await asyncio.to_thread(how, where, one)
        except OSError as error:
            if not self._full:
                log.error("audit.head_not_kept errno=%s", error.errno)  # noqa: TRY400 - said once
            self._full = True
        else:
            self._full = False

    async def _tell_of_failures(self, failures: int) -> None:
        metrics.AUDIT_FAILURES.inc(failures - self._told)
        await self._tell(ALARM_KIND, WORDS, str(int(self._desk.now() // HOUR)))
        self._told = failures

    async def _tell(self, kind: str, words: str, key: str) -> None:
        desk = self._desk
        async with desk.db.read() as conn:
            who = await directory.read(conn)
        for provider_id in sorted(who.providers):
            await desk.pager.raise_alarm(kind, provider_id, key, words)
