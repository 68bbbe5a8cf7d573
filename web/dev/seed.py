"""Puts the cast into an empty database, once."""

from __future__ import annotations

import asyncio
import json

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.passwords import hash_secret
from records import clinicians, resources, schema
from records.clinicians import LicenceRow, Profile
from records.engine import Database
from records.ids import new_id
from web.dev import cast

LICENCE_SECONDS = 2 * 365 * 86400.0
EVERY_DAY = 0b1111111


async def seed(db: Database, password: str, now: float) -> bool:
    """Sample agency, provider, tablets and people, all with `password`; False: they were there.

    All or nothing: one transaction.
    """
    async with db.read() as conn:
        if await _seeded(conn):
            return False
    shared = await hash_secret(password)
    pinned = [member for member in cast.CAST if member.pin is not None]
    hashes = await asyncio.gather(*(hash_secret(member.pin or "") for member in pinned))
    pins = {member.id: pin for member, pin in zip(pinned, hashes, strict=True)}

    async def write(conn: AsyncConnection) -> bool:
        if await _seeded(conn):
            return False
        await _organisations(conn)
        for member in cast.CAST:
            await _person(conn, member, shared, pins.get(member.id), now)
        for unit in cast.UNITS:
            await _tablet(conn, unit, now)
        return True

    return await db.write(write)


async def seed_help(db: Database, now: float) -> None:
    """A small directory of help near by, all of it invented."""

    async def write(conn: AsyncConnection) -> None:
        for one in cast.HELP:
            await resources.save(conn, cast.PROGRAM_ID, None, 0, one, cast.LENA.id, now)

    await db.write(write)


async def demo_people(conn: AsyncConnection) -> int:
    """How many active sample accounts there are; `serve` refuses to start with any in public."""
    found = await conn.execute(
        select(schema.person.c.id).where(schema.person.c.demo, schema.person.c.active)
    )
    return len(found.all())


async def _seeded(conn: AsyncConnection) -> bool:
    found = await conn.execute(
        select(schema.agency.c.id).where(schema.agency.c.id == cast.AGENCY_ID)
    )
    return found.first() is not None


async def _organisations(conn: AsyncConnection) -> None:
    await conn.execute(
        insert(schema.agency).values(
            id=cast.AGENCY_ID,
            name=cast.AGENCY,
            county=cast.COUNTY,
            state=cast.STATE,
            timezone=cast.TIMEZONE,
            regional_line=cast.REGIONAL_LINE,
            intake_tiles=json.dumps(cast.TILES),
        )
    )
    await conn.execute(
        insert(schema.provider).values(
            id=cast.PROVIDER_ID,
            name=cast.PROVIDER,
            timezone=cast.TIMEZONE,
            bridge_line=cast.BRIDGE_LINE,
        )
    )
    await conn.execute(insert(schema.program).values(id=cast.PROGRAM_ID, name=cast.PROGRAM))
    await conn.execute(
        insert(schema.coverage).values(
            agency_id=cast.AGENCY_ID, provider_id=cast.PROVIDER_ID, program_id=cast.PROGRAM_ID
        )
    )


# Where each role belongs: that is how far its rights reach.
_PLACES: dict[str, dict[str, str]] = {
    "officer": {"agency_id": cast.AGENCY_ID},
    "clinician": {"provider_id": cast.PROVIDER_ID},
    "supervisor": {"provider_id": cast.PROVIDER_ID},
    "manager": {"program_id": cast.PROGRAM_ID},
    "admin": {
        "agency_id": cast.AGENCY_ID,
        "provider_id": cast.PROVIDER_ID,
        "program_id": cast.PROGRAM_ID,
    },
}


async def _person(
    conn: AsyncConnection, member: cast.Member, password: str, pin: str | None, now: float
) -> None:
    await conn.execute(
        insert(schema.person).values(
            id=member.id,
            name=member.name,
            short_name=member.short_name,
            email=member.email,
            # An officer acts through a tablet and a PIN, never by a sign-in of their own.
            password_hash=None if member.role == "officer" else password,
            pin_hash=pin,
            demo=True,
            **_PLACES[member.role],
        )
    )
    await conn.execute(
        insert(schema.role_grant).values(person_id=member.id, role=member.role, granted_at=now)
    )
    if member.role in {"clinician", "supervisor"}:
        await clinicians.replace(conn, member.id, _profile(member, now))
    if member.tier is not None:
        await conn.execute(
            insert(schema.roster_entry).values(
                id=new_id("ros"),
                provider_id=cast.PROVIDER_ID,
                person_id=member.id,
                tier=member.tier,
                days=EVERY_DAY,
                starts_minute=0,
                ends_minute=0,  # equal to the start: 24 hours
                timezone=cast.TIMEZONE,
            )
        )


def _profile(member: cast.Member, now: float) -> Profile:
    licences = (LicenceRow(*member.licence, now + LICENCE_SECONDS),) if member.licence else ()
    return Profile(
        licences=licences,
        languages=frozenset(member.languages),
        specialities=frozenset(member.specialities),
        serves_juvenile=member.serves_juvenile,
    )


async def _tablet(conn: AsyncConnection, unit: cast.Unit, now: float) -> None:
    await conn.execute(
        insert(schema.tablet).values(
            id=unit.id, agency_id=cast.AGENCY_ID, label=unit.label, demo=True
        )
    )
    if unit.officer is not None:
        await conn.execute(
            insert(schema.shift).values(
                id=new_id("shf"), tablet_id=unit.id, person_id=unit.officer, started_at=now
            )
        )
