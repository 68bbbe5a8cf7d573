"""A report's figures for programs: the same counts as on the page, with small ones hidden. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from auth.reporting import Report as Counted
from records import measures, part2
from records.measures import DIVERTED_FROM, LEVELS, SMALL, Numbers, Rate
from records.measures import Times as Spread
from records.tally import CONTACT_HOURS, HOUR, LINK_DAYS, RINGS, UNIT
from records.vocabulary import DISPOSITIONS, FLAGS
from web.api_types import Endings, Matrix, RateFigure, Report, TimesFigure

SPREADS: Final = {"to_answer": "to_answer", "to_accept": "to_accept", "accept_to_media": "to_media"}
ENDINGS: Final = ("answered", "short", "abandoned", "failed", "other", "open")


def figures(counted: Counted, since: float, until: float, zone: str, *, hide: bool) -> Report:
    """The counts of a span. Nothing that is about substances is among them (42 CFR Part 2)."""
    outcomes = counted.tally.outcomes()
    numbers = measures.numbers(outcomes)
    cells = measures.matrix(outcomes, DISPOSITIONS)
    hours = _hours(counted.tally.hours, zone)
    shown = measures.suppressed(cells) if hide else [list[int | None](row) for row in cells]
    presses = measures.suppressed(hours) if hide else [list[int | None](row) for row in hours]
    return Report(
        since=datetime.fromtimestamp(since, UTC),
        until=datetime.fromtimestamp(until, UTC),
        timezone=zone,
        endings=_endings(numbers, hide=hide),
        rates={key: _rate(rate, hide=hide) for key, rate in _rates(counted, numbers).items()},
        times={
            name: _times(measures.times(counted.tally.spread(key), UNIT), hide=hide)
            for name, key in SPREADS.items()
        },
        matrix=Matrix([*DISPOSITIONS, "unknown"], shown),
        hours=presses,
    )


def _rates(counted: Counted, numbers: Numbers) -> dict[str, Rate]:
    tally, sums = counted.tally, counted.tally.sums
    outcomes, answer = tally.outcomes(), tally.spread("to_answer")
    rung = sum(sums[f"ring_{name}"] for name in RINGS)
    return {
        "abandoned": Rate(numbers.abandoned, numbers.counted),
        **{
            f"answered_within_{seconds}": measures.within(answer, UNIT, seconds, numbers.counted)
            for seconds in LEVELS
        },
        "not_connected": Rate(numbers.failed, numbers.offered),
        "with_failed_setup": Rate(sums["setup"], numbers.offered),
        "dropped": tally.rate("drop"),
        "restored": tally.rate("restored"),
        "stayed_in_place": measures.in_place(outcomes),
        "as_recommended": measures.agreement(outcomes),
        **{
            f"diverted_from_{source}": measures.diverted(outcomes, source)
            for source in DIVERTED_FROM
        },
        **{
            f"flag_{flag}": Rate(sums[f"flag_{flag}"], sums["over"])
            for flag in FLAGS
            if flag not in part2.FLAGS
        },
        **{f"seen_again_{days}": rate for days, rate in counted.repeats.items()},
        "followups_on_time": tally.rate("followups"),
        **{f"contact_{hours}h": tally.rate(f"contact_{hours}h") for hours in CONTACT_HOURS},
        **{f"linked_{days}d": tally.rate(f"linked_{days}d") for days in LINK_DAYS},
        "signed_in_a_day": tally.rate("signed"),
        "rings_declined": Rate(sums["ring_declined"], rung),
        "rings_missed": Rate(sums["ring_missed"], rung),
    }


def _endings(numbers: Numbers, *, hide: bool) -> Endings:
    counts = [getattr(numbers, name) for name in ENDINGS]
    shown = measures.suppressed([counts])[0] if hide else counts
    offered = _count(numbers.offered, hide=hide)
    return Endings(offered=offered, **dict(zip(ENDINGS, shown, strict=True)))


def _rate(rate: Rate, *, hide: bool) -> RateFigure:
    """A share of a hidden number would give it away, and so would what is left of the whole."""
    if hide and any(0 < n < SMALL for n in (rate.part, rate.whole, rate.whole - rate.part)):
        return RateFigure(None, None, None, None, hidden=True)
    unknown = _count(rate.unknown, hide=hide)
    return RateFigure(rate.part, rate.whole, unknown, rate.share, hidden=False)


def _times(spread: Spread, *, hide: bool) -> TimesFigure:
    if hide and 0 < spread.count < SMALL:
        return TimesFigure(None, None, None, None, None)
    return TimesFigure(spread.count, spread.mean, spread.median, spread.p90, spread.longest)


def _count(number: int, *, hide: bool) -> int | None:
    return None if hide and 0 < number < SMALL else number


def _hours(arrivals: Mapping[int, int], zone: str) -> list[list[int]]:
    place = ZoneInfo(zone)
    cells = [[0] * 24 for _ in range(7)]
    for hour, presses in arrivals.items():
        local = datetime.fromtimestamp(hour * HOUR, UTC).astimezone(place)
        cells[local.weekday()][local.hour] += presses
    return cells
