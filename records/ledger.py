"""Open sessions and rings, kept from one reading to the next: only what changed is read again.

The queue, the screens and the clock look at the whole line all the time, and most of it is as it
was. So they ask for the heads first: the id, and whatever changes with each change of the row. With
a thousand sessions that is a small part of what reading them would cost.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Row, Select, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from records.offers import OfferRow, offer_of
from records.schema import OPEN_STATES, offer, session
from records.sessions import SessionRow, row_of
from records.states import OPEN, RINGING, RINGS

AT_ONCE = 500  # ids in one statement


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=_HasId)

# `records.sessions.apply` lets nothing but the deadline change without an entry on the timeline,
# which changes the version; `records.nodes` moves sessions from process to process without one.
_SESSION_HEADS = (
    select(session.c.id, session.c.version, session.c.node_id, session.c.deadline_at)
    .where(OPEN)
    .order_by(session.c.seq)
)
_SESSIONS = select(session).where(session.c.id.in_(bindparam("ids", expanding=True)))
# An offer changes with its state; that it was read, or forgiven, concerns nobody here.
_RING_HEADS = select(offer.c.id, offer.c.state).where(RINGS).order_by(offer.c.sent_at, offer.c.id)
_ENDED_HEADS = (
    select(offer.c.id, offer.c.state)
    .where(offer.c.ended_at > bindparam("since"))
    .order_by(offer.c.ended_at)
)
_OFFERS = select(offer).where(offer.c.id.in_(bindparam("ids", expanding=True)))


class _Kept(Generic[T]):
    """The newest reading of some rows."""

    def __init__(
        self,
        heads: Select[Any],
        rows: Select[Any],
        make: Callable[[Row[Any]], T],
        head_of: Callable[[T], Hashable],
    ) -> None:
        self._heads = heads
        self._rows = rows
        self._make = make
        self._head_of = head_of
        self._known: Mapping[str, T] = {}

    async def read(self, conn: AsyncConnection, values: Mapping[str, object]) -> list[T]:
        """What is there now, in the heads' order. Rows that did not change are the same objects."""
        heads = {row[0]: tuple(row)[1:] for row in await conn.execute(self._heads, values)}
        known = self._known  # of whoever read last; another reading may replace it meanwhile
        stale = [
            key
            for key, head in heads.items()
            if key not in known or self._head_of(known[key]) != head
        ]
        fresh = await self._fetch(conn, stale)
        kept = {key: fresh.get(key) or known.get(key) for key in heads}
        # what ended between the two statements is gone from the second one only
        found = {key: row for key, row in kept.items() if row is not None}
        self._known = found
        return list(found.values())

    async def _fetch(self, conn: AsyncConnection, keys: Sequence[str]) -> dict[str, T]:
        found: dict[str, T] = {}
        for start in range(0, len(keys), AT_ONCE):
            ids = {"ids": keys[start : start + AT_ONCE]}
            for row in await conn.execute(self._rows, ids):
                made = self._make(row)
                found[made.id] = made
        return found


class Ledger:
    """What one process has read of the line. Every answer is as of the asking transaction.

    On PostgreSQL a row may be younger than the list that it stands in, by a statement.
    """

    def __init__(self) -> None:
        self._sessions = _Kept(
            _SESSION_HEADS,
            _SESSIONS,
            row_of,
            lambda row: (row.version, row.node_id, row.deadline_at),
        )
        self._rings = _Kept(_RING_HEADS, _OFFERS, offer_of, lambda row: (row.state,))
        self._ended = _Kept(_ENDED_HEADS, _OFFERS, offer_of, lambda row: (row.state,))

    async def open_sessions(self, conn: AsyncConnection) -> list[SessionRow]:
        """All sessions that are not closed, oldest place in line first."""
        rows = await self._sessions.read(conn, {})
        return [row for row in rows if row.state in OPEN_STATES]

    async def open_offers(self, conn: AsyncConnection) -> list[OfferRow]:
        """Everything that rings, oldest first."""
        return [row for row in await self._rings.read(conn, {}) if row.state in RINGING]

    async def ended_offers(self, conn: AsyncConnection, since: float) -> list[OfferRow]:
        """Offers that ended after `since`, for cool-downs; `read_at` and `forgiven_at` as they
        were when they ended."""
        return await self._ended.read(conn, {"since": since})
