"""Who is on call when, also in the two nights of the year in which clocks change."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncall.coverage import Roster
from oncall.errors import BadRosterEntry
from oncall.roster import EVERY_DAY, RosterEntry

CHICAGO = ZoneInfo("America/Chicago")
MONDAY, SATURDAY, SUNDAY = 1, 32, 64


def shift(
    person: str = "dana",
    starts: str = "00:00",
    ends: str = "00:00",
    days: int = EVERY_DAY,
    tier: int = 1,
    timezone: str = "America/Chicago",
) -> RosterEntry:
    return RosterEntry(person, "prv", tier, days, minute(starts), minute(ends), timezone)


def on_call(entries: list[RosterEntry], now: float) -> dict[str, int]:
    return Roster(tuple(entries)).on_call(now)


def next_change(entries: list[RosterEntry], now: float) -> float | None:
    return Roster(tuple(entries)).next_change(now)


def minute(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def at(wall: str, *, fold: int = 0, zone: ZoneInfo = CHICAGO) -> float:
    return datetime.fromisoformat(wall).replace(tzinfo=zone, fold=fold).timestamp()


def test_a_day_shift_runs_from_its_start_up_to_its_end() -> None:
    day = [shift(starts="08:00", ends="16:00", days=MONDAY)]
    for wall, there in (
        ("2026-06-01 07:59", False),
        ("2026-06-01 08:00", True),
        ("2026-06-01 15:59", True),
        ("2026-06-01 16:00", False),
        ("2026-06-02 09:00", False),
    ):
        assert bool(on_call(day, at(wall))) is there, wall


def test_a_night_shift_belongs_to_the_day_on_which_it_begins() -> None:
    night = [shift(starts="22:00", ends="06:00", days=SUNDAY)]
    for wall, there in (
        ("2026-06-07 05:00", False),  # Sunday before dawn is Saturday's night
        ("2026-06-07 22:00", True),
        ("2026-06-08 05:59", True),
        ("2026-06-08 06:00", False),
        ("2026-06-08 22:00", False),
    ):
        assert bool(on_call(night, at(wall))) is there, wall


def test_equal_ends_mean_a_whole_day() -> None:
    whole = [shift(starts="07:00", ends="07:00", days=SATURDAY)]
    assert on_call(whole, at("2026-06-06 06:59")) == {}
    assert on_call(whole, at("2026-06-06 07:00")) == {"dana": 1}
    assert on_call(whole, at("2026-06-07 06:59")) == {"dana": 1}
    assert on_call(whole, at("2026-06-07 07:00")) == {}


def test_of_two_shifts_at_once_the_first_tier_counts() -> None:
    both = [shift(tier=2), shift(tier=1, starts="08:00", ends="16:00")]
    assert on_call(both, at("2026-06-01 09:00")) == {"dana": 1}
    assert on_call(both, at("2026-06-01 17:00")) == {"dana": 2}


def test_each_shift_is_read_in_its_own_time_zone() -> None:
    people = [
        shift("dana", "08:00", "16:00"),
        shift("miguel", "08:00", "16:00", timezone="America/Denver"),
    ]
    assert on_call(people, at("2026-06-01 08:30")) == {"dana": 1}
    assert on_call(people, at("2026-06-01 16:30")) == {"miguel": 1}


# --- daylight saving: America/Chicago springs forward on 2026-03-08 02:00 → 03:00,
# --- and falls back on 2026-11-01 02:00 → 01:00


def test_in_spring_a_night_shift_is_an_hour_shorter_and_hands_over_without_a_gap() -> None:
    night, day = shift("dana", "22:00", "06:00"), shift("miguel", "06:00", "22:00")
    begins, ends = at("2026-03-07 22:00"), at("2026-03-08 06:00")
    assert ends - begins == 7 * 3600
    assert on_call([night, day], ends - 1) == {"dana": 1}
    assert on_call([night, day], ends) == {"miguel": 1}
    assert next_change([night, day], begins) == ends


def test_a_shift_that_ends_in_the_skipped_hour_ends_as_the_clock_jumps() -> None:
    jump = at("2026-03-08 03:00")
    assert jump - at("2026-03-08 01:59") == 60
    people = [shift("dana", "20:00", "02:30"), shift("miguel", "02:30", "10:00")]
    assert on_call(people, jump - 1) == {"dana": 1}
    assert on_call(people, jump) == {"miguel": 1}


def test_a_shift_inside_the_skipped_hour_does_not_happen_that_night() -> None:
    short = [shift(starts="02:10", ends="02:50")]
    for minutes in range(0, 300, 5):
        assert on_call(short, at("2026-03-08 00:00") + minutes * 60) == {}
    assert on_call(short, at("2026-03-09 02:30")) == {"dana": 1}


def test_in_autumn_a_night_shift_is_an_hour_longer_and_hands_over_without_a_gap() -> None:
    people = [shift("dana", "22:00", "06:00"), shift("miguel", "06:00", "22:00")]
    begins, ends = at("2026-10-31 22:00"), at("2026-11-01 06:00")
    assert ends - begins == 9 * 3600
    assert on_call(people, ends - 1) == {"dana": 1}
    assert on_call(people, ends) == {"miguel": 1}


def test_an_hour_that_comes_twice_hands_over_once_at_its_first_time() -> None:
    people = [shift("dana", "20:00", "01:30"), shift("miguel", "01:30", "10:00")]
    first, second = at("2026-11-01 01:30"), at("2026-11-01 01:30", fold=1)
    assert second - first == 3600
    assert on_call(people, first - 1) == {"dana": 1}
    # the clock shows 01:15 again half an hour later: still Miguel's shift
    for moment in (first, at("2026-11-01 01:15", fold=1), second):
        assert on_call(people, moment) == {"miguel": 1}


ZONES = ["America/Chicago", "America/Denver", "America/St_Johns", "America/Santiago", "UTC"]


@settings(max_examples=150, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 1439), min_size=1, max_size=5, unique=True).map(sorted),
    zone=st.sampled_from(ZONES),
    day=st.integers(0, 364),
    minutes=st.integers(0, 1439),
)
def test_shifts_that_meet_around_the_clock_always_have_exactly_one_person_on_call(
    cuts: list[int], zone: str, day: int, minutes: int
) -> None:
    ends = [*cuts[1:], cuts[0]]
    people = [
        RosterEntry(f"p{n}", "prv", 1, EVERY_DAY, start, end, zone)
        for n, (start, end) in enumerate(zip(cuts, ends, strict=True))
    ]
    start = datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC"))
    moment = (start + timedelta(days=day, minutes=minutes)).timestamp()
    assert len(on_call(people, moment)) == 1
    changes = next_change(people, moment)
    if len(cuts) == 1:
        assert changes is None
        return
    assert changes is not None
    assert on_call(people, changes) != on_call(people, moment)
    assert on_call(people, changes - 1) == on_call(people, moment) or changes - 1 < moment


def test_a_shift_begins_only_on_days_from_its_first_to_its_last() -> None:
    night = RosterEntry(
        "dana", "prv", 1, EVERY_DAY, minute("22:00"), minute("06:00"), "America/Chicago",
        date(2026, 6, 2), date(2026, 6, 3),
    )  # fmt: skip
    for wall, there in (
        ("2026-06-01 23:00", False),
        ("2026-06-02 05:00", False),
        ("2026-06-02 22:00", True),
        ("2026-06-03 22:00", True),
        ("2026-06-04 05:59", True),  # the last one runs to its end
        ("2026-06-04 22:00", False),
    ):
        assert bool(on_call([night], at(wall))) is there, wall
    assert night.covers(at("2026-06-03 03:00"))
    assert not night.covers(at("2026-06-03 12:00"))


# --- the next change ------------------------------------------------------------------------------


def test_the_next_change_is_when_somebody_comes_or_goes() -> None:
    day = [shift(starts="08:00", ends="16:00", days=MONDAY)]
    assert next_change(day, at("2026-06-01 07:00")) == at("2026-06-01 08:00")
    assert next_change(day, at("2026-06-01 08:00")) == at("2026-06-01 16:00")
    assert next_change(day, at("2026-06-01 16:00")) == at("2026-06-08 08:00")


def test_a_week_with_a_longer_day_still_finds_the_next_shift() -> None:
    sunday = [shift(starts="00:30", ends="00:45", days=SUNDAY)]
    assert next_change(sunday, at("2026-10-25 00:45")) == at("2026-11-01 00:30")
    assert next_change(sunday, at("2026-11-01 00:45")) == at("2026-11-08 00:30")


def test_around_the_clock_nothing_ever_changes_and_an_empty_roster_has_nothing_to_change() -> None:
    assert next_change([shift(), shift("miguel")], at("2026-06-01 12:00")) is None
    assert next_change([], at("2026-06-01 12:00")) is None
    assert on_call([], at("2026-06-01 12:00")) == {}


def test_moving_to_another_tier_is_a_change() -> None:
    both = [shift(tier=2), shift(tier=1, starts="08:00", ends="16:00")]
    assert next_change(both, at("2026-06-01 07:00")) == at("2026-06-01 08:00")


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("tier", (0, 127, 0, 0, "UTC")),
        ("days", (1, 0, 0, 0, "UTC")),
        ("days", (1, 128, 0, 0, "UTC")),
        ("starts_minute", (1, 127, -1, 0, "UTC")),
        ("starts_minute", (1, 127, 1440, 0, "UTC")),
        ("ends_minute", (1, 127, 0, 1441, "UTC")),
        ("timezone", (1, 127, 0, 0, "America/Nowhere")),
        ("timezone", (1, 127, 0, 0, "../etc/passwd")),
        ("timezone", (1, 127, 0, 0, "America")),
        ("timezone", (1, 127, 0, 0, "")),
    ],
)
def test_a_shift_that_cannot_be_understood_is_refused_with_its_field(
    field: str, values: tuple[int, int, int, int, str]
) -> None:
    tier, days, starts, ends, timezone = values
    with pytest.raises(BadRosterEntry) as refused:
        RosterEntry("dana", "prv", tier, days, starts, ends, timezone)
    assert refused.value.field == field
    assert (refused.value.code, refused.value.status) == ("bad-roster-entry", 422)
    assert "dana" not in str(refused.value)


def test_a_shift_whose_last_day_is_before_its_first_is_refused() -> None:
    days = (date(2026, 6, 2), date(2026, 6, 1))
    with pytest.raises(BadRosterEntry) as refused:
        RosterEntry("dana", "prv", 1, EVERY_DAY, 0, 0, "UTC", *days)
    assert refused.value.field == "valid_until"
