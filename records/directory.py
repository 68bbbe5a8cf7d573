"""Who there is, read in one go: the small tables that every screen needs names from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from records import schema


@dataclass(frozen=True, slots=True)
class Agency:
    id: str
    name: str
    county: str
    state: str
    timezone: str
    regional_line: str
    tiles: tuple[str, ...]
    provider_id: str | None  # None: no coverage is set up
    program_id: str | None


@dataclass(frozen=True, slots=True)
class Provider:
    id: str
    name: str
    bridge_line: str
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Person:
    id: str
    name: str
    short_name: str
    roles: frozenset[str]
    agency_id: str | None
    provider_id: str | None
    program_id: str | None
    licence_type: str | None
    licence_state: str | None
    licence_number: str | None
    licence_expires_at: float | None
    active: bool

    @property
    def licence(self) -> str | None:
        """As shown on a card: "LPC, SD"."""
        parts = [part for part in (self.licence_type, self.licence_state) if part]
        return ", ".join(parts) or None


@dataclass(frozen=True, slots=True)
class TabletOnDuty:
    id: str
    agency_id: str
    label: str
    shift_id: str | None
    officer_id: str | None
    revoked: bool


@dataclass(frozen=True, slots=True)
class Directory:
    agencies: Mapping[str, Agency]
    providers: Mapping[str, Provider]
    people: Mapping[str, Person]
    tablets: Mapping[str, TabletOnDuty]

    def short_name(self, person_id: str | None) -> str | None:
        """How the other side reads a person; None for nobody."""
        person = self.people.get(person_id or "")
        return person.short_name if person else None

    def clinicians(self, provider_id: str) -> list[Person]:
        """The provider's active clinicians and supervisors, by name."""
        return sorted(
            (
                person
                for person in self.people.values()
                if person.active
                and person.provider_id == provider_id
                and {"clinician", "supervisor"} & person.roles
            ),
            key=lambda person: (person.name, person.id),
        )


@dataclass(frozen=True, slots=True)
class Post:
    """Where a tablet stands: what a press from it needs to know, and nothing more."""

    agency_id: str
    provider_id: str | None  # None: no coverage is set up
    program_id: str | None
    shift_id: str | None
    officer_id: str | None


async def post_of(conn: AsyncConnection, tablet_id: str) -> Post | None:
    """A tablet's agency, coverage and shift, in one reading; None for a tablet nobody knows."""
    tablet, coverage, shift = schema.tablet, schema.coverage, schema.shift
    joined = tablet.outerjoin(coverage, coverage.c.agency_id == tablet.c.agency_id).outerjoin(
        shift, and_(shift.c.tablet_id == tablet.c.id, shift.c.ended_at.is_(None))
    )
    found = await conn.execute(
        select(
            tablet.c.agency_id,
            coverage.c.provider_id,
            coverage.c.program_id,
            shift.c.id.label("shift_id"),
            shift.c.person_id.label("officer_id"),
        )
        .select_from(joined)
        .where(tablet.c.id == tablet_id)
    )
    row = found.one_or_none()
    return Post(**row._mapping) if row is not None else None


async def read(conn: AsyncConnection) -> Directory:
    """The whole directory, in one consistent reading of `conn`'s transaction."""
    return Directory(
        agencies=await _agencies(conn),
        providers={
            row.id: Provider(row.id, row.name, row.bridge_line, row.timezone)
            for row in await conn.execute(select(schema.provider))
        },
        people=await _people(conn),
        tablets=await _tablets(conn),
    )


async def _agencies(conn: AsyncConnection) -> dict[str, Agency]:
    joined = schema.agency.outerjoin(schema.coverage)
    rows = await conn.execute(
        select(
            schema.agency, schema.coverage.c.provider_id, schema.coverage.c.program_id
        ).select_from(joined)
    )
    return {
        row.id: Agency(
            id=row.id,
            name=row.name,
            county=row.county,
            state=row.state,
            timezone=row.timezone,
            regional_line=row.regional_line,
            tiles=tuple(json.loads(row.intake_tiles)),
            provider_id=row.provider_id,
            program_id=row.program_id,
        )
        for row in rows
    }


async def _people(conn: AsyncConnection) -> dict[str, Person]:
    roles: dict[str, set[str]] = {}
    for grant in await conn.execute(select(schema.role_grant)):
        roles.setdefault(grant.person_id, set()).add(grant.role)
    return {
        row.id: Person(
            id=row.id,
            name=row.name,
            short_name=row.short_name,
            roles=frozenset(roles.get(row.id, ())),
            agency_id=row.agency_id,
            provider_id=row.provider_id,
            program_id=row.program_id,
            licence_type=row.licence_type,
            licence_state=row.licence_state,
            licence_number=row.licence_number,
            licence_expires_at=row.licence_expires_at,
            active=row.active,
        )
        for row in await conn.execute(select(schema.person))
    }


async def _tablets(conn: AsyncConnection) -> dict[str, TabletOnDuty]:
    on_shift = {
        row.tablet_id: (row.id, row.person_id)
        for row in await conn.execute(select(schema.shift).where(schema.shift.c.ended_at.is_(None)))
    }
    tablets = {}
    for row in await conn.execute(select(schema.tablet)):
        shift_id, officer_id = on_shift.get(row.id, (None, None))
        tablets[row.id] = TabletOnDuty(
            id=row.id,
            agency_id=row.agency_id,
            label=row.label,
            shift_id=shift_id,
            officer_id=officer_id,
            revoked=row.revoked_at is not None,
        )
    return tablets
