"""Sign-ins as rows: opened, read on each use, covered while nobody is there, ended.

A sign-in is `partial` while its person has no second factor but needs one: then it opens nothing
but the set-up of one. It is *covered* when nobody was seen for so long as the settings say, or when
a page said so: it goes on, its console still rings, but no page is shown until somebody proves who
they are. Whoever sits in a call is never covered, nor asked to sign in again before it is over.

Its token lives for ten minutes and is renewed by another one that is good once (`auth.renewals`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit, issuer_links, renewals
from auth.actors import Actor
from auth.errors import ByDirectory, Covered, FactorMissing, LoginExpired, NotSignedIn, Revoked
from auth.tokens import Tokens
from records import schema
from records.engine import Database
from records.ids import new_id
from records.parties import in_call
from records.schema_parties import participant

Allowed = Literal["partial", "covered", "expired", "stale"]
LOGIN_HOURS = 12.0  # CJIS 5.9.5: re-authentication every 12 hours
FRESH_SECONDS = 15 * 60.0  # how long a proof is good for changing one's own ways to sign in
SEEN_EVERY = 60.0  # seconds between two notes that somebody is there


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A sign-in; `token`, and `renewal` of a fresh one, go into cookies and nowhere else."""

    token: str
    actor: Actor
    expires_at: float
    partial: bool = False
    renewal: str | None = None

    def __repr__(self) -> str:
        return f"SignedIn(actor={self.actor.id!r}, expires_at={self.expires_at!r})"


async def open_login(
    conn: AsyncConnection,
    tokens: Tokens,
    person_id: str,
    now: float,
    hours: float,
    *,
    partial: bool = False,
    issuer_id: str | None = None,
) -> SignedIn:
    """A new sign-in of somebody who has just proven who they are, to the directory `issuer_id`."""
    row = (await conn.execute(select(schema.person).where(schema.person.c.id == person_id))).one()
    login_id, expires_at = new_id("lgn"), now + hours * 3600
    renewal, kept = renewals.first(tokens, login_id, now, expires_at)
    await conn.execute(
        insert(schema.login).values(
            id=login_id,
            person_id=person_id,
            created_at=now,
            expires_at=expires_at,
            partial=partial,
            issuer_id=issuer_id,
            **kept,
        )
    )
    actor = await _actor(conn, row, login_id, expires_at, issuer_id)
    await audit.try_record(conn, actor, "login.start", "login", login_id, "allowed", now)
    token = renewals.access(tokens, person_id, login_id, now)
    return SignedIn(token, actor, expires_at, partial, renewal)


async def actor_for_login(
    conn: AsyncConnection,
    tokens: Tokens,
    token: str,
    now: float,
    *,
    idle: float = 0.0,
    allow: Collection[Allowed] = (),
) -> Actor:
    """Who holds this token now. `idle`: seconds until the pages are covered; 0: never.

    `allow` names what is let pass all the same. Raises NotSignedIn, LoginExpired, Revoked,
    FactorMissing, Covered.
    """
    claims = await tokens.find(conn, "login", token)
    if claims is None:
        raise NotSignedIn
    login, person = schema.login, schema.person
    found = await conn.execute(
        select(
            person,
            login.c.id.label("login_id"),
            login.c.created_at,
            login.c.expires_at.label("login_expires_at"),
            login.c.revoked_at,
            login.c.partial,
            login.c.proven_at,
            login.c.active_at,
            login.c.covered_at,
            login.c.issuer_id,
            login.c.ends_after_call,
            login.c.renewal_no,
        )
        .join(login, login.c.person_id == person.c.id)
        .where(login.c.id == claims.token_id, login.c.person_id == claims.subject)
    )
    row = found.first()
    if row is None:
        raise NotSignedIn
    if row.revoked_at is not None or not row.active:
        raise Revoked
    if row.ends_after_call and not await in_call(conn, row.id):
        raise Revoked
    stale = now >= claims.expires_at and row.renewal_no is not None and "stale" not in allow
    if stale and not await in_call(conn, row.id):
        raise NotSignedIn  # unless it is renewed; a call is not asked for it
    expired = now >= row.login_expires_at and "expired" not in allow
    if expired and not await in_call(conn, row.id):
        raise LoginExpired  # asked when the call is over, never in it
    if row.partial and "partial" not in allow:
        raise FactorMissing
    if "covered" not in allow and await _is_covered(conn, row, row.id, now, idle):
        raise Covered
    return await _actor(conn, row, row.login_id, row.login_expires_at, row.issuer_id)


