"""Counts of medication for opioid use disorder, as they may leave the seal. Pure.

What a session's answers say about it is a substance-use record (42 CFR Part 2). A count is none as
long as nobody can be found by it (2.16, 2.52, 2.53). Rules of this file:

1. Only what is LEAST or more becomes a number outside the seal. Fewer wait for the months after,
   and are not kept anywhere but in the sealed answers themselves.
2. A number is told once, for a month that is over, and never changes. So a report and one of fewer
   months or agencies differ by 0 or by LEAST and more: nobody is found by subtracting.
3. It is told in a month in which as many sessions were answered there, so that the last one that
   it waited for is one of many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from records.measures import SMALL

LEAST: Final = SMALL
FORM: Final = "moud"
OUTCOMES: Final = ("arranged", "continued", "declined", "not-offered")  # levels of its rule


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """For whom it is counted: wider than this no number says where."""

    program_id: str
    provider_id: str
    agency_id: str


@dataclass(frozen=True, slots=True)
class Told:
    """What the answers of one session say. No id, nobody."""

    place: Place
    month: int
    outcome: str


@dataclass(frozen=True, slots=True, order=True)
class Count:
    """A number outside the seal."""

    month: int
    place: Place
    outcome: str
    count: int


def month_of(at: float) -> int:
    """Months of the calendar since year 0, UTC."""
    day = datetime.fromtimestamp(at, UTC)
    return day.year * 12 + day.month - 1


def begins(month: int) -> float:
    """When a month begins."""
    return datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC).timestamp()


def told(
    month: int,
    sessions: Iterable[Told],
    answered: Mapping[Place, int],
    last: Mapping[tuple[Place, str], int],
) -> list[Count]:
    """What may be told of a month that is over, in order.

    `answered`: how many sessions were answered in that month, `last`: the month of each number that
    was told last; what was closed up to then is in it.
    """
    waiting = Counter(
        (one.place, one.outcome)
        for one in sessions
        if one.outcome in OUTCOMES and last.get((one.place, one.outcome), -1) < one.month <= month
    )
    return sorted(
        Count(month, place, outcome, count)
        for (place, outcome), count in waiting.items()
        if count >= LEAST and answered.get(place, 0) >= LEAST
    )
