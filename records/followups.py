"""Follow-ups: tasks with an owner and a due time; nobody is left without.

A follow-up is open until somebody says what became of it. Each change names the revision that it
builds on, so that of two people who work on the same one, the second reads what the first did.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records import sessions
from records.crypto import Vault
from records.errors import BadInput, Conflict, NotFound, NotOpen, TooFewAttempts
from records.ids import new_id
from records.schema import followup, followup_attempt, followup_told
from records.vocabulary import (
    ATTEMPT_CHANNELS,
    ATTEMPT_OUTCOMES,
    FOLLOWUP_DONE,
    FOLLOWUP_KINDS,
    FOLLOWUP_REASONS,
)

ENOUGH_ATTEMPTS: Final = 3  # before somebody counts as unreachable (clinical.md: three to five)
MOST_ATTEMPTS: Final = 50
LONGEST_NOTE: Final = 2000
TRANSPORTS: Final = frozenset(  # dispositions after which somebody must confirm the arrival
    {"voluntary_transport", "crisis_stabilisation", "medical_ed", "involuntary_hold"}
)
ARRIVAL: Final = "confirm_arrival"
ARRIVAL_SECONDS: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class NewFollowup:
    kind: str
    owner_id: str
    due_at: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class FollowupRow:
    id: str
    session_id: str
    kind: str
    owner_id: str
    due_at: float
    status: str
    note: str
    created_at: float
    closed_at: float | None
    closed_reason: str | None
    closed_by: str | None
    rev: int
    attempts: int

    def overdue(self, now: float) -> bool:
        return self.status == "open" and self.due_at <= now


@dataclass(frozen=True, slots=True)
class Attempt:
    no: int
    at: float
    by_id: str
    channel: str
    outcome: str
    note: str


async def add_many(
    conn: AsyncConnection,
    vault: Vault,
    session_id: str,
    new: Sequence[NewFollowup],
    now: float,
) -> None:
    """Store follow-ups; notes are sealed.

    Raises BadInput for a kind that is none, a due time that is no time, an owner whom nobody knows.
    """
    if any(item.kind not in FOLLOWUP_KINDS or not math.isfinite(item.due_at) for item in new):
        raise BadInput
    for item in new:
        row_id = new_id("fup")
        note = item.note.strip()
        sealed = (
            await vault.seal(conn, session_id, "followup", "note_enc", row_id, note.encode())
            if note
            else None
        )
        statement = insert(followup).values(
            id=row_id,
            session_id=session_id,
            kind=item.kind,
            owner_id=item.owner_id,
            due_at=item.due_at,
            note_enc=sealed,
            created_at=now,
        )
        try:
            await conn.execute(statement)
        except IntegrityError as error:
            raise BadInput from error


async def of_session(conn: AsyncConnection, vault: Vault, session_id: str) -> list[FollowupRow]:
    """A session's follow-ups, the earliest due first."""
    rows = await conn.execute(
        select(followup)
        .where(followup.c.session_id == session_id)
        .order_by(followup.c.due_at, followup.c.id)
    )
    return [await _opened(conn, vault, row) for row in rows.all()]


async def get(conn: AsyncConnection, vault: Vault, followup_id: str) -> FollowupRow | None:
    """One follow-up, opened."""
    row = (await conn.execute(select(followup).where(followup.c.id == followup_id))).first()
    return await _opened(conn, vault, row) if row is not None else None


async def _opened(conn: AsyncConnection, vault: Vault, row: Row[Any]) -> FollowupRow:
    return FollowupRow(
        id=row.id,
        session_id=row.session_id,
        kind=row.kind,
        owner_id=row.owner_id,
        due_at=row.due_at,
        status=row.status,
        note=await _note(conn, vault, row.session_id, "followup", row.id, row.note_enc),
        created_at=row.created_at,
        closed_at=row.closed_at,
        closed_reason=row.closed_reason,
        closed_by=row.closed_by,
        rev=row.rev,
        attempts=row.attempts,
    )


async def _note(
    conn: AsyncConnection,
    vault: Vault,
    session_id: str,
    table: str,
    place: str,
    sealed: bytes | None,
) -> str:
    if sealed is None:
        return ""
    return (await vault.open(conn, session_id, table, "note_enc", place, sealed)).decode()


async def session_of(conn: AsyncConnection, followup_id: str) -> str | None:
    """The session that a follow-up belongs to."""
    wanted = select(followup.c.session_id).where(followup.c.id == followup_id)
    found: str | None = await conn.scalar(wanted)
    return found


async def open_since(conn: AsyncConnection, followup_id: str, due_at: float) -> bool:
    """Whether a follow-up is open and due at that very moment: neither closed nor moved."""
    wanted = select(followup.c.id).where(
        followup.c.id == followup_id, followup.c.status == "open", followup.c.due_at == due_at
    )
    return (await conn.execute(wanted)).first() is not None


async def owners(conn: AsyncConnection, session_id: str) -> frozenset[str]:
    """Who has, or had, a follow-up of this session to do."""
    rows = await conn.execute(
        select(followup.c.owner_id).where(followup.c.session_id == session_id)
    )
    return frozenset(rows.scalars())


