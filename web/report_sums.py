"""Which sessions each number of a report counts, and which of the numbers may be told. Pure.

A report that leaves the program hides counts from 1 to 10. Its numbers are of the same sessions, so
each is asked for in turn: what would give a hidden one away is hidden too (`records.told`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from auth.reporting import Report
from records import measures
from records.measures import DIVERTED_FROM, LEVELS, SMALL, Rate
from records.tally import CONTACT_HOURS, LINK_DAYS, RINGS, Tally
from records.told import Sum, Told, minus, plus
from records.vocabulary import DISPOSITIONS, FLAGS, FUNDING, OPIOID

ENDINGS: Final = ("answered", "abandoned", "short", "failed", "other", "open")
CODES: Final = (*DISPOSITIONS, "unknown")
PLACE: Final = DISPOSITIONS.index("remain_in_place")
_ENDED: Final[Sum] = {f"end {name}": 1 for name in ENDINGS if name != "answered"}
ANSWERED: Final[Sum] = {f"cell {r} {c}": 1 for r in range(len(CODES)) for c in range(len(CODES))}
OFFERED: Final[Sum] = plus(ANSWERED, _ENDED)
COUNTED: Final[Sum] = minus(OFFERED, {"end short": 1})
OVER: Final[Sum] = {f"opioid {code}": 1 for code in OPIOID}
NALOXONE: Final[Sum] = {"part of flag_naloxone_given": 1}
HOURS: Final = 24


def ended(name: str) -> Sum:
    """Sessions that ended so."""
    return ANSWERED if name == "answered" else {f"end {name}": 1}


@dataclass(frozen=True, slots=True)
class Line:
    """A rate, and which sessions its numbers count."""

    rate: Rate
    part: Sum
    whole: Sum
    unknown: Sum

    @property
    def numbers(self) -> Iterator[tuple[int, Sum]]:
        """All that can be small of it, the rest that is not in the part among them."""
        yield self.rate.part, self.part
        yield self.rate.whole, self.whole
        yield self.rate.whole - self.rate.part, minus(self.whole, self.part)
        yield self.rate.unknown, self.unknown


def lines(report: Report) -> dict[str, Line]:
    """All rates of a report, in the order in which they may be told."""
    tally = report.tally
    return {
        **dict(_answering(tally)),
        **dict(_outcomes(tally)),
        **dict(_held(tally)),
        **dict(_others(report)),
    }


def _line(key: str, rate: Rate, whole: Sum, part: Sum | None = None) -> tuple[str, Line]:
    """Of a whole that others count too, and of which all is known."""
    return key, Line(rate, {f"part of {key}": 1} if part is None else part, whole, {})


def _known_of(key: str, rate: Rate, whole: Sum) -> tuple[str, Line]:
    """Of a whole of which some may be unknown: they are in neither number."""
    unknown = {f"unknown of {key}": 1}
    return key, Line(rate, {f"part of {key}": 1}, minus(whole, unknown), unknown)


def _answering(tally: Tally) -> Iterator[tuple[str, Line]]:
    """Two counts that happen to be equal are one here: a reader may well guess that they are."""
    numbers = measures.numbers(tally.outcomes())
    failed, setup = Rate(numbers.failed, numbers.offered), tally.sums["setup"]
    yield _line("failure", failed, OFFERED, ended("failed"))
    alike = ended("failed") if setup == numbers.failed else None
    yield _line("setup", Rate(setup, numbers.offered), OFFERED, alike)
    abandoned = Rate(numbers.abandoned, numbers.counted)
    yield _line("abandonment", abandoned, COUNTED, ended("abandoned"))
    for seconds in LEVELS:
        level = Rate(tally.sums[f"within_{seconds}"], numbers.counted)
        alike = ANSWERED if level.part == numbers.answered else None
        yield _line(f"level_{seconds}", level, COUNTED, alike)


def _cells(which: Sequence[tuple[int, int]]) -> Sum:
    return {f"cell {r} {c}": 1 for r, c in which}


def _outcomes(tally: Tally) -> Iterator[tuple[str, Line]]:
    outcomes, known = tally.outcomes(), range(len(DISPOSITIONS))
    nobody = len(DISPOSITIONS)
    everywhere = range(nobody + 1)
    said = _cells([(r, c) for r in everywhere for c in known])
    stayed = _cells([(r, PLACE) for r in everywhere])
    unsaid = _cells([(r, nobody) for r in everywhere])
    yield "in_place", Line(measures.in_place(outcomes), stayed, said, unsaid)
    both, same = _cells([(r, c) for r in known for c in known]), _cells([(r, r) for r in known])
    yield "agreement", Line(measures.agreement(outcomes), same, both, minus(ANSWERED, both))
    for source in DIVERTED_FROM:
        key = f"diverted_{source}"
        yield _known_of(key, measures.diverted(outcomes, source), {f"all of {key}": 1})
    over, sums = tally.sums["over"], tally.sums
    for flag in FLAGS:
        yield _line(f"flag_{flag}", Rate(sums[f"flag_{flag}"], over), OVER)
    yes, no, unknown = (sums[f"opioid_{code}"] for code in ("yes", "no", "unknown"))
    told = {"opioid yes": 1, "opioid no": 1}
    yield (
        "opioid",
        Line(Rate(yes, yes + no, unknown), {"opioid yes": 1}, told, {"opioid unknown": 1}),
    )


def _held(tally: Tally) -> Iterator[tuple[str, Line]]:
    for key in ("drop", "screen", "plan", "means", "signed", "bars"):
        yield _known_of(key, tally.rate(key), OVER)
    yield _line("restored", tally.rate("restored"), {"part of drop": 1})
    yield _line("bars_calm", tally.rate("bars_calm"), {"all of bars_calm": 1})
    yield _line("kits", Rate(tally.sums["made_naloxone_delivery"], tally.sums["over"]), OVER)
    yield _known_of("followups", tally.rate("followups"), {"followups": 1})
    for hours in CONTACT_HOURS:
        yield _known_of(f"contact_{hours}h", tally.rate(f"contact_{hours}h"), {"contacts": 1})
    for days in LINK_DAYS:
        yield _known_of(f"linked_{days}d", tally.rate(f"linked_{days}d"), {"links": 1})


def _others(report: Report) -> Iterator[tuple[str, Line]]:
    for days, rate in report.repeats.items():
        yield _line(f"repeat_{days}", rate, {"persons": 1})
    sums, rung = report.tally.sums, {f"ring {name}": 1 for name in RINGS}
    all_rung = sum(sums[f"ring_{name}"] for name in RINGS)
    for name in ("declined", "missed"):
        yield _line(name, Rate(sums[f"ring_{name}"], all_rung), rung, {f"ring {name}": 1})


# --- what is told ---------------------------------------------------------------------------------


class Teller:
    """Says of each number of a report whether it is shown; all are, where nothing is hidden.

    `heat`: presses by weekday and hour, `trend`: by day or month, if they are told as well.
    """

    def __init__(
        self,
        report: Report,
        heat: Sequence[Sequence[int]],
        trend: Mapping[str, int],
        *,
        hide: bool,
    ) -> None:
        self.hide = hide
        self.lines = lines(report)
        self._tally, self._heat, self._trend = report.tally, heat, trend
        self._numbers = measures.numbers(report.tally.outcomes())
        self._told = Told()
        if hide:
            self._told.hides(what for count, what in self._all() if 0 < count < SMALL)
            for one in self._same():
                self._told.learns(one)

    def number(self, real: int, what: Sum) -> bool:
        """Whether this count may be shown. It is told then."""
        return not self.hide or (not 0 < real < SMALL and self._told.tells(what))

    def knows(self, what: Sum) -> bool:
        return self._told.knows(what)

    def table(
        self, cells: Sequence[Sequence[int]], names: Sequence[Sequence[Sum]]
    ) -> list[list[int | None]]:
        """A table's counts; None where one is hidden, with its lines' totals and all else."""
        if not self.hide:
            return [list(row) for row in cells]
        return [
            [
                count if shown is not None and self.number(count, name) else None
                for count, shown, name in zip(*row, strict=True)
            ]
            for row in zip(cells, measures.suppressed(cells), names, strict=True)
        ]

    def endings(self) -> list[int | None]:
        """In the order of ENDINGS."""
        real = [getattr(self._numbers, name) for name in ENDINGS]
        return self.table([real], [[ended(name) for name in ENDINGS]])[0]

    def offered(self) -> bool:
        return self.number(self._numbers.offered, OFFERED)

    def matrix(self) -> list[list[int | None]]:
        """Recommended × actual, in the order of CODES."""
        cells = measures.matrix(self._tally.outcomes(), DISPOSITIONS)
        size = range(len(CODES))
        return self.table(cells, [[{f"cell {r} {c}": 1} for c in size] for r in size])

    def heat(self) -> list[list[int | None]]:
        names = [[_hour(day, hour) for hour in range(HOURS)] for day in range(len(self._heat))]
        return self.table(self._heat, names)

    def trend(self) -> list[int | None]:
        """In the order of the names."""
        names = sorted(self._trend)
        return self.table([[self._trend[one] for one in names]], [[_bar(one) for one in names]])[0]

    def counts(self, kind: str, codes: Sequence[str]) -> list[int | None]:
        """Sessions by opioid, or by funding."""
        real = [self._tally.sums[f"{kind}_{code}"] for code in codes]
        return self.table([real], [[{f"{kind} {code}": 1} for code in codes]])[0]

    def timed(self, name: str) -> bool:
        """Whether it may be shown of how many sessions a span of time was measured."""
        real, numbers = len(self._tally.waits[name]), self._numbers
        what: Sum = {f"timed {name}": 1}
        if real == numbers.answered:
            what = ANSWERED
        elif real == numbers.answered + numbers.failed:
            what = plus(ANSWERED, ended("failed"))
        return self.number(real, what)

    def quarter(self, cells: Sequence[int]) -> list[int | None]:
        """What grants ask of this report's quarter: answered, opioid by OPIOID, naloxone."""
        row: list[Sum] = [ANSWERED, *({f"opioid {code}": 1} for code in OPIOID), NALOXONE]
        if self.hide:
            counted = zip(cells, row, strict=True)
            self._told.hides(what for count, what in counted if 0 < count < SMALL)
            if cells[0] == sum(cells[1:-1]):
                self._told.learns(minus(row[0], plus(*row[1:-1])))
        return self.table([cells], [row])[0]

    def _all(self) -> Iterator[tuple[int, Sum]]:
        """Every count, wherever it stands."""
        outcomes, sums = self._tally.outcomes(), self._tally.sums
        for name in ENDINGS:
            yield getattr(self._numbers, name), ended(name)
        yield self._numbers.offered, OFFERED
        for r, row in enumerate(measures.matrix(outcomes, DISPOSITIONS)):
            yield from ((count, {f"cell {r} {c}": 1}) for c, count in enumerate(row))
        for day, line in enumerate(self._heat):
            yield from ((count, _hour(day, hour)) for hour, count in enumerate(line))
        yield from ((count, _bar(name)) for name, count in self._trend.items())
        for kind, codes in (("opioid", OPIOID), ("funding", FUNDING)):
            yield from ((sums[f"{kind}_{code}"], {f"{kind} {code}": 1}) for code in codes)
        for one in self.lines.values():
            yield from one.numbers

    def _same(self) -> Iterator[Sum]:
        """Of what everybody knows that it is equal."""
        days = [plus(*(_hour(day, hour) for hour in range(HOURS))) for day in range(7)]
        yield minus(OFFERED, plus(*days))
        yield minus(OFFERED, {f"funding {code}": 1 for code in FUNDING})
        if self._numbers.answered == self._tally.sums["over"]:
            yield minus(ANSWERED, OVER)
        if self._trend:
            yield minus(OFFERED, plus(*map(_bar, self._trend)))
        if all(len(name) == len("2027-01-01") for name in self._trend):
            for day, presses in enumerate(days):
                bars = [_bar(n) for n in self._trend if date.fromisoformat(n).weekday() == day]
                yield minus(presses, plus(*bars))


def _hour(day: int, hour: int) -> dict[str, int]:
    return {f"hour {day} {hour}": 1}


def _bar(name: str) -> dict[str, int]:
    return {f"bar {name}": 1}
