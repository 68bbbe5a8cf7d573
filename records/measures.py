"""What a program is measured by, from counts. Pure; the definitions are those of docs/managers.md.

offered: every press but tests. short: taken back by the officer within 10 s, before anybody was
there. abandoned: taken back later, before sound or picture came through. answered: sound or picture
passed both ways; an acceptance without them is a failure of its own. A rate always comes with its
two numbers, and what is not known is said, never counted as "no".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

SHORT_SECONDS: Final = 10.0
SMALL: Final = 11  # a smaller count is not shown in a report that leaves the program
LEVELS: Final = (15, 30, 60, 120)  # seconds, of the service level


@dataclass(frozen=True, slots=True)
class Outcome:
    """So many sessions of one kind. `waited`: seconds from the press to the end, if it was taken
    back before anything came through."""

    ending: str  # answered | short | abandoned | failed | other | open
    recommended: str | None
    actual: str | None
    count: int
    otherwise: str | None = None  # what the officer would have done, said before the call


@dataclass(frozen=True, slots=True)
class Rate:
    """`part` of `whole`; `unknown`: sessions for which nobody said it, in neither number."""

    part: int
    whole: int
    unknown: int = 0

    @property
    def share(self) -> float | None:
        return self.part / self.whole if self.whole else None


@dataclass(frozen=True, slots=True)
class Times:
    """Of a span of time in seconds; None where there is none."""

    count: int
    mean: float | None
    median: float | None
    p90: float | None
    longest: float | None


@dataclass(frozen=True, slots=True)
class Numbers:
    """How the presses of a span ended: they add up to `offered`."""

    answered: int
    short: int
    abandoned: int
    failed: int
    other: int
    open: int

    @property
    def offered(self) -> int:
        return self.answered + self.short + self.abandoned + self.failed + self.other + self.open

    @property
    def counted(self) -> int:
        """What rates are taken of: offered without the short ones."""
        return self.offered - self.short


def numbers(outcomes: Iterable[Outcome]) -> Numbers:
    """Sessions by how they ended."""
    found = dict.fromkeys(("answered", "short", "abandoned", "failed", "other", "open"), 0)
    for one in outcomes:
        found[one.ending] += one.count
    return Numbers(**found)


def times(spread: Mapping[int, int], unit: float) -> Times:
    """Figures of a distribution: how often each whole number of `unit` seconds was seen.

    The median and the 90th percentile are the smallest value that so many do not exceed.
    """
    count = sum(spread.values())
    if not count:
        return Times(0, None, None, None, None)

    def at(share: float) -> float:
        wanted, seen = math.ceil(share * count), 0
        for value in sorted(spread):
            seen += spread[value]
            if seen >= wanted:
                return value * unit
        raise AssertionError

    mean = sum(value * often for value, often in spread.items()) / count * unit
    return Times(count, mean, at(0.5), at(0.9), max(spread) * unit)


def in_place(outcomes: Iterable[Outcome]) -> Rate:
    """Stayed where they were, of those answered sessions for which the officer said it."""
    answered = [one for one in outcomes if one.ending == "answered"]
    known = [one for one in answered if one.actual is not None]
    return Rate(
        sum(one.count for one in known if one.actual == "remain_in_place"),
        sum(one.count for one in known),
        sum(one.count for one in answered if one.actual is None),
    )


def agreement(outcomes: Iterable[Outcome]) -> Rate:
    """What happened is what was recommended, of sessions for which both are known."""
    answered = [one for one in outcomes if one.ending == "answered"]
    known = [one for one in answered if one.actual is not None and one.recommended is not None]
    total = sum(one.count for one in answered)
    whole = sum(one.count for one in known)
    same = sum(one.count for one in known if one.actual == one.recommended)
    return Rate(same, whole, total - whole)


DIVERTED_FROM: Final = ("arrest_custody", "medical_ed", "involuntary_hold")


def diverted(outcomes: Iterable[Outcome], source: str) -> Rate:
    """Of those for whom the officer said before the call that they would have done `source`, so
    many for whom something else happened (clinical.md). No word beforehand, no claim.

    `unknown`: it was said, and what happened is not recorded.
    """
    said = [one for one in outcomes if one.ending == "answered" and one.otherwise == source]
    known = [one for one in said if one.actual is not None]
    return Rate(
        sum(one.count for one in known if one.actual != source),
        sum(one.count for one in known),
        sum(one.count for one in said if one.actual is None),
    )


def matrix(outcomes: Iterable[Outcome], codes: Sequence[str]) -> list[list[int]]:
    """Recommended (rows) × actual (columns), both with "not known" as the last."""
    places = {code: at for at, code in enumerate(codes)}
    size = len(codes) + 1
    cells = [[0] * size for _ in range(size)]
    for one in outcomes:
        if one.ending == "answered":
            row = places.get(one.recommended or "", size - 1)
            cells[row][places.get(one.actual or "", size - 1)] += one.count
    return cells


def suppressed(cells: Sequence[Sequence[int]]) -> list[list[int | None]]:
    """The cells of a table with row and column totals, None where a count would single people out.

    Counts from 1 to 10 go first. Where what is hidden of a line can be worked out by the line's
    total, the smallest other count of that line goes too, until no line gives anything away.
    """
    hidden = {
        (r, c) for r, row in enumerate(cells) for c, count in enumerate(row) if 0 < count < SMALL
    }
    lines = [[(r, c) for c in range(len(row))] for r, row in enumerate(cells)]
    lines += [[(r, c) for r in range(len(cells))] for c in range(len(cells[0]) if cells else 0)]
    grows = True
    while grows:
        grows = False
        for line in lines:
            gone = [cells[r][c] for r, c in line if (r, c) in hidden]
            others = [(r, c) for r, c in line if (r, c) not in hidden and cells[r][c] > 0]
            if others and gives_away(gone):
                hidden.add(min(others, key=lambda place: (cells[place[0]][place[1]], place)))
                grows = True
    return [
        [None if (r, c) in hidden else count for c, count in enumerate(row)]
        for r, row in enumerate(cells)
    ]


def gives_away(hidden: Sequence[int]) -> bool:
    """Whether the sum of a line's hidden counts, which its total tells, says too much of them.

    It is known of each whether it is small. Together they are a count too, which must not be small.
    """
    if len(hidden) < 2:
        return bool(hidden)
    few, total = sum(count < SMALL for count in hidden), sum(hidden)
    if few == len(hidden):
        return total < SMALL or total == few * (SMALL - 1)  # each is the most it can be
    return total - (len(hidden) - few) * SMALL <= few  # each is 1, and the others the least


ENOUGH: Final = 6  # wholes that all fit a share


def coarse(rate: Rate, *, known: bool) -> str | None:
    """The share of a whole that is hidden, so rounded that it does not tell the whole.

    `known`: whether the reader has the part. None: no rounding is enough.
    """
    if rate.share is None or not rate.part:
        return None if rate.share is None else "0 %"
    near = range(max(rate.part, rate.whole - ENOUGH), rate.whole + ENOUGH)
    for step, digits in ((0.1, 1), (1, 0), (5, 0)):
        percent = step * round(100 * rate.share / step)
        same = sum(step * round(100 * rate.part / n / step) == percent for n in near)
        if same >= ENOUGH if known else rate.whole * step >= 100:  # else few wholes have this share
            return f"{percent:.{digits}f} %"
    return None
