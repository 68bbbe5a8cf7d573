"""The planner's queueing model: against simulation, against its known limits, and never absurd."""

from __future__ import annotations

import heapq
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncall.erlang import Demand, Outlook, needed, outlook
from oncall.errors import BadDemand

CALLS = 120_000


def _played(demand: Demand, clinicians: int, within: float) -> tuple[float, float]:
    """The same hour for ever, played call by call: share answered in time, share given up."""
    dice = random.Random(7)
    now, in_time, gave_up = 0.0, 0, 0
    free_at = [0.0] * clinicians
    for _ in range(CALLS):
        now += dice.expovariate(demand.calls_per_hour / 3600)
        patience = dice.expovariate(1 / demand.patience_seconds)
        wait = max(0.0, free_at[0] - now)
        if wait > patience:
            gave_up += 1
            continue
        heapq.heapreplace(free_at, now + wait + dice.expovariate(1 / demand.handle_seconds))
        in_time += wait <= within
    return in_time / CALLS, gave_up / CALLS


@pytest.mark.parametrize(
    ("calls", "handle", "patience", "clinicians", "within"),
    [(0.3, 1500, 600, 1, 30), (6, 1500, 300, 4, 30), (60, 1500, 120, 25, 60), (10, 900, 60, 2, 10)],
)
def test_it_agrees_with_a_played_queue(
    calls: float, handle: float, patience: float, clinicians: int, within: float
) -> None:
    demand = Demand(calls, handle, patience)
    in_time, gave_up = _played(demand, clinicians, within)
    found = outlook(demand, clinicians, within)
    assert found.answered_in_time == pytest.approx(in_time, abs=0.01)
    assert found.gave_up == pytest.approx(gave_up, abs=0.01)


def test_callers_who_never_give_up_give_erlang_c() -> None:
    demand = Demand(12, 900, 1e9)
    load, n = demand.load, 5
    below = sum(load**k / math.factorial(k) for k in range(n))
    top = load**n / math.factorial(n) * n / (n - load)
    waits = top / (below + top)
    late = waits * math.exp(-(n - load) * 30 / 900)
    found = outlook(demand, n, 30)
    assert found.answered_in_time == pytest.approx(1 - late, rel=1e-6)
    assert found.gave_up == pytest.approx(0, abs=1e-5)


def test_callers_who_give_up_at_once_give_erlang_b() -> None:
    demand = Demand(12, 900, 1e-3)
    load, n = demand.load, 3
    weights = [load**k / math.factorial(k) for k in range(n + 1)]
    blocked = weights[-1] / sum(weights)
    found = outlook(demand, n, 30)
    assert found.gave_up == pytest.approx(blocked, rel=1e-3)
    assert found.answered_in_time == pytest.approx(1 - blocked, rel=1e-3)


def test_no_clinician_answers_nobody_and_no_call_needs_only_the_least() -> None:
    assert outlook(Demand(1, 900, 60), 0, 30) == Outlook(0, 0.0, 1.0, 0.0)
    assert needed(Demand(0, 900, 60), 0.9, 30, at_least=2).clinicians == 2
    assert needed(Demand(1e-6, 900, 60), 0.9, 30).clinicians == 1


@given(
    calls=st.floats(0.01, 200),
    handle=st.floats(60, 5000),
    patience=st.floats(5, 5000),
    within=st.floats(0, 300),
    share=st.floats(0.5, 0.99),
)
@settings(max_examples=60, deadline=None)
def test_the_answer_is_the_fewest_that_do(
    calls: float, handle: float, patience: float, within: float, share: float
) -> None:
    demand = Demand(calls, handle, patience)
    found = needed(demand, share, within)
    assert found.answered_in_time >= share
    assert 0 <= found.gave_up <= 1
    assert 0 <= found.busy <= 1
    if found.clinicians > 1:
        fewer = outlook(demand, found.clinicians - 1, within)
        assert fewer.answered_in_time < share
        assert fewer.gave_up >= found.gave_up


@pytest.mark.parametrize(
    "bad", [(-1, 900, 60), (math.nan, 900, 60), (1, 0, 60), (1, 900, math.inf)]
)
def test_a_figure_that_is_none_is_refused(bad: tuple[float, float, float]) -> None:
    with pytest.raises(BadDemand):
        Demand(*bad)


def test_a_target_that_nobody_can_meet_is_refused() -> None:
    with pytest.raises(BadDemand):
        needed(Demand(1e6, 1500, 60), 0.9, 30)
    with pytest.raises(BadDemand):
        needed(Demand(1, 1500, 60), 1.0, 30)
