"""How far each look-out over closed sessions has come, and the sessions that it reads next."""

from __future__ import annotations

from sqlalchemy import insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records.refusals import already_there
from records.schema import session
from records.schema_misses import look_out
from records.sessions import SessionRow, row_of

Key = tuple[float, str]  # closed_at and id of a session


async def until(conn: AsyncConnection, name: str) -> float | None:
    """How far it has come; None before its first look."""
    found: float | None = await conn.scalar(select(look_out.c.until).where(look_out.c.name == name))
    return found


async def move(conn: AsyncConnection, name: str, to: float) -> None:
    """It has come so far, or farther: never back."""
    done = await conn.execute(
        update(look_out).where(look_out.c.name == name, look_out.c.until < to).values(until=to)
    )
    if done.rowcount or await until(conn, name) is not None:
        return
    try:
        async with conn.begin_nested():
            await conn.execute(insert(look_out).values(name=name, until=to))
    except IntegrityError as error:
        if not already_there(error):  # else another process was first
            raise


async def closed(conn: AsyncConnection, after: Key, before: float, limit: int) -> list[SessionRow]:
    """Sessions closed after this one and before then, in that order."""
    rows = await conn.execute(
        select(session)
        .where(
            session.c.closed_at.is_not(None),
            tuple_(session.c.closed_at, session.c.id) > tuple_(*after),
            session.c.closed_at < before,
        )
        .order_by(session.c.closed_at, session.c.id)
        .limit(limit)
    )
    return [row_of(row) for row in rows]
