"""Text between officer and clinician, sealed."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from records import sessions
from records.crypto import Vault
from records.errors import BadInput
from records.schema import chat_line

MOST_LINES = 1_000  # in one session
SENDERS = ("officer", "clinician")


@dataclass(frozen=True, slots=True)
class ChatRow:
    no: int
    at: float
    sender: str  # officer | clinician
    body: str


async def add(
    conn: AsyncConnection,
    vault: Vault,
    session_id: str,
    *,
    sender: str,
    sender_id: str | None,
    body: str,
    now: float,
) -> int:
    """Store one line; its number in the session.

    Raises BadInput for a sender that is none, an empty line, or when the session is full.
    """
    if sender not in SENDERS or not body.strip():
        raise BadInput
    await sessions.lock(conn, session_id)
    last = (
        await conn.execute(
            select(func.max(chat_line.c.no)).where(chat_line.c.session_id == session_id)
        )
    ).scalar() or 0
    if last >= MOST_LINES:
        raise BadInput("This conversation has too many lines. Speak instead.")
    place = f"{session_id}/{last + 1}"
    sealed = await vault.seal(conn, session_id, "chat_line", "body_enc", place, body.encode())
    await conn.execute(
        insert(chat_line).values(
            session_id=session_id,
            no=last + 1,
            at=now,
            sender=sender,
            sender_id=sender_id,
            body_enc=sealed,
        )
    )
    return last + 1


async def of_session(conn: AsyncConnection, vault: Vault, session_id: str) -> list[ChatRow]:
    """All lines of a session, in order."""
    rows = await conn.execute(
        select(chat_line).where(chat_line.c.session_id == session_id).order_by(chat_line.c.no)
    )
    lines = []
    for row in rows.all():
        place = f"{session_id}/{row.no}"
        body = await vault.open(conn, session_id, "chat_line", "body_enc", place, row.body_enc)
        lines.append(ChatRow(row.no, row.at, row.sender, body.decode()))
    return lines
