"""People who sign in by their directory, once its ID token has been checked.

The directory decides the roles: at each sign-in they are what its groups give now, and a sign-in of
before ends when they have changed. Whoever is in a call keeps everything until it is over. An
officer's role is never touched: it belongs to a PIN.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit, factors, id_tokens, issuer_links, logins, sso_rules, steps
from auth.actors import Actor
from auth.errors import (
    AuthError,
    EmailTaken,
    GroupsConflict,
    InACall,
    Locked,
    NotAskedAnew,
    NotInGroup,
    OtherPerson,
    SecondFactorNeeded,
    SignOnIncomplete,
)
from auth.logins import SignedIn
from auth.people import EMAIL, LONGEST_NAME
from auth.sso_rules import PLACES, Issuer, Standing
from auth.tokens import Tokens
from records import schema
from records.engine import Database
from records.ids import new_id
from records.parties import in_call

UNTOUCHED = frozenset({"officer"})
Claims = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Terms:
    """What the settings ask of a sign-in."""

    hours: float
    needed_by: Collection[str] = ()


async def sign_in(
    db: Database, tokens: Tokens, issuer: Issuer, claims: Claims, now: float, terms: Terms
) -> SignedIn:
    """A sign-in of the person whom the checked `claims` name; made now, if a group says so.

    Raises SecondFactorNeeded, and what is refused is on record: NotInGroup, GroupsConflict,
    GroupsUnknown, SignOnIncomplete, EmailTaken, Locked, InACall, and NotAskedAnew for somebody who
    signed in there longer ago than a sign-in here lasts.
    """

    asked_at = id_tokens.signed_in_at(claims)
    old = asked_at is not None and now - asked_at > terms.hours * 3600 + id_tokens.LEEWAY

    async def work(conn: AsyncConnection) -> SignedIn | AuthError:
        found = NotAskedAnew() if old else await _somebody(conn, issuer, claims, now)
        if isinstance(found, AuthError):
            await _refused(conn, issuer, claims, now)
            return found
        return await _open(conn, tokens, issuer, claims, found, now, terms)

    return _or_raise(await db.write(work))


async def prove(
    db: Database,
    tokens: Tokens,
    issuer: Issuer,
    claims: Claims,
    actor: Actor,
    since: float,
    now: float,
    terms: Terms,
    *,
    whole: bool,
) -> SignedIn:
    """The directory asked `actor` anew, after `since`, who it is.

    A `whole` proof takes a second factor of ours where the directory used none: it goes on as a
    sign-in does, with SecondFactorNeeded. Raises OtherPerson, NotAskedAnew, and as `sign_in`.
    """
    asked_at = id_tokens.signed_in_at(claims)

    async def work(conn: AsyncConnection) -> SignedIn | AuthError:
        link = await issuer_links.find(conn, issuer, claims["sub"])
        found: str | AuthError
        if link is None or link.person_id != actor.id:
            found = OtherPerson()
        elif asked_at is None or asked_at < since - id_tokens.LEEWAY:
            found = NotAskedAnew()
        else:
            found = await _somebody(conn, issuer, claims, now)
        if isinstance(found, AuthError):
            await audit.try_record(
                conn, actor, "login.prove", "login", actor.login_id, "refused", now
            )
            return found
        goes_on = await logins.is_open(conn, actor)  # or its roles have changed
        has = (await factors.has(conn, actor.id)).any
        full = not has or sso_rules.is_strong(issuer, claims)
        expired = actor.expires_at is None or now >= actor.expires_at
        if not goes_on or (not full and (whole or expired)):
            return await _open(conn, tokens, issuer, claims, found, now, terms)
        return await logins.prove(conn, tokens, actor, now, terms.hours, whole=full, by_issuer=True)

    return _or_raise(await db.write(work))


async def connect(db: Database, issuer: Issuer, claims: Claims, actor: Actor, now: float) -> None:
    """Whom the directory named is `actor`, who has just proven who they are; from now on they sign
    in there. Raises ProofNeeded, NotInGroup, GroupsConflict, OtherPerson, Forbidden."""

    async def work(conn: AsyncConnection) -> None:
        link = await issuer_links.find(conn, issuer, claims["sub"])
        if link is not None and link.person_id != actor.id:
            raise OtherPerson
        mapped = _standing(issuer, claims)
        if mapped is None:
            raise NotInGroup
        theirs = (actor.agency_id, actor.provider_id, actor.program_id)
        for place, its in zip(PLACES, theirs, strict=True):
            named = getattr(mapped, place)
            if its is not None and named is not None and named != its:
                raise GroupsConflict
        if link is None:
            await issuer_links.add(conn, issuer, claims["sub"], actor.id, now)

    recorded_as = "factor.add_directory"
    try:
        await factors.change(db, actor, recorded_as, now, work)
    except AuthError:
        await db.write(
            lambda conn: audit.try_record(
                conn, actor, recorded_as, "person", actor.id, "refused", now
            )
        )
        raise


async def refused(db: Database, issuer: Issuer, now: float) -> None:
    """Note on record that a sign-in by this directory failed before anybody was named."""
    await db.write(lambda conn: _refused(conn, issuer, {}, now))


# --- who it is ------------------------------------------------------------------------------------


async def _somebody(
    conn: AsyncConnection, issuer: Issuer, claims: Claims, now: float
) -> str | AuthError:
    """The person, with the roles that their groups give now; or why they may not sign in."""
    try:
        mapped = _standing(issuer, claims)
    except AuthError as error:
        return error
    link = await issuer_links.find(conn, issuer, claims["sub"])
    if link is None:
        return NotInGroup() if mapped is None else await _add(conn, issuer, claims, mapped, now)
    person = schema.person
    row = (await conn.execute(select(person).where(person.c.id == link.person_id))).one()
    if not row.active:
        return NotInGroup()
    if row.locked_at is not None:
        return Locked()
    wrong = await _follow(conn, row, mapped, now)
    if wrong is None:
        await issuer_links.used(conn, link.id, issuer, now)
    return row.id if wrong is None else wrong


def _standing(issuer: Issuer, claims: Claims) -> Standing | None:
    return sso_rules.standing(issuer, sso_rules.groups_in(claims, issuer.groups_claim))


async def _follow(
    conn: AsyncConnection, row: Row[Any], mapped: Standing | None, now: float
) -> AuthError | None:
    """Give somebody the roles and places of their groups. A change ends their sign-ins; in a call
    it waits, and so do they."""
    grant = schema.role_grant
    held = await conn.execute(select(grant.c.role).where(grant.c.person_id == row.id))
    roles = set(held.scalars())
    wanted = _with_untouched(row, roles, mapped)
    places = {place: getattr(row, place) for place in PLACES}
    if wanted.roles != roles or wanted.places != places:
        if await in_call(conn, row.id):
            await logins.end_after_call(conn, row.id)
            return InACall()
        await conn.execute(delete(grant).where(grant.c.person_id == row.id))
        await _grant(conn, row.id, wanted.roles, now)
        person = schema.person
        await conn.execute(update(person).where(person.c.id == row.id).values(**wanted.places))
        await logins.end_logins(conn, row.id, now)
        await audit.record(conn, None, "person.set_roles", "person", row.id, "allowed", now)
    return NotInGroup() if mapped is None else None


def _with_untouched(row: Row[Any], roles: set[str], mapped: Standing | None) -> Standing:
    """What is mapped, beside what is not the directory's: an officer stays one, at their agency."""
    kept = frozenset(roles) & UNTOUCHED
    wanted = mapped or Standing(frozenset(), None, None, None)
    if kept and wanted.agency_id is None:
        wanted = replace(wanted, agency_id=row.agency_id)
    return replace(wanted, roles=wanted.roles | kept)