async def is_covered(conn: AsyncConnection, actor: Actor, now: float, idle: float) -> bool:
    """Whether this person's pages are covered, or their sign-in has run out, at this moment."""
    login = schema.login
    found = await conn.execute(select(login).where(login.c.id == actor.login_id))
    row = found.first()
    if row is None:
        return True
    expired = now >= row.expires_at and not await in_call(conn, actor.id)
    return expired or await _is_covered(conn, row, actor.id, now, idle)


async def covered_of(
    conn: AsyncConnection, ids: Collection[str], now: float, idle: float
) -> frozenset[str]:
    """Which of these sign-ins are covered, have run out or are gone: all in one reading."""
    if not ids:
        return frozenset()
    login = schema.login
    rows = (await conn.execute(select(login).where(login.c.id.in_(sorted(ids))))).all()
    away = [row for row in rows if now >= row.expires_at or _is_away(row, now, idle)]
    sitting = select(participant.c.person_id).where(
        participant.c.person_id.in_({row.person_id for row in away}),
        participant.c.left_at.is_(None),
    )
    busy = set((await conn.execute(sitting)).scalars()) if away else set()
    gone = set(ids) - {row.id for row in rows}
    return frozenset({row.id for row in away if row.person_id not in busy} | gone)


async def require_uncovered(conn: AsyncConnection, actor: Actor, now: float, idle: float) -> None:
    """Raises Covered for a person whose pages are covered; they ring on, and take nothing."""
    if actor.login_id is not None and await is_covered(conn, actor, now, idle):
        raise Covered


async def is_fresh(conn: AsyncConnection, actor: Actor, now: float) -> bool:
    """Whether this person has proven who they are a moment ago."""
    login = schema.login
    found = await conn.execute(
        select(login.c.created_at, login.c.proven_at).where(login.c.id == actor.login_id)
    )
    row = found.first()
    return row is not None and now - (row.proven_at or row.created_at) < FRESH_SECONDS


async def seen(conn: AsyncConnection, actor: Actor, now: float) -> None:
    """Somebody is at a page of this sign-in; written at most once a minute."""
    login = schema.login
    await conn.execute(
        update(login)
        .where(
            login.c.id == actor.login_id,
            login.c.covered_at.is_(None),
            login.c.active_at.is_(None) | (login.c.active_at < now - SEEN_EVERY),
        )
        .values(active_at=now)
    )


async def cover(db: Database, actor: Actor, now: float) -> bool:
    """Nobody is there: cover the pages. False, and nothing done, for somebody in a call."""

    async def work(conn: AsyncConnection) -> bool:
        if await in_call(conn, actor.id):
            return False
        login = schema.login
        done = await conn.execute(
            update(login)
            .where(login.c.id == actor.login_id, login.c.covered_at.is_(None))
            .values(covered_at=now)
        )
        if done.rowcount:
            await audit.try_record(
                conn, actor, "login.cover", "login", actor.login_id, "allowed", now
            )
        return True

    return await db.write(work)


async def prove(
    conn: AsyncConnection,
    tokens: Tokens,
    actor: Actor,
    now: float,
    hours: float,
    *,
    whole: bool,
    by_issuer: bool = False,
) -> SignedIn:
    """This person has proven again who they are: uncover the pages.

    A `whole` proof, by all that a sign-in takes, makes the sign-in last for `hours` from now on.
    The sign-in of somebody who has to sign in by their directory is made longer by it alone: who
    has left there must not stay here for ever. Raises ByDirectory when theirs has run out.
    """
    login = schema.login
    values: dict[str, object] = {"active_at": now, "covered_at": None}
    expires_at = actor.expires_at or now
    if whole:
        values |= {"proven_at": now}
        if by_issuer or not await issuer_links.is_alone(conn, actor.id):
            expires_at = now + hours * 3600
            values |= {"expires_at": expires_at}
    if now >= expires_at:
        raise ByDirectory
    await conn.execute(update(login).where(login.c.id == actor.login_id).values(values))
    await audit.try_record(conn, actor, "login.prove", "login", actor.login_id, "allowed", now)
    login_id = actor.login_id or ""
    return SignedIn(renewals.access(tokens, actor.id, login_id, now), actor, expires_at)


async def require_a_way_here(db: Database, actor: Actor, now: float) -> None:
    """Raises ByDirectory for somebody whose sign-in has run out, and who signs in elsewhere."""
    if actor.expires_at is None or now >= actor.expires_at:
        async with db.read() as conn:
            await issuer_links.require_other_ways(conn, actor.id)


