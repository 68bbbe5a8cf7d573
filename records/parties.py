"""Who sits in a call besides the tablet: the lead, and the three seats at its side.

The lead's row follows `session.lead_id` by itself, in the transaction that changes it (`follow`);
nobody else writes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Row, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records.errors import BadInput, Busy, StaleSession
from records.ids import new_id
from records.refusals import already_there, by_index
from records.schema import LED_STATES
from records.schema_parties import participant, transfer

SIDES = ("side1", "side2", "side3", "side4")
CLINICIAN = "clinician"


@dataclass(frozen=True, slots=True)
class PartyRow:
    """One place in a call, as stored."""

    id: str
    session_id: str
    seat: str
    role: str  # lead | receiver | interpreter | supervisor
    mode: str  # speak | listen | whisper
    person_id: str | None
    guest_link_id: str | None
    epoch: int
    joined_at: float
    left_at: float | None
    left_reason: str | None
    held_at: float | None = None  # on hold since then


def _row(row: Row[Any]) -> PartyRow:
    return PartyRow(**row._mapping)


_HERE = participant.c.left_at.is_(None)


async def present(conn: AsyncConnection, session_ids: Sequence[str]) -> list[PartyRow]:
    """Everybody who sits in these calls now, by their coming."""
    if not session_ids:
        return []
    rows = await conn.execute(
        select(participant)
        .where(_HERE, participant.c.session_id.in_(session_ids))
        .order_by(participant.c.joined_at, participant.c.id)
    )
    return [_row(row) for row in rows]


async def everybody(conn: AsyncConnection) -> list[PartyRow]:
    """Everybody who sits in any call now, by their coming."""
    rows = await conn.execute(
        select(participant).where(_HERE).order_by(participant.c.joined_at, participant.c.id)
    )
    return [_row(row) for row in rows]


async def of_session(conn: AsyncConnection, session_id: str) -> list[PartyRow]:
    """Everybody who sat in a call at some time, by their coming."""
    rows = await conn.execute(
        select(participant)
        .where(participant.c.session_id == session_id)
        .order_by(participant.c.joined_at, participant.c.id)
    )
    return [_row(row) for row in rows]


async def get(conn: AsyncConnection, party_id: str) -> PartyRow | None:
    row = (await conn.execute(select(participant).where(participant.c.id == party_id))).first()
    return _row(row) if row is not None else None


async def sitting(conn: AsyncConnection, person_id: str) -> list[PartyRow]:
    """The calls in which a person sits at the side now, the newest first."""
    rows = await conn.execute(
        select(participant)
        .where(_HERE, participant.c.person_id == person_id, participant.c.role != "lead")
        .order_by(participant.c.joined_at.desc(), participant.c.id)
    )
    return [_row(row) for row in rows]


async def by_link(conn: AsyncConnection, link_id: str) -> PartyRow | None:
    """The place of a link's guest, while they have one."""
    row = (
        await conn.execute(select(participant).where(_HERE, participant.c.guest_link_id == link_id))
    ).first()
    return _row(row) if row is not None else None


async def receivers(conn: AsyncConnection) -> frozenset[str]:
    """Who sits in somewhere to take a session over: they are not rung for another one."""
    rows = await conn.execute(
        select(participant.c.person_id).where(_HERE, participant.c.role == "receiver")
    )
    return frozenset(row.person_id for row in rows)


async def join(
    conn: AsyncConnection,
    session_id: str,
    *,
    role: str,
    mode: str,
    person_id: str | None,
    guest_link_id: str | None,
    epoch: int,
    now: float,
) -> PartyRow | None:
    """Take a free seat at the side; None when all four are taken.

    The caller holds the session. Raises Busy for a receiver who sits in somewhere already or a
    second one here, StaleSession when a seat or the link was taken meanwhile, BadInput.
    """
    taken = {one.seat for one in await present(conn, [session_id])}
    free = next((seat for seat in SIDES if seat not in taken), None)
    if free is None:
        return None
    row = PartyRow(
        id=new_id("par"),
        session_id=session_id,
        seat=free,
        role=role,
        mode=mode,
        person_id=person_id,
        guest_link_id=guest_link_id,
        epoch=epoch,
        joined_at=now,
        left_at=None,
        left_reason=None,
    )
    await _insert(conn, row)
    return row


