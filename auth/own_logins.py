"""One's own sign-ins: where one is signed in, who tried; signing out there, another password."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Row, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit, factors, issuer_links, locks, logins, own_words, passwords
from auth.actors import Actor
from auth.errors import BadCredentials, Locked, NoSuchRecord
from records import schema
from records.engine import Database
from records.parties import in_call

SHOWN_SECONDS = 90 * 86_400.0
MOST = 20  # of each list
_login, _audit = schema.login, schema.audit


@dataclass(frozen=True, slots=True)
class OwnLogin:
    """One sign-in, as its owner reads it. `place` is the address that it came from."""

    id: str
    at: float
    seen_at: float
    place: str | None
    open: bool
    here: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """A try that was turned away."""

    at: float
    place: str | None


@dataclass(frozen=True, slots=True)
class OwnLogins:
    """The newest first, the open ones before the others."""

    logins: tuple[OwnLogin, ...]
    refused: tuple[Refused, ...]
    has_password: bool


async def listed(conn: AsyncConnection, actor: Actor, now: float) -> OwnLogins:
    """What its owner wants to know. That they looked is on record by `factors.own`."""
    mine = (_login.c.person_id == actor.id, _login.c.created_at >= now - SHOWN_SECONDS)
    rows = await conn.execute(
        select(_login).where(*mine).order_by(_login.c.created_at.desc()).limit(MOST)
    )
    found = rows.all()
    places = await conn.execute(
        select(_audit.c.object_id, func.max(_audit.c.place).label("place"))
        .where(_audit.c.object_id.in_([row.id for row in found]), _audit.c.action == "login.start")
        .group_by(_audit.c.object_id)
    )
    place = {row.object_id: row.place for row in places}
    refused = await conn.execute(
        select(_audit.c.at, _audit.c.place)
        .where(
            _audit.c.object_id == actor.id,
            _audit.c.action == "login.start",
            _audit.c.outcome == "refused",
            _audit.c.at >= now - SHOWN_SECONDS,
        )
        .order_by(_audit.c.no.desc())
        .limit(MOST)
    )
    own = [_own(row, place.get(row.id), actor, now) for row in found]
    return OwnLogins(
        tuple(sorted(own, key=lambda one: (not one.open, -one.at))),
        tuple(Refused(row.at, row.place) for row in refused),
        await _password(conn, actor) is not None,
    )


async def end(db: Database, actor: Actor, login_id: str, now: float) -> None:
    """Sign out elsewhere: at once, or after the call that this person sits in.

    Raises NoSuchRecord, AuditFailed.
    """

    async def work(conn: AsyncConnection) -> bool:
        busy = await in_call(conn, actor.id)
        done = await conn.execute(
            update(_login)
            .where(
                _login.c.id == login_id,
                _login.c.person_id == actor.id,
                _login.c.revoked_at.is_(None),
            )
            .values({"ends_after_call": True} if busy else {"revoked_at": now})
        )
        if done.rowcount:
            await audit.record(conn, actor, "login.end", "login", login_id, "allowed", now)
        return done.rowcount == 1

    if not await db.write(work):
        raise NoSuchRecord


async def change_password(db: Database, actor: Actor, old: str, new: str, now: float) -> None:
    """Another password for the one that is typed; every other sign-in of this person ends.

    A wrong one counts as a try. Raises WeakPassword, BadCredentials, Locked, TooBusy, ProofNeeded,
    NoSuchRecord for somebody without a password.
    """

    async def admit(conn: AsyncConnection) -> tuple[str | None, list[str], bool]:
        admitted = await locks.admit_person(conn, actor.id, now)
        own = await own_words.of_person(conn, actor.id)
        return await _password(conn, actor), own, admitted

    async def failed(conn: AsyncConnection) -> bool:
        locked = await locks.fail_person(conn, actor.id, now)
        await audit.try_record(
            conn, actor, "factor.change_password", "person", actor.id, "refused", now
        )
        return locked

    stored, own, admitted = await db.write(admit)
    if not admitted:
        raise Locked
    if not await passwords.verify(stored, old):
        raise Locked if await db.write(failed) else BadCredentials
    if not await db.write(lambda conn: locks.clear(conn, actor.id)):
        raise Locked
    passwords.check_new_password(new, *own)
    fresh = await passwords.hash_secret(new)

    async def work(conn: AsyncConnection) -> None:
        person = schema.person
        done = await conn.execute(
            update(person)
            .where(person.c.id == actor.id, person.c.password_hash == stored)
            .values(password_hash=fresh)
        )
        if done.rowcount != 1:
            raise NoSuchRecord
        await logins.end_elsewhere(conn, actor, now)

    await factors.change(db, actor, "factor.change_password", now, work)


# --- inside ---------------------------------------------------------------------------------------


def _own(row: Row[tuple[object, ...]], place: str | None, actor: Actor, now: float) -> OwnLogin:
    said = row._mapping
    at = float(said["created_at"])
    return OwnLogin(
        id=said["id"],
        at=at,
        seen_at=max(at, said["active_at"] or 0.0, said["renewed_at"] or 0.0),
        place=place,
        open=said["revoked_at"] is None
        and not said["ends_after_call"]
        and now < said["expires_at"],
        here=said["id"] == actor.login_id,
    )


async def _password(conn: AsyncConnection, actor: Actor) -> str | None:
    """The hash of this person's password; None for who has none, or may not use it."""
    person = schema.person
    found = await conn.execute(select(person.c.password_hash).where(person.c.id == actor.id))
    stored: str | None = found.scalar()
    return None if await issuer_links.is_alone(conn, actor.id) else stored
