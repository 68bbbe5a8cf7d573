"""People's sign-in with e-mail and password, and the step after it for a second factor.

No user enumeration: an unknown e-mail, an account without a password and a closed account cost the
same time, give the same answer and lock after the same number of tries as a wrong password.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit, challenges, factors, issuer_links, locks, passwords, steps
from auth.errors import BadCredentials, Locked, SecondFactorNeeded
from auth.locks import Strangers
from auth.logins import (
    LOGIN_HOURS,
    SignedIn,
    actor_for_login,
    end_logins,
    open_login,
    sign_out,
)
from auth.steps import stepping
from auth.tokens import Tokens
from records import schema
from records.crypto import Vault
from records.engine import Database

__all__ = [
    "LOGIN_HOURS",
    "SignedIn",
    "actor_for_login",
    "end_logins",
    "name_of",
    "second_step",
    "sign_in",
    "sign_out",
    "stepping",
]

STEP_SECONDS = steps.SECONDS

_strangers = Strangers()


@dataclass(frozen=True, slots=True)
class _Try:
    """A try that was counted. Without a person: nobody signs in by that name."""

    name: str
    person_id: str | None
    password_hash: str | None
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
    needed_by: Collection[str] = (),
) -> SignedIn:
    """Check e-mail and password and open a sign-in of `hours`.

    Who has a second factor is asked for it: SecondFactorNeeded, which holds the token of that step.
    Who has none, but a role of `needed_by`, gets a partial sign-in, for setting one up. Raises
    BadCredentials, Locked, TooBusy too. The caller limits the rate by address. Cancelling is safe:
    at worst one try is counted.
    """
    known_strangers = strangers or _strangers
    name = name_of(email)
    begun = await db.write(lambda conn: _admit(conn, known_strangers, name, now))
    if begun.locked:
        raise Locked
    right = await passwords.verify(begun.password_hash, password)
    person_id, password_hash = begun.person_id, begun.password_hash
    if not right or person_id is None or password_hash is None:
        locked = await db.write(lambda conn: _failed(conn, known_strangers, begun, now))
        raise Locked if locked else BadCredentials
    opened = await db.write(lambda conn: _open(conn, tokens, person_id, now, hours, needed_by))
    if opened is None:
        mark = steps.of_password(password_hash)
        raise SecondFactorNeeded(steps.token(tokens, person_id, mark, now))
    return opened


async def second_step(
    db: Database,
    vault: Vault,
    tokens: Tokens,
    token: str | None,
    typed: str,
    now: float,
    *,
    hours: float = LOGIN_HOURS,
) -> SignedIn:
    """A code of the app, or a recovery code, after the password or the directory.

    Raises NotSignedIn for a step that is over, BadSecondFactor, Locked, TooBusy.
    """
    step = await stepping(db, tokens, token, now)

    async def opened(conn: AsyncConnection) -> SignedIn:
        return await open_login(conn, tokens, step.person_id, now, hours, issuer_id=step.issuer_id)

    return await factors.check_code(db, vault, step.person_id, typed, now, opened)


def name_of(email: str) -> str:
    """An e-mail address as it is looked up."""
    known = email.replace("\0", "\ufffd").strip().casefold()  # no database looks for a NUL
    return known[:254]  # RFC 5321: the longest address that can be delivered to


async def _admit(conn: AsyncConnection, strangers: Strangers, name: str, now: float) -> _Try:
    """Count a try. Known or not, it costs the same: a row written, or an entry of the trail."""
    person = schema.person
    found = await conn.execute(select(person).where(func.lower(person.c.email) == name))
    row = found.first()
    known = row is not None and row.active and row.password_hash is not None
    # whose directory alone signs them in: as if they had no password
    if row is not None and known and not await issuer_links.is_alone(conn, row.id):
        admitted = await locks.admit_person(conn, row.id, now)
        if not admitted:
            await audit.try_record(conn, None, "login.start", "person", row.id, "refused", now)
        return _Try(name, row.id, row.password_hash, locked=not admitted)
    admitted = strangers.admit(name, now)
    if admitted:
        await challenges.spend_nothing(conn, now)
    else:
        await audit.try_record(conn, None, "login.start", "person", None, "refused", now)
    return _Try(name, None, None, locked=not admitted)


async def _failed(conn: AsyncConnection, strangers: Strangers, begun: _Try, now: float) -> bool:
    if begun.person_id is None:
        locked = strangers.fail(begun.name, now)
    else:
        locked = await locks.fail_person(conn, begun.person_id, now)
    await audit.try_record(conn, None, "login.start", "person", begun.person_id, "refused", now)
    return locked


async def _open(
    conn: AsyncConnection,
    tokens: Tokens,
    person_id: str,
    now: float,
    hours: float,
    needed_by: Collection[str],
) -> SignedIn | None:
    """The sign-in; None when a second factor is to come. Raises Locked: by other tries, while this
    one was being checked."""
    if (await factors.has(conn, person_id)).any:
        if not await locks.take_back(conn, person_id):
            raise Locked
        return None
    if not await locks.clear(conn, person_id):
        raise Locked
    grant = schema.role_grant
    roles = await conn.execute(select(grant.c.role).where(grant.c.person_id == person_id))
    partial = bool(set(needed_by) & set(roles.scalars()))
    return await open_login(conn, tokens, person_id, now, hours, partial=partial)
