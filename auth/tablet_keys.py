"""The key pair of a tablet's device: bound once, proved at each connection, renewed by a PIN.

A key is bound at the set-up. A tablet without one (set up before there were keys, or by the form
without a script) gets it at its next connection, and the audit log says so. A browser may forget
what it kept (Safari does after seven days without use, a kiosk may wipe): its cookie is then worth
nothing, but with the PIN of an officer of its agency it binds a new key, so that a lost key costs
seconds at check-out and never a press. A house that does not want that asks for a set-up code.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import NoReturn

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit, challenges, possession
from auth.actors import Actor
from auth.errors import BadPin, KeyNeeded, PinLocked, StaleProof
from auth.locks import Strangers
from auth.shifts import PIN_CHECK, officers_of_agency, start_shift
from auth.tokens import Tokens
from records import schema
from records.engine import Database

RETURNED = "tablet.return"
_strangers = Strangers()
NOTED_SECONDS = 60.0  # refusals of one tablet are written down at most so often


@dataclass(frozen=True, slots=True)
class Holder:
    """Who shows a tablet's cookie. `subject` is its present enrolment, `key` what it must prove."""

    actor: Actor
    subject: str
    credential: int
    key: str | None


def challenge(tokens: Tokens, holder: Holder, purpose: str, now: float) -> str:
    """Something fresh to sign for one request."""
    made = challenges.make(tokens, _named(purpose), holder.subject, now)
    return base64.urlsafe_b64encode(made).decode()


async def check_request(
    db: Database, tokens: Tokens, holder: Holder, purpose: str, proof: tuple[str, str], now: float
) -> None:
    """Whether this request comes from the tablet's device; `proof`: a challenge and its signature.

    A challenge is good once, in the whole installation. Raises KeyNeeded, StaleProof.
    """
    if holder.key is None:
        return
    nonce, signature = proof
    text = possession.signed_text(purpose, holder.subject, "", nonce)
    if not possession.proves(holder.key, signature, text):
        await refused(db, holder, now)
        raise KeyNeeded
    raw = possession.decoded(nonce) or b""
    genuine = challenges.genuine(tokens, _named(purpose), holder.subject, raw, now)
    if not genuine or not await db.write(lambda conn: challenges.spend(conn, raw, now)):
        raise StaleProof


async def check_socket(
    db: Database, holder: Holder, stream: str, nonce: str, signature: str, now: float
) -> None:
    """Whether a connection comes from the tablet's device. Raises KeyNeeded.

    The nonce is the connection's own: it is asked once, and forgotten with the connection.
    """
    text = possession.signed_text(possession.SOCKET, holder.subject, stream, nonce)
    if holder.key is None or not possession.proves(holder.key, signature, text):
        await refused(db, holder, now)
        raise KeyNeeded


async def bind_first(db: Database, holder: Holder, key: str, now: float) -> Holder:
    """Bind the first key of a tablet that has none. Raises BadKey; KeyNeeded: another was quicker.

    Proving that the device holds it comes before.
    """
    possession.check_key(key)

    async def work(conn: AsyncConnection) -> bool:
        tablet = schema.tablet
        bound = await conn.execute(
            update(tablet)
            .where(
                tablet.c.id == holder.actor.id,
                tablet.c.credential == holder.credential,
                tablet.c.device_key.is_(None),
            )
            .values(device_key=key, key_bound_at=now, key_bound_by="first_use")
        )
        if bound.rowcount != 1:
            return False
        await audit.try_record(
            conn, holder.actor, "tablet.bind_key", "tablet", holder.actor.id, "allowed", now
        )
        return True

    if not await db.write(work):
        raise KeyNeeded
    return Holder(holder.actor, holder.subject, holder.credential, key)


async def renew_by_pin(
    db: Database, holder: Holder, officer: str, pin: str, key: str, now: float
) -> Actor:
    """Bind a new key for a device that lost its own, and check the tablet out to this officer.

    `officer` is their name as on the check-out list: the list itself is for devices that have
    proved who they are. The device that held the key before is out. Raises BadKey, BadPin,
    PinLocked, TooBusy, KeyNeeded.
    """
    possession.check_key(key)
    async with db.read() as conn:
        everybody = await officers_of_agency(conn, holder.actor.agency_id or "")
    wanted = _plain(officer)
    named = [one.id for one in everybody if wanted in {_plain(one.name), _plain(one.short_name)}]
    if len(named) != 1:
        await _refuse_stranger(db, holder, wanted, pin, now)
    actor = await start_shift(db, holder.actor, named[0], pin, now)

    async def work(conn: AsyncConnection) -> bool:
        tablet = schema.tablet
        bound = await conn.execute(
            update(tablet)
            .where(tablet.c.id == actor.id, tablet.c.credential == holder.credential)
            .values(device_key=key, key_bound_at=now, key_bound_by="pin")
        )
        if bound.rowcount != 1:
            return False
        await audit.record(conn, actor, "tablet.renew_key", "tablet", actor.id, "allowed", now)
        return True

    if not await db.write(work):
        raise KeyNeeded
    return actor


async def _refuse_stranger(
    db: Database, holder: Holder, wanted: str, pin: str, now: float
) -> NoReturn:
    """An unknown name takes as long as a wrong PIN, reads the same, and locks after as many."""
    name = f"{holder.actor.agency_id} {wanted}"
    if not _strangers.admit(name, now):
        shown = holder.actor
        await db.write(
            lambda conn: audit.try_record(conn, shown, PIN_CHECK, "person", None, "refused", now)
        )
        raise PinLocked
    try:
        await start_shift(db, holder.actor, "", pin, now)
    except BadPin:
        if _strangers.fail(name, now):
            raise PinLocked from None
        raise
    raise BadPin  # nobody has that id


async def came_back(db: Database, tablet_id: str, now: float) -> None:
    """Write down that somebody still tries to use a tablet that was revoked or set up anew."""
    entry = schema.audit

    async def noted(conn: AsyncConnection) -> bool:
        newest = await conn.execute(
            select(func.max(entry.c.at)).where(
                entry.c.object_id == tablet_id, entry.c.action == RETURNED
            )
        )
        at = newest.scalar()
        return at is not None and now - at < NOTED_SECONDS

    async def work(conn: AsyncConnection) -> None:
        if not await noted(conn):
            await audit.try_record(conn, None, RETURNED, "tablet", tablet_id, "refused", now)

    async with db.read() as conn:
        if await noted(conn):
            return
    await db.write(work)


async def refused(db: Database, holder: Holder, now: float) -> None:
    """Write down that a device without the key showed this tablet's cookie."""

    async def work(conn: AsyncConnection) -> None:
        tablet = schema.tablet
        mine = tablet.c.id == holder.actor.id
        known = (await conn.execute(select(tablet.c.key_refused_at).where(mine))).scalar_one()
        if known is not None and now - known < NOTED_SECONDS:
            return
        await conn.execute(update(tablet).where(mine).values(key_refused_at=now))
        await audit.try_record(
            conn, holder.actor, "tablet.prove", "tablet", holder.actor.id, "refused", now
        )

    await db.write(work)


def _named(purpose: str) -> str:
    return f"tablet {purpose}"


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())
