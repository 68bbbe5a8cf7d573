"""A running session on its way to another clinician: asked for, accepted, confirmed by both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records.crypto import Vault
from records.errors import BadInput, StaleSession
from records.ids import new_id
from records.refusals import already_there
from records.schema_parties import transfer as table


@dataclass(frozen=True, slots=True)
class TransferRow:
    """One transfer, as stored; its note is read by `note`."""

    id: str
    session_id: str
    epoch: int
    from_id: str
    to_id: str | None
    receiver_id: str | None
    note_enc: bytes | None
    asked_at: float
    accepted_at: float | None
    from_ready_at: float | None
    to_ready_at: float | None
    ended_at: float | None
    outcome: str | None


def _row(row: Row[Any]) -> TransferRow:
    return TransferRow(**row._mapping)


async def ask(
    conn: AsyncConnection,
    vault: Vault,
    session_id: str,
    *,
    epoch: int,
    from_id: str,
    to_id: str | None,
    note: str,
    now: float,
) -> TransferRow:
    """Begin a transfer. The caller holds the session.

    Raises StaleSession when one is open already, BadInput.
    """
    made = new_id("trf")
    sealed = None
    if note.strip():
        sealed = await vault.seal(conn, session_id, "transfer", "note_enc", made, note.encode())
    try:
        await conn.execute(
            insert(table).values(
                id=made,
                session_id=session_id,
                epoch=epoch,
                from_id=from_id,
                to_id=to_id,
                note_enc=sealed,
                asked_at=now,
            )
        )
    except IntegrityError as error:
        raise (StaleSession if already_there(error) else BadInput) from error
    found = await get(conn, made)
    if found is None:
        raise StaleSession
    return found


async def get(conn: AsyncConnection, transfer_id: str) -> TransferRow | None:
    row = (await conn.execute(select(table).where(table.c.id == transfer_id))).first()
    return _row(row) if row is not None else None


async def open_of(conn: AsyncConnection, session_id: str) -> TransferRow | None:
    """The transfer of this session that is under way."""
    row = (
        await conn.execute(
            select(table).where(table.c.session_id == session_id, table.c.ended_at.is_(None))
        )
    ).first()
    return _row(row) if row is not None else None


async def all_open(conn: AsyncConnection) -> list[TransferRow]:
    rows = await conn.execute(select(table).where(table.c.ended_at.is_(None)))
    return [_row(row) for row in rows]


async def newest(conn: AsyncConnection, session_id: str, epoch: int) -> TransferRow | None:
    """The last transfer of this assignment, also when it is over."""
    row = (
        await conn.execute(
            select(table)
            .where(table.c.session_id == session_id, table.c.epoch == epoch)
            .order_by(table.c.asked_at.desc(), table.c.id.desc())
            .limit(1)
        )
    ).first()
    return _row(row) if row is not None else None


async def note(conn: AsyncConnection, vault: Vault, row: TransferRow) -> str:
    """What the sender wants the receiver to know; "" for nothing."""
    if row.note_enc is None:
        return ""
    plain = await vault.open(conn, row.session_id, "transfer", "note_enc", row.id, row.note_enc)
    return plain.decode()


async def change(conn: AsyncConnection, transfer_id: str, **values: object) -> bool:
    """Write columns of a transfer that is still open; False when it is over."""
    done = await conn.execute(
        update(table).where(table.c.id == transfer_id, table.c.ended_at.is_(None)).values(values)
    )
    return done.rowcount == 1
