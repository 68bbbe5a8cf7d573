"""What the log says about an hour's calls: how many, how long, how patient. Pure.

A rural line has few calls, and most hours of a week none at all. So each hour of the week is drawn
towards the same hour of the other days, and that towards the whole week: the posterior mean of a
Poisson rate with a gamma prior worth PRIOR_HOURS of observation. Handle time and patience are drawn
the same way towards published or cautious figures, until enough calls speak for themselves.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from oncall.erlang import Demand, Outlook, needed
from oncall.errors import BadDemand

HOURS_OF_WEEK = 7 * 24
PRIOR_HOURS = 4.0
# an assessment takes 21 to 25 minutes (Harris County CORE 2019/2021, Avel eCare), then its wrap-up
USUAL_HANDLE_SECONDS = 25 * 60.0
HANDLE_PRIOR_CALLS = 5.0
# who gives up after ten minutes: cautious, as nobody publishes how long officers wait
USUAL_PATIENCE_SECONDS = 600.0
MISPRESS_SECONDS = 5.0  # pressed and taken back at once: no call


@dataclass(frozen=True, slots=True)
class Call:
    """One press. Times are UTC seconds; unanswered calls have no `accepted_at`."""

    pressed_at: float
    accepted_at: float | None
    freed_at: float | None  # the clinician was free again, or the officer gave up


@dataclass(frozen=True, slots=True)
class Forecast:
    """What to expect in each hour of the week (0 = Monday 00:00 local), in calls per hour."""

    rates: tuple[float, ...]
    handle_seconds: float
    patience_seconds: float
    calls: int  # that it stands on
    weeks: float

    def at(self, hour_of_week: int) -> Demand:
        return Demand(self.rates[hour_of_week], self.handle_seconds, self.patience_seconds)


def forecast(calls: Iterable[Call], since: float, until: float, timezone: str) -> Forecast:
    """The week ahead from the calls pressed in [since, until). Raises BadDemand: empty span."""
    if not since < until:
        raise BadDemand("span")
    zone = ZoneInfo(timezone)
    counted = [c for c in calls if since <= c.pressed_at < until and not _mispress(c)]
    happened = Counter(hour_of_week(c.pressed_at, zone) for c in counted)
    observed = _hours_observed(since, until, zone)
    return Forecast(
        rates=_rates(happened, observed),
        handle_seconds=_handle(counted),
        patience_seconds=_patience(counted),
        calls=len(counted),
        weeks=(until - since) / (7 * 86_400),
    )


def week_plan(
    ahead: Forecast, share: float, within_seconds: float, at_least: int = 1
) -> tuple[Outlook, ...]:
    """The clinicians that each hour of the week needs. Raises BadDemand."""
    known: dict[float, Outlook] = {}
    for hour in range(HOURS_OF_WEEK):
        rate = ahead.rates[hour]
        if rate not in known:
            known[rate] = needed(ahead.at(hour), share, within_seconds, at_least)
    return tuple(known[rate] for rate in ahead.rates)


def hour_of_week(at: float, zone: ZoneInfo) -> int:
    """0 for Monday 00:00–01:00 on the wall clock of the zone."""
    local = datetime.fromtimestamp(at, zone)
    return local.weekday() * 24 + local.hour


def _mispress(call: Call) -> bool:
    if call.accepted_at is not None or call.freed_at is None:
        return False
    return call.freed_at - call.pressed_at < MISPRESS_SECONDS


def _hours_observed(since: float, until: float, zone: ZoneInfo) -> list[float]:
    """How often each hour of the week was watched; parts of an hour count in part."""
    seen = [0.0] * HOURS_OF_WEEK
    # whole UTC hours, cut where the span begins and ends; zones off by part of an hour are split
    edge = math.floor(since / 900) * 900
    while edge < until:
        part = min(edge + 900, until) - max(edge, since)
        seen[hour_of_week(edge, zone)] += part / 3600
        edge += 900
    return seen


def _rates(happened: Counter[int], observed: Sequence[float]) -> tuple[float, ...]:
    total = sum(observed)
    whole = sum(happened.values()) / total
    rates = []
    for hour in range(HOURS_OF_WEEK):
        alike = range(hour % 24, HOURS_OF_WEEK, 24)
        daily = _drawn(sum(happened[h] for h in alike), sum(observed[h] for h in alike), whole)
        rates.append(_drawn(happened[hour], observed[hour], daily))
    return tuple(rates)


def _drawn(events: float, hours: float, towards: float) -> float:
    return (events + PRIOR_HOURS * towards) / (hours + PRIOR_HOURS)


def _handle(calls: Sequence[Call]) -> float:
    times = [
        c.freed_at - c.accepted_at
        for c in calls
        if c.accepted_at is not None and c.freed_at is not None and c.freed_at > c.accepted_at
    ]
    return (math.fsum(times) + HANDLE_PRIOR_CALLS * USUAL_HANDLE_SECONDS) / (
        len(times) + HANDLE_PRIOR_CALLS
    )


def _patience(calls: Sequence[Call]) -> float:
    """Time waited by everybody, per caller who gave up: who was answered would have waited on."""
    waited, gave_up = USUAL_PATIENCE_SECONDS, 1
    for call in calls:
        if call.accepted_at is not None:
            waited += max(0.0, call.accepted_at - call.pressed_at)
        elif call.freed_at is not None:
            waited += max(0.0, call.freed_at - call.pressed_at)
            gave_up += 1
    return waited / gave_up


def starts_of_week(now: float, zone: ZoneInfo) -> tuple[float, ...]:
    """When each hour of the coming seven days begins, by hour of the week.

    An hour that the clocks skip stands for the one after it.
    """
    starts = [0.0] * HOURS_OF_WEEK
    edge = math.ceil(now / 900) * 900.0
    for step in range(HOURS_OF_WEEK * 4 + 8):
        at = edge + step * 900
        local = datetime.fromtimestamp(at, UTC).astimezone(zone)
        place = local.weekday() * 24 + local.hour
        if starts[place] == 0.0 and local.minute < 15:
            starts[place] = at
    return tuple(at or starts[(place + 1) % HOURS_OF_WEEK] for place, at in enumerate(starts))
