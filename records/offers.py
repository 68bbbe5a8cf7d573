"""Offers: a session held out to one clinician until somebody answers, or it runs out.

Whatever changes an offer holds its session first, so that two accepts wait for each other instead
of locking each other out.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records import sessions
from records.errors import BadInput, Busy, RecordError, StaleSession
from records.one_trip import together
from records.refusals import already_there, by_index
from records.rows import values_of
from records.schema import offer, session
from records.states import LED, RINGS, UNFORGIVEN, UNREAD
from records.states import RINGING as RINGING

OVER = ("accepted", "declined", "expired", "undelivered", "withdrawn")


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
    purpose: str = "answer"  # or transfer: the session runs already, and is handed on
    relaxed: tuple[tuple[str, float], ...] = ()  # step, age in seconds: what was let through
    read_at: float | None = None
    forgiven_at: float | None = None


# made once, as in `records.sessions`
_OFFERS = insert(offer)
_BY_ID = select(offer).where(offer.c.id == bindparam("id"))
_SESSION_OF = select(offer.c.session_id).where(offer.c.id == bindparam("id"))
_OPEN = select(offer).where(RINGS).order_by(offer.c.sent_at, offer.c.id)
_RINGING_FOR = select(offer).where(offer.c.session_id == bindparam("session"), RINGS)
_STATES = select(offer.c.id, offer.c.state).where(offer.c.id.in_(bindparam("ids", expanding=True)))
_RUNG = select(offer.c.clinician_id, offer.c.session_id, offer.c.epoch).where(
    offer.c.clinician_id.in_(bindparam("clinicians", expanding=True)), RINGS
)
_LEADS = select(session.c.id).where(
    session.c.lead_id.in_(bindparam("clinicians", expanding=True)),
    LED,
)


_NAMES = tuple(field.name for field in fields(OfferRow))
_RELAXED = _NAMES.index("relaxed")


def offer_of(row: Row[Any]) -> OfferRow:
    """A result row of `select(offer)` as an OfferRow."""
    values = values_of(row, _NAMES)
    steps = json.loads(values[_RELAXED])
    values[_RELAXED] = tuple((step, float(seconds)) for step, seconds in steps)
    return OfferRow(*values)


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
    purpose: str = "answer",
    relaxed: Sequence[tuple[str, float]] = (),
) -> OfferRow:
    """Hold a session out to a clinician.

    Raises Busy when they are being rung already or lead a session, StaleSession when this very
    offer was made already, BadInput for a session or clinician that does not exist.
    """
    await sessions.lock(conn, session_id)
    made = OfferRow(
        id=id,
        session_id=session_id,
        clinician_id=clinician_id,
        epoch=epoch,
        token=token,
        state="pending",
        sent_at=sent_at,
        deliver_by=deliver_by,
        delivered_at=None,
        expires_at=expires_at,
        ended_at=None,
        reason=None,
        purpose=purpose,
        relaxed=tuple(relaxed),
    )
    await together(conn, lambda sync: insert_held(sync, [made]))
    return made


def values(made: OfferRow) -> dict[str, object]:
    """A row of the table."""
    return asdict(made) | {"relaxed": json.dumps(made.relaxed)}


def refusal(error: IntegrityError) -> RecordError:
    """What the record says no to: Busy, StaleSession or BadInput."""
    if by_index(error, "one_ring_per_clinician", "offer.clinician_id"):
        return Busy()
    return StaleSession() if already_there(error) else BadInput()


def refuse_leaders(conn: Connection, clinician_ids: Sequence[str]) -> None:
    """After the insert: it has waited for an accept of theirs that was under way. Raises Busy."""
    if conn.execute(_LEADS, {"clinicians": clinician_ids}).first() is not None:
        raise Busy


def insert_held(conn: Connection, made: Sequence[OfferRow]) -> None:
    """Rings of sessions that this transaction holds, or makes.

    Raises what `add` raises; one clinician who cannot be rung undoes all of them.
    """
    try:
        conn.execute(_OFFERS, [values(one) for one in made])
    except IntegrityError as error:
        raise refusal(error) from error
    refuse_leaders(conn, [one.clinician_id for one in made])


async def add_held(conn: AsyncConnection, made: Sequence[OfferRow]) -> None:
    """`insert_held` in one trip."""
    await together(conn, lambda sync: insert_held(sync, made))


async def rung(conn: AsyncConnection, clinician_ids: Collection[str]) -> dict[str, tuple[str, int]]:
    """Who of them is being rung, and for which session and epoch."""
    found = await conn.execute(_RUNG, {"clinicians": list(clinician_ids)})
    return {row.clinician_id: (row.session_id, row.epoch) for row in found}


async def states(conn: AsyncConnection, offer_ids: Collection[str]) -> dict[str, str]:
    """The state of each of these that there is."""
    found = await conn.execute(_STATES, {"ids": list(offer_ids)})
    return {row.id: row.state for row in found}


async def get(conn: AsyncConnection, offer_id: str) -> OfferRow | None:
    row = (await conn.execute(_BY_ID, {"id": offer_id})).first()
    return offer_of(row) if row is not None else None


async def open_offers(conn: AsyncConnection) -> list[OfferRow]:
    """Everything that rings, oldest first."""
    return [offer_of(row) for row in await conn.execute(_OPEN)]


async def missed_in_a_row(conn: AsyncConnection, since: float) -> dict[str, int]:
    """Clinician to the rings they heard and did not answer, since they last did anything."""
    rows = await conn.execute(
        select(offer.c.clinician_id, func.count().label("missed"))
        .where(UNFORGIVEN, offer.c.ended_at > since)
        .group_by(offer.c.clinician_id)
    )
    return {row.clinician_id: row.missed for row in rows}


async def forgive(conn: AsyncConnection, clinician_id: str, now: float) -> None:
    """They are there after all: what they missed does not count towards a pause any more."""
    await conn.execute(
        update(offer)
        .where(offer.c.clinician_id == clinician_id, UNFORGIVEN)
        .values(forgiven_at=now)
    )


@dataclass(frozen=True, slots=True)
class MissedOffer:
    """A ring that its clinician did not take, with as much of the session as they may read."""

    id: str
    clinician_id: str
    state: str
    ended_at: float
    code: str
    agency_id: str


async def unread(conn: AsyncConnection, since: float) -> list[MissedOffer]:
    """Missed, declined and undelivered ones that nobody has read yet, the newest first."""
    rows = await conn.execute(
        select(
            offer.c.id,
            offer.c.clinician_id,
            offer.c.state,
            offer.c.ended_at,
            session.c.code,
            session.c.agency_id,
        )
        .join(session, session.c.id == offer.c.session_id)
        .where(UNREAD, offer.c.ended_at > since)
        .order_by(offer.c.ended_at.desc(), offer.c.id)
    )
    return [MissedOffer(**row._mapping) for row in rows]


async def mark_read(conn: AsyncConnection, clinician_id: str, until: float, now: float) -> None:
    """The clinician has read the list of what had ended by then."""
    await conn.execute(
        update(offer)
        .where(
            offer.c.clinician_id == clinician_id,
            UNREAD,
            offer.c.ended_at <= until,
        )
        .values(read_at=now)
    )


async def deliver(conn: AsyncConnection, offer_id: str, now: float) -> bool:
    """The console shows it; False when it was delivered or over already."""
    await _hold(conn, offer_id)
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
    """End an offer that still rings; False when it does not any more.

    Raises StaleSession when this assignment of the session has been accepted by somebody else,
    BadInput for a state that ends no offer.
    """
    if to_state not in OVER:
        raise BadInput("An offer does not end like that.")
    await _hold(conn, offer_id)
    return await _end(conn, offer_id, to_state, reason, now, from_states)


async def end_held(
    conn: AsyncConnection,
    offer_ids: Collection[str],
    *,
    to_state: str,
    reason: str | None,
    now: float,
    from_states: Sequence[str] = RINGING,
) -> frozenset[str]:
    """End offers of sessions that this transaction holds; those that did still ring.

    Raises BadInput for a state that ends no offer, or that takes an assignment.
    """
    if to_state not in OVER or to_state == "accepted":
        raise BadInput("Offers do not end like that.")
    done = await conn.execute(
        update(offer)
        .where(offer.c.id.in_(offer_ids), offer.c.state.in_(from_states))
        .values(state=to_state, reason=reason, ended_at=now)
        .returning(offer.c.id)
    )
    return frozenset(done.scalars())


async def withdraw_all(
    conn: AsyncConnection, session_id: str, reason: str, now: float, purpose: str | None = None
) -> list[OfferRow]:
    """Stop everything that rings for a session, or what rings for one purpose.

    Gives the offers that did ring, as they were.
    """
    await sessions.lock(conn, session_id)
    rung = [
        one
        for row in await conn.execute(_RINGING_FOR, {"session": session_id})
        if (one := offer_of(row)).purpose == (purpose or one.purpose)
    ]
    return [o for o in rung if await _end(conn, o.id, "withdrawn", reason, now, RINGING)]


async def last_of_transfer(conn: AsyncConnection, session_id: str, epoch: int) -> OfferRow | None:
    """The ring of this assignment's transfers that ended last, with its reason."""
    row = (
        await conn.execute(
            select(offer)
            .where(
                offer.c.session_id == session_id,
                offer.c.epoch == epoch,
                offer.c.purpose == "transfer",
                offer.c.ended_at.is_not(None),
            )
            .order_by(offer.c.ended_at.desc(), offer.c.id)
            .limit(1)
        )
    ).first()
    return offer_of(row) if row is not None else None


async def undo_accepted_transfer(
    conn: AsyncConnection, session_id: str, epoch: int, reason: str, now: float
) -> None:
    """A transfer that was accepted came to nothing: the next one may be accepted."""
    await conn.execute(
        update(offer)
        .where(
            offer.c.session_id == session_id,
            offer.c.epoch == epoch,
            offer.c.purpose == "transfer",
            offer.c.state == "accepted",
        )
        .values(state="withdrawn", reason=reason, ended_at=now)
    )


async def _hold(conn: AsyncConnection, offer_id: str) -> None:
    session_id = (await conn.execute(_SESSION_OF, {"id": offer_id})).scalar()
    if session_id is not None:
        await sessions.lock(conn, session_id)


async def _end(
    conn: AsyncConnection,
    offer_id: str,
    to_state: str,
    reason: str | None,
    now: float,
    from_states: Sequence[str],
) -> bool:
    statement = (
        update(offer)
        .where(offer.c.id == offer_id, offer.c.state.in_(from_states))
        .values(state=to_state, reason=reason, ended_at=now)
    )
    try:
        done = await conn.execute(statement)
    except IntegrityError as error:
        raise (StaleSession if already_there(error) else BadInput) from error
    return done.rowcount == 1
