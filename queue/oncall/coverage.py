"""Who is on call, from weekly shifts and the overrides over them. Pure.

Rules of this file:
1. A person is on call in one tier at a time; of two weekly shifts at once the lower tier counts.
2. An override beats the weekly shifts, and of two overrides the later made one beats the other.
3. Spans are UTC seconds [start, end); a plan says nothing about who is licensed or there.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from oncall.errors import BadOverride
from oncall.roster import RosterEntry, Span

LONGEST_OVERRIDE = 92 * 86_400.0  # a quarter: what is longer is a weekly shift
HIGHEST_TIER = 9
CHANGE_AHEAD = 8 * 86_400.0  # a week, and a day for what the clocks move

Tiers = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Override:
    """One exception: a person added, one taken off, or one in another's place. Raises BadOverride.

    `person_id` comes and `instead_of` goes. With both, the one who comes takes the tier of the one
    who goes, and only where that one is on call. `order`: when it was made; later beats earlier.
    """

    id: str
    provider_id: str
    person_id: str | None
    instead_of: str | None
    starts_at: float
    ends_at: float
    tier: int | None = None  # of a person added; None otherwise
    order: float = 0.0

    def __post_init__(self) -> None:
        if self.person_id == self.instead_of:
            raise BadOverride("person")  # nobody at all, or in their own place
        if not self.starts_at < self.ends_at <= self.starts_at + LONGEST_OVERRIDE:
            raise BadOverride("ends_at")
        added = self.instead_of is None
        fits = self.tier is not None and 1 <= self.tier <= HIGHEST_TIER
        if not (fits if added else self.tier is None):
            raise BadOverride("tier")


@dataclass(frozen=True, slots=True)
class Covered:
    """A span in which the same people are on call in the same tiers; nobody: empty `tiers`."""

    starts_at: float
    ends_at: float
    tiers: Tiers  # person -> tier

    def by_tier(self) -> dict[int, tuple[str, ...]]:
        """Who is on call per tier, the first-rung tier first."""
        found: dict[int, list[str]] = {}
        for person, tier in sorted(self.tiers.items(), key=lambda one: (one[1], one[0])):
            found.setdefault(tier, []).append(person)
        return {tier: tuple(people) for tier, people in found.items()}


@dataclass(frozen=True, slots=True)
class Shift:
    """One person on call from a time to another, as they would say it: "my Friday night"."""

    person_id: str
    tier: int
    starts_at: float
    ends_at: float


@dataclass(frozen=True, slots=True)
class Roster:
    """A provider's whole plan."""

    entries: tuple[RosterEntry, ...] = ()
    overrides: tuple[Override, ...] = ()

    def on_call(self, now: float) -> dict[str, int]:
        """Who is on call at `now`: person to tier."""
        return dict(self.coverage(now, now + 1)[0].tiers)

    def coverage(self, since: float, until: float) -> list[Covered]:
        """All of [since, until) in order, without a hole; neighbours differ."""
        found: list[Covered] = []
        for piece in self._pieces(since, until):
            if found and found[-1].tiers == piece.tiers:
                found[-1] = Covered(found[-1].starts_at, piece.ends_at, piece.tiers)
            else:
                found.append(piece)
        return found

    def next_change(self, now: float) -> float | None:
        """When `on_call` next gives another answer; None when it does not within a week.

        One shift that follows another of the same person without a gap is not a change.
        """
        until = now + CHANGE_AHEAD
        ends = self.coverage(now, until)[0].ends_at
        return ends if ends < until else None

    def shifts(self, person_id: str, since: float, until: float) -> list[Shift]:
        """A person's turns that touch [since, until), in order, each whole as it is planned.

        Two weekly shifts that meet stay two; what others have taken over is gone.
        """
        # a turn that began before, or ends after, is found whole: no shift is longer than a day,
        # and an override is looked at with its own ends
        edges = {
            e
            for o in self.overrides
            if person_id in (o.person_id, o.instead_of)
            if o.starts_at < until and o.ends_at > since
            for e in (o.starts_at, o.ends_at)
        }
        low, high = min({since, *edges}) - 90_000, max({until, *edges}) + 90_000
        cuts = self._cuts(person_id, low, high)
        found: list[Shift] = []
        for piece in self._pieces(low, high):
            tier = piece.tiers.get(person_id)
            if tier is None:
                continue
            last = found[-1] if found else None
            goes_on = last is not None and (last.ends_at, last.tier) == (piece.starts_at, tier)
            if last is not None and goes_on and piece.starts_at not in cuts:
                found[-1] = Shift(person_id, tier, last.starts_at, piece.ends_at)
            else:
                found.append(Shift(person_id, tier, piece.starts_at, piece.ends_at))
        return [one for one in found if one.starts_at < until and one.ends_at > since]

    def _cuts(self, person_id: str, since: float, until: float) -> set[float]:
        """Where one turn of a person ends and the next begins, though they are on call in both."""
        covers_for = {o.instead_of for o in self.overrides if o.person_id == person_id}
        theirs = {person_id, *covers_for}
        cuts = {
            edge
            for entry in self.entries
            if entry.person_id in theirs
            for span in entry.spans(since, until)
            for edge in span
        }
        return cuts | {
            edge
            for o in self.overrides
            if person_id in (o.person_id, o.instead_of)
            for edge in (o.starts_at, o.ends_at)
        }

    def _pieces(self, since: float, until: float) -> Iterator[Covered]:
        """[since, until) cut at every edge of the plan, with who is on call in each piece."""
        weekly = _Weekly(self.entries, since, until)
        overrides = sorted(
            (o for o in self.overrides if o.starts_at < until and o.ends_at > since),
            key=lambda o: (o.order, o.id),
        )
        edges = {since, until, *weekly.edges}
        edges |= {e for o in overrides for e in (o.starts_at, o.ends_at) if since < e < until}
        ordered = sorted(edges)
        for start, end in pairwise(ordered):
            tiers = weekly.advance(start)
            for override in overrides:
                if override.starts_at <= start < override.ends_at:
                    _apply(override, tiers)
            yield Covered(start, end, tiers)


