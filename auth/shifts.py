"""An officer checked out with a tablet, by PIN; and the PIN that ends a hand-over.

By passkey: `auth.shift_passkeys`.

Nothing here can end a call: a locked PIN keeps the shift and the session as they are, and another
officer of the agency can check in on the same tablet with their own PIN.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row, Select, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit, challenges, locks, passwords
from auth.actors import Actor
from auth.errors import BadPin, NoShift, PinLocked, ShiftInUse
from records import schema
from records.engine import Database
from records.ids import new_id
from records.people import shifts_over

PIN_CHECK = "pin.check"
_IN_CALL = ("waiting", "answering", "connected", "recovering")


@dataclass(frozen=True, slots=True)
class Officer:
    """One name on the check-out list."""

    id: str
    name: str
    short_name: str


async def officers_of_agency(conn: AsyncConnection, agency_id: str) -> list[Officer]:
    """The agency's active officers who have a PIN, by name."""
    person = schema.person
    rows = await conn.execute(
        _officers()
        .where(person.c.agency_id == agency_id, person.c.pin_hash.is_not(None))
        .order_by(person.c.name, person.c.id)
    )
    return [Officer(row.id, row.name, row.short_name) for row in rows]


async def start_shift(db: Database, tablet: Actor, person_id: str, pin: str, now: float) -> Actor:
    """Check the tablet out to an officer of its agency; gives the tablet's actor with the officer.

    The shift before it on this tablet ends, and so do the officer's shifts on tablets that are not
    in a call. The same officer again keeps the running shift. During a call it is a relief: the
    session goes on. Raises BadPin, PinLocked, TooBusy.
    """
    await _check(db, person_id, pin, now, agency_id=tablet.agency_id, tablet=tablet)

    return await db.write(lambda conn: begin(conn, tablet, person_id, "shift.start", now))


async def begin(
    conn: AsyncConnection, tablet: Actor, person_id: str, recorded_as: str, now: float
) -> Actor:
    """The check-out itself. Who it is, and that they may, was found out before."""
    person = schema.person
    locale = await conn.execute(select(person.c.locale).where(person.c.id == person_id))
    shift_id = await _check_out(conn, tablet, person_id, now)
    actor = replace(tablet, officer_id=person_id, shift_id=shift_id, locale=locale.scalar_one())
    await audit.try_record(conn, actor, recorded_as, "shift", shift_id, "allowed", now)
    return actor


async def end_shift(db: Database, tablet: Actor, now: float) -> Actor:
    """Check the tablet in; gives its actor without an officer. Twice is harmless.

    Raises ShiftInUse while the tablet is in a session, so that a tablet which was handed over
    cannot be freed of its PIN.
    """

    async def work(conn: AsyncConnection) -> bool:
        if await in_call(conn, tablet.id):
            return False
        shift = schema.shift
        ended = await conn.execute(
            update(shift)
            .where(shift.c.tablet_id == tablet.id, shift.c.ended_at.is_(None))
            .values(ended_at=now)
            .returning(shift.c.id)
        )
        for shift_id in ended.scalars().all():
            await audit.try_record(conn, tablet, "shift.end", "shift", shift_id, "allowed", now)
        return True

    if not await db.write(work):
        raise ShiftInUse
    return replace(tablet, officer_id=None, shift_id=None, locale=None)


async def check_pin(
    db: Database, person_id: str | None, pin: str, now: float, *, tablet: Actor | None = None
) -> None:
    """Whether this is the person's PIN; used to leave a hand-over. `tablet`: where it was typed.

    Raises NoShift (nobody to check against), BadPin, PinLocked, TooBusy. None of these ends a call.
    """
    if person_id is None:
        raise NoShift
    await _check(db, person_id, pin, now, tablet=tablet)


async def _check(
    db: Database,
    person_id: str,
    pin: str,
    now: float,
    *,
    agency_id: str | None = None,
    tablet: Actor | None = None,
) -> None:
    """Check a PIN, counting the try before it is checked."""

    async def admit(conn: AsyncConnection) -> tuple[str | None, bool]:
        row = await _officer(conn, person_id)
        wrong_agency = agency_id is not None and row is not None and row.agency_id != agency_id
        if row is None or row.pin_hash is None or wrong_agency:
            await challenges.spend_nothing(conn, now)
            return None, True
        admitted = await locks.admit_person(conn, person_id, now)
        if not admitted:
            await audit.try_record(conn, tablet, PIN_CHECK, "person", person_id, "refused", now)
        return row.pin_hash, admitted

    async def failed(conn: AsyncConnection) -> bool:
        locked = stored is not None and await locks.fail_person(conn, person_id, now)
        await audit.try_record(
            conn, tablet, PIN_CHECK, "person", person_id if stored else None, "refused", now
        )
        return locked

    stored, admitted = await db.write(admit)
    if not admitted:
        raise PinLocked
    if not await passwords.verify(stored, pin):
        raise PinLocked if await db.write(failed) else BadPin
    if not await db.write(lambda conn: locks.clear(conn, person_id)):
        raise PinLocked


async def end_of_who_left(conn: AsyncConnection, now: float) -> list[str]:
    """Check in the tablets of whom is no officer any more; those tablets. In a session it waits."""
    over = await shifts_over(conn)
    shift = schema.shift
    for tablet_id, shift_id in over.items():
        await conn.execute(update(shift).where(shift.c.id == shift_id).values(ended_at=now))
        await audit.try_record(conn, None, "shift.end", "tablet", tablet_id, "allowed", now)
    return sorted(over)


async def _check_out(conn: AsyncConnection, tablet: Actor, person_id: str, now: float) -> str:
    shift, place = schema.shift, schema.tablet
    # PostgreSQL: two check-outs of one tablet at once happen one after the other.
    await conn.execute(select(place.c.id).where(place.c.id == tablet.id).with_for_update())
    open_shifts = await conn.execute(
        select(shift).where(
            shift.c.ended_at.is_(None),
            (shift.c.tablet_id == tablet.id) | (shift.c.person_id == person_id),
        )
    )
    for row in open_shifts.all():
        here = row.tablet_id == tablet.id
        if here and row.person_id == person_id:
            kept: str = row.id
            return kept
        if here or not await in_call(conn, row.tablet_id):
            await conn.execute(update(shift).where(shift.c.id == row.id).values(ended_at=now))
    shift_id = new_id("shf")
    await conn.execute(
        insert(shift).values(id=shift_id, tablet_id=tablet.id, person_id=person_id, started_at=now)
    )
    return shift_id


async def in_call(conn: AsyncConnection, tablet_id: str) -> bool:
    """Whether a session of this tablet goes on."""
    session = schema.session
    found = select(session.c.id).where(
        session.c.tablet_id == tablet_id, session.c.state.in_(_IN_CALL)
    )
    return (await conn.execute(found.limit(1))).first() is not None


async def officer(conn: AsyncConnection, person_id: str, agency_id: str) -> Row[Any] | None:
    """The person, if they are on this agency's check-out list."""
    row = await _officer(conn, person_id)
    if row is None or row.pin_hash is None or row.agency_id != agency_id:
        return None
    return row


async def _officer(conn: AsyncConnection, person_id: str) -> Row[Any] | None:
    found = await conn.execute(_officers().where(schema.person.c.id == person_id))
    row: Row[Any] | None = found.first()
    return row


def _officers() -> Select[Any]:
    person, grant = schema.person, schema.role_grant
    return (
        select(person)
        .join(grant, (grant.c.person_id == person.c.id) & (grant.c.role == "officer"))
        .where(person.c.active)
    )
