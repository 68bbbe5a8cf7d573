"""The number under which an agency's dispatch (CAD) knows the incident of a session.

Free text of one line: there are as many shapes of it as there are agencies. It names no person, but
it leads to one in other systems, so it stands only where names may stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from records import sessions
from records.errors import BadInput
from records.schema_interchange import case_number as table

LONGEST: Final = 40


def checked(typed: str) -> str:
    """The number in its one form; empty for none. Raises BadInput."""
    number = " ".join(typed.split())
    if len(number) > LONGEST or not number.isprintable():
        raise BadInput(
            "An incident number is one line of at most 40 characters. Nothing was saved."
        )
    return number


async def get(conn: AsyncConnection, session_id: str) -> str | None:
    """A session's number; None while nobody has said it."""
    found: str | None = await conn.scalar(
        select(table.c.number).where(table.c.session_id == session_id)
    )
    return found


async def of_sessions(conn: AsyncConnection, ids: Sequence[str]) -> dict[str, str]:
    """The numbers of these sessions, by session."""
    rows = await conn.execute(
        select(table.c.session_id, table.c.number).where(table.c.session_id.in_(ids))
    )
    return {row.session_id: row.number for row in rows}


async def save(
    conn: AsyncConnection, session_id: str, typed: str, by: str | None, now: float
) -> bool:
    """Keep the number, or take it away when it is empty; False when it was so already.

    Raises BadInput.
    """
    number = checked(typed)
    await sessions.lock(conn, session_id)
    if (await get(conn, session_id) or "") == number:
        return False
    await conn.execute(delete(table).where(table.c.session_id == session_id))
    if number:
        await conn.execute(
            insert(table).values(session_id=session_id, number=number, told_by=by, told_at=now)
        )
    return True


async def sessions_of(conn: AsyncConnection, typed: str, limit: int = 20) -> list[str]:
    """Sessions of this number, as it was typed or in capitals; none for what can be no number."""
    try:
        number = checked(typed)
    except BadInput:
        return []
    rows = await conn.execute(
        select(table.c.session_id)
        .where(table.c.number.in_(sorted({number, number.upper(), number.lower()})))
        .limit(limit)
    )
    return list(rows.scalars())