def meets(spans: Iterable[Span], since: float, until: float) -> list[Span]:
    """The parts of spans that lie in [since, until)."""
    cut = [(max(start, since), min(end, until)) for start, end in spans]
    return [(start, end) for start, end in cut if start < end]


class _Weekly:
    """The weekly shifts as they come and go along a stretch of time."""

    def __init__(self, entries: Iterable[RosterEntry], since: float, until: float) -> None:
        self._events: list[tuple[float, int, str, int]] = []  # at, +1 | -1, person, tier
        for entry in entries:
            for start, end in entry.spans(since, until):
                self._events.append((start, 1, entry.person_id, entry.tier))
                self._events.append((end, -1, entry.person_id, entry.tier))
        self._events.sort()
        self._next = 0
        self._there: dict[str, Counter[int]] = {}
        inside = bisect.bisect_right(self._events, (since, 2, "", 0))
        self.edges = {event[0] for event in self._events[inside:] if event[0] < until}

    def advance(self, at: float) -> dict[str, int]:
        """Who is on call from `at` on; ask in the order of time."""
        events: Sequence[tuple[float, int, str, int]] = self._events
        while self._next < len(events) and events[self._next][0] <= at:
            _, step, person, tier = events[self._next]
            self._there.setdefault(person, Counter())[tier] += step
            self._next += 1
        found = {}
        for person, tiers in self._there.items():
            there = [tier for tier, count in tiers.items() if count > 0]
            if there:
                found[person] = min(there)
        return found


def _apply(override: Override, tiers: dict[str, int]) -> None:
    tier = override.tier
    if override.instead_of is not None:
        tier = tiers.pop(override.instead_of, None)
        if tier is None:
            return  # the one who goes is not there: nothing to take over
        if override.person_id is not None:
            tier = min(tier, tiers.get(override.person_id, tier))
    if override.person_id is not None and tier is not None:
        tiers[override.person_id] = tier
