"""Addresses of other programs that are told of a program's events.

Address and secret are sealed with the vault's own key, and destroyed when the address is removed.
The notices themselves are in `records.deliveries`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from records.crypto import Vault
from records.errors import BadInput
from records.ids import new_id
from records.schema_programs import webhook as table
from records.schema_programs import webhook_delivery, webhook_event

MOST: Final = 20  # of one program at a time
OVERDUE: Final = "followup.overdue"
TEST: Final = "webhook.test"  # asked for by hand, never chosen

# what an address may be told of, by the name that it reads -> the event on the timeline
EVENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "session.opened": "session.pressed",
        "session.accepted": "offer.accepted",
        "session.answered": "media.flowing",
        "session.requeued": "session.requeued",
        "session.ended": "session.ended",
        "session.closed": "session.closed",
        "recommendation.sent": "card.sent",
        "disposition.recorded": "disposition.recorded",
        OVERDUE: OVERDUE,
    }
)
NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {kind: name for name, kind in EVENTS.items()} | {TEST: TEST}
)


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """One address, without what is sealed."""

    id: str
    program_id: str
    name: str
    host: str
    owner_id: str
    made_at: float
    state: str
    state_at: float
    why: str | None
    events: tuple[str, ...]  # the names that it reads


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """An address to register; `events` are names of EVENTS."""

    program_id: str
    name: str
    host: str
    url: str
    secret: bytes
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sealed:
    """What sending needs."""

    url: str
    secret: bytes

    def __repr__(self) -> str:
        return "Sealed()"


_COLUMNS = [table.c[name] for name in WebhookRow.__dataclass_fields__ if name != "events"]


async def _rows(conn: AsyncConnection, rows: Sequence[Row[Any]]) -> list[WebhookRow]:
    ids = [row.id for row in rows]
    kinds: dict[str, set[str]] = {one: set() for one in ids}
    chosen = select(webhook_event).where(webhook_event.c.webhook_id.in_(ids))
    for one in await conn.execute(chosen) if ids else ():
        kinds[one.webhook_id].add(one.kind)
    return [
        WebhookRow(
            **row._mapping,
            events=tuple(name for name, kind in EVENTS.items() if kind in kinds[row.id]),
        )
        for row in rows
    ]


async def add(conn: AsyncConnection, vault: Vault, new: NewWebhook, by: str, now: float) -> str:
    """Register an address; its id. Raises BadInput for no event, or when there are too many."""
    if not new.events or not set(new.events) <= EVENTS.keys():
        raise BadInput("Choose what this address is told of.")
    known = select(func.count()).where(
        table.c.program_id == new.program_id, table.c.state != "removed"
    )
    if (await conn.scalar(known) or 0) >= MOST:
        raise BadInput("There are too many addresses. Remove those that nobody uses.")
    webhook_id, own = new_id("whk"), await vault.own(conn)
    await conn.execute(
        insert(table).values(
            id=webhook_id,
            program_id=new.program_id,
            name=new.name,
            host=new.host,
            kek_id=own.id,
            url_enc=own.seal("webhook", "url_enc", webhook_id, new.url.encode()),
            secret_enc=own.seal("webhook", "secret_enc", webhook_id, new.secret),
            owner_id=by,
            made_at=now,
            state_at=now,
        )
    )
    await conn.execute(
        insert(webhook_event),
        [{"webhook_id": webhook_id, "kind": EVENTS[name]} for name in new.events],
    )
    return webhook_id


async def get(conn: AsyncConnection, webhook_id: str) -> WebhookRow | None:
    """An address, removed or not."""
    found = (await conn.execute(select(*_COLUMNS).where(table.c.id == webhook_id))).all()
    return next(iter(await _rows(conn, found)), None)


async def listed(conn: AsyncConnection) -> list[WebhookRow]:
    """All addresses that are not removed, by name; whose they are is the caller's to look at."""
    query = select(*_COLUMNS).where(table.c.state != "removed").order_by(table.c.name, table.c.id)
    return await _rows(conn, (await conn.execute(query)).all())


async def opened(conn: AsyncConnection, vault: Vault, webhook_id: str) -> Sealed | None:
    """Address and secret; None when they were destroyed. Raises KeyWrong."""
    row = (
        await conn.execute(
            select(table.c.url_enc, table.c.secret_enc, table.c.kek_id).where(
                table.c.id == webhook_id, table.c.url_enc.is_not(None)
            )
        )
    ).first()
    if row is None:
        return None
    url = await vault.open_own("webhook", "url_enc", webhook_id, row.url_enc, row.kek_id)
    secret = await vault.open_own("webhook", "secret_enc", webhook_id, row.secret_enc, row.kek_id)
    return Sealed(url.decode(), secret)


async def pause(conn: AsyncConnection, webhook_id: str, why: str, now: float) -> bool:
    """Tell it nothing until somebody resumes it; False when it was not active."""
    return await _move(conn, webhook_id, "active", {"state": "paused", "why": why}, now)


async def resume(conn: AsyncConnection, webhook_id: str, by: str, now: float) -> bool:
    """Go on, by the right of whoever says so; False when it was not paused."""
    values = {"state": "active", "why": None, "owner_id": by}
    return await _move(conn, webhook_id, "paused", values, now)


async def remove(conn: AsyncConnection, webhook_id: str, now: float) -> bool:
    """Forget address and secret; what was queued is dropped. False when it was removed before."""
    done = await conn.execute(
        update(table)
        .where(table.c.id == webhook_id, table.c.state != "removed")
        .values(state="removed", why=None, state_at=now, url_enc=None, secret_enc=None)
    )
    await conn.execute(
        update(webhook_delivery)
        .where(webhook_delivery.c.webhook_id == webhook_id, webhook_delivery.c.state == "queued")
        .values(state="dropped", reason="removed", ended_at=now, lease_until=None)
    )
    return done.rowcount == 1


async def _move(
    conn: AsyncConnection, webhook_id: str, before: str, values: Mapping[str, object], now: float
) -> bool:
    done = await conn.execute(
        update(table)
        .where(table.c.id == webhook_id, table.c.state == before)
        .values(**values, state_at=now)
    )
    return done.rowcount == 1
