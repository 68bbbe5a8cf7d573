"""A report as it is drawn: figures with their two numbers, tables, bars. Pure.

A report for sharing hides counts from 1 to 10, and as many others as are needed so that nothing
that stands beside them gives one away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from auth.reporting import Report
from records import measures
from records.measures import DIVERTED_FROM, LEVELS, SMALL, Numbers, Rate, Times
from records.medication_rules import OUTCOMES
from records.tally import CONTACT_HOURS, HOUR, LINK_DAYS, UNIT, Tally
from records.vocabulary import DISPOSITIONS, FLAGS, FUNDING, OPIOID
from web.i18n import Texts

HIDDEN: Final = "<11"
ENDINGS: Final = ("answered", "abandoned", "short", "failed", "other", "open")
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


def drawn(report: Report, staffed: float | None, frame: Frame, texts: Texts) -> Shown:
    """`staffed`: seconds on the roster, if these are all the sessions that its clinicians had."""
    tally, share = report.tally, frame.share
    outcomes = tally.outcomes()
    numbers = measures.numbers(outcomes)
    endings = [getattr(numbers, name) for name in ENDINGS]
    cells = measures.matrix(outcomes, DISPOSITIONS)
    words = [
        *(texts.t(f"common.disposition.{code}") for code in DISPOSITIONS),
        texts.t("common.unknown"),
    ]
    offered = numbers.offered
    return Shown(
        endings=(
            *zip(ENDINGS, _line(endings, share), strict=True),
            ("offered", count(offered, share)),
        ),
        groups=tuple(_groups(report, numbers, staffed, share, texts)),
        opioid=_counts("opioid_", OPIOID, tally, share),
        funding=_counts("funding_", FUNDING, tally, share),
        medication=_medication(report.medication),
        matrix=tuple(zip(words, map(tuple, _cells(cells, share)), strict=True)),
        columns=tuple(words),
        heat=_heat(tally.hours, frame),
        trend=_trend(tally.hours, frame),
    )


def count(number: int, share: bool) -> str:
    """A count, unless it is small and the report leaves the program."""
    return HIDDEN if share and 0 < number < SMALL else str(number)


def _cells(cells: Sequence[Sequence[int]], share: bool) -> list[list[str]]:
    """A table's counts; of the hidden ones those that are not small say that they are hidden."""
    seen: Sequence[Sequence[int | None]] = measures.suppressed(cells) if share else cells
    return [
        [
            str(shown) if shown is not None else HIDDEN if real < SMALL else "*"
            for real, shown in zip(row, line, strict=True)
        ]
        for row, line in zip(cells, seen, strict=True)
    ]


def _line(numbers: Sequence[int], share: bool) -> list[str]:
    return _cells([numbers], share)[0] if numbers else []


def _counts(
    prefix: str, codes: Sequence[str], tally: Tally, share: bool
) -> tuple[tuple[str, str], ...]:
    numbers = [tally.sums[f"{prefix}{code}"] for code in codes]
    return tuple(zip(codes, _line(numbers, share), strict=True))


def _medication(told: Mapping[str, int] | None) -> tuple[tuple[str, str], ...]:
    """None and few look alike: what is small was never told to us either."""
    if told is None:
        return ()
    return tuple((code, str(told[code]) if code in told else HIDDEN) for code in OUTCOMES)


