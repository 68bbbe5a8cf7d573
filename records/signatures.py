"""Whether a note is signed: asked by everything that would change the record."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from records.errors import Signed
from records.schema import note_signature as table


async def find(conn: AsyncConnection, session_id: str) -> Row[Any] | None:
    """The signature's row."""
    return (await conn.execute(select(table).where(table.c.session_id == session_id))).first()


async def still_open(conn: AsyncConnection, session_id: str) -> None:
    """Raises Signed when the note is closed. Hold the session's lock."""
    if await find(conn, session_id) is not None:
        raise Signed
