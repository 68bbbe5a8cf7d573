"""Hours in which the plan has nobody, and when to say so. Pure.

Two kinds: nobody at all, and nobody in the first tier. A gap shorter than a minute is none.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from oncall.coverage import Covered, meets
from oncall.roster import Span

AHEAD_SECONDS = 14 * 86_400.0
ALARM_AHEAD = 86_400.0  # a day
SHORTEST = 60.0
FIRST_TIER = 1


class GapKind(enum.StrEnum):
    """What is missing."""

    NOBODY = "nobody"
    NO_FIRST_TIER = "no_first_tier"


@dataclass(frozen=True, slots=True, order=True)
class Gap:
    """A stretch of uncovered time, UTC seconds [start, end)."""

    starts_at: float
    ends_at: float
    kind: GapKind

    @property
    def seconds(self) -> float:
        return self.ends_at - self.starts_at


def gaps(covered: Iterable[Covered]) -> list[Gap]:
    """Every gap of a coverage, in order.

    Where nobody is at all, nobody is in the first tier either: such hours are in a gap of both
    kinds; see `apart`.
    """
    pieces = list(covered)
    nobody = _stretches(pieces, lambda one: not one.tiers)
    first = _stretches(pieces, lambda one: FIRST_TIER not in one.tiers.values())
    return sorted(
        [Gap(start, end, GapKind.NOBODY) for start, end in nobody]
        + [Gap(start, end, GapKind.NO_FIRST_TIER) for start, end in first]
    )


def apart(found: Iterable[Gap]) -> list[Gap]:
    """The same hours told once: where nobody is at all, that alone is said. For people to read."""
    found = list(found)
    nobody = [gap for gap in found if gap.kind is GapKind.NOBODY]
    spans = [(gap.starts_at, gap.ends_at) for gap in nobody]
    rest = [
        Gap(start, end, GapKind.NO_FIRST_TIER)
        for gap in found
        if gap.kind is GapKind.NO_FIRST_TIER
        for start, end in without((gap.starts_at, gap.ends_at), spans)
        if end - start >= SHORTEST
    ]
    return sorted(nobody + rest)


def due_alarms(found: Iterable[Gap], now: float, told: Sequence[Gap]) -> list[Gap]:
    """The gaps that begin within a day, or run, and are not told yet; each once, the first first.

    A gap that has grown, or that begins sooner than what was told, is told again. Where nobody is
    on call at all the weaker alarm is not raised as well.
    """
    due = []
    for gap in apart(found):
        soon = meets([(gap.starts_at, gap.ends_at)], now, now + ALARM_AHEAD)
        known = [
            (one.starts_at, one.ends_at)
            for one in told
            if one.kind is gap.kind or one.kind is GapKind.NOBODY
        ]
        if any(end - start >= SHORTEST for span in soon for start, end in without(span, known)):
            due.append(gap)
    return due


def settled(found: Iterable[Gap], told: Iterable[Gap]) -> list[Gap]:
    """What was told and is no gap any more: forget it, so that it is told anew if it comes back."""
    there = [(gap.starts_at, gap.ends_at, gap.kind) for gap in found]
    return [
        one
        for one in told
        if not any(
            kind is one.kind and start < one.ends_at and one.starts_at < end
            for start, end, kind in there
        )
    ]


def without(span: Span, taken: Iterable[Span]) -> list[Span]:
    """What is left of a span outside of others."""
    left = [span]
    for start, end in taken:
        left = [
            piece
            for low, high in left
            for piece in ((low, min(high, start)), (max(low, end), high))
            if piece[0] < piece[1]
        ]
    return left


def _stretches(pieces: Iterable[Covered], open_: Callable[[Covered], bool]) -> list[Span]:
    found: list[Span] = []
    for piece in pieces:
        if not open_(piece):
            continue
        if found and found[-1][1] == piece.starts_at:
            found[-1] = (found[-1][0], piece.ends_at)
        else:
            found.append((piece.starts_at, piece.ends_at))
    return [(start, end) for start, end in found if end - start >= SHORTEST]
