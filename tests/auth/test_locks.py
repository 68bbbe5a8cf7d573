"""The lock's arithmetic, without a database: CJIS 5.9.5, five failures within fifteen minutes."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from auth.locks import FAILURES, WINDOW, Tries, admit, fail

gaps = st.floats(min_value=0, max_value=2 * WINDOW, allow_nan=False)


@given(st.lists(gaps, max_size=60))
def test_five_failures_within_any_fifteen_minutes_lock(
    waits: list[float],
) -> None:
    tries, now, failures = Tries(), 0.0, list[float]()
    for wait in waits:
        now += wait
        admitted = admit(tries, now)
        if admitted is None:
            assert tries.locked_at is not None
            break
        tries = fail(admitted, now)
        failures.append(now)
        recent = [at for at in failures if now - at < WINDOW]
        assert len(recent) < FAILURES or tries.locked_at is not None
    assert len(failures) < FAILURES or tries.locked_at is not None or _pause(failures)


@given(st.lists(st.integers(min_value=int(WINDOW), max_value=10**6), max_size=30))
def test_failures_a_quarter_of_an_hour_apart_never_lock(waits: list[int]) -> None:
    tries, now = Tries(), 0.0
    for wait in waits:
        now += wait
        admitted = admit(tries, now)
        assert admitted is not None
        tries = fail(admitted, now)


@given(st.integers(min_value=0, max_value=20), gaps)
def test_of_tries_begun_at_once_no_more_than_five_are_checked(count: int, start: float) -> None:
    tries, admitted = Tries(), 0
    for _ in range(count):
        after = admit(tries, start)
        if after is not None:
            tries, admitted = after, admitted + 1
    assert admitted == min(count, FAILURES)


@given(gaps)
def test_a_lock_has_no_end_of_its_own(wait: float) -> None:
    assert admit(Tries(FAILURES, 0.0, locked_at=0.0), wait * 1000) is None


def _pause(failures: list[float]) -> bool:
    """Whether the count had a reason to start anew."""
    return any(after - before >= WINDOW for before, after in pairwise(failures))