async def complete(
    conn: AsyncConnection, tokens: Tokens, actor: Actor, now: float, hours: float
) -> SignedIn | None:
    """A partial sign-in whose person has a second factor now: a new, whole one in its place.

    None when it was whole already.
    """
    login = schema.login
    ended = await conn.execute(
        update(login)
        .where(login.c.id == actor.login_id, login.c.partial, login.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    if ended.rowcount != 1:
        return None
    return await open_login(conn, tokens, actor.id, now, hours, issuer_id=actor.issuer_id)


async def sign_out(db: Database, actor: Actor, now: float) -> None:
    """End the sign-in of this actor; its token is refused from now on. Twice is harmless."""

    async def work(conn: AsyncConnection) -> None:
        login = schema.login
        await conn.execute(
            update(login)
            .where(login.c.id == actor.login_id, login.c.revoked_at.is_(None))
            .values(revoked_at=now)
        )
        await audit.try_record(conn, actor, "login.end", "login", actor.login_id, "allowed", now)

    await db.write(work)


async def replace(db: Database, before: Actor, now: float) -> None:
    """This browser has a fresh sign-in: the one before must not live on unseen. Whose call it
    carries keeps it until the call is over."""

    async def in_a_call(conn: AsyncConnection) -> bool:
        if not await in_call(conn, before.id):
            return False
        login = schema.login
        await conn.execute(
            update(login).where(login.c.id == before.login_id).values(ends_after_call=True)
        )
        return True

    if not await db.write(in_a_call):
        await sign_out(db, before, now)


async def end_logins(
    conn: AsyncConnection, person_id: str, now: float, *, but: str | None = None
) -> int:
    """End every sign-in of a person, `but` one; gives how many. Permission is the caller's
    matter."""
    login = schema.login
    done = await conn.execute(
        update(login)
        .where(
            login.c.person_id == person_id, login.c.revoked_at.is_(None), login.c.id != (but or "")
        )
        .values(revoked_at=now)
    )
    return done.rowcount


async def end_after_call(conn: AsyncConnection, person_id: str, *, but: str | None = None) -> None:
    """Let every sign-in of somebody who is in a call, `but` one, end when the call is over."""
    login = schema.login
    await conn.execute(
        update(login)
        .where(
            login.c.person_id == person_id, login.c.revoked_at.is_(None), login.c.id != (but or "")
        )
        .values(ends_after_call=True)
    )


async def end_elsewhere(conn: AsyncConnection, actor: Actor, now: float) -> None:
    """End every other sign-in of this person: at once, or after the call that they sit in."""
    if await in_call(conn, actor.id):
        await end_after_call(conn, actor.id, but=actor.login_id)
    else:
        await end_logins(conn, actor.id, now, but=actor.login_id)


async def open_logins(conn: AsyncConnection, ids: Collection[str]) -> dict[str, bool]:
    """Which of these sign-ins, run out or not, were not ended; whether they end with a call."""
    login, person = schema.login, schema.person
    rows = await conn.execute(
        select(login.c.id, login.c.ends_after_call)
        .join(person, person.c.id == login.c.person_id)
        .where(login.c.id.in_(ids), login.c.revoked_at.is_(None), person.c.active)
    )
    return {row.id: row.ends_after_call for row in rows}


async def is_open(conn: AsyncConnection, actor: Actor) -> bool:
    """Whether this actor's sign-in, which may have run out, was not ended."""
    login = schema.login
    found = await conn.execute(
        select(login.c.id).where(
            login.c.id == actor.login_id, login.c.revoked_at.is_(None), ~login.c.ends_after_call
        )
    )
    return found.first() is not None


async def _is_covered(
    conn: AsyncConnection, row: Row[Any], person_id: str, now: float, idle: float
) -> bool:
    return _is_away(row, now, idle) and not await in_call(conn, person_id)


def _is_away(row: Row[Any], now: float, idle: float) -> bool:
    last = max(row.created_at, row.proven_at or 0.0, row.active_at or 0.0)
    return row.covered_at is not None or (idle > 0 and now - last >= idle)


async def _actor(
    conn: AsyncConnection,
    row: Row[Any],
    login_id: str,
    expires_at: float,
    issuer_id: str | None,
) -> Actor:
    grant = schema.role_grant
    roles = await conn.execute(select(grant.c.role).where(grant.c.person_id == row.id))
    return Actor(
        kind="person",
        id=row.id,
        name=row.name,
        short_name=row.short_name,
        roles=frozenset(roles.scalars()),
        agency_id=row.agency_id,
        provider_id=row.provider_id,
        program_id=row.program_id,
        login_id=login_id,
        expires_at=expires_at,
        issuer_id=issuer_id,
        locale=row.locale,
        demo=row.demo,
    )