async def arrival_to_confirm(
    conn: AsyncConnection,
    vault: Vault,
    session_id: str,
    disposition: str | None,
    owner_id: str | None,
    now: float,
) -> bool:
    """Have somebody confirm the arrival after a transport, unless somebody has that to do already.

    True when the follow-up was added.
    """
    if disposition not in TRANSPORTS or owner_id is None:
        return False
    await sessions.lock(conn, session_id)
    known = select(followup.c.id).where(
        followup.c.session_id == session_id, followup.c.kind == ARRIVAL
    )
    if (await conn.execute(known)).first() is not None:
        return False
    task = NewFollowup(ARRIVAL, owner_id, now + ARRIVAL_SECONDS)
    await add_many(conn, vault, session_id, [task], now)
    return True


# --- working on one -------------------------------------------------------------------------------


async def attempts(conn: AsyncConnection, vault: Vault, row: FollowupRow) -> list[Attempt]:
    """What was tried, in order."""
    table = followup_attempt
    rows = await conn.execute(
        select(table).where(table.c.followup_id == row.id).order_by(table.c.no)
    )
    return [
        Attempt(
            no=one.no,
            at=one.at,
            by_id=one.by_id,
            channel=one.channel,
            outcome=one.outcome,
            note=await _note(
                conn, vault, row.session_id, "followup_attempt", f"{row.id}/{one.no}", one.note_enc
            ),
        )
        for one in rows.all()
    ]


async def attempt(
    conn: AsyncConnection,
    vault: Vault,
    row: FollowupRow,
    rev: int,
    *,
    by_id: str,
    channel: str,
    outcome: str,
    note: str,
    now: float,
) -> None:
    """Put down that somebody tried. Raises BadInput, NotOpen, Conflict."""
    note = note.strip()
    known = channel in ATTEMPT_CHANNELS and outcome in ATTEMPT_OUTCOMES
    if not known or len(note) > LONGEST_NOTE or row.attempts >= MOST_ATTEMPTS:
        raise BadInput
    no = row.attempts + 1
    await _change(conn, row, rev, must_be_open=True, attempts=no)
    sealed = None
    if note:
        place = f"{row.id}/{no}"
        sealed = await vault.seal(
            conn, row.session_id, "followup_attempt", "note_enc", place, note.encode()
        )
    await conn.execute(
        insert(followup_attempt).values(
            followup_id=row.id, no=no, at=now, by_id=by_id, channel=channel, outcome=outcome,
            note_enc=sealed,
        )
    )  # fmt: skip


async def close(
    conn: AsyncConnection, row: FollowupRow, rev: int, reason: str, by_id: str, now: float
) -> None:
    """It is done, or will not be and why. Raises BadInput, TooFewAttempts, NotOpen, Conflict."""
    if reason != FOLLOWUP_DONE and reason not in FOLLOWUP_REASONS:
        raise BadInput
    if reason == "unreachable" and row.attempts < ENOUGH_ATTEMPTS:
        raise TooFewAttempts
    await _change(
        conn, row, rev, must_be_open=True,
        status="done" if reason == FOLLOWUP_DONE else "closed",
        closed_at=now, closed_reason=reason, closed_by=by_id,
    )  # fmt: skip


async def reopen(conn: AsyncConnection, row: FollowupRow, rev: int) -> None:
    """It was closed by mistake. Raises Conflict; nothing happens to an open one."""
    if row.status != "open":
        await _change(
            conn, row, rev, must_be_open=False,
            status="open", closed_at=None, closed_reason=None, closed_by=None,
        )  # fmt: skip


async def assign(conn: AsyncConnection, row: FollowupRow, rev: int, owner_id: str) -> None:
    """Give it to somebody; who that may be is the caller's to check. Raises NotOpen, Conflict."""
    try:
        await _change(conn, row, rev, must_be_open=True, owner_id=owner_id)
    except IntegrityError as error:
        raise BadInput from error


async def move(conn: AsyncConnection, row: FollowupRow, rev: int, due_at: float) -> None:
    """Another due time. Raises BadInput for one that is no time, NotOpen, Conflict."""
    if not math.isfinite(due_at):
        raise BadInput
    await _change(conn, row, rev, must_be_open=True, due_at=due_at)


async def _change(
    conn: AsyncConnection, row: FollowupRow, rev: int, *, must_be_open: bool, **values: object
) -> None:
    if row.rev != rev:
        raise Conflict({"rev": row.rev})
    if must_be_open and row.status != "open":
        raise NotOpen
    if values.keys() & {"status", "owner_id", "due_at"}:  # whoever has it now is told anew
        await conn.execute(delete(followup_told).where(followup_told.c.followup_id == row.id))
    done = await conn.execute(
        update(followup)
        .where(followup.c.id == row.id, followup.c.rev == rev)
        .values(rev=rev + 1, **values)
    )
    if done.rowcount != 1:
        raise Conflict({})


async def held(conn: AsyncConnection, vault: Vault, followup_id: str) -> FollowupRow:
    """One follow-up with its session's lock held, to be changed. Raises NotFound."""
    session_id = await session_of(conn, followup_id)
    if session_id is None:
        raise NotFound("There is no such follow-up.")
    await sessions.lock(conn, session_id)
    found = await get(conn, vault, followup_id)
    if found is None:
        raise NotFound("There is no such follow-up.")
    return found
