"""The quality of a call: each leg's line, every few seconds. Numbers and codes only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from records.schema import quality


@dataclass(frozen=True, slots=True)
class QualityRow:
    """One leg at one moment, about the time since the row before."""

    session_id: str
    seat: str
    at: float
    up: str  # good | fair | poor | none: what came from this side
    down: str  # what this side received
    step: str  # how much picture it sends: 720p … phone
    loss_up: int  # thousandths of the packets
    loss_down: int
    rtt_ms: int | None
    kbit_up: int  # per second
    kbit_down: int


async def add(conn: AsyncConnection, rows: Sequence[QualityRow]) -> None:
    """Write what was measured at one moment, of any number of sessions."""
    if rows:
        await conn.execute(insert(quality), [asdict(row) for row in rows])


async def of_session(conn: AsyncConnection, session_id: str) -> list[QualityRow]:
    """All of a session, by time."""
    found = await conn.execute(
        select(quality)
        .where(quality.c.session_id == session_id)
        .order_by(quality.c.at, quality.c.seat)
    )
    return [QualityRow(**row._mapping) for row in found]