# --- figures --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Pen:
    """Writes figures: hides what must be hidden, and sets the value before beside."""

    share: bool
    texts: Texts

    def rate(
        self, key: str, rate: Rate, before: Rate | None = None, *, masked: bool = False
    ) -> Figure:
        """`masked`: its numbers would give away one that is hidden elsewhere."""
        if masked:
            return Figure(key, "*", "*", "*")
        part, whole = self._pair(rate)
        return Figure(
            key,
            self._value(rate),
            part,
            whole,
            count(rate.unknown, self.share) if rate.unknown else None,
            None if before is None else self._value(before),
        )

    def _value(self, rate: Rate) -> str:
        if self.share and 0 < rate.part < SMALL:
            return HIDDEN
        if self._gives_away(rate):
            return "*"
        return self.texts.t("reports.none") if rate.share is None else f"{100 * rate.share:.1f} %"

    def _pair(self, rate: Rate) -> tuple[str, str]:
        whole = count(rate.whole, self.share)
        return ("*" if self._gives_away(rate) else count(rate.part, self.share)), whole

    def _gives_away(self, rate: Rate) -> bool:
        """A share gives away a small whole, and the few that are left over."""
        return self.share and (0 < rate.whole < SMALL or 0 < rate.whole - rate.part < SMALL)

    def times(self, key: str, times: Times) -> Iterator[Figure]:
        for name in ("median", "mean", "p90", "longest"):
            value = getattr(times, name)
            hidden = self.share and 0 < times.count < SMALL
            words = self.texts.t("reports.none") if value is None else f"{value:.1f} s"
            yield Figure(
                f"{key}_{name}", HIDDEN if hidden else words, count(times.count, self.share)
            )

    def per(self, key: str, part: int, hours: float) -> Figure:
        small = self.share and 0 < part < SMALL
        value = self.texts.t("reports.none") if not hours else f"{part / hours:.3f}"
        return Figure(
            key, HIDDEN if small else value, count(part, self.share),
            self.texts.t("reports.hours", count=f"{hours:.0f}"),
        )  # fmt: skip


def _groups(
    report: Report,
    numbers: Numbers,
    staffed: float | None,
    share: bool,
    texts: Texts,
) -> Iterator[Group]:
    pen, tally, before = _Pen(share, texts), report.tally, report.before
    hidden = _hidden(numbers) if share else frozenset()
    yield Group("answering", tuple(_answering(pen, tally, numbers, hidden)))
    yield Group("network", tuple(_network(pen, tally, numbers, hidden)))
    yield Group("outcomes", tuple(_outcomes(pen, tally, before)))
    yield Group("people", tuple(pen.rate(f"repeat_{d}", r) for d, r in report.repeats.items()))
    yield Group("afterwards", tuple(_afterwards(pen, tally, before)))
    yield Group("quality", tuple(_quality(pen, tally, before)))
    yield Group("load", tuple(_load(pen, tally, numbers, staffed)))


def _hidden(numbers: Numbers) -> frozenset[str]:
    """The endings whose counts are hidden in the table of endings."""
    seen = measures.suppressed([[getattr(numbers, name) for name in ENDINGS]])[0]
    return frozenset(name for name, shown in zip(ENDINGS, seen, strict=True) if shown is None)


def _answering(
    pen: _Pen, tally: Tally, numbers: Numbers, hidden: frozenset[str]
) -> Iterator[Figure]:
    short = "short" in hidden  # "offered without short ones" would tell how many they are
    abandoned = Rate(numbers.abandoned, numbers.counted)
    yield pen.rate("abandonment", abandoned, masked=short or "abandoned" in hidden)
    answer = tally.spread("to_answer")
    for seconds in LEVELS:
        level = measures.within(answer, UNIT, seconds, numbers.counted)
        yield _without_numbers(pen.rate(f"level_{seconds}", level), masked=short)
    yield from pen.times("to_answer", measures.times(answer, UNIT))
    yield from pen.times("to_accept", measures.times(tally.spread("to_accept"), UNIT))


def _without_numbers(one: Figure, *, masked: bool) -> Figure:
    """The share alone, where only the numbers would give something away."""
    return replace(one, part="*", whole="*") if masked else one


def _network(pen: _Pen, tally: Tally, numbers: Numbers, hidden: frozenset[str]) -> Iterator[Figure]:
    failed = "failed" in hidden
    yield from pen.times("to_media", measures.times(tally.spread("to_media"), UNIT))
    yield pen.rate("failure", Rate(numbers.failed, numbers.offered), masked=failed)
    yield pen.rate("setup", Rate(tally.sums["setup"], numbers.offered), masked=failed)
    yield pen.rate("drop", tally.rate("drop"))
    yield pen.rate("restored", tally.rate("restored"))


def _outcomes(pen: _Pen, tally: Tally, before: Tally) -> Iterator[Figure]:
    outcomes = tally.outcomes()
    yield pen.rate("in_place", measures.in_place(outcomes))
    yield pen.rate("agreement", measures.agreement(outcomes))
    for source in DIVERTED_FROM:
        yield pen.rate(f"diverted_{source}", measures.diverted(outcomes, source))
    for flag in FLAGS:
        key = f"flag_{flag}"
        yield pen.rate(key, _of_over(tally, key), _of_over(before, key))
    yield pen.rate("opioid", _opioid(tally))


