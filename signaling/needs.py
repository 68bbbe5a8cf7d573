"""What an officer's flags mean for the queue: the class of priority, and whom the session asks for.

Pure. The flags are codes of the record's vocabulary; what they mean stands there.
"""

from __future__ import annotations

from collections.abc import Iterable

from oncall.eligible import priority_now
from oncall.fit import AgeGroup
from records.catchments import Place
from records.directory import Agency, Directory
from records.sessions import SessionRow
from records.vocabulary import ROUTINE, TILE_AGE_GROUP, TILE_PRIORITY, TILE_SPECIALITY


def priority_of(tiles: Iterable[str]) -> int:
    """The class of the most urgent flag; lower is more urgent."""
    return min((TILE_PRIORITY.get(tile, ROUTINE) for tile in tiles), default=ROUTINE)


def age_group_of(tiles: Iterable[str]) -> AgeGroup | None:
    """The age group that a clinician must see; a juvenile who is with adults counts."""
    said = {AgeGroup(TILE_AGE_GROUP[tile]) for tile in tiles if tile in TILE_AGE_GROUP}
    if AgeGroup.JUVENILE in said:
        return AgeGroup.JUVENILE
    return AgeGroup.ADULT if said else None


def specialities_of(tiles: Iterable[str], known: Iterable[str]) -> frozenset[str]:
    """The specialities that help; of those that anybody here has, for nobody waits for a word."""
    return frozenset(TILE_SPECIALITY[tile] for tile in tiles if tile in TILE_SPECIALITY) & {*known}


def specialities_known(who: Directory, provider_ids: tuple[str, ...]) -> frozenset[str]:
    """Every speciality that a clinician of these providers has."""
    return frozenset(
        code
        for person in who.people.values()
        if person.active and person.provider_id in provider_ids
        for code in person.specialities
    )


def place_of(row: SessionRow, agency: Agency) -> Place:
    """Where the incident is: as the officer said, else the agency's own county."""
    if row.place_state is None:
        return agency.home
    return Place(row.place_county or "", row.place_state)


def elsewhere(row: SessionRow, agency: Agency) -> str | None:
    """The state where the incident is, when it is not the agency's own; for people to read."""
    place = place_of(row, agency)
    return place.state if place.state != agency.state else None


def in_line(row: SessionRow, now: float, promote_after: float) -> tuple[int, bool, int]:
    """The order in which consoles list who waits: the order of the line."""
    urgency = priority_now(row.priority, row.pressed_at, now, promote_after)
    return (urgency, row.requeued_at is None, row.seq)
