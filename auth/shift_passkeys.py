"""A tablet checked out by an officer's passkey, and the passkey that an officer sets up for it.

Officers have no page of their own, so a passkey is set up at the tablet, right after a check-out by
PIN: the challenge that comes with that check-out is the proof of it. It is asked for on a thing of
the officer's own (a phone, a security key), because the tablet is shared and whoever unlocks it
could use what it holds. A PIN is less than a password and a code, so such a passkey checks tablets
out and opens no page. A passkey of *My sign-in* checks out as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit, challenges, passkeys, shifts
from auth.actors import Actor
from auth.errors import BadPasskey, NoShift, NotYourTablet, ShiftInUse
from auth.passkeys import Asked, Place
from auth.tablet_keys import Holder
from auth.tokens import Tokens
from records import schema, schema_signin
from records.engine import Database

SECONDS = 120  # to fetch a phone or a key and touch it
RECORDED_AS = "shift.start_by_passkey"
_USE = "passkey.check_out"
_ADD = "passkey.add_at_tablet"


def asked_to_check_out(tokens: Tokens, place: Place, shown: Holder, now: float) -> dict[str, Any]:
    """The options for `navigator.credentials.get`, for this enrolment of this tablet alone."""
    return passkeys.asked_to_sign_in(tokens, place, _USE, shown.subject, now, SECONDS)


async def check_out(
    db: Database,
    tokens: Tokens,
    place: Place,
    shown: Holder,
    credential: Mapping[str, Any],
    now: float,
) -> Actor:
    """Check the tablet out to the passkey's owner; what follows is as by PIN.

    Raises BadPasskey, Locked; NotYourTablet for whoever is not on the check-out list.
    """
    tablet = shown.actor

    async def begun(conn: AsyncConnection, person_id: str) -> tuple[Actor | None]:
        if await shifts.officer(conn, person_id, tablet.agency_id or "") is None:
            await audit.try_record(conn, tablet, RECORDED_AS, "person", person_id, "refused", now)
            return (None,)
        return (await shifts.begin(conn, tablet, person_id, RECORDED_AS, now),)

    asked = Asked(_USE, shown.subject, "passkey.check", tablet)
    (actor,) = await passkeys.checked(db, tokens, place, asked, credential, now, begun)
    if actor is None:
        raise NotYourTablet
    return actor


async def offered(
    db: Database, tokens: Tokens, place: Place, shown: Holder, actor: Actor, now: float
) -> dict[str, Any] | None:
    """The options for a first passkey, for the officer whose PIN was right a moment ago.

    None for somebody who has one: on the same thing it would take the other's place.
    """
    person, officer_id = schema.person, actor.officer_id or ""
    async with db.read() as conn:
        if await _has_one(conn, officer_id):
            return None
        found = await conn.execute(select(person.c.name).where(person.c.id == officer_id))
    name = found.scalar_one()
    challenge = challenges.make(tokens, _ADD, _just_out(shown, actor), now)
    return passkeys.options_to_make(place, (officer_id, name, name), challenge, apart=True)


async def add(
    db: Database,
    tokens: Tokens,
    place: Place,
    shown: Holder,
    credential: Mapping[str, Any],
    now: float,
) -> str:
    """Keep a passkey for tablets of the officer who checked this one out by PIN; its id.

    Never during a session: the tablet may be in somebody else's hands. Raises BadPasskey, NoShift,
    ShiftInUse, AuditFailed.
    """
    tablet = shown.actor
    person_id = tablet.officer_id
    if person_id is None:
        raise NoShift
    asked = Asked(_ADD, _just_out(shown, tablet))
    made = passkeys.made_by(tokens, place, asked, credential, now)
    shift = schema.shift

    async def work(conn: AsyncConnection) -> str:
        if await shifts.in_call(conn, tablet.id):
            raise ShiftInUse
        running = await conn.execute(
            select(shift.c.id).where(shift.c.id == tablet.shift_id, shift.c.ended_at.is_(None))
        )
        may = await shifts.officer(conn, person_id, tablet.agency_id or "")
        if running.first() is None or may is None or await _has_one(conn, person_id):
            raise BadPasskey
        kept = await passkeys.keep(conn, person_id, tablet.name, made, now, tablets_only=True)
        await audit.record(conn, tablet, "factor.add_passkey", "person", person_id, "allowed", now)
        return kept

    return await db.write(work)


async def _has_one(conn: AsyncConnection, person_id: str) -> bool:
    key = schema_signin.passkey
    found = await conn.execute(select(key.c.id).where(key.c.person_id == person_id).limit(1))
    return found.first() is not None


def _just_out(shown: Holder, actor: Actor) -> str:
    """To whom the offer belongs: this device, this shift, this officer."""
    return f"{shown.subject} {actor.shift_id} {actor.officer_id}"
