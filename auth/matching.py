"""Guarded changes of whom a session rings: a provider's places and rules, and its clinicians.

Each is one transaction, with its line in the audit; what was typed is checked before it comes here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit
from auth.actors import Actor
from auth.alerts import providers_of
from auth.errors import AuthError, NoSuchRecord, TooManyPlaces
from auth.policy import Action, Target, allows
from records import catchments, clinicians, directory
from records.catchments import CatchmentRow, Place, SettingsRow
from records.clinicians import Profile
from records.directory import Agency, Directory, Person
from records.engine import Database

Work = Callable[[AsyncConnection, Directory], Awaitable[None]]
Steps = tuple[tuple[str, float, bool], ...]
MOST_PLACES = 60  # of one agency: an officer finds theirs in a list


@dataclass(frozen=True, slots=True)
class House:
    """One provider, with all that decides whom it rings."""

    id: str
    name: str
    zone: str
    places: tuple[CatchmentRow, ...]
    people: tuple[Person, ...]
    settings: SettingsRow
    agencies: tuple[Agency, ...]  # with an agreement, whose places this person may set, by name


async def houses(db: Database, actor: Actor, now: float) -> list[House]:
    """The providers that this person may set, by name."""

    async def work(conn: AsyncConnection) -> list[House]:
        who = await directory.read(conn)
        rows = await catchments.catchments(conn)
        own = await catchments.settings(conn)
        found = providers_of(actor, who, Action.MATCHING_SET)
        await audit.record(
            conn, actor, Action.MATCHING_SET + ".read", "provider", None, "allowed", now
        )
        return [
            House(
                id=id_,
                name=name,
                zone=who.providers[id_].timezone,
                places=tuple(row for row in rows if row.provider_id == id_),
                people=tuple(p for p in who.clinicians(id_) if "clinician" in p.roles),
                settings=own.get(id_, SettingsRow()),
                agencies=tuple(
                    sorted(
                        (
                            a
                            for a in who.agencies.values()
                            if a.provider_id == id_ and _may(actor, a)
                        ),
                        key=lambda a: (a.name, a.id),
                    )
                ),
            )
            for id_, name in sorted(found.items(), key=lambda pair: pair[1])
        ]

    return await db.write(work)


async def add_place(
    db: Database, actor: Actor, provider_id: str, place: Place, rank: int, now: float
) -> None:
    """Answer there from now on; a place that is there already gets the new rank."""

    async def work(conn: AsyncConnection, _: Directory) -> None:
        kept = [one for one in await _places(conn, provider_id) if not one[0].same(place)]
        await catchments.replace_catchments(conn, provider_id, [*kept, (place, rank)])

    await _set(db, actor, provider_id, "matching.add_place", now, work)


async def remove_place(
    db: Database, actor: Actor, provider_id: str, place: Place, now: float
) -> None:
    """Answer there no longer. Raises NoSuchRecord for a place that is not there."""

    async def work(conn: AsyncConnection, _: Directory) -> None:
        had = await _places(conn, provider_id)
        kept = [one for one in had if not one[0].same(place)]
        if len(kept) == len(had):
            raise NoSuchRecord
        await catchments.replace_catchments(conn, provider_id, kept)

    await _set(db, actor, provider_id, "matching.remove_place", now, work)


async def set_agency_place(
    db: Database, actor: Actor, agency_id: str, place: Place, now: float, *, there: bool
) -> None:
    """The agency's officers may choose this place on the tablet, or (not `there`) no longer.

    Raises NoSuchRecord for a place that is not there, TooManyPlaces.
    """

    async def work(conn: AsyncConnection) -> AuthError | None:
        agency = (await directory.read(conn)).agencies.get(agency_id)
        allowed = agency is not None and _may(actor, agency)
        if agency is not None and allowed:
            kept = [one for one in agency.other_places if not one.same(place)]
            if not there and len(kept) == len(agency.other_places):
                raise NoSuchRecord
            if there and len(kept) >= MOST_PLACES:
                raise TooManyPlaces
            new = [place] if there and not place.same(agency.home) else []
            await catchments.replace_places(conn, agency_id, [*kept, *new])
        outcome: audit.Outcome = "allowed" if allowed else "refused"
        known = agency_id if agency is not None else None
        await audit.record(conn, actor, "matching.set_places", "agency", known, outcome, now)
        return None if allowed else NoSuchRecord()

    refusal = await db.write(work)
    if refusal is not None:
        raise refusal


async def set_ring(
    db: Database, actor: Actor, provider_id: str, ring: str, steps: Steps | None, now: float
) -> None:
    """How a provider rings, and when its search widens; None: at the standard times."""

    async def work(conn: AsyncConnection, _: Directory) -> None:
        row = (await catchments.settings(conn)).get(provider_id, SettingsRow())
        await catchments.replace_settings(
            conn, provider_id, replace(row, ring=ring, relaxations=steps)
        )

    await _set(db, actor, provider_id, "matching.set_ring", now, work)


async def set_person(
    db: Database, actor: Actor, provider_id: str, person_id: str, profile: Profile, now: float
) -> None:
    """What a clinician of the provider answers. Raises NoSuchRecord for anybody else."""

    async def work(conn: AsyncConnection, who: Directory) -> None:
        if person_id not in {p.id for p in who.clinicians(provider_id) if "clinician" in p.roles}:
            raise NoSuchRecord
        await clinicians.replace(conn, person_id, profile)

    await _set(db, actor, provider_id, "matching.set_person", now, work, ("person", person_id))


def _may(actor: Actor, agency: Agency) -> bool:
    return allows(
        actor, Action.MATCHING_SET, Target(agency.id, agency.provider_id, agency.program_id)
    )


async def _places(conn: AsyncConnection, provider_id: str) -> list[tuple[Place, int]]:
    rows = await catchments.catchments(conn)
    return [(row.place, row.rank) for row in rows if row.provider_id == provider_id]


async def _set(
    db: Database,
    actor: Actor,
    provider_id: str,
    recorded_as: str,
    now: float,
    work: Work,
    about: tuple[str, str] | None = None,
) -> None:
    async def guarded(conn: AsyncConnection) -> AuthError | None:
        who = await directory.read(conn)
        allowed = provider_id in providers_of(actor, who, Action.MATCHING_SET)
        kind, id_ = about or ("provider", provider_id)
        known = id_ if id_ in who.providers or id_ in who.people else None
        outcome: audit.Outcome = "allowed" if allowed else "refused"
        if allowed:
            await work(conn, who)
        await audit.record(conn, actor, recorded_as, kind, known, outcome, now)
        return None if allowed else NoSuchRecord()

    refusal = await db.write(guarded)
    if refusal is not None:
        raise refusal
