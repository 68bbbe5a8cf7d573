"""Second factors of a person: how many there are, their codes checked, and their own set-up.

Every check counts as a try of the person's one lock (auth.locks): five wrong ones of any kind lock
all of them. A code of an app is worth one sign-in (its step is remembered), a recovery code too.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit, codes, issuer_links, locks, logins, passwords, totp
from auth.actors import Actor
from auth.errors import (
    BadSecondFactor,
    Forbidden,
    LastFactor,
    Locked,
    NoSuchRecord,
    ProofNeeded,
    TooManyFactors,
)
from auth.policy import Action, Target, allows
from records import schema, schema_signin
from records.crypto import Vault
from records.engine import Database

T = TypeVar("T")
CODES = 10
_GROUPS = 3  # of four letters: the first letter is the code's number, 11 are random (55 bits)


@dataclass(frozen=True, slots=True)
class Has:
    """Which second factors somebody has. Recovery codes stand in for one; they are none, and nor
    are passkeys for tablets only.
    """

    passkeys: int
    app: bool
    recovery_left: int
    for_tablets: int = 0  # passkeys

    @property
    def any(self) -> bool:
        return self.passkeys > 0 or self.app


@dataclass(frozen=True, slots=True)
class Passkey:
    """One passkey as its owner sees it. Times are UTC epoch seconds."""

    id: str
    name: str
    made_at: float
    used_at: float | None
    tablets_only: bool = False


@dataclass(frozen=True, slots=True)
class Own:
    """A person's ways to sign in, for their own page."""

    email: str
    passkeys: tuple[Passkey, ...]
    app_since: float | None
    recovery_left: int
    issuer_id: str | None  # the directory by which they sign in

    @property
    def any(self) -> bool:
        return self.app_since is not None or any(not one.tablets_only for one in self.passkeys)


async def has(conn: AsyncConnection, person_id: str) -> Has:
    """Which second factors this person has."""
    key, app, code = schema_signin.passkey, schema_signin.totp, schema_signin.recovery_code
    passkeys = (
        select(func.count())
        .where(key.c.person_id == person_id, key.c.tablets_only.is_(False))
        .scalar_subquery()
    )
    for_tablets = (
        select(func.count())
        .where(key.c.person_id == person_id, key.c.tablets_only)
        .scalar_subquery()
    )
    apps = (
        select(func.count())
        .where(app.c.person_id == person_id, app.c.confirmed_at.is_not(None))
        .scalar_subquery()
    )
    left = (
        select(func.count())
        .where(code.c.person_id == person_id, code.c.used_at.is_(None))
        .scalar_subquery()
    )
    row = (await conn.execute(select(passkeys, apps, left, for_tablets))).one()
    return Has(row[0], row[1] > 0, row[2], row[3])


async def own(db: Database, actor: Actor, now: float) -> Own:
    """One's own ways to sign in. Raises Forbidden, AuditFailed."""
    key, app, person = schema_signin.passkey, schema_signin.totp, schema.person

    async def work(conn: AsyncConnection) -> Own:
        _may(actor)
        keys = await conn.execute(
            select(key).where(key.c.person_id == actor.id).order_by(key.c.made_at, key.c.id)
        )
        since = await conn.execute(select(app.c.confirmed_at).where(app.c.person_id == actor.id))
        email = await conn.execute(select(person.c.email).where(person.c.id == actor.id))
        links = await issuer_links.of_person(conn, actor.id)
        found = Own(
            email.scalar_one(),
            tuple(
                Passkey(row.id, row.name, row.made_at, row.used_at, row.tablets_only)
                for row in keys
            ),
            since.scalar(),
            (await has(conn, actor.id)).recovery_left,
            links[0].issuer_id if links else None,
        )
        await audit.record(conn, actor, Action.SIGN_IN_OWN, "person", actor.id, "allowed", now)
        return found

    return await db.write(work)


# --- checking -------------------------------------------------------------------------------------


