"""Which providers answer at which place, where an agency works, and how a provider is rung."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import case, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from records.schema import agency, agency_place, catchment, coverage, queue_settings


@dataclass(frozen=True, slots=True)
class Place:
    """A county of a state; no county: the whole state."""

    county: str
    state: str

    @property
    def words(self) -> str:
        """As an officer reads it."""
        return f"{self.county}, {self.state}" if self.county else self.state

    def same(self, other: Place) -> bool:
        """Whether they are one place, however it is written."""
        return _folded(self) == _folded(other)


@dataclass(frozen=True, slots=True)
class CatchmentRow:
    """This provider may answer at this place; the lowest rank first."""

    provider_id: str
    place: Place
    rank: int


@dataclass(frozen=True, slots=True)
class SettingsRow:
    """How a provider is rung; None: as the settings say. `relaxations`: what, seconds, at once."""

    ring: str = "all"
    round_seconds: float | None = None
    deliver_seconds: float | None = None
    cooldown_declined: float | None = None
    cooldown_expired: float | None = None
    cooldown_undelivered: float | None = None
    excluded_after_decline: float | None = None
    promote_after: float | None = None
    missed_limit: int | None = None
    relaxations: tuple[tuple[str, float, bool], ...] | None = None


async def catchments(conn: AsyncConnection) -> list[CatchmentRow]:
    """Everything, by place and rank."""
    one = catchment.c
    rows = await conn.execute(
        select(catchment).order_by(one.state, one.county, one.rank, one.provider_id)
    )
    return [CatchmentRow(r.provider_id, Place(r.county, r.state), r.rank) for r in rows]


async def replace_catchments(
    conn: AsyncConnection, provider_id: str, places: Iterable[tuple[Place, int]]
) -> None:
    """Put these places, with their ranks, in the place of a provider's."""
    await conn.execute(delete(catchment).where(catchment.c.provider_id == provider_id))
    values = [
        {"provider_id": provider_id, "state": p.state, "county": p.county, "rank": rank}
        for p, rank in places
    ]
    if values:
        await conn.execute(insert(catchment), values)


async def places(conn: AsyncConnection) -> dict[str, list[Place]]:
    """Agency to the places beside its own, in their order."""
    found: dict[str, list[Place]] = {}
    for row in await conn.execute(
        select(agency_place).order_by(agency_place.c.agency_id, agency_place.c.no)
    ):
        found.setdefault(row.agency_id, []).append(Place(row.county, row.state))
    return found


async def replace_places(conn: AsyncConnection, agency_id: str, those: Sequence[Place]) -> None:
    """Put these in the place of an agency's other places."""
    await conn.execute(delete(agency_place).where(agency_place.c.agency_id == agency_id))
    values = [
        {"agency_id": agency_id, "no": no, "county": p.county, "state": p.state}
        for no, p in enumerate(those, start=1)
    ]
    if values:
        await conn.execute(insert(agency_place), values)


async def settings(conn: AsyncConnection) -> dict[str, SettingsRow]:
    """Provider to how it is rung, of those that have said so."""
    found = {}
    for row in await conn.execute(select(queue_settings)):
        values = dict(row._mapping)
        provider_id = values.pop("provider_id")
        steps = values.pop("relaxations")
        relaxations = (
            tuple((what, float(after), bool(at_once)) for what, after, at_once in json.loads(steps))
            if steps is not None
            else None
        )
        found[provider_id] = SettingsRow(**values, relaxations=relaxations)
    return found


async def replace_settings(
    conn: AsyncConnection, provider_id: str, row: SettingsRow | None
) -> None:
    """Put these in the place of a provider's; None: back to those of the settings."""
    await conn.execute(delete(queue_settings).where(queue_settings.c.provider_id == provider_id))
    if row is not None:
        values = asdict(row)
        steps = values["relaxations"]
        values["relaxations"] = json.dumps(steps) if steps is not None else None
        await conn.execute(insert(queue_settings).values(provider_id=provider_id, **values))


def providers_at(
    rows: Mapping[tuple[str, str], Sequence[str]], place: Place, own: str | None
) -> tuple[str, ...]:
    """The providers that may answer at a place, the first one first.

    A county's own rows go before those of its whole state. The provider that the agency has an
    agreement with (`own`) shares a place only by being listed there itself: otherwise it is the
    only one, so that nobody gets an agency's sessions by listing a place alone. `rows`: as
    `by_place` gives them.
    """
    if own is None:
        return ()
    county, state = _folded(place)
    listed = [*rows.get((county, state), ()), *rows.get(("", state), ())]
    return tuple(dict.fromkeys(listed)) if own in listed else (own,)


def by_place(rows: Iterable[CatchmentRow]) -> dict[tuple[str, str], list[str]]:
    """The providers of each place, by rank."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        found.setdefault(_folded(row.place), []).append(row.provider_id)
    return found


def first_at_home() -> ColumnElement[str | None]:
    """SQL: the first provider at the agency's own place, beside `agency` and `coverage`; the same
    as `providers_at` says, in the one statement of a press."""
    one = catchment.c
    here = (
        one.state == agency.c.state,
        func.lower(one.county).in_(("", func.lower(agency.c.county))),
    )
    first = (
        select(one.provider_id)
        .where(*here)
        .order_by((one.county == "").asc(), one.rank, one.provider_id)
        .limit(1)
        .correlate(agency)
        .scalar_subquery()
    )
    listed = (
        select(one.provider_id)
        .where(*here, one.provider_id == coverage.c.provider_id)
        .correlate(agency, coverage)
        .exists()
    )
    return case((listed, first), else_=coverage.c.provider_id)


def _folded(place: Place) -> tuple[str, str]:
    return place.county.strip().lower(), place.state
