"""Enrolled tablets: the device's own identity, apart from the officer who carries it.

A code binds a device to a tablet's row once; each enrolment raises the row's credential number, so
that the device before it is out at once.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit, codes, possession
from auth.actors import TABLET, Actor
from auth.errors import BadCode, KeyRequired, NoSuchRecord, NotEnrolled, TabletRevoked
from auth.shifts import (
    Officer,
    check_pin,
    end_shift,
    officers_of_agency,
    start_shift,
)
from auth.tablet_keys import Holder
from auth.tokens import Tokens
from records import schema
from records.engine import Database

__all__ = [
    "Enrolled",
    "Holder",
    "Officer",
    "actor_for_tablet",
    "check_pin",
    "end_shift",
    "enrol",
    "holder_of",
    "make_enrolment",
    "officers_of_agency",
    "renew",
    "revoke_tablet",
    "seen",
    "start_shift",
]

CODE_SECONDS = 3600.0
TABLET_DAYS = 365.0  # a tablet must not fall out of service at night; the row revokes it at once


class Enrolled(NamedTuple):
    """A fresh enrolment; `token` goes into the tablet's cookie and nowhere else."""

    token: str
    actor: Actor

    def __repr__(self) -> str:
        return f"Enrolled(actor={self.actor.id!r})"


async def make_enrolment(
    conn: AsyncConnection,
    tablet_id: str,
    now: float,
    *,
    reusable: bool = False,
    ttl: float = CODE_SECONDS,
) -> str:
    """A new code for a tablet, valid for `ttl` seconds; earlier unused codes of it end.

    Only its digest is stored. `reusable` is for the demo. Raises NoSuchRecord. Permission is the
    caller's matter.
    """
    tablet, enrolment = schema.tablet, schema.enrolment
    known = await conn.execute(select(tablet.c.id).where(tablet.c.id == tablet_id))
    if known.first() is None:
        raise NoSuchRecord
    await _end_codes(conn, tablet_id)
    code = codes.spell(secrets.token_bytes(5))
    await conn.execute(
        insert(enrolment).values(
            code_hash=codes.digest(code.replace("-", "")),
            tablet_id=tablet_id,
            created_at=now,
            expires_at=now + ttl,
            reusable=reusable,
        )
    )
    return code


async def enrol(
    db: Database,
    tokens: Tokens,
    code: str,
    now: float,
    *,
    key: str | None = None,
    key_required: bool = False,
) -> Enrolled:
    """Bind the asking device, and the key that it made, to the code's tablet.

    A device bound before is out. Raises BadCode for an unknown, used or expired code; BadKey and
    KeyRequired before a code is used up. The caller limits the rate by address.
    """
    if key is not None:
        possession.check_key(key)
    elif key_required:
        raise KeyRequired
    normal = codes.normal(code)

    async def work(conn: AsyncConnection) -> Enrolled | None:
        tablet_id = await _spend(conn, normal, now) if normal else None
        if tablet_id is None:
            await audit.try_record(conn, None, "tablet.enrol", "tablet", None, "refused", now)
            return None
        tablet = schema.tablet
        await conn.execute(
            update(tablet)
            .where(tablet.c.id == tablet_id)
            .values(
                credential=tablet.c.credential + 1,
                enrolled_at=now,
                last_seen_at=now,
                revoked_at=None,
                device_key=key,
                key_bound_at=None if key is None else now,
                key_bound_by=None if key is None else "enrolment",
                key_refused_at=None,
            )
        )
        actor, credential, _ = await _load(conn, tablet_id, now + TABLET_DAYS * 86400)
        await audit.try_record(conn, actor, "tablet.enrol", "tablet", tablet_id, "allowed", now)
        return Enrolled(_token(tokens, tablet_id, credential, now), actor)

    enrolled = await db.write(work)
    if enrolled is None:
        raise BadCode
    return enrolled


async def actor_for_tablet(conn: AsyncConnection, tokens: Tokens, token: str, now: float) -> Actor:
    """Which tablet holds this token now; not yet a proof. Raises NotEnrolled, TabletRevoked."""
    return (await holder_of(conn, tokens, token, now)).actor


