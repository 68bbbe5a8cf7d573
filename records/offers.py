"""Offers: a session held out to one clinician until somebody answers, or it runs out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records.errors import Busy
from records.schema import offer

RINGING = ("pending", "delivered")


@dataclass(frozen=True, slots=True)
class OfferRow:
    """One offer, as stored. `token` is told to its clinician only."""

    id: str
    session_id: str
    clinician_id: str
    epoch: int
    token: str
    state: str
    sent_at: float
    deliver_by: float
    delivered_at: float | None
    expires_at: float
    ended_at: float | None
    reason: str | None


def _row(row: Row[Any]) -> OfferRow:
    return OfferRow(**row._mapping)


async def add(
    conn: AsyncConnection,
    *,
    id: str,  # noqa: A002 - the column's name
    session_id: str,
    clinician_id: str,
    epoch: int,
    token: str,
    sent_at: float,
    deliver_by: float,
    expires_at: float,
) -> None:
    """Hold a session out to a clinician. Raises Busy when they are being rung already."""
    try:
        await conn.execute(
            insert(offer).values(
                id=id,
                session_id=session_id,
                clinician_id=clinician_id,
                epoch=epoch,
                token=token,
                state="pending",
                sent_at=sent_at,
                deliver_by=deliver_by,
                expires_at=expires_at,
            )
        )
    except IntegrityError as error:
        raise Busy from error


async def get(conn: AsyncConnection, offer_id: str) -> OfferRow | None:
    row = (await conn.execute(select(offer).where(offer.c.id == offer_id))).first()
    return _row(row) if row is not None else None


async def open_offers(conn: AsyncConnection) -> list[OfferRow]:
    """Everything that rings, oldest first."""
    rows = await conn.execute(
        select(offer).where(offer.c.state.in_(RINGING)).order_by(offer.c.sent_at, offer.c.id)
    )
    return [_row(row) for row in rows]


async def recent(conn: AsyncConnection, since: float) -> list[OfferRow]:
    """Offers that ended after `since`, for cool-downs."""
    rows = await conn.execute(
        select(offer).where(offer.c.ended_at > since).order_by(offer.c.ended_at)
    )
    return [_row(row) for row in rows]


async def deliver(conn: AsyncConnection, offer_id: str, now: float) -> bool:
    """The console shows it; False when it was delivered or over already."""
    done = await conn.execute(
        update(offer)
        .where(offer.c.id == offer_id, offer.c.state == "pending")
        .values(state="delivered", delivered_at=now)
    )
    return done.rowcount == 1


async def end(
    conn: AsyncConnection,
    offer_id: str,
    *,
    to_state: str,
    reason: str | None,
    now: float,
    from_states: Sequence[str] = RINGING,
) -> bool:
    """End an offer that still rings; False when it does not any more."""
    done = await conn.execute(
        update(offer)
        .where(offer.c.id == offer_id, offer.c.state.in_(from_states))
        .values(state=to_state, reason=reason, ended_at=now)
    )
    return done.rowcount == 1


async def withdraw_all(
    conn: AsyncConnection, session_id: str, reason: str, now: float
) -> list[OfferRow]:
    """Stop everything that rings for a session; the offers that did."""
    rung = [
        _row(row)
        for row in await conn.execute(
            select(offer).where(offer.c.session_id == session_id, offer.c.state.in_(RINGING))
        )
    ]
    return [o for o in rung if await end(conn, o.id, to_state="withdrawn", reason=reason, now=now)]
