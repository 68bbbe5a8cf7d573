"""Follow-ups: tasks with an owner and a due time; nobody is left without."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records.crypto import Vault
from records.errors import BadInput
from records.ids import new_id
from records.schema import followup
from records.vocabulary import FOLLOWUP_KINDS


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
    found = []
    for row in rows.all():
        note = b""
        if row.note_enc is not None:
            note = await vault.open(conn, session_id, "followup", "note_enc", row.id, row.note_enc)
        found.append(
            FollowupRow(
                id=row.id,
                session_id=row.session_id,
                kind=row.kind,
                owner_id=row.owner_id,
                due_at=row.due_at,
                status=row.status,
                note=note.decode(),
                created_at=row.created_at,
                closed_at=row.closed_at,
            )
        )
    return found