async def holder_of(conn: AsyncConnection, tokens: Tokens, token: str, now: float) -> Holder:
    """Which tablet this token names, and which key it must prove. Raises as `actor_for_tablet`."""
    claims = await tokens.find(conn, "tablet", token)
    if claims is None or now >= claims.expires_at:
        raise NotEnrolled
    found = await conn.execute(
        select(schema.tablet.c.revoked_at).where(schema.tablet.c.id == claims.subject)
    )
    row = found.first()
    if row is None:
        raise NotEnrolled
    actor, credential, key = await _load(conn, claims.subject, claims.expires_at)
    subject = _token_id(claims.subject, credential)
    if row.revoked_at is not None or claims.token_id != subject:
        gone = TabletRevoked()
        gone.tablet_id = claims.subject
        raise gone
    return Holder(actor, subject, credential, key)


async def renew(conn: AsyncConnection, tokens: Tokens, actor: Actor, now: float) -> str:
    """A token with a fresh year for a tablet that has just proved itself (at check-out)."""
    _, credential, _ = await _load(conn, actor.id, now)
    return _token(tokens, actor.id, credential, now)


async def seen(conn: AsyncConnection, tablet_id: str, now: float) -> None:
    """Note that the tablet was there; call it seldom (once a minute is plenty)."""
    tablet = schema.tablet
    await conn.execute(update(tablet).where(tablet.c.id == tablet_id).values(last_seen_at=now))


async def revoke_tablet(conn: AsyncConnection, tablet_id: str, now: float) -> None:
    """End a tablet's enrolment and its open codes at once. Permission is the caller's matter.

    Raises NoSuchRecord.
    """
    tablet = schema.tablet
    done = await conn.execute(
        update(tablet)
        .where(tablet.c.id == tablet_id)
        .values(
            revoked_at=now,
            credential=tablet.c.credential + 1,
            device_key=None,
            key_bound_at=None,
            key_bound_by=None,
        )
    )
    if done.rowcount != 1:
        raise NoSuchRecord
    await _end_codes(conn, tablet_id)


async def _end_codes(conn: AsyncConnection, tablet_id: str) -> None:
    enrolment = schema.enrolment
    await conn.execute(
        delete(enrolment).where(
            enrolment.c.tablet_id == tablet_id,
            enrolment.c.used_at.is_(None) | enrolment.c.reusable,
        )
    )


async def _spend(conn: AsyncConnection, code: str, now: float) -> str | None:
    """Use a code up, in one statement, so that two devices can never share one use."""
    enrolment = schema.enrolment
    spent = await conn.execute(
        update(enrolment)
        .where(
            enrolment.c.code_hash == codes.digest(code),
            enrolment.c.expires_at > now,
            enrolment.c.used_at.is_(None) | enrolment.c.reusable,
        )
        .values(used_at=now)
        .returning(enrolment.c.tablet_id)
    )
    tablet_id: str | None = spent.scalar_one_or_none()
    return tablet_id


async def _load(
    conn: AsyncConnection, tablet_id: str, expires_at: float
) -> tuple[Actor, int, str | None]:
    """The tablet as an actor, with the number of its enrolment and its device's key."""
    tablet, shift, coverage, person = (
        schema.tablet,
        schema.shift,
        schema.coverage,
        schema.person,
    )
    joined = (
        tablet.outerjoin(shift, (shift.c.tablet_id == tablet.c.id) & shift.c.ended_at.is_(None))
        .outerjoin(person, person.c.id == shift.c.person_id)
        .outerjoin(coverage, coverage.c.agency_id == tablet.c.agency_id)
    )
    found = await conn.execute(
        select(
            tablet,
            coverage.c.provider_id,
            coverage.c.program_id,
            shift.c.id.label("shift_id"),
            shift.c.person_id.label("officer_id"),
            person.c.locale,
        )
        .select_from(joined)
        .where(tablet.c.id == tablet_id)
    )
    row = found.one()
    actor = Actor(
        kind="tablet",
        id=row.id,
        name=row.label,
        short_name=row.label,
        roles=frozenset({TABLET}),
        agency_id=row.agency_id,
        provider_id=row.provider_id,
        program_id=row.program_id,
        expires_at=expires_at,
        officer_id=row.officer_id,
        shift_id=row.shift_id,
        locale=row.locale,
        demo=row.demo,
    )
    return actor, row.credential, row.device_key


def _token(tokens: Tokens, tablet_id: str, credential: int, now: float) -> str:
    expires_at = now + TABLET_DAYS * 86400
    return tokens.issue("tablet", tablet_id, _token_id(tablet_id, credential), now, expires_at)


def _token_id(tablet_id: str, credential: int) -> str:
    return f"{tablet_id}.{credential}"
