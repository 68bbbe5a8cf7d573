"""Guarded changes of people: added by an invitation, given roles, let in again, shut out.

An administrator never learns a password or a PIN: the invitation's link lets its owner choose them,
once, within three days. A role's place follows from the role: an officer belongs to the
administrator's agency, a clinician to their provider, a manager to their program.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit, factors, issuer_links, locks, logins, manage, own_words, passwords
from auth.actors import ROLES, Actor
from auth.errors import BadInvitation, BadPerson, InACall, NotYourself
from auth.policy import Action, Target, allows, require
from records import schema, schema_signin
from records.engine import Database
from records.ids import new_id
from records.parties import in_call
from records.people import roles_of, shut_out_in_call

T = TypeVar("T")
INVITATION_SECONDS = 3 * 86400.0
LONGEST_NAME = 80
PLACES = {
    "officer": ("agency_id",),
    "clinician": ("provider_id",),
    "supervisor": ("provider_id",),
    "manager": ("program_id",),
    "admin": ("agency_id", "provider_id", "program_id"),
}
_Work = manage.Work[None]
EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}")


@dataclass(frozen=True, slots=True)
class PersonEntry:
    """One person in the list. Times are UTC epoch seconds."""

    id: str
    name: str
    short_name: str
    email: str
    roles: tuple[str, ...]
    active: bool
    locked_at: float | None
    passkeys: int
    app: bool
    invited_until: float | None  # an invitation that nobody has used yet
    seen_at: float | None  # the last sign-in, or the last time they were at a page of it
    has_secret: bool  # a password or a PIN
    issuer_id: str | None  # the directory by which they sign in
    alone: bool  # and in no other way


@dataclass(frozen=True, slots=True)
class NewPerson:
    """Whom to add."""

    name: str
    short_name: str
    email: str
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class Invited:
    """What the holder of an invitation is to choose."""

    person_id: str
    name: str
    email: str
    password: bool
    pin: bool


async def listed(db: Database, actor: Actor, now: float) -> list[PersonEntry]:
    """The people whom the actor may manage, by name. Raises Forbidden, AuditFailed."""
    await manage.may_list(db, actor, Action.PERSON_MANAGE, "person", now)

    async def work(conn: AsyncConnection) -> list[PersonEntry]:
        found = await _entries(conn, actor, now)
        await audit.record(conn, actor, Action.PERSON_MANAGE, "person", None, "allowed", now)
        return found

    return await db.write(work)


def grantable(actor: Actor) -> tuple[str, ...]:
    """The roles that this administrator may give: those whose place they have themselves."""
    places = _places(actor)
    return tuple(
        role
        for role in ROLES
        if (any if role == "admin" else all)(places[place] for place in PLACES[role])
    )


async def add(db: Database, actor: Actor, new: NewPerson, now: float) -> tuple[str, str]:
    """Add somebody; their id and the secret of their invitation, which is shown this once.

    Raises BadPerson, Forbidden, AuditFailed.
    """
    name, short_name = _one_line(new.name, "name"), _one_line(new.short_name, "short_name")
    email = new.email.strip().casefold()
    if not EMAIL.fullmatch(email):
        raise BadPerson("email")
    places = _places_for(actor, new.roles)
    person_id, token = new_id("per"), secrets.token_urlsafe(24)

    async def work(conn: AsyncConnection) -> None:
        its = Target(places["agency_id"], places["provider_id"], places["program_id"])
        require(actor, Action.PERSON_MANAGE, its)
        person = schema.person
        same = await conn.execute(select(person.c.id).where(func.lower(person.c.email) == email))
        if same.first() is not None:
            raise BadPerson("email")
        try:
            async with conn.begin_nested():
                await conn.execute(
                    insert(person).values(
                        id=person_id, name=name, short_name=short_name, email=email, **places
                    )
                )
        except IntegrityError as error:
            raise BadPerson("email") from error
        await _grant(conn, person_id, new.roles, now)
        await _invite(conn, person_id, actor.id, token, now)
        await audit.record(conn, actor, "person.add", "person", person_id, "allowed", now)

    await db.write(work)
    return person_id, token


async def invite(db: Database, actor: Actor, person_id: str, now: float) -> str:
    """A fresh invitation for somebody who lost their password or their link; its secret.

    Earlier ones end; the password that there is works on until the new one is used. Raises
    Forbidden, NoSuchRecord, AuditFailed.
    """
    token = secrets.token_urlsafe(24)
    await _changed(
        db, actor, "person.invite", person_id, now,
        lambda conn: _invite(conn, person_id, actor.id, token, now),
    )  # fmt: skip
    return token


async def set_roles(
    db: Database, actor: Actor, person_id: str, roles: Collection[str], now: float
) -> bool:
    """Give somebody these roles and no others, with the places that belong to them.

    Their sign-ins end, and True says that their open pages and their call must end, too. Whoever
    sits in a call and may go on with it keeps both until it is over: False. New roles wait for
    that: a sign-in that was made without them may lack what they ask for, as a second factor.
    Raises BadPerson, NotYourself, InACall, Forbidden, NoSuchRecord, AuditFailed.
    """
    _not_oneself(actor, person_id)
    places = _places_for(actor, roles)

    async def work(conn: AsyncConnection) -> bool:
        sits = await in_call(conn, person_id)
        held = await roles_of(conn, [person_id])
        if sits and not held[person_id].issuperset(roles):
            raise InACall
        grant, person = schema.role_grant, schema.person
        await conn.execute(delete(grant).where(grant.c.person_id == person_id))
        await _grant(conn, person_id, roles, now)
        await conn.execute(update(person).where(person.c.id == person_id).values(**places))
        if "officer" not in roles:
            await _end_shifts(conn, person_id, now)
        if sits and person_id not in await shut_out_in_call(conn):
            await logins.end_after_call(conn, person_id)
            return False
        await logins.end_logins(conn, person_id, now)
        return True

    return await _changed(db, actor, "person.set_roles", person_id, now, work)


async def close(db: Database, actor: Actor, person_id: str, now: float) -> None:
    """End somebody's access at once: every sign-in, invitation and shift, and the right to new
    ones. Raises NotYourself, Forbidden, NoSuchRecord, AuditFailed."""
    _not_oneself(actor, person_id)

    async def work(conn: AsyncConnection) -> None:
        person, invitation = schema.person, schema_signin.invitation
        await conn.execute(update(person).where(person.c.id == person_id).values(active=False))
        await conn.execute(
            update(invitation)
            .where(invitation.c.person_id == person_id, invitation.c.used_at.is_(None))
            .values(revoked_at=now)
        )
        await _end_shifts(conn, person_id, now)
        await logins.end_logins(conn, person_id, now)

    await _changed(db, actor, "person.close", person_id, now, work)


async def reopen(db: Database, actor: Actor, person_id: str, now: float) -> None:
    """Let somebody in again who was shut out. Raises Forbidden, NoSuchRecord, AuditFailed."""

    async def work(conn: AsyncConnection) -> None:
        person = schema.person
        await conn.execute(update(person).where(person.c.id == person_id).values(active=True))

    await _changed(db, actor, "person.open", person_id, now, work)


async def reset_factors(db: Database, actor: Actor, person_id: str, now: float) -> None:
    """Take every passkey, app and recovery code away, and end the sign-ins: to be set up anew.

    Raises NotYourself, InACall, Forbidden, NoSuchRecord, AuditFailed.
    """
    _not_oneself(actor, person_id)

    async def work(conn: AsyncConnection) -> None:
        await _not_in_a_call(conn, person_id)
        await factors.remove_all(conn, person_id)
        await logins.end_logins(conn, person_id, now)

    await _changed(db, actor, "person.reset_factors", person_id, now, work)


# --- the invitation's holder ----------------------------------------------------------------------


async def invited(db: Database, token: str, now: float) -> Invited:
    """Whom an invitation is for, and what they are to choose. Raises BadInvitation."""
    async with db.read() as conn:
        found = await _invited(conn, token, now)
    if found is None:
        raise BadInvitation
    return found


async def accept(db: Database, token: str, password: str, pin: str, now: float) -> Invited:
    """Choose the password, the PIN or both, and use the invitation up; sign-ins before it end.

    Raises BadInvitation, WeakPassword, WeakPin, TooBusy.
    """
    who = await invited(db, token, now)
    if who.password:
        async with db.read() as conn:
            passwords.check_new_password(password, *await own_words.of_person(conn, who.person_id))
    if who.pin:
        passwords.check_new_pin(pin)
    stored: dict[str, str] = {}
    if who.password:
        stored["password_hash"] = await passwords.hash_secret(password)
    if who.pin:
        stored["pin_hash"] = await passwords.hash_secret(pin)

    async def work(conn: AsyncConnection) -> bool:
        invitation, person = schema_signin.invitation, schema.person
        used = await conn.execute(
            update(invitation)
            .where(
                invitation.c.token_hash == _digest(token),
                invitation.c.used_at.is_(None),
                invitation.c.revoked_at.is_(None),
                invitation.c.expires_at > now,
            )
            .values(used_at=now)
        )
        if used.rowcount != 1:
            return False
        await conn.execute(update(person).where(person.c.id == who.person_id).values(**stored))
        if who.pin:  # whoever knew the one before may have made a passkey with it
            await factors.remove_for_tablets(conn, who.person_id)
        await logins.end_logins(conn, who.person_id, now)
        await audit.record(conn, None, "invitation.use", "person", who.person_id, "allowed", now)
        return True

    if not await db.write(work):
        raise BadInvitation
    return who


async def make_first(
    conn: AsyncConnection,
    new: NewPerson,
    places: dict[str, str | None],
    now: float,
    *,
    release: bool = False,
    reset: bool = False,
) -> str:
    """From the server's command line: an administrator, or a fresh invitation for somebody who is
    there; the secret of the invitation. For the only administrator nobody else can `release` the
    lock after wrong tries, or `reset` the second factors. Raises BadPerson."""
    email, token, person = new.email.strip().casefold(), secrets.token_urlsafe(24), schema.person
    if not EMAIL.fullmatch(email):
        raise BadPerson("email")
    known = await conn.execute(select(person.c.id).where(func.lower(person.c.email) == email))
    person_id: str | None = known.scalar()
    if person_id is None:
        if not any(places.values()):
            raise BadPerson("roles")
        person_id, name = new_id("per"), _one_line(new.name, "name")
        await conn.execute(
            insert(person).values(
                id=person_id, name=name, short_name=name.split()[0], email=email, **places
            )
        )
        await _grant(conn, person_id, {"admin"}, now)
    if release:
        await locks.release(conn, person_id)
        await audit.record(conn, None, "person.release_lock", "person", person_id, "allowed", now)
    if reset:
        await factors.remove_all(conn, person_id)
        await logins.end_logins(conn, person_id, now)
        await audit.record(conn, None, "person.reset_factors", "person", person_id, "allowed", now)
    await _invite(conn, person_id, None, token, now)
    await audit.record(conn, None, "person.invite", "person", person_id, "allowed", now)
    return token


# --- inside ---------------------------------------------------------------------------------------


async def _end_shifts(conn: AsyncConnection, person_id: str, now: float) -> None:
    """Check in every tablet of an officer, but one with a session: in a call it keeps them."""
    shift = schema.shift
    in_use = select(schema.session.c.tablet_id).where(schema.session.c.state != "closed")
    await conn.execute(
        update(shift)
        .where(
            shift.c.person_id == person_id,
            shift.c.ended_at.is_(None),
            shift.c.tablet_id.not_in(in_use),
        )
        .values(ended_at=now)
    )


async def _changed(
    db: Database,
    actor: Actor,
    recorded_as: str,
    person_id: str,
    now: float,
    work: manage.Work[T],
) -> T:
    target = ("person", person_id)
    return await manage.change(db, actor, Action.PERSON_MANAGE, recorded_as, target, now, work)


async def _entries(conn: AsyncConnection, actor: Actor, now: float) -> list[PersonEntry]:
    person, grant, login = schema.person, schema.role_grant, schema.login
    invitation = schema_signin.invitation
    rows = (await conn.execute(select(person).order_by(person.c.name, person.c.id))).all()
    roles: dict[str, set[str]] = {}
    for row in (await conn.execute(select(grant.c.person_id, grant.c.role))).all():
        roles.setdefault(row.person_id, set()).add(row.role)
    seen = await conn.execute(
        select(
            login.c.person_id,
            func.max(func.coalesce(login.c.active_at, login.c.created_at)),
        ).group_by(login.c.person_id)
    )
    last: dict[str, float] = {row[0]: row[1] for row in seen}
    waiting = await conn.execute(
        select(invitation.c.person_id, func.max(invitation.c.expires_at))
        .where(
            invitation.c.used_at.is_(None),
            invitation.c.revoked_at.is_(None),
            invitation.c.expires_at > now,
        )
        .group_by(invitation.c.person_id)
    )
    until: dict[str, float] = {row[0]: row[1] for row in waiting}
    found = []
    for row in rows:
        target = Target(row.agency_id, row.provider_id, row.program_id)
        if not allows(actor, Action.PERSON_MANAGE, target):
            continue
        have = await factors.has(conn, row.id)
        links = await issuer_links.of_person(conn, row.id)
        found.append(
            PersonEntry(
                row.id,
                row.name,
                row.short_name,
                row.email,
                tuple(role for role in ROLES if role in roles.get(row.id, set())),
                row.active,
                row.locked_at,
                have.passkeys + have.for_tablets,
                have.app,
                until.get(row.id),
                last.get(row.id),
                row.password_hash is not None or row.pin_hash is not None,
                links[0].issuer_id if links else None,
                any(link.alone for link in links),
            )
        )
    return found


async def _invited(conn: AsyncConnection, token: str, now: float) -> Invited | None:
    invitation, person, grant = schema_signin.invitation, schema.person, schema.role_grant
    rows = await conn.execute(
        select(person)
        .join(invitation, invitation.c.person_id == person.c.id)
        .where(
            invitation.c.token_hash == _digest(token),
            invitation.c.used_at.is_(None),
            invitation.c.revoked_at.is_(None),
            invitation.c.expires_at > now,
            person.c.active,
        )
    )
    row = rows.first()
    if row is None:
        return None
    roles = await conn.execute(select(grant.c.role).where(grant.c.person_id == row.id))
    held = set(roles.scalars())
    return Invited(row.id, row.name, row.email, bool(held - {"officer"}), "officer" in held)


async def _invite(
    conn: AsyncConnection, person_id: str, by: str | None, token: str, now: float
) -> None:
    invitation = schema_signin.invitation
    await conn.execute(
        update(invitation)
        .where(
            invitation.c.person_id == person_id,
            invitation.c.used_at.is_(None),
            invitation.c.revoked_at.is_(None),
        )
        .values(revoked_at=now)
    )
    await conn.execute(
        insert(invitation).values(
            id=new_id("inv"),
            person_id=person_id,
            token_hash=_digest(token),
            made_at=now,
            made_by=by,
            expires_at=now + INVITATION_SECONDS,
        )
    )


async def _grant(conn: AsyncConnection, person_id: str, roles: Collection[str], now: float) -> None:
    for role in sorted(roles):
        await conn.execute(
            insert(schema.role_grant).values(person_id=person_id, role=role, granted_at=now)
        )


async def _not_in_a_call(conn: AsyncConnection, person_id: str) -> None:
    if await in_call(conn, person_id):
        raise InACall


def _not_oneself(actor: Actor, person_id: str) -> None:
    if actor.id == person_id:
        raise NotYourself


def _places(actor: Actor) -> dict[str, str | None]:
    return {
        "agency_id": actor.agency_id,
        "provider_id": actor.provider_id,
        "program_id": actor.program_id,
    }


def _places_for(actor: Actor, roles: Collection[str]) -> dict[str, str | None]:
    """Where somebody with these roles belongs. Raises BadPerson for a role that the actor cannot
    give, and for none at all."""
    if not roles or not set(roles) <= set(grantable(actor)):
        raise BadPerson("roles")
    needed = {place for role in roles for place in PLACES[role]}
    return {place: its if place in needed else None for place, its in _places(actor).items()}


def _one_line(typed: str, field: str) -> str:
    name = " ".join(typed.split())
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise BadPerson(field)
    return name


def _digest(token: str) -> str:
    return hashlib.sha256(f"crisisbridge invitation {token[:64]}".encode()).hexdigest()
