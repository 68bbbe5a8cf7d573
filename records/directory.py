"""Who there is, read in one go: the small tables that every screen needs names from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, Select, and_, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from records import catchments, clinicians, schema
from records.catchments import Place
from records.clinicians import LicenceRow


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
    other_places: tuple[Place, ...] = ()  # where it works beside its own county

    @property
    def home(self) -> Place:
        return Place(self.county, self.state)

    @property
    def places(self) -> tuple[Place, ...]:
        """Where its officers may be, its own county first."""
        others = tuple(place for place in self.other_places if not place.same(self.home))
        return (self.home, *others)


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
    licences: tuple[LicenceRow, ...]
    active: bool
    languages: frozenset[str] = frozenset()
    specialities: frozenset[str] = frozenset()
    serves_adult: bool = True
    serves_juvenile: bool = True

    @property
    def licence(self) -> str | None:
        """As shown on a card: "LPC, SD"."""
        if not self.licences:
            return None
        parts = [part for part in (self.licences[0].type, self.licences[0].state) if part]
        return ", ".join(parts) or None

    def licence_in(self, state: str) -> str | None:
        """The licence for a state, as shown on a card there; the first one when there is none."""
        there = next((one for one in self.licences if one.state == state), None)
        parts = [there.type, there.state] if there else []
        return ", ".join(part for part in parts if part) or self.licence

    def licensed(self, now: float) -> bool:
        """Whether any licence is valid."""
        return any(one.valid(now) for one in self.licences)

    def states(self, until: float) -> frozenset[str]:
        """The states for which a licence is valid up to then."""
        return frozenset(
            one.state for one in self.licences if one.expires_at is None or one.expires_at >= until
        )

    @property
    def licensed_until(self) -> float | None:
        """When the last licence runs out; None: never."""
        ends = [one.expires_at for one in self.licences]
        known = [end for end in ends if end is not None]
        return max(known) if known and len(known) == len(ends) else None


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
    catchments: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict)
    _staff: dict[str, list[Person]] = field(default_factory=dict, compare=False, repr=False)

    def providers_at(self, agency_id: str, place: Place | None = None) -> tuple[str, ...]:
        """Who may answer an agency's incident at a place (None: its own), the first one first."""
        agency = self.agencies[agency_id]
        return catchments.providers_at(self.catchments, place or agency.home, agency.provider_id)

    def short_name(self, person_id: str | None) -> str | None:
        """How the other side reads a person; None for nobody."""
        person = self.people.get(person_id or "")
        return person.short_name if person else None

    def clinicians(self, provider_id: str) -> Sequence[Person]:
        """The provider's active clinicians and supervisors, by name."""
        if provider_id not in self._staff:
            staff = (
                person
                for person in self.people.values()
                if person.active
                and person.provider_id == provider_id
                and {"clinician", "supervisor"} & person.roles
            )
            self._staff[provider_id] = sorted(staff, key=lambda person: (person.name, person.id))
        return self._staff[provider_id]


@dataclass(frozen=True, slots=True)
class Post:
    """Where a tablet stands: what a press from it needs to know, and nothing more."""

    agency_id: str
    provider_id: str | None  # None: no coverage is set up
    program_id: str | None
    shift_id: str | None
    officer_id: str | None
    directory_version: int | None = None
    roster_version: int | None = None

    @property
    def versions(self) -> tuple[int, int]:
        """How often directory and roster have changed: what was read at the same is still so."""
        return self.directory_version or 0, self.roster_version or 0


def _post() -> Select[Any]:
    tablet, coverage, shift = schema.tablet, schema.coverage, schema.shift
    joined = (
        tablet.join(schema.agency)
        .outerjoin(coverage, coverage.c.agency_id == tablet.c.agency_id)
        .outerjoin(shift, and_(shift.c.tablet_id == tablet.c.id, shift.c.ended_at.is_(None)))
    )
    return (
        select(
            tablet.c.agency_id,
            catchments.first_at_home().label("provider_id"),
            coverage.c.program_id,
            shift.c.id.label("shift_id"),
            shift.c.person_id.label("officer_id"),
            select(schema.directory_version.c.version).scalar_subquery().label("directory_version"),
            select(schema.roster_version.c.version).scalar_subquery().label("roster_version"),
        )
        .select_from(joined)
        .where(tablet.c.id == bindparam("tablet_id"))
    )


_VERSION = select(schema.directory_version.c.version)
_POST = _post()  # made once: a press waits for it
_POST_LOCKED = _POST.add_columns(func.pg_advisory_xact_lock(schema.PRESS_LOCK))


async def post_of(conn: AsyncConnection, tablet_id: str) -> Post | None:
    """A tablet's agency, coverage and shift, in one reading; None for a tablet nobody knows."""
    row = (await conn.execute(_POST, {"tablet_id": tablet_id})).one_or_none()
    return Post(**row._mapping) if row is not None else None


async def post_of_press(conn: AsyncConnection, tablet_id: str) -> Post | None:
    """The same for a press: on PostgreSQL presses come one after another from here on, so that each
    gets its own place in line, and none is refused for it. The lock comes with the answer."""
    if conn.dialect.name != "postgresql":
        return await post_of(conn, tablet_id)
    row = (await conn.execute(_POST_LOCKED, {"tablet_id": tablet_id})).one_or_none()
    return Post(*row[:-1]) if row is not None else None


async def version(conn: AsyncConnection) -> int:
    """Grows with every committed change of the directory and of the queue's settings.

    The database counts by itself, whoever changes them: a reading taken after this was read is
    still so while it is the same.
    """
    found = await conn.execute(_VERSION)
    return found.scalar_one_or_none() or 0


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
        catchments=catchments.by_place(await catchments.catchments(conn)),
    )


async def _agencies(conn: AsyncConnection) -> dict[str, Agency]:
    joined = schema.agency.outerjoin(schema.coverage)
    elsewhere = await catchments.places(conn)
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
            other_places=tuple(elsewhere.get(row.id, ())),
        )
        for row in rows
    }


async def _people(conn: AsyncConnection) -> dict[str, Person]:
    roles: dict[str, set[str]] = {}
    for grant in await conn.execute(select(schema.role_grant)):
        roles.setdefault(grant.person_id, set()).add(grant.role)
    licences = await clinicians.licences(conn)
    tags = await clinicians.tags(conn)
    return {
        row.id: Person(
            id=row.id,
            name=row.name,
            short_name=row.short_name,
            roles=frozenset(roles.get(row.id, ())),
            agency_id=row.agency_id,
            provider_id=row.provider_id,
            program_id=row.program_id,
            licences=licences.get(row.id) or _one_licence(row),
            active=row.active,
            languages=tags.get((row.id, "language"), frozenset()),
            specialities=tags.get((row.id, "speciality"), frozenset()),
            serves_adult=row.serves_adult,
            serves_juvenile=row.serves_juvenile,
        )
        for row in await conn.execute(select(schema.person))
    }


def _one_licence(row: Row[Any]) -> tuple[LicenceRow, ...]:
    """What stands in the person's own row only: the first licence."""
    if row.licence_state is None:
        return ()
    kind, number = row.licence_type or "", row.licence_number or ""
    return (LicenceRow(kind, row.licence_state, number, row.licence_expires_at),)


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


async def program_names(conn: AsyncConnection) -> dict[str, str]:
    """The programs by id."""
    rows = await conn.execute(select(schema.program.c.id, schema.program.c.name))
    return {row.id: row.name for row in rows}