async def check_code(
    db: Database,
    vault: Vault,
    person_id: str,
    typed: str,
    now: float,
    success: Callable[[AsyncConnection], Awaitable[T]],
) -> T:
    """Check a code of the app or a recovery code; `success` runs in the transaction that uses it
    up. Raises BadSecondFactor, Locked, TooBusy.
    """
    if not await db.write(lambda conn: _admit(conn, person_id, now)):
        raise Locked
    digits = totp.normal(typed)
    recovery = None if digits else _recovery_form(typed)
    number = None
    if recovery is not None:
        number = await _recovery_number(db, person_id, recovery)

    async def work(conn: AsyncConnection) -> tuple[bool, T | None]:
        if digits is not None:
            right = await _use_app(conn, vault, person_id, digits, now)
        else:
            right = number is not None and await _use_recovery(conn, person_id, number, now)
        if not right:
            return await _failed(conn, person_id, now), None
        if not await locks.clear(conn, person_id):
            return True, None
        return False, await success(conn)

    locked, done = await db.write(work)
    if done is None:
        raise Locked if locked else BadSecondFactor
    return done


async def _admit(conn: AsyncConnection, person_id: str, now: float) -> bool:
    admitted = await locks.admit_person(conn, person_id, now)
    if not admitted:
        await audit.try_record(conn, None, "login.second", "person", person_id, "refused", now)
    return admitted


async def _failed(conn: AsyncConnection, person_id: str, now: float) -> bool:
    locked = await locks.fail_person(conn, person_id, now)
    await audit.try_record(conn, None, "login.second", "person", person_id, "refused", now)
    return locked


async def _use_app(
    conn: AsyncConnection, vault: Vault, person_id: str, digits: str, now: float
) -> bool:
    app = schema_signin.totp
    found = await conn.execute(
        select(app).where(app.c.person_id == person_id, app.c.confirmed_at.is_not(None))
    )
    row = found.first()
    if row is None:
        return False
    secret = await vault.open_own("totp", "secret_enc", person_id, row.secret_enc, row.kek_id)
    step = totp.step_of(secret, digits, now, row.last_step)
    return step is not None and await _use_step(conn, person_id, step)


async def _use_step(conn: AsyncConnection, person_id: str, step: int) -> bool:
    """In one statement, so that two sign-ins at once can never share one code."""
    app = schema_signin.totp
    done = await conn.execute(
        update(app)
        .where(app.c.person_id == person_id, app.c.last_step < step)
        .values(last_step=step)
    )
    return done.rowcount == 1


async def _recovery_number(db: Database, person_id: str, code: str) -> int | None:
    """The number of the unused code that this is; one hash is checked, whatever was typed."""
    table = schema_signin.recovery_code
    number = codes.ALPHABET.index(code[0])
    async with db.read() as conn:
        found = await conn.execute(
            select(table.c.code_hash).where(
                table.c.person_id == person_id, table.c.no == number, table.c.used_at.is_(None)
            )
        )
        stored: str | None = found.scalar()
    return number if await passwords.verify(stored, code) else None


async def _use_recovery(conn: AsyncConnection, person_id: str, number: int, now: float) -> bool:
    table = schema_signin.recovery_code
    done = await conn.execute(
        update(table)
        .where(table.c.person_id == person_id, table.c.no == number, table.c.used_at.is_(None))
        .values(used_at=now)
    )
    return done.rowcount == 1


def _recovery_form(typed: str) -> str | None:
    return codes.normal(typed, _GROUPS * 4)


# --- setting up one's own -------------------------------------------------------------------------


async def begin_app(db: Database, vault: Vault, actor: Actor, now: float) -> bytes:
    """A fresh secret for an app, not yet asked for at a sign-in; one that was not confirmed ends.

    Raises ProofNeeded, Forbidden, AuditFailed.
    """
    secret = secrets.token_bytes(totp.SECRET_BYTES)

    async def work(conn: AsyncConnection) -> None:
        app = schema_signin.totp
        known = await conn.execute(select(app.c.confirmed_at).where(app.c.person_id == actor.id))
        row = known.first()
        if row is not None and row.confirmed_at is not None:
            raise TooManyFactors
        await conn.execute(delete(app).where(app.c.person_id == actor.id))
        own = await vault.own(conn)
        sealed = own.seal("totp", "secret_enc", actor.id, secret)
        await conn.execute(
            insert(app).values(person_id=actor.id, secret_enc=sealed, kek_id=own.id, made_at=now)
        )

    await change(db, actor, "factor.begin_app", now, work)
    return secret