def _of_over(tally: Tally, key: str) -> Rate:
    return Rate(tally.sums[key], tally.sums["over"])


def _opioid(tally: Tally) -> Rate:
    yes, no, unknown = (tally.sums[f"opioid_{code}"] for code in ("yes", "no", "unknown"))
    return Rate(yes, yes + no, unknown)


def _afterwards(pen: _Pen, tally: Tally, before: Tally) -> Iterator[Figure]:
    yield pen.rate("followups", tally.rate("followups"))
    for hours in CONTACT_HOURS:
        yield pen.rate(f"contact_{hours}h", tally.rate(f"contact_{hours}h"))
    for days in LINK_DAYS:
        yield pen.rate(f"linked_{days}d", tally.rate(f"linked_{days}d"))
    kits = "made_naloxone_delivery"
    yield pen.rate("kits", _of_over(tally, kits), _of_over(before, kits))


def _quality(pen: _Pen, tally: Tally, before: Tally) -> Iterator[Figure]:
    for key in ("screen", "plan", "means", "signed"):
        yield pen.rate(key, tally.rate(key))
    yield pen.rate("bars", tally.rate("bars"), before.rate("bars"))
    yield pen.rate("bars_calm", tally.rate("bars_calm"), before.rate("bars_calm"))
    rated = tally.rate("bars").whole
    for key in ("bars_before", "bars_after"):
        none = pen.texts.t("reports.none")
        value = f"{tally.sums[key] / rated:.2f}" if rated else none
        hidden = pen.share and 0 < rated < SMALL
        yield Figure(f"{key}_mean", HIDDEN if hidden else value, count(rated, pen.share))


def _load(pen: _Pen, tally: Tally, numbers: Numbers, staffed: float | None) -> Iterator[Figure]:
    rung = sum(tally.sums[f"ring_{name}"] for name in ("accepted", "declined", "missed"))
    yield pen.rate("declined", Rate(tally.sums["ring_declined"], rung))
    yield pen.rate("missed", Rate(tally.sums["ring_missed"], rung))
    if staffed is not None:
        hours = staffed / HOUR
        yield pen.per("per_hour", numbers.answered, hours)
        busy = tally.sums["busy"] / HOUR
        value = pen.texts.t("reports.none") if not hours else f"{100 * busy / hours:.1f} %"
        hidden = pen.share and 0 < numbers.answered < SMALL
        yield Figure(
            "occupancy",
            HIDDEN if hidden else value,
            HIDDEN if hidden else pen.texts.t("reports.hours", count=f"{busy:.0f}"),
            pen.texts.t("reports.hours", count=f"{hours:.0f}"),
        )


# --- bars and shades ------------------------------------------------------------------------------


def _heat(hours: Mapping[int, int], frame: Frame) -> tuple[tuple[tuple[str, int], ...], ...]:
    place = ZoneInfo(frame.zone)
    cells = [[0] * 24 for _ in range(7)]
    for hour, presses in hours.items():
        local = datetime.fromtimestamp(hour * HOUR, UTC).astimezone(place)
        cells[local.weekday()][local.hour] += presses
    busiest = max(map(max, cells))
    return tuple(
        tuple((words, _shade(real, words, busiest)) for real, words in zip(row, line, strict=True))
        for row, line in zip(cells, _cells(cells, frame.share), strict=True)
    )


def _shade(real: int, words: str, busiest: int) -> int:
    """0 to 9; what is hidden has none."""
    return -(-9 * real // busiest) if busiest and words == str(real) else 0


def _trend(hours: Mapping[int, int], frame: Frame) -> tuple[Bar, ...]:
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
    names = sorted(found)
    numbers = [found[name] for name in names]
    most = max(numbers, default=0)
    return tuple(
        Bar(name, words, real / most if most and words == str(real) else 0.0)
        for name, real, words in zip(names, numbers, _line(numbers, frame.share), strict=True)
    )
