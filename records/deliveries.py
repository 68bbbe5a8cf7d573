"""Notices for addresses of other programs: queued once, claimed by one process at a time.

What a session's timeline says is queued by the database itself (see `records.schema_programs`);
here is what is asked for by hand, and follow-ups whose time has come. Every change is a
compare-and-set on the state, and on the attempt while one is being sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, and_, delete, func, insert, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from records.ids import new_id
from records.schema_programs import webhook
from records.schema_programs import webhook_delivery as table
from records.webhooks import OVERDUE, TEST

LOOK_BACK_SECONDS = 7 * 86_400.0  # a follow-up that was due longer ago is no news
MOST_OVERDUE = 500  # queued at one look
KEPT_SECONDS = 30 * 86_400.0  # what became of a notice can be read so long


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One notice, as stored."""

    id: str
    webhook_id: str
    kind: str
    session_id: str | None
    no: int | None
    followup_id: str | None
    at: float
    state: str
    attempt: int
    due_at: float
    lease_until: float | None
    status: int | None
    reason: str | None
    sent_at: float | None
    ended_at: float | None


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of an address's notices."""

    queued: int
    sent: int
    failed: int
    last_status: int | None  # of the newest answer
    last_at: float | None  # of the newest that was taken


def _row(row: Row[Any]) -> DeliveryRow:
    return DeliveryRow(**row._mapping)


# --- queueing -------------------------------------------------------------------------------------

_OVERDUE = text(
    f"""
    INSERT INTO webhook_delivery (id, webhook_id, kind, session_id, followup_id, at, due_at)
    SELECT w.id || '.' || f.id || '.' || CAST(f.due_at AS BIGINT), w.id, '{OVERDUE}',
           f.session_id, f.id, f.due_at, f.due_at
    FROM webhook_event e
    JOIN webhook w ON w.id = e.webhook_id AND w.state = 'active'
    JOIN session s ON s.program_id = w.program_id AND NOT s.test AND NOT s.wellness
    JOIN followup f ON f.session_id = s.id
    WHERE e.kind = '{OVERDUE}' AND f.status = 'open' AND f.due_at <= :now
      AND f.due_at > :since AND f.due_at >= w.made_at
      AND NOT EXISTS (
        SELECT 1 FROM webhook_delivery d
        WHERE d.id = w.id || '.' || f.id || '.' || CAST(f.due_at AS BIGINT))
    ORDER BY f.due_at
    LIMIT {MOST_OVERDUE}
    ON CONFLICT DO NOTHING
    """  # noqa: S608 - constants of this file only
)
_WANTED = text(f"SELECT 1 FROM webhook_event WHERE kind = '{OVERDUE}' LIMIT 1")  # noqa: S608


async def wants_overdue(conn: AsyncConnection) -> bool:
    """Whether any address asks for follow-ups at all."""
    return (await conn.execute(_WANTED)).first() is not None


async def queue_overdue(conn: AsyncConnection, now: float) -> int:
    """Queue the follow-ups whose time has come, each once; how many were new."""
    values = {"now": now, "since": now - LOOK_BACK_SECONDS}
    return (await conn.execute(_OVERDUE, values)).rowcount


async def queue_test(conn: AsyncConnection, webhook_id: str, now: float) -> str:
    """A notice about nothing, to try an address."""
    delivery_id = f"{webhook_id}.{new_id('tst')}"
    await conn.execute(
        insert(table).values(id=delivery_id, webhook_id=webhook_id, kind=TEST, at=now, due_at=now)
    )
    return delivery_id


async def again_by_hand(conn: AsyncConnection, webhook_id: str, now: float) -> int:
    """Put what has failed back on the queue, with all its tries before it."""
    done = await conn.execute(
        update(table)
        .where(table.c.webhook_id == webhook_id, table.c.state == "failed")
        .values(state="queued", attempt=0, due_at=now, ended_at=None)
    )
    return done.rowcount


# --- sending --------------------------------------------------------------------------------------


async def waiting(conn: AsyncConnection, now: float) -> list[str]:
    """The active addresses for which something is due."""
    there = select(table.c.id).where(
        table.c.webhook_id == webhook.c.id, table.c.state == "queued", _due(now)
    )
    rows = await conn.execute(
        select(webhook.c.id)
        .where(webhook.c.state == "active", there.exists())
        .order_by(webhook.c.id)
    )
    return list(rows.scalars())


