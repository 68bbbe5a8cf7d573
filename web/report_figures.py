"""A report as it is drawn: figures with their two numbers, tables, bars. Pure.

A report for sharing hides counts from 1 to 10, and as many others as are needed so that nothing
that stands beside them gives one away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from auth.reporting import Report
from records import measures
from records.measures import DIVERTED_FROM, LEVELS, SMALL, Numbers, Rate
from records.medication_rules import OUTCOMES
from records.tally import CONTACT_HOURS, HOUR, LINK_DAYS, UNIT, Tally
from records.vocabulary import DISPOSITIONS, FLAGS, FUNDING, OPIOID
from web.i18n import Texts
from web.report_sums import ANSWERED, ENDINGS, Line, Teller

HIDDEN: Final = "<11"
BY_DAY: Final = 62  # days; a longer span is drawn by month


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: its key, the value in words, the numbers behind it, and the value before."""

    key: str
    value: str
    part: str | None = None
    whole: str | None = None
    unknown: str | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Figures of one subject."""

    key: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """One stretch of time; `height`: of the highest, 0 to 1."""

    name: str
    count: str
    height: float


@dataclass(frozen=True, slots=True)
class Shown:
    """A report as it is drawn. Heat: Monday to Sunday × 24 local hours, count and shade 0 to 9."""

    endings: tuple[tuple[str, str], ...]
    groups: tuple[Group, ...]
    opioid: tuple[tuple[str, str], ...]
    funding: tuple[tuple[str, str], ...]
    medication: tuple[tuple[str, str], ...]  # empty: not told of what was chosen
    matrix: tuple[tuple[str, tuple[str, ...]], ...]  # a row's name and its cells
    columns: tuple[str, ...]
    heat: tuple[tuple[tuple[str, int], ...], ...]
    trend: tuple[Bar, ...]

    @property
    def grants(self) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
        """The tables that grants ask for."""
        return (
            ("opioid", self.opioid),
            ("funding", self.funding),
            *((("medication", self.medication),) if self.medication else ()),
        )

    @property
    def figures(self) -> Iterator[Figure]:
        for group in self.groups:
            yield from group.figures


@dataclass(frozen=True, slots=True)
class Frame:
    """What a report is drawn by."""

    since: float
    until: float
    zone: str
    share: bool


def teller_of(report: Report, frame: Frame) -> Teller:
    """What may be told of this report; ask one for all that goes to the same reader."""
    presses, trend = heat(report.tally.hours, frame.zone), _trend(report.tally.hours, frame)
    return Teller(report, presses, trend, hide=frame.share)


def drawn(
    report: Report, staffed: float | None, frame: Frame, texts: Texts, teller: Teller | None = None
) -> Shown:
    """`staffed`: seconds on the roster, if these are all the sessions that its clinicians had."""
    tally = report.tally
    teller = teller_of(report, frame) if teller is None else teller
    numbers = measures.numbers(tally.outcomes())
    offered = count(numbers.offered, shown=teller.offered())
    endings = _line([getattr(numbers, name) for name in ENDINGS], teller.endings())
    words = [
        *(texts.t(f"common.disposition.{code}") for code in DISPOSITIONS),
        texts.t("common.unknown"),
    ]
    cells = _cells(measures.matrix(tally.outcomes(), DISPOSITIONS), teller.matrix())
    grants = {
        kind: tuple(zip(codes, _line(_counts(tally, kind, codes), told), strict=True))
        for kind, codes in (("opioid", OPIOID), ("funding", FUNDING))
        for told in [teller.counts(kind, codes)]
    }
    shades, bars = _shaded(report, frame, teller), _bars(report, frame, teller)
    return Shown(
        endings=(*zip(ENDINGS, endings, strict=True), ("offered", offered)),
        groups=tuple(_groups(report, numbers, staffed, _Pen(teller, texts))),
        opioid=grants["opioid"],
        funding=grants["funding"],
        medication=_medication(report.medication),
        matrix=tuple(zip(words, map(tuple, cells), strict=True)),
        columns=tuple(words),
        heat=shades,
        trend=bars,
    )


def count(number: int, *, shown: bool) -> str:
    """A count; of hidden ones those that are not small say that they are hidden."""
    return str(number) if shown else HIDDEN if 0 < number < SMALL else "*"


def _cells(cells: Sequence[Sequence[int]], seen: Sequence[Sequence[int | None]]) -> list[list[str]]:
    return [_line(row, line) for row, line in zip(cells, seen, strict=True)]


def _line(numbers: Sequence[int], seen: Sequence[int | None]) -> list[str]:
    return [count(real, shown=told is not None) for real, told in zip(numbers, seen, strict=True)]


def _counts(tally: Tally, kind: str, codes: Sequence[str]) -> list[int]:
    return [tally.sums[f"{kind}_{code}"] for code in codes]


def _medication(told: Mapping[str, int] | None) -> tuple[tuple[str, str], ...]:
    """None and few look alike: what is small was never told to us either."""
    if told is None:
        return ()
    return tuple((code, str(told[code]) if code in told else HIDDEN) for code in OUTCOMES)


# --- figures --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Pen:
    """Writes figures: hides what must be hidden, and sets the value before beside."""

    teller: Teller
    texts: Texts

    def rate(self, key: str, before: Rate | None = None) -> Figure:
        line = self.teller.lines[key]
        value, part, whole = self._shown(line)
        told = self.teller.number(line.rate.unknown, line.unknown)
        none = told and not line.rate.unknown  # nothing is said of it, which tells as much
        unknown = None if none else count(line.rate.unknown, shown=told)
        earlier = None if before is None else self._alone(before)
        return Figure(key, value, part, whole, unknown, earlier)

    def _shown(self, line: Line) -> tuple[str, str, str]:
        """The value and the numbers behind it."""
        rate, teller = line.rate, self.teller
        whole = teller.number(rate.whole, line.whole)
        part = whole and teller.number(rate.part, line.part)
        if part:
            return self._percent(rate), str(rate.part), str(rate.whole)
        if self._gives_away(rate):
            few = "*" if self._leaves_few(rate) else count(rate.part, shown=False)
            return self._alone(rate), few, count(rate.whole, shown=whole)
        if whole:  # then the share would tell the part
            return "*", "*", "*"
        return measures.coarse(rate, known=teller.knows(line.part)) or "*", "*", "*"

    def _alone(self, rate: Rate) -> str:
        """A share without the numbers behind it."""
        if not self.teller.hide or not self._gives_away(rate):
            return self._percent(rate)
        return HIDDEN if 0 < rate.part < SMALL else "*"

    def _percent(self, rate: Rate) -> str:
        return self.texts.t("reports.none") if rate.share is None else f"{100 * rate.share:.1f} %"

    def _gives_away(self, rate: Rate) -> bool:
        return 0 < rate.part < SMALL or self._leaves_few(rate)

    def _leaves_few(self, rate: Rate) -> bool:
        """A share gives away a small whole, and the few that are left over."""
        return 0 < rate.whole < SMALL or 0 < rate.whole - rate.part < SMALL

    def times(self, name: str, tally: Tally) -> Iterator[Figure]:
        times = measures.times(tally.spread(name), UNIT)
        told = self.teller.timed(name)
        for which in ("median", "mean", "p90", "longest"):
            value = getattr(times, which)
            few = self.teller.hide and 0 < times.count < SMALL
            words = self.texts.t("reports.none") if value is None else f"{value:.1f} s"
            yield Figure(
                f"{name}_{which}", HIDDEN if few else words, count(times.count, shown=told)
            )

    def per(self, key: str, part: int, hours: float) -> Figure:
        """So many sessions that were answered for each hour."""
        told = self.teller.number(part, ANSWERED)
        value = self.texts.t("reports.none") if not hours else f"{part / hours:.3f}"
        hidden = count(part, shown=told)
        return Figure(
            key, value if told else hidden, hidden,
            self.texts.t("reports.hours", count=f"{hours:.0f}"),
        )  # fmt: skip


def _groups(report: Report, numbers: Numbers, staffed: float | None, pen: _Pen) -> Iterator[Group]:
    tally, before = report.tally, report.before
    yield Group("answering", tuple(_answering(pen, tally)))
    yield Group("network", tuple(_network(pen, tally)))
    yield Group("outcomes", tuple(_outcomes(pen, before)))
    yield Group("people", tuple(pen.rate(f"repeat_{days}") for days in report.repeats))
    yield Group("afterwards", tuple(_afterwards(pen, before)))
    yield Group("quality", tuple(_quality(pen, tally, before)))
    yield Group("load", tuple(_load(pen, tally, numbers, staffed)))


def _answering(pen: _Pen, tally: Tally) -> Iterator[Figure]:
    yield pen.rate("abandonment")
    yield from (pen.rate(f"level_{seconds}") for seconds in LEVELS)
    yield from pen.times("to_answer", tally)
    yield from pen.times("to_accept", tally)


def _network(pen: _Pen, tally: Tally) -> Iterator[Figure]:
    yield from pen.times("to_media", tally)
    yield from (pen.rate(key) for key in ("failure", "setup", "drop", "restored"))


def _outcomes(pen: _Pen, before: Tally) -> Iterator[Figure]:
    yield pen.rate("in_place")
    yield pen.rate("agreement")
    yield from (pen.rate(f"diverted_{source}") for source in DIVERTED_FROM)
    for flag in FLAGS:
        yield pen.rate(f"flag_{flag}", _of_over(before, f"flag_{flag}"))
    yield pen.rate("opioid")


def _of_over(tally: Tally, key: str) -> Rate:
    return Rate(tally.sums[key], tally.sums["over"])


def _afterwards(pen: _Pen, before: Tally) -> Iterator[Figure]:
    yield pen.rate("followups")
    yield from (pen.rate(f"contact_{hours}h") for hours in CONTACT_HOURS)
    yield from (pen.rate(f"linked_{days}d") for days in LINK_DAYS)
    yield pen.rate("kits", _of_over(before, "made_naloxone_delivery"))


def _quality(pen: _Pen, tally: Tally, before: Tally) -> Iterator[Figure]:
    yield from (pen.rate(key) for key in ("screen", "plan", "means", "signed"))
    for key in ("bars", "bars_calm"):
        yield pen.rate(key, before.rate(key))
    rated, line = tally.rate("bars").whole, pen.teller.lines["bars"]
    told = count(rated, shown=pen.teller.number(rated, line.whole))
    few = pen.teller.hide and 0 < rated < SMALL
    for key in ("bars_before", "bars_after"):
        none = pen.texts.t("reports.none")
        value = f"{tally.sums[key] / rated:.2f}" if rated else none
        yield Figure(f"{key}_mean", HIDDEN if few else value, told)


def _load(pen: _Pen, tally: Tally, numbers: Numbers, staffed: float | None) -> Iterator[Figure]:
    yield pen.rate("declined")
    yield pen.rate("missed")
    if staffed is not None:
        hours = staffed / HOUR
        yield pen.per("per_hour", numbers.answered, hours)
        busy = tally.sums["busy"] / HOUR
        value = pen.texts.t("reports.none") if not hours else f"{100 * busy / hours:.1f} %"
        hidden = pen.teller.hide and 0 < numbers.answered < SMALL
        yield Figure(
            "occupancy",
            HIDDEN if hidden else value,
            HIDDEN if hidden else pen.texts.t("reports.hours", count=f"{busy:.0f}"),
            pen.texts.t("reports.hours", count=f"{hours:.0f}"),
        )


# --- bars and shades ------------------------------------------------------------------------------


def heat(hours: Mapping[int, int], zone: str) -> list[list[int]]:
    """Presses by weekday, Monday first, and local hour."""
    place = ZoneInfo(zone)
    cells = [[0] * 24 for _ in range(7)]
    for hour, presses in hours.items():
        local = datetime.fromtimestamp(hour * HOUR, UTC).astimezone(place)
        cells[local.weekday()][local.hour] += presses
    return cells


def _shaded(
    report: Report, frame: Frame, teller: Teller
) -> tuple[tuple[tuple[str, int], ...], ...]:
    cells = heat(report.tally.hours, frame.zone)
    busiest = max(map(max, cells))
    return tuple(
        tuple((words, _shade(real, words, busiest)) for real, words in zip(row, line, strict=True))
        for row, line in zip(cells, _cells(cells, teller.heat()), strict=True)
    )


def _shade(real: int, words: str, busiest: int) -> int:
    """0 to 9; what is hidden has none."""
    return -(-9 * real // busiest) if busiest and words == str(real) else 0


def _trend(hours: Mapping[int, int], frame: Frame) -> dict[str, int]:
    """By day up to two months, by month beyond."""
    place = ZoneInfo(frame.zone)
    pattern = "%Y-%m-%d" if frame.until - frame.since <= BY_DAY * 86_400 else "%Y-%m"
    found: Counter[str] = Counter()
    at = datetime.fromtimestamp(frame.since, place)
    while at.timestamp() < frame.until:  # also the days without any
        found[at.strftime(pattern)] += 0
        at += timedelta(days=1)
    for hour, presses in hours.items():
        local = datetime.fromtimestamp(hour * HOUR, UTC).astimezone(place)
        found[local.strftime(pattern)] += presses
    return dict(found)


def _bars(report: Report, frame: Frame, teller: Teller) -> tuple[Bar, ...]:
    found = _trend(report.tally.hours, frame)
    names = sorted(found)
    numbers = [found[name] for name in names]
    most = max(numbers, default=0)
    return tuple(
        Bar(name, words, real / most if most and words == str(real) else 0.0)
        for name, real, words in zip(names, numbers, _line(numbers, teller.trend()), strict=True)
    )
