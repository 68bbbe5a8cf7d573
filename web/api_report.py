"""A report's figures for programs: the same counts as on the page, with small ones hidden. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from auth.reporting import Report as Counted
from records import measures, part2
from records.identity_rules import SPANS
from records.measures import DIVERTED_FROM, LEVELS, SMALL
from records.tally import CONTACT_HOURS, LINK_DAYS, UNIT
from records.vocabulary import FLAGS
from web.api_types import Endings, Matrix, RateFigure, Report, TimesFigure
from web.report_figures import heat
from web.report_sums import CODES, ENDINGS, Teller

SPREADS: Final = {"to_answer": "to_answer", "to_accept": "to_accept", "accept_to_media": "to_media"}
RATES: Final = {  # by the name that programs know them by
    "abandoned": "abandonment",
    **{f"answered_within_{seconds}": f"level_{seconds}" for seconds in LEVELS},
    "not_connected": "failure",
    "with_failed_setup": "setup",
    "dropped": "drop",
    "restored": "restored",
    "stayed_in_place": "in_place",
    "as_recommended": "agreement",
    **{f"diverted_from_{source}": f"diverted_{source}" for source in DIVERTED_FROM},
    **{f"flag_{flag}": f"flag_{flag}" for flag in FLAGS if flag not in part2.FLAGS},
    **{f"seen_again_{days}": f"repeat_{days}" for days in SPANS},
    "followups_on_time": "followups",
    **{f"contact_{hours}h": f"contact_{hours}h" for hours in CONTACT_HOURS},
    **{f"linked_{days}d": f"linked_{days}d" for days in LINK_DAYS},
    "signed_in_a_day": "signed",
    "rings_declined": "declined",
    "rings_missed": "missed",
}


def figures(counted: Counted, since: float, until: float, zone: str, *, hide: bool) -> Report:
    """The counts of a span. Nothing that is about substances is among them (42 CFR Part 2)."""
    teller = Teller(counted, heat(counted.tally.hours, zone), {}, hide=hide)
    return Report(
        since=datetime.fromtimestamp(since, UTC),
        until=datetime.fromtimestamp(until, UTC),
        timezone=zone,
        endings=_endings(counted, teller),
        matrix=Matrix([*CODES], teller.matrix()),
        hours=teller.heat(),
        rates={name: _rate(teller, key) for name, key in RATES.items()},
        times={name: _times(counted, key, teller) for name, key in SPREADS.items()},
    )


def _endings(counted: Counted, teller: Teller) -> Endings:
    offered = measures.numbers(counted.tally.outcomes()).offered
    told = teller.offered()
    return Endings(
        offered=offered if told else None, **dict(zip(ENDINGS, teller.endings(), strict=True))
    )


def _rate(teller: Teller, key: str) -> RateFigure:
    """A share of a hidden number would give it away, and so would what is left of the whole."""
    line = teller.lines[key]
    rate = line.rate
    if not (teller.number(rate.whole, line.whole) and teller.number(rate.part, line.part)):
        return RateFigure(None, None, None, None, hidden=True)
    unknown = teller.number(rate.unknown, line.unknown)
    return RateFigure(
        rate.part, rate.whole, rate.unknown if unknown else None, rate.share, hidden=False
    )


def _times(counted: Counted, key: str, teller: Teller) -> TimesFigure:
    spread = measures.times(counted.tally.spread(key), UNIT)
    told = teller.timed(key)
    if teller.hide and 0 < spread.count < SMALL:
        return TimesFigure(None, None, None, None, None)
    number = spread.count if told else None
    return TimesFigure(number, spread.mean, spread.median, spread.p90, spread.longest)