async def _insert(conn: AsyncConnection, row: PartyRow) -> None:
    values = {name: getattr(row, name) for name in PartyRow.__slots__}
    try:
        await conn.execute(insert(participant).values(values))
    except IntegrityError as error:
        twice = by_index(error, "one_sitting_per_receiver", "participant.person_id")
        second = by_index(
            error, "one_receiver_per_session", "participant.session_id", "participant.role"
        )
        if twice or second:
            raise Busy from error
        raise (StaleSession if already_there(error) else BadInput) from error


async def set_mode(conn: AsyncConnection, party_id: str, mode: str) -> bool:
    """Change how a party takes part; False when they have left."""
    done = await conn.execute(
        update(participant).where(participant.c.id == party_id, _HERE).values(mode=mode)
    )
    return done.rowcount == 1


async def hold(conn: AsyncConnection, party_id: str, at: float | None) -> bool:
    """On hold since `at`, or off hold; False when they have left, or nothing changes."""
    other = participant.c.held_at.is_not(None) if at is None else participant.c.held_at.is_(None)
    done = await conn.execute(
        update(participant).where(participant.c.id == party_id, _HERE, other).values(held_at=at)
    )
    return done.rowcount == 1


async def leave(conn: AsyncConnection, party_id: str, reason: str, now: float) -> bool:
    """End a place; False when it has ended already."""
    return await _leave(conn, [participant.c.id == party_id], reason, now) == 1


async def leave_as_receiver(
    conn: AsyncConnection, session_id: str, reason: str, now: float
) -> None:
    """Whoever waits to take this session over gives the seat back."""
    mine = participant.c.session_id == session_id
    await _leave(conn, [mine, participant.c.role == "receiver"], reason, now)


async def _leave(
    conn: AsyncConnection, which: Sequence[ColumnElement[bool]], reason: str, now: float
) -> int:
    done = await conn.execute(
        update(participant).where(_HERE, *which).values(left_at=now, left_reason=reason)
    )
    return done.rowcount


class Led(Protocol):
    """As much of a session as its places depend on."""

    @property
    def id(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def lead_id(self) -> str | None: ...
    @property
    def epoch(self) -> int: ...


async def follow(conn: AsyncConnection, before: Led, after: Led, now: float) -> None:
    """Keep the places true when a session's lead or state changes.

    A new lead leaves the side; who waits to take over leaves with the assignment; with the end of
    the call everybody at the side leaves, while a session that goes back to the line keeps its
    interpreters and supervisors for the next clinician.
    """
    mine = participant.c.session_id == after.id
    lead, state = after.lead_id, after.state
    led_before = before.lead_id if before.state != "closed" else None
    led_after = lead if state != "closed" else None
    moved = led_before != led_after
    if moved:
        await _leave(conn, [mine, participant.c.role == "lead"], _why(lead, state), now)
        if lead is not None:
            theirs = [mine, participant.c.person_id == lead]
            await _leave(conn, theirs, "leads", now)
        # whoever leads anew begins with everybody together
        await conn.execute(update(participant).where(_HERE, mine).values(held_at=None))
    if moved or state not in LED_STATES:
        await _leave(conn, [mine, participant.c.role == "receiver"], _why(lead, state), now)
        await conn.execute(
            update(transfer)
            .where(transfer.c.session_id == after.id, transfer.c.ended_at.is_(None))
            .values(ended_at=now, outcome="moved_on")
        )
    if state in {"wrap_up", "closed"}:
        await _leave(conn, [mine, participant.c.role != "lead"], "ended", now)
    if moved and led_after is not None:
        await _insert(
            conn,
            PartyRow(
                id=new_id("par"),
                session_id=after.id,
                seat=CLINICIAN,
                role="lead",
                mode="speak",
                person_id=led_after,
                guest_link_id=None,
                epoch=after.epoch,
                joined_at=now,
                left_at=None,
                left_reason=None,
            ),
        )


def _why(lead: str | None, state: str) -> str:
    if state in {"wrap_up", "closed"}:
        return "ended"
    return "handed_on" if lead is not None else "requeued"


async def in_call(conn: AsyncConnection, person_id: str) -> bool:
    """Whether this person sits in a call at this moment."""
    found = await conn.execute(
        select(participant.c.id)
        .where(participant.c.person_id == person_id, participant.c.left_at.is_(None))
        .limit(1)
    )
    return found.first() is not None
