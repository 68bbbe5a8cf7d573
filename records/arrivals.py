"""When sessions came and how long they took: the planner's view of the log, with nobody in it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from records.schema import session


@dataclass(frozen=True, slots=True)
class ArrivalRow:
    """One press for a provider; `freed_at`: its clinician was free, or it was given up."""

    pressed_at: float
    accepted_at: float | None
    freed_at: float | None


async def arrivals(
    conn: AsyncConnection, provider_id: str, since: float, until: float
) -> list[ArrivalRow]:
    """Real sessions pressed in [since, until), the earliest first."""
    found = await conn.execute(
        select(session.c.pressed_at, session.c.accepted_at, session.c.closed_at)
        .where(
            session.c.provider_id == provider_id,
            session.c.test.is_(False),
            session.c.pressed_at >= since,
            session.c.pressed_at < until,
        )
        .order_by(session.c.pressed_at)
    )
    return [ArrivalRow(row.pressed_at, row.accepted_at, row.closed_at) for row in found]
