"""What the log says of the week ahead: few calls must not mean wild guesses."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from oncall.demand import (
    HOURS_OF_WEEK,
    USUAL_HANDLE_SECONDS,
    USUAL_PATIENCE_SECONDS,
    Call,
    forecast,
    hour_of_week,
    starts_of_week,
    week_plan,
)
from oncall.errors import BadDemand

ZONE = "America/Chicago"
WEEK = 7 * 86_400.0
MONDAY = datetime(2026, 1, 5, tzinfo=ZoneInfo(ZONE)).timestamp()  # local midnight


def _answered(at: float, wait: float = 10, handle: float = 1200) -> Call:
    return Call(at, at + wait, at + wait + handle)


def test_no_call_at_all_gives_the_usual_figures_and_one_clinician_each_hour() -> None:
    ahead = forecast([], MONDAY, MONDAY + 4 * WEEK, ZONE)
    assert (ahead.handle_seconds, ahead.patience_seconds) == (
        USUAL_HANDLE_SECONDS,
        USUAL_PATIENCE_SECONDS,
    )
    assert set(ahead.rates) == {0.0}
    assert [one.clinicians for one in week_plan(ahead, 0.9, 30)] == [1] * HOURS_OF_WEEK


def test_a_busy_hour_is_seen_on_its_day_and_a_little_on_the_others() -> None:
    friday_evening = 4 * 24 + 21
    calls = [
        _answered(MONDAY + week * WEEK + friday_evening * 3600 + 60 * n)
        for week in range(13)
        for n in range(6)
    ]
    ahead = forecast(calls, MONDAY, MONDAY + 8 * WEEK, ZONE)
    rates = ahead.rates
    assert rates[friday_evening] == max(rates) > 3
    assert rates[3 * 24 + 21] > rates[3 * 24 + 9]
    plan = week_plan(ahead, 0.9, 30)
    assert plan[friday_evening].clinicians > plan[9].clinicians == 1


def test_the_expected_calls_of_a_week_are_about_those_that_came() -> None:
    calls = [_answered(MONDAY + n * 7777.0) for n in range(1000)]
    until = MONDAY + 1000 * 7777.0
    ahead = forecast(calls, MONDAY, until, ZONE)
    assert sum(ahead.rates) == pytest.approx(WEEK / 7777, rel=0.02)
    assert ahead.calls == 1000


def test_who_waited_and_was_answered_is_more_patient_than_their_wait() -> None:
    waited = [_answered(MONDAY + n * 3600, wait=120) for n in range(50)]
    gone = [Call(MONDAY + n * 3600, None, MONDAY + n * 3600 + 120) for n in range(10)]
    ahead = forecast(waited + gone, MONDAY, MONDAY + WEEK, ZONE)
    assert ahead.patience_seconds == pytest.approx((60 * 120 + 600) / 11)


def test_a_press_that_was_taken_back_at_once_is_no_call() -> None:
    slips = [Call(MONDAY + 60, None, MONDAY + 62), Call(MONDAY + 90, None, MONDAY + 200)]
    assert forecast(slips, MONDAY, MONDAY + WEEK, ZONE).calls == 1


def test_a_night_of_daylight_saving_is_counted_as_it_was() -> None:
    # on 8 March 2026 the clocks skip 2 o'clock; on 1 November 1 o'clock comes twice
    spring = datetime(2026, 3, 8, tzinfo=ZoneInfo(ZONE)).timestamp()
    call = _answered(spring + 2 * 3600 + 60)  # two hours after midnight it is 3 o'clock
    assert hour_of_week(call.pressed_at, ZoneInfo(ZONE)) == 6 * 24 + 3
    ahead = forecast([call], spring, spring + 23 * 3600, ZONE)
    assert ahead.rates[6 * 24 + 3] == max(ahead.rates)


def test_an_empty_span_is_refused() -> None:
    with pytest.raises(BadDemand):
        forecast([], MONDAY, MONDAY, ZONE)


@pytest.mark.parametrize("zone", ["America/Chicago", "Asia/Kathmandu", "UTC"])
@pytest.mark.parametrize("month", [1, 3, 11])
def test_each_hour_of_the_coming_week_has_its_start(zone: str, month: int) -> None:
    now = datetime(2026, month, 4, 13, 37, tzinfo=UTC).timestamp()
    starts = starts_of_week(now, ZoneInfo(zone))
    assert len(starts) == HOURS_OF_WEEK
    assert all(now <= at <= now + WEEK + 7200 for at in starts)
    wrong = [p for p, at in enumerate(starts) if hour_of_week(at, ZoneInfo(zone)) != p]
    assert len(wrong) <= 1  # the hour that a spring night skips
