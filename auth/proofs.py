"""Proving again who one is: to uncover the pages, after twelve hours, or before a change of the
ways to sign in. By a passkey, or by the password; a *whole* proof takes a code beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit, factors, issuer_links, locks, logins, passwords
from auth.actors import Actor
from auth.errors import BadCredentials, Locked
from auth.logins import SignedIn
from auth.tokens import Tokens
from records import schema
from records.crypto import Vault
from records.engine import Database


@dataclass(frozen=True, slots=True)
class Ways:
    """By what somebody can prove here who they are, beside their directory."""

    passkey: bool
    password: bool
    has: factors.Has


async def ways(conn: AsyncConnection, actor: Actor, *, expired: bool) -> Ways:
    """The ways of this person; none where only their directory can make the sign-in longer."""
    person, has = schema.person, await factors.has(conn, actor.id)
    if expired and await issuer_links.is_alone(conn, actor.id):
        return Ways(passkey=False, password=False, has=has)
    found = await conn.execute(select(person.c.password_hash).where(person.c.id == actor.id))
    return Ways(has.passkeys > 0, found.scalar() is not None, has)


async def by_password(
    db: Database,
    vault: Vault,
    tokens: Tokens,
    actor: Actor,
    typed: tuple[str, str],
    now: float,
    *,
    hours: float,
    whole: bool,
) -> SignedIn:
    """The password, and with `whole` a code of the app or a recovery code, if there are any.

    A sign-in that has run out always takes a whole proof. Raises BadCredentials, BadSecondFactor,
    Locked, TooBusy; ByDirectory when only the directory can make the sign-in longer.
    """
    await logins.require_a_way_here(db, actor, now)
    password, code = typed
    whole = whole or actor.expires_at is None or now >= actor.expires_at
    person = schema.person

    async def admit(conn: AsyncConnection) -> tuple[str | None, bool]:
        admitted = await locks.admit_person(conn, actor.id, now)
        found = await conn.execute(
            select(person.c.password_hash).where(person.c.id == actor.id, person.c.active)
        )
        return found.scalar(), admitted

    async def failed(conn: AsyncConnection) -> bool:
        locked = await locks.fail_person(conn, actor.id, now)
        await audit.try_record(conn, actor, "login.prove", "login", actor.login_id, "refused", now)
        return locked

    stored, admitted = await db.write(admit)
    if not admitted:
        raise Locked
    if not await passwords.verify(stored, password):
        raise Locked if await db.write(failed) else BadCredentials
    async with db.read() as conn:
        have = await factors.has(conn, actor.id)

    async def proven(conn: AsyncConnection) -> SignedIn:
        return await logins.prove(conn, tokens, actor, now, hours, whole=whole or not have.any)

    if whole and have.any:
        if not await db.write(lambda conn: locks.take_back(conn, actor.id)):
            raise Locked
        return await factors.check_code(db, vault, actor.id, code, now, proven)

    async def uncover(conn: AsyncConnection) -> SignedIn | None:
        return await proven(conn) if await locks.clear(conn, actor.id) else None

    signed = await db.write(uncover)
    if signed is None:
        raise Locked
    return signed