async def due(conn: AsyncConnection, webhook_id: str, now: float, most: int) -> list[str]:
    """An address's notices to send now that no process is sending, the longest waiting first."""
    rows = await conn.execute(
        select(table.c.id)
        .where(table.c.webhook_id == webhook_id, table.c.state == "queued", _due(now))
        .order_by(table.c.due_at, table.c.id)
        .limit(most)
    )
    return list(rows.scalars())


async def claim(
    conn: AsyncConnection, delivery_id: str, now: float, lease_seconds: float
) -> DeliveryRow | None:
    """Take a notice for sending; None when another process has it, or it is not queued any more."""
    done = await conn.execute(
        update(table)
        .where(table.c.id == delivery_id, table.c.state == "queued", _due(now))
        .values(lease_until=now + lease_seconds, attempt=table.c.attempt + 1)
    )
    return await get(conn, delivery_id) if done.rowcount == 1 else None


async def sent(conn: AsyncConnection, claimed: DeliveryRow, status: int, now: float) -> bool:
    """The other side took it."""
    values = {"state": "sent", "status": status, "reason": None, "sent_at": now, "ended_at": now}
    return await _settle(conn, claimed, values)


async def again(
    conn: AsyncConnection, claimed: DeliveryRow, status: int | None, reason: str, due_at: float
) -> bool:
    """This try failed; the next one is not before `due_at`."""
    return await _settle(conn, claimed, {"status": status, "reason": reason, "due_at": due_at})


async def failed(
    conn: AsyncConnection, claimed: DeliveryRow, status: int | None, reason: str, now: float
) -> bool:
    """Given up."""
    values = {"state": "failed", "status": status, "reason": reason, "ended_at": now}
    return await _settle(conn, claimed, values)


async def drop(conn: AsyncConnection, claimed: DeliveryRow, reason: str, now: float) -> bool:
    """It must not be sent after all."""
    return await _settle(conn, claimed, {"state": "dropped", "reason": reason, "ended_at": now})


async def put_back(conn: AsyncConnection, claimed: DeliveryRow) -> bool:
    """It was not tried: the address was paused meanwhile."""
    return await _settle(conn, claimed, {"attempt": claimed.attempt - 1})


# --- reading --------------------------------------------------------------------------------------


async def get(conn: AsyncConnection, delivery_id: str) -> DeliveryRow | None:
    row = (await conn.execute(select(table).where(table.c.id == delivery_id))).first()
    return _row(row) if row is not None else None


async def newest(conn: AsyncConnection, webhook_id: str, most: int) -> Sequence[DeliveryRow]:
    """An address's notices, the newest first."""
    rows = await conn.execute(
        select(table)
        .where(table.c.webhook_id == webhook_id)
        .order_by(table.c.at.desc(), table.c.id)
        .limit(most)
    )
    return [_row(row) for row in rows]


async def tallies(conn: AsyncConnection, webhook_ids: Sequence[str]) -> dict[str, Tally]:
    """What became of the notices of these addresses."""
    counted = await conn.execute(
        select(
            table.c.webhook_id,
            func.count().filter(table.c.state == "queued").label("queued"),
            func.count().filter(table.c.state == "sent").label("sent"),
            func.count().filter(table.c.state == "failed").label("failed"),
            func.max(table.c.sent_at).label("last_at"),
        )
        .where(table.c.webhook_id.in_(webhook_ids))
        .group_by(table.c.webhook_id)
    )
    rows = {row.webhook_id: row for row in counted}
    found = {}
    for one in webhook_ids:
        row = rows.get(one)
        if row is None:
            found[one] = Tally(0, 0, 0, None, None)
            continue
        status = await conn.scalar(
            select(table.c.status)
            .where(table.c.webhook_id == one, table.c.status.is_not(None))
            .order_by(table.c.at.desc())
            .limit(1)
        )
        found[one] = Tally(row.queued, row.sent, row.failed, status, row.last_at)
    return found


async def tidy(conn: AsyncConnection, now: float) -> int:
    """Forget what ended long ago."""
    done = await conn.execute(delete(table).where(table.c.ended_at < now - KEPT_SECONDS))
    return done.rowcount


def _due(now: float) -> Any:
    free = or_(table.c.lease_until.is_(None), table.c.lease_until <= now)
    return and_(table.c.due_at <= now, free)


async def _settle(
    conn: AsyncConnection, claimed: DeliveryRow, values: Mapping[str, object]
) -> bool:
    done = await conn.execute(
        update(table)
        .where(
            table.c.id == claimed.id,
            table.c.state == "queued",
            table.c.attempt == claimed.attempt,
        )
        .values(lease_until=None, **values)
    )
    return done.rowcount == 1
