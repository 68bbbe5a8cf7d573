"""Guarded reads by other programs: within the token's reach, each on record with the token's id.

A session that is unknown and one that is out of reach are refused in the same way. Those in which
an officer called for themselves are in nobody's reach here.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from auth import outside
from auth.access import audited, record_refusal, scope_of, target_of
from auth.actors import Actor
from auth.outside import OutsideEvent
from auth.policy import Action, Target, allows, could
from records import directory, followup_board, log, sessions
from records.directory import Agency, Directory
from records.engine import Database
from records.followup_board import BoardFilter, BoardPage
from records.log import LogFilter
from records.sessions import SessionRow

_AN_ID = re.compile(r"[a-z]{3}_[a-z0-9_-]{1,36}")


@dataclass(frozen=True, slots=True)
class Sessions:
    """Some sessions. `named`: names of people may go with them."""

    rows: tuple[SessionRow, ...]
    after: str | None
    who: Directory
    named: bool


@dataclass(frozen=True, slots=True)
class OneSession:
    row: SessionRow
    who: Directory
    named: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    row: SessionRow
    events: tuple[OutsideEvent, ...]
    who: Directory
    named: bool


@dataclass(frozen=True, slots=True)
class Followups:
    page: BoardPage
    who: Directory
    named: bool


async def read_log(
    db: Database, actor: Actor, chosen: LogFilter, after: str | None, limit: int, now: float
) -> Sessions:
    """One page of the log, newest first. Raises Forbidden, BadInput, AuditFailed."""
    scope = await scope_of(db, actor, Action.LOG_READ, now)
    async with db.read() as conn:
        page = await log.page(conn, scope, chosen, after, limit)
        who = await directory.read(conn)
    await audited(db, actor, Action.LOG_READ, "log", None, now)
    return Sessions(page.rows, page.after, who, await _named(db, actor, "log", None, now))


async def export_log(
    db: Database, actor: Actor, chosen: LogFilter, now: float
) -> AsyncIterator[Sessions]:
    """The whole log, a page at a time. On record before the first piece.

    Await this, then iterate over what it gives. Raises Forbidden, AuditFailed.
    """
    scope = await scope_of(db, actor, Action.LOG_EXPORT, now)
    await audited(db, actor, Action.LOG_EXPORT, "log", None, now)
    named = await _named(db, actor, "log", None, now)

    async def pieces() -> AsyncIterator[Sessions]:
        after: str | None = None
        async with db.read() as conn:
            who = await directory.read(conn)
        while True:
            async with db.read() as conn:  # one for each page: a slow reader holds no snapshot
                page = await log.page(conn, scope, chosen, after, log.MOST_ROWS)
            yield Sessions(page.rows, page.after, who, named)
            after = page.after
            if after is None:
                return

    return pieces()


async def read_session(db: Database, actor: Actor, session_id: str, now: float) -> OneSession:
    """One session. Raises Forbidden, NoSuchRecord, AuditFailed."""
    async with db.read() as conn:
        row = await _session(conn, actor, session_id)
        who = await directory.read(conn)
    if row is None:
        raise await record_refusal(db, actor, Action.SESSION_READ, "session", session_id, now)
    await audited(db, actor, Action.SESSION_READ, "session", row.id, now)
    return OneSession(row, who, await _named(db, actor, "session", row.id, now))


async def read_timeline(db: Database, actor: Actor, session_id: str, now: float) -> Timeline:
    """What happened in a session. Raises Forbidden, NoSuchRecord, AuditFailed."""
    async with db.read() as conn:
        row = await _session(conn, actor, session_id)
        told = await sessions.timeline_of(conn, row.id) if row is not None else []
        who = await directory.read(conn)
    if row is None:
        raise await record_refusal(db, actor, Action.SESSION_READ, "session", session_id, now)
    await audited(db, actor, Action.SESSION_READ, "session", row.id, now)
    named = await _named(db, actor, "session", row.id, now)
    return Timeline(row, tuple(outside.events(told)), who, named)


async def read_followups(
    db: Database, actor: Actor, closed: bool, after: str | None, limit: int, now: float
) -> Followups:
    """Open follow-ups by due time, or closed ones, the newest first.

    Raises Forbidden, BadInput, AuditFailed.
    """
    scope = await scope_of(db, actor, Action.FOLLOWUP_READ, now)
    wanted = BoardFilter(closed=closed)
    async with db.read() as conn:
        page = await followup_board.page(conn, scope, wanted, after, limit)
        who = await directory.read(conn)
    await audited(db, actor, Action.FOLLOWUP_READ, "followup", None, now)
    return Followups(page, who, await _named(db, actor, "followup", None, now))


async def agencies(db: Database, actor: Actor) -> list[Agency]:
    """The agencies whose sessions the actor may count, by name."""
    async with db.read() as conn:
        who = await directory.read(conn)
    found = [
        one
        for one in who.agencies.values()
        if allows(actor, Action.REPORT_READ, Target(one.id, one.provider_id, one.program_id))
    ]
    return sorted(found, key=lambda one: (one.name, one.id))


async def _session(conn: AsyncConnection, actor: Actor, session_id: str) -> SessionRow | None:
    row = await sessions.get(conn, session_id) if _AN_ID.fullmatch(session_id) else None
    allowed = row is not None and allows(actor, Action.SESSION_READ, target_of(row))
    return row if allowed else None


async def _named(db: Database, actor: Actor, kind: str, object_id: str | None, now: float) -> bool:
    """Whether names go with it; on record when they do."""
    if not could(actor, Action.LOG_EXPORT_NAMES):
        return False
    await audited(db, actor, Action.LOG_EXPORT_NAMES, kind, object_id, now)
    return True