async def unconfirmed_app(db: Database, vault: Vault, actor: Actor) -> bytes:
    """The secret that was begun and waits for its first code. Raises NoSuchRecord."""
    app = schema_signin.totp
    async with db.read() as conn:
        found = await conn.execute(
            select(app.c.secret_enc, app.c.kek_id).where(
                app.c.person_id == actor.id, app.c.confirmed_at.is_(None)
            )
        )
        row = found.first()
    if row is None:
        raise NoSuchRecord
    return await vault.open_own("totp", "secret_enc", actor.id, row.secret_enc, row.kek_id)


async def confirm_app(db: Database, vault: Vault, actor: Actor, typed: str, now: float) -> None:
    """The first code of the app: from now on it is asked for.

    Raises BadSecondFactor, ProofNeeded, Forbidden, NoSuchRecord, AuditFailed.
    """
    secret = await unconfirmed_app(db, vault, actor)
    step = totp.step_of(secret, totp.normal(typed) or "", now)
    if step is None:
        raise BadSecondFactor

    async def work(conn: AsyncConnection) -> None:
        app = schema_signin.totp
        await conn.execute(
            update(app)
            .where(app.c.person_id == actor.id, app.c.confirmed_at.is_(None))
            .values(confirmed_at=now, last_step=step)
        )

    await change(db, actor, "factor.add_app", now, work)


async def remove_app(db: Database, actor: Actor, now: float, *, needed: bool) -> None:
    """Take the app away; every other sign-in ends. Raises LastFactor where one is `needed`, and as
    `change`."""

    async def work(conn: AsyncConnection) -> None:
        app = schema_signin.totp
        if needed and (await has(conn, actor.id)).passkeys == 0:
            raise LastFactor
        await conn.execute(delete(app).where(app.c.person_id == actor.id))
        await logins.end_elsewhere(conn, actor, now)

    await change(db, actor, "factor.remove_app", now, work)


async def make_recovery_codes(db: Database, actor: Actor, now: float) -> list[str]:
    """Ten fresh codes, to be shown this once; the ones before are worth nothing any more.

    Raises ProofNeeded, Forbidden, TooBusy, AuditFailed.
    """
    fresh = [_recovery_code(number) for number in range(CODES)]
    hashes = [await passwords.hash_secret(code) for code in fresh]

    async def work(conn: AsyncConnection) -> None:
        table = schema_signin.recovery_code
        await conn.execute(delete(table).where(table.c.person_id == actor.id))
        for number, stored in enumerate(hashes):
            await conn.execute(
                insert(table).values(person_id=actor.id, no=number, code_hash=stored, made_at=now)
            )

    await change(db, actor, "factor.recovery_codes", now, work)
    return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in fresh]


def _recovery_code(number: int) -> str:
    letters = (secrets.choice(codes.ALPHABET) for _ in range(_GROUPS * 4 - 1))
    return codes.ALPHABET[number] + "".join(letters)


async def change(
    db: Database,
    actor: Actor,
    recorded_as: str,
    now: float,
    work: Callable[[AsyncConnection], Awaitable[T]],
) -> T:
    """A change of one's own ways to sign in, by somebody who has just proven who they are.

    The change and its audit entry are one transaction. Raises ProofNeeded, Forbidden, AuditFailed.
    """

    async def guarded(conn: AsyncConnection) -> T:
        _may(actor)
        if not await logins.is_fresh(conn, actor, now):
            raise ProofNeeded
        done = await work(conn)
        await audit.record(conn, actor, recorded_as, "person", actor.id, "allowed", now)
        return done

    return await db.write(guarded)


async def remove_for_tablets(conn: AsyncConnection, person_id: str) -> None:
    """Take the passkeys away that a PIN made. Permission is the caller's matter."""
    key = schema_signin.passkey
    await conn.execute(delete(key).where(key.c.person_id == person_id, key.c.tablets_only))


async def remove_all(conn: AsyncConnection, person_id: str) -> None:
    """Take every second factor away. Permission is the caller's matter."""
    for table in (schema_signin.passkey, schema_signin.totp, schema_signin.recovery_code):
        await conn.execute(delete(table).where(table.c.person_id == person_id))


def _may(actor: Actor) -> None:
    if not allows(actor, Action.SIGN_IN_OWN, Target(person_id=actor.id)):
        raise Forbidden