async def _add(
    conn: AsyncConnection, issuer: Issuer, claims: Claims, mapped: Standing, now: float
) -> str | AuthError:
    """A person whom the directory names for the first time."""
    email = str(claims.get("email") or "").strip().casefold()
    name = " ".join(str(claims.get("name") or "").split())[:LONGEST_NAME].strip()
    if not EMAIL.fullmatch(email) or not name or not name.isprintable():
        return SignOnIncomplete()
    given = " ".join(str(claims.get("given_name") or "").split())
    short = given if 0 < len(given) <= LONGEST_NAME and given.isprintable() else name.split()[0]
    person, person_id = schema.person, new_id("per")
    same = await conn.execute(select(person.c.id).where(func.lower(person.c.email) == email))
    if same.first() is not None:
        return await _meanwhile(conn, issuer, claims)
    try:
        async with conn.begin_nested():
            await conn.execute(
                insert(person).values(
                    id=person_id, name=name, short_name=short, email=email, **mapped.places
                )
            )
    except IntegrityError:
        return await _meanwhile(conn, issuer, claims)
    await _grant(conn, person_id, mapped.roles, now)
    await issuer_links.add(conn, issuer, claims["sub"], person_id, now)
    await audit.record(conn, None, "person.add", "person", person_id, "allowed", now)
    return person_id


async def _meanwhile(conn: AsyncConnection, issuer: Issuer, claims: Claims) -> str | AuthError:
    """The address is somebody's. Their own, if another window of theirs was faster."""
    link = await issuer_links.find(conn, issuer, claims["sub"])
    return EmailTaken() if link is None else str(link.person_id)


async def _grant(conn: AsyncConnection, person_id: str, roles: Collection[str], now: float) -> None:
    for role in sorted(roles):
        await conn.execute(
            insert(schema.role_grant).values(person_id=person_id, role=role, granted_at=now)
        )


# --- letting in -----------------------------------------------------------------------------------


async def _open(
    conn: AsyncConnection,
    tokens: Tokens,
    issuer: Issuer,
    claims: Claims,
    person_id: str,
    now: float,
    terms: Terms,
) -> SignedIn | AuthError:
    """A sign-in, or the step to a second factor of ours where the directory used none."""
    partial = False
    if not sso_rules.is_strong(issuer, claims):
        if (await factors.has(conn, person_id)).any:
            link = await issuer_links.find(conn, issuer, claims["sub"])
            mark = steps.of_link(issuer.id, link.id if link is not None else "")
            return SecondFactorNeeded(steps.token(tokens, person_id, mark, now))
        grant = schema.role_grant
        roles = await conn.execute(select(grant.c.role).where(grant.c.person_id == person_id))
        partial = bool(set(terms.needed_by) & set(roles.scalars()))
    return await logins.open_login(
        conn, tokens, person_id, now, terms.hours, partial=partial, issuer_id=issuer.id
    )


async def _refused(conn: AsyncConnection, issuer: Issuer, claims: Claims, now: float) -> None:
    subject = claims.get("sub")
    link = await issuer_links.find(conn, issuer, subject) if isinstance(subject, str) else None
    kind, about = ("issuer", issuer.id) if link is None else ("person", link.person_id)
    await audit.try_record(conn, None, "login.start", kind, about, "refused", now)


def _or_raise(done: SignedIn | AuthError) -> SignedIn:
    if isinstance(done, AuthError):
        raise done
    return done
