"""People's sign-in with e-mail and password, and what a sign-in is worth on each use.

No user enumeration: an unknown e-mail, an account without a password and a closed account cost the
same time, give the same answer and lock after the same number of tries as a wrong password.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit, locks, passwords
from auth.actors import Actor
from auth.errors import BadCredentials, Locked, LoginExpired, NotSignedIn, Revoked
from auth.locks import Strangers
from auth.tokens import Tokens
from records import schema
from records.engine import Database
from records.ids import new_id

LOGIN_HOURS = 12.0  # CJIS 5.9.5: re-authentication every 12 hours

_strangers = Strangers()


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A fresh sign-in; `token` goes into the cookie and nowhere else."""

    token: str
    actor: Actor
    expires_at: float

    def __repr__(self) -> str:
        return f"SignedIn(actor={self.actor.id!r}, expires_at={self.expires_at!r})"


@dataclass(frozen=True, slots=True)
class _Account:
    person_id: str
    password_hash: str
    locked: bool


async def sign_in(
    db: Database,
    tokens: Tokens,
    email: str,
    password: str,
    now: float,
    *,
    hours: float = LOGIN_HOURS,
    strangers: Strangers | None = None,
) -> SignedIn:
    """Check e-mail and password and open a sign-in of `hours`.

    Raises BadCredentials, Locked, TooBusy. The caller limits the rate by address. Cancelling is
    safe: at worst one try is counted.
    """
    known_strangers = strangers or _strangers
    name = email.strip().casefold()[:254]  # RFC 5321: the longest address that can be delivered to
    account = await db.write(lambda conn: _admit(conn, name, now))
    if account is None:
        return await _refuse_stranger(db, known_strangers, name, password, now)
    if account.locked:
        raise Locked
    if not await passwords.verify(account.password_hash, password):
        locked = await db.write(lambda conn: _failed(conn, account, now))
        raise Locked if locked else BadCredentials
    return await db.write(lambda conn: _open(conn, tokens, account.person_id, now, hours))


async def actor_for_login(conn: AsyncConnection, tokens: Tokens, token: str, now: float) -> Actor:
    """Who holds this token now. Raises NotSignedIn, LoginExpired, Revoked."""
    claims = tokens.read("login", token)
    if claims is None:
        raise NotSignedIn
    login, person = schema.login, schema.person
    found = await conn.execute(
        select(
            person,
            login.c.id.label("login_id"),
            login.c.expires_at.label("login_expires_at"),
            login.c.revoked_at,
        )
        .join(login, login.c.person_id == person.c.id)
        .where(login.c.id == claims.token_id, login.c.person_id == claims.subject)
    )
    row = found.first()
    if row is None:
        raise NotSignedIn
    if row.revoked_at is not None or not row.active:
        raise Revoked
    if now >= min(row.login_expires_at, claims.expires_at):
        raise LoginExpired
    return await _actor(conn, row, row.login_id, row.login_expires_at)


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


async def end_logins(conn: AsyncConnection, person_id: str, now: float) -> int:
    """End every sign-in of a person; gives how many. Permission is the caller's matter."""
    login = schema.login
    done = await conn.execute(
        update(login)
        .where(login.c.person_id == person_id, login.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return done.rowcount


async def _admit(conn: AsyncConnection, name: str, now: float) -> _Account | None:
    """Count a try and give the account; None for a name that cannot sign in."""
    person = schema.person
    found = await conn.execute(select(person).where(func.lower(person.c.email) == name))
    row = found.first()
    if row is None or not row.active or row.password_hash is None:
        return None
    admitted = await locks.admit_person(conn, row.id, now)
    if not admitted:
        await audit.try_record(conn, None, "login.start", "person", row.id, "refused", now)
    return _Account(row.id, row.password_hash, locked=not admitted)


async def _refuse_stranger(
    db: Database, strangers: Strangers, name: str, password: str, now: float
) -> NoReturn:
    if not strangers.admit(name, now):
        raise Locked
    await passwords.verify(None, password)
    locked = strangers.fail(name, now)

    async def work(conn: AsyncConnection) -> None:  # also costs what a known name's write costs
        await audit.try_record(conn, None, "login.start", "person", None, "refused", now)

    await db.write(work)
    raise Locked if locked else BadCredentials


async def _failed(conn: AsyncConnection, account: _Account, now: float) -> bool:
    locked = await locks.fail_person(conn, account.person_id, now)
    await audit.try_record(conn, None, "login.start", "person", account.person_id, "refused", now)
    return locked


async def _open(
    conn: AsyncConnection, tokens: Tokens, person_id: str, now: float, hours: float
) -> SignedIn:
    if not await locks.clear(conn, person_id):
        raise Locked  # locked by other tries while this one was being checked
    row = (await conn.execute(select(schema.person).where(schema.person.c.id == person_id))).one()
    login_id, expires_at = new_id("lgn"), now + hours * 3600
    await conn.execute(
        insert(schema.login).values(
            id=login_id, person_id=person_id, created_at=now, expires_at=expires_at
        )
    )
    actor = await _actor(conn, row, login_id, expires_at)
    await audit.try_record(conn, actor, "login.start", "login", login_id, "allowed", now)
    token = tokens.issue("login", person_id, login_id, now, expires_at)
    return SignedIn(token, actor, expires_at)


async def _actor(conn: AsyncConnection, row: Row[Any], login_id: str, expires_at: float) -> Actor:
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
        locale=row.locale,
        demo=row.demo,
    )
