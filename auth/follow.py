"""Guarded reads of follow-ups: the board, and one with what was tried.

Each read asks the policy, and its audit entry is written before anything is given out. Notes are
for whoever treats the person; a manager sees whose a follow-up is and when it is due.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from auth.access import audited, record_refusal, scope_of, target_of
from auth.actors import Actor
from auth.policy import Action, allows, reach
from records import care_gaps, directory, followup_board, followups, sessions
from records.care_gaps import GapRow
from records.crypto import Vault
from records.directory import Directory
from records.engine import Database
from records.followup_board import BoardFilter, BoardPage, Counts
from records.followups import Attempt, FollowupRow
from records.part2 import followup_kind
from records.sessions import SessionRow


@dataclass(frozen=True, slots=True)
class Board:
    """One page of the board, and how many there are in all."""

    page: BoardPage
    counts: Counts
    gaps: tuple[GapRow, ...]  # sessions that nobody follows up, though somebody should
    more_gaps: bool
    who: Directory


@dataclass(frozen=True, slots=True)
class OneFollowup:
    """A follow-up's page. `note` and `attempts` None: the reader has no right to them."""

    row: FollowupRow
    session: SessionRow
    who: Directory
    note: str | None
    attempts: tuple[Attempt, ...] | None
    may_read: bool  # the session's record
    may_work: bool
    may_assign: bool


async def read_board(
    db: Database, actor: Actor, wanted: BoardFilter, after: str | None, now: float
) -> Board:
    """What is open or closed within the actor's reach. Raises Forbidden, BadInput, AuditFailed."""
    scope = await scope_of(db, actor, Action.FOLLOWUP_READ, now)
    async with db.read() as conn:
        page = await followup_board.page(conn, scope, wanted, after)
        counts = await followup_board.counts(conn, scope, now, wanted.owner_id)
        gaps, more = await care_gaps.still_open(conn, scope, wanted.owner_id)
        who = await directory.read(conn)
    await audited(db, actor, Action.FOLLOWUP_READ, "followup", None, now)
    rows = tuple(replace(row, kind=_kind(actor, row.kind, row.provider_id)) for row in page.rows)
    return Board(replace(page, rows=rows), counts, tuple(gaps), more, who)


async def read_one(
    db: Database, vault: Vault, actor: Actor, followup_id: str, now: float
) -> OneFollowup:
    """One follow-up. Raises Forbidden, NoSuchRecord for one that is unknown or out of reach."""
    found: OneFollowup | None = None
    async with db.read() as conn:
        task = await followups.get(conn, vault, followup_id) if len(followup_id) <= 40 else None
        row = await sessions.get(conn, task.session_id) if task is not None else None
        if task is not None and row is not None:
            target = target_of(row, await followups.owners(conn, row.id))
            if allows(actor, Action.FOLLOWUP_READ, target):
                works = allows(actor, Action.FOLLOWUP_WORK, target)
                found = OneFollowup(
                    row=replace(task, kind=_kind(actor, task.kind, row.provider_id)),
                    session=row,
                    who=await directory.read(conn),
                    note=task.note if works else None,
                    attempts=(
                        tuple(await followups.attempts(conn, vault, task)) if works else None
                    ),
                    may_read=allows(actor, Action.RECORD_READ, target),
                    may_work=works,
                    may_assign=allows(actor, Action.FOLLOWUP_ASSIGN, target),
                )
    if found is None:
        raise await record_refusal(db, actor, Action.FOLLOWUP_READ, "followup", followup_id, now)
    action = Action.FOLLOWUP_WORK if found.may_work else Action.FOLLOWUP_READ
    await audited(db, actor, action, "followup", followup_id, now)
    return found


@dataclass(frozen=True, slots=True)
class SessionGaps:
    """What a session should have and does not."""

    session: SessionRow
    gaps: tuple[GapRow, ...]
    who: Directory
    may_plan: bool
    may_say_none: bool


async def read_gaps(db: Database, actor: Actor, session_id: str, now: float) -> SessionGaps:
    """A session's open gaps. Raises Forbidden, NoSuchRecord when it has none or is out of reach."""
    found: SessionGaps | None = None
    async with db.read() as conn:
        row = await sessions.get(conn, session_id) if len(session_id) <= 40 else None
        if row is not None:
            target = target_of(row, await followups.owners(conn, row.id))
            gaps = await care_gaps.of_session(conn, row.id)
            if gaps and allows(actor, Action.FOLLOWUP_READ, target):
                found = SessionGaps(
                    session=row,
                    gaps=tuple(gaps),
                    who=await directory.read(conn),
                    may_plan=allows(actor, Action.FOLLOWUP_ASSIGN, target),
                    may_say_none=allows(actor, Action.FOLLOWUP_WORK, target),
                )
    if found is None:
        raise await record_refusal(db, actor, Action.FOLLOWUP_READ, "session", session_id, now)
    await audited(db, actor, Action.FOLLOWUP_READ, "session", session_id, now)
    return found


def _kind(actor: Actor, kind: str, provider_id: str) -> str:
    """What a follow-up is; outside its provider some kinds would tell too much (42 CFR Part 2)."""
    _, providers = reach(actor, Action.FOLLOWUP_READ)
    return kind if provider_id in providers else followup_kind(kind)
