"""Erlang A: how many clinicians answer so much of the calls in so much time. Pure.

The model is M/M/n+M: calls come at random, each is served by one clinician for a random time, and a
caller who waits gives up after a random time. Palm (1957); Garnett, Mandelbaum and Reiman (2002),
"Designing a call center with impatient customers", section 2 gives the balance equations used here.

A call that finds j others waiting is answered after j+1 departures at rates nμ, nμ+θ … nμ+jθ. That
sum has the density θ e^(-θct) (1-e^(-θt))^j / B(c, j+1) with c = nμ/θ (its Laplace transform is
B(c+s/θ, j+1) / B(c, j+1)), so with the caller's own patience the chance to be answered within T is
c/(c+j+1) · I_x(j+1, c+1), x = 1-e^(-θT), where I is the regularised incomplete beta function.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from oncall.errors import BadDemand

MOST_CLINICIANS = 500
_NEGLIGIBLE = math.log(1e-12)
_MOST_WAITING = 20_000


@dataclass(frozen=True, slots=True)
class Demand:
    """One hour's calls. Raises BadDemand for a number that is not one."""

    calls_per_hour: float
    handle_seconds: float  # mean, from the answer to the end of the wrap-up
    patience_seconds: float  # mean; how long an officer would wait before giving up

    def __post_init__(self) -> None:
        for name in ("calls_per_hour", "handle_seconds", "patience_seconds"):
            value: float = getattr(self, name)
            least = 0.0 if name == "calls_per_hour" else math.ulp(0.0)
            if not math.isfinite(value) or value < least:
                raise BadDemand(name)

    @property
    def load(self) -> float:
        """Clinicians that are busy on average if everybody is answered (erlang)."""
        return self.calls_per_hour / 3600.0 * self.handle_seconds


@dataclass(frozen=True, slots=True)
class Outlook:
    """What so many clinicians achieve. Shares are of all calls."""

    clinicians: int
    answered_in_time: float
    gave_up: float
    busy: float  # share of the clinicians' time


def outlook(demand: Demand, clinicians: int, within_seconds: float) -> Outlook:
    """What `clinicians` achieve in the long run of such an hour."""
    if clinicians < 0 or not math.isfinite(within_seconds) or within_seconds < 0:
        raise BadDemand("clinicians" if clinicians < 0 else "within_seconds")
    if demand.calls_per_hour == 0:
        return Outlook(clinicians, 1.0, 0.0, 0.0)
    if clinicians == 0:
        return Outlook(0, 0.0, 1.0, 0.0)
    arrival = demand.calls_per_hour / 3600.0
    service = 1.0 / demand.handle_seconds
    leaving = 1.0 / demand.patience_seconds
    free, waiting = _weights(arrival, service, leaving, clinicians)
    total = math.fsum(free) + math.fsum(waiting)
    in_time = math.fsum(free)
    c = clinicians * service / leaving
    reached = _answered_within(c, -math.expm1(-leaving * within_seconds))
    in_time += math.fsum(weight * share for weight, share in zip(waiting, reached, strict=False))
    # waiting[j]: all are busy and j wait; their rate of giving up is j·θ
    lost = math.fsum(j * weight for j, weight in enumerate(waiting)) * leaving / arrival
    served = 1.0 - lost / total
    return Outlook(
        clinicians=clinicians,
        answered_in_time=min(1.0, in_time / total),
        gave_up=min(1.0, max(0.0, lost / total)),
        busy=min(1.0, max(0.0, served * arrival / (service * clinicians))),
    )


def needed(demand: Demand, share: float, within_seconds: float, at_least: int = 1) -> Outlook:
    """The fewest clinicians, at least `at_least`, who answer `share` of calls in time.

    With no calls expected it is `at_least`: somebody is on call all the same. Raises BadDemand
    for a share outside 0…1, or when not even 500 would do.
    """
    if not 0.0 <= share < 1.0:
        raise BadDemand("share")
    low, high = max(0, at_least), min(MOST_CLINICIANS, max(1, at_least, math.ceil(demand.load)))
    while (found := outlook(demand, high, within_seconds)).answered_in_time < share:
        if high >= MOST_CLINICIANS:
            raise BadDemand("calls_per_hour")
        low, high = high + 1, min(MOST_CLINICIANS, high * 2)
    while low < high:  # more clinicians never answer fewer calls in time
        middle = (low + high) // 2
        tried = outlook(demand, middle, within_seconds)
        if tried.answered_in_time >= share:
            high, found = middle, tried
        else:
            low = middle + 1
    return found


def _weights(
    arrival: float, service: float, leaving: float, clinicians: int
) -> tuple[list[float], list[float]]:
    """The chances of each number present, unscaled: somebody is free, and j wait (j = 0, 1 …).

    Logarithms keep a crowd of thousands from overflowing. Raises BadDemand for more than that.
    """
    free = [0.0]  # downwards from "one is free"
    for present in range(clinicians - 1, 0, -1):
        free.append(free[-1] + math.log(present * service / arrival))
    waiting = [math.log(arrival / (clinicians * service))]
    top = max(*free, *waiting)
    while True:
        rate = clinicians * service + len(waiting) * leaving
        weight = waiting[-1] + math.log(arrival / rate)
        top = max(top, weight)
        if rate > arrival and weight < top + _NEGLIGIBLE:
            break
        if len(waiting) >= _MOST_WAITING:
            raise BadDemand("calls_per_hour")
        waiting.append(weight)
    return [math.exp(w - top) for w in free], [math.exp(w - top) for w in waiting]


def _answered_within(c: float, x: float) -> Iterator[float]:
    """For j = 0, 1 …: c/(c+j+1) · I_x(j+1, c+1), by the recurrence of I in its first argument.

    I_x(a+1, b) = I_x(a, b) - x^a (1-x)^b / (a B(a, b)).
    """
    b = c + 1.0
    incomplete = -math.expm1(b * math.log1p(-x)) if x < 1.0 else 1.0
    term = b * x * math.exp(b * math.log1p(-x)) if 0.0 < x < 1.0 else 0.0
    j = 0
    while True:
        yield c / (c + j + 1.0) * max(0.0, incomplete)
        a = j + 1.0
        incomplete -= term
        term *= x * (a + b) / (a + 1.0)
        j += 1
