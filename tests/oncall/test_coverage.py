"""Who is on call with exceptions over the weekly shifts, and the hours that nobody has."""

from __future__ import annotations

import bisect
import functools
import itertools
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from oncall.coverage import Covered, Override, Roster, Shift
from oncall.errors import BadOverride
from oncall.gaps import Gap, GapKind, apart, due_alarms, gaps, settled, without
from oncall.roster import EVERY_DAY, RosterEntry

CHICAGO = ZoneInfo("America/Chicago")
HOUR = 3600.0
DAY = 24 * HOUR
NUMBERS = itertools.count()


def at(wall: str, *, fold: int = 0) -> float:
    return datetime.fromisoformat(wall).replace(tzinfo=CHICAGO, fold=fold).timestamp()


def weekly(
    person: str, starts: int, ends: int, tier: int = 1, days: int = EVERY_DAY
) -> RosterEntry:
    return RosterEntry(person, "prv", tier, days, starts * 60, ends * 60, "America/Chicago")


def override(
    comes: str | None, goes: str | None, starts: str, ends: str, tier: int | None = None
) -> Override:
    number = next(NUMBERS)
    return Override(f"o{number:06}", "prv", comes, goes, at(starts), at(ends), tier, float(number))


DAYS_OF_DANA = weekly("dana", 8, 20)
NIGHTS_OF_MIGUEL = weekly("miguel", 20, 8)
PRIYA_BEHIND = weekly("priya", 0, 24, tier=2)
PLAN = (DAYS_OF_DANA, NIGHTS_OF_MIGUEL, PRIYA_BEHIND)


# --- overrides ------------------------------------------------------------------------------------


def test_a_person_who_is_added_is_on_call_for_that_span_only() -> None:
    plan = Roster(PLAN, (override("ada", None, "2026-06-01 10:00", "2026-06-01 11:00", 1),))
    assert "ada" not in plan.on_call(at("2026-06-01 09:59"))
    assert plan.on_call(at("2026-06-01 10:00")) == {"dana": 1, "priya": 2, "ada": 1}
    assert "ada" not in plan.on_call(at("2026-06-01 11:00"))


def test_a_person_who_is_taken_off_is_in_no_tier_for_that_span() -> None:
    plan = Roster(PLAN, (override(None, "dana", "2026-06-01 10:00", "2026-06-01 12:00"),))
    assert plan.on_call(at("2026-06-01 11:59")) == {"priya": 2}
    assert plan.on_call(at("2026-06-01 12:00")) == {"dana": 1, "priya": 2}


def test_who_comes_in_anothers_place_takes_their_tier_and_only_while_they_were_on_call() -> None:
    plan = Roster(PLAN, (override("ada", "dana", "2026-06-01 06:00", "2026-06-01 21:00"),))
    assert plan.on_call(at("2026-06-01 07:00")) == {"miguel": 1, "priya": 2}
    assert plan.on_call(at("2026-06-01 08:00")) == {"ada": 1, "priya": 2}
    assert plan.on_call(at("2026-06-01 20:30")) == {"miguel": 1, "priya": 2}


def test_who_is_on_call_already_and_comes_in_anothers_place_keeps_the_first_rung_tier() -> None:
    plan = Roster(PLAN, (override("priya", "dana", "2026-06-01 08:00", "2026-06-01 20:00"),))
    assert plan.on_call(at("2026-06-01 09:00")) == {"priya": 1}


def test_an_override_beats_the_weekly_tier_and_a_later_override_beats_an_earlier_one() -> None:
    span = ("2026-06-01 08:00", "2026-06-01 20:00")
    down = override("dana", None, *span, tier=3)
    assert Roster(PLAN, (down,)).on_call(at(span[0]))["dana"] == 3
    off = override(None, "dana", *span)
    back = override("dana", None, *span, tier=2)
    for order in itertools.permutations((down, off, back)):
        assert Roster(PLAN, order).on_call(at(span[0]))["dana"] == 2  # by when they were made


def test_what_was_taken_over_can_be_taken_over_again() -> None:
    span = ("2026-06-01 08:00", "2026-06-01 20:00")
    plan = Roster(PLAN, (override("ada", "dana", *span), override("sven", "ada", *span)))
    assert plan.on_call(at(span[0])) == {"sven": 1, "priya": 2}


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("person", {"person_id": None}),
        ("person", {"person_id": "dana", "instead_of": "dana", "tier": None}),
        ("ends_at", {"ends_at": 100.0}),
        ("ends_at", {"ends_at": 100.0 + 93 * DAY}),
        ("ends_at", {"ends_at": float("nan")}),
        ("tier", {"tier": None}),
        ("tier", {"tier": 0}),
        ("tier", {"tier": 10}),
        ("tier", {"instead_of": "miguel"}),
    ],
)
def test_an_override_that_says_nothing_clear_is_refused_with_its_field(
    field: str, changes: dict[str, object]
) -> None:
    good = Override("o1", "prv", "dana", None, 100.0, 200.0, 1)
    with pytest.raises(BadOverride) as refused:
        replace(good, **changes)  # type: ignore[arg-type]  # wrong on purpose
    assert refused.value.field == field
    assert (refused.value.code, refused.value.status) == ("bad-override", 422)


# --- coverage and turns ---------------------------------------------------------------------------


def test_the_coverage_fills_the_span_and_neighbours_differ() -> None:
    found = Roster(PLAN).coverage(at("2026-06-01 07:00"), at("2026-06-02 09:00"))
    assert [(one.starts_at, one.by_tier()) for one in found] == [
        (at("2026-06-01 07:00"), {1: ("miguel",), 2: ("priya",)}),
        (at("2026-06-01 08:00"), {1: ("dana",), 2: ("priya",)}),
        (at("2026-06-01 20:00"), {1: ("miguel",), 2: ("priya",)}),
        (at("2026-06-02 08:00"), {1: ("dana",), 2: ("priya",)}),
    ]
    assert found[-1].ends_at == at("2026-06-02 09:00")


def test_the_two_nights_of_the_clock_change_are_covered_to_the_second() -> None:
    for night, hours in (("2026-03-07", 11), ("2026-10-31", 13)):
        since = at(f"{night} 12:00")
        found = Roster((DAYS_OF_DANA, NIGHTS_OF_MIGUEL)).coverage(since, since + DAY)
        of_miguel = [one for one in found if "miguel" in one.tiers]
        assert [one.ends_at - one.starts_at for one in of_miguel] == [hours * HOUR]
        assert gaps(found) == []


def test_an_empty_plan_covers_nothing_and_says_so() -> None:
    assert Roster().coverage(0.0, 100.0) == [Covered(0.0, 100.0, {})]
    assert Roster().next_change(0.0) is None
    assert Roster().shifts("dana", 0.0, DAY) == []


def test_turns_that_meet_stay_apart_and_are_told_whole() -> None:
    around_the_clock = Roster((weekly("dana", 0, 24),))
    found = around_the_clock.shifts("dana", at("2026-06-01 12:00"), at("2026-06-02 12:00"))
    assert found == [
        Shift("dana", 1, at("2026-06-01 00:00"), at("2026-06-02 00:00")),
        Shift("dana", 1, at("2026-06-02 00:00"), at("2026-06-03 00:00")),
    ]


def test_a_turn_that_was_taken_over_is_the_others_turn_now() -> None:
    span = ("2026-06-01 08:00", "2026-06-01 20:00")
    plan = Roster(PLAN, (override("ada", "dana", *span),))
    day = (at("2026-06-01 00:00"), at("2026-06-02 00:00"))
    assert plan.shifts("dana", *day) == []
    assert plan.shifts("ada", *day) == [Shift("ada", 1, at(span[0]), at(span[1]))]


def test_a_turn_of_which_a_part_was_given_away_is_told_in_its_parts() -> None:
    plan = Roster(PLAN, (override("ada", "dana", "2026-06-01 10:00", "2026-06-01 12:00"),))
    found = plan.shifts("dana", at("2026-06-01 00:00"), at("2026-06-02 00:00"))
    assert [(one.starts_at, one.ends_at) for one in found] == [
        (at("2026-06-01 08:00"), at("2026-06-01 10:00")),
        (at("2026-06-01 12:00"), at("2026-06-01 20:00")),
    ]


def test_a_long_override_is_one_turn_however_small_the_window() -> None:
    plan = Roster((), (override("ada", None, "2026-06-01 10:00", "2026-06-20 10:00", 1),))
    found = plan.shifts("ada", at("2026-06-10 10:00"), at("2026-06-10 11:00"))
    assert found == [Shift("ada", 1, at("2026-06-01 10:00"), at("2026-06-20 10:00"))]


# --- gaps -----------------------------------------------------------------------------------------


def test_hours_without_anybody_and_hours_without_the_first_tier_are_told_apart() -> None:
    plan = Roster((DAYS_OF_DANA, weekly("priya", 8, 22, tier=2)))
    found = gaps(plan.coverage(at("2026-06-01 08:00"), at("2026-06-02 08:00")))
    evening, night, morning = (
        at("2026-06-01 20:00"), at("2026-06-01 22:00"), at("2026-06-02 08:00"),
    )  # fmt: skip
    assert found == [
        Gap(evening, morning, GapKind.NO_FIRST_TIER),
        Gap(night, morning, GapKind.NOBODY),
    ]
    assert apart(found) == [
        Gap(evening, night, GapKind.NO_FIRST_TIER),
        Gap(night, morning, GapKind.NOBODY),
    ]


@pytest.mark.parametrize(("seconds", "found"), [(59.0, 0), (60.0, 1)])
def test_a_gap_shorter_than_a_minute_is_none(seconds: float, found: int) -> None:
    pieces = [
        Covered(0.0, 100.0, {"dana": 1}),
        Covered(100.0, 100.0 + seconds, {"dana": 2}),
        Covered(100.0 + seconds, 900.0, {"dana": 1}),
    ]
    assert len(gaps(pieces)) == found


def test_two_short_holes_that_meet_are_one_gap_in_the_first_tier() -> None:
    pieces = [Covered(0.0, 50.0, {}), Covered(50.0, 100.0, {"priya": 2})]
    assert gaps(pieces) == [Gap(0.0, 100.0, GapKind.NO_FIRST_TIER)]


# --- alarms ---------------------------------------------------------------------------------------

TOMORROW = Gap(10 * HOUR, 14 * HOUR, GapKind.NOBODY)


def test_a_gap_is_told_a_day_ahead_and_once() -> None:
    assert due_alarms([TOMORROW], 10 * HOUR - DAY - 60, []) == []
    assert due_alarms([TOMORROW], 10 * HOUR - DAY + 60, []) == [TOMORROW]
    assert due_alarms([TOMORROW], 10 * HOUR - DAY + 120, [TOMORROW]) == []


def test_a_gap_that_runs_already_is_told_if_nobody_told_it() -> None:
    assert due_alarms([TOMORROW], 12 * HOUR, []) == [TOMORROW]
    assert due_alarms([TOMORROW], 14 * HOUR, []) == []


def test_a_gap_that_has_grown_or_begins_sooner_is_told_again() -> None:
    for grown in (replace(TOMORROW, ends_at=16 * HOUR), replace(TOMORROW, starts_at=9 * HOUR)):
        assert due_alarms([grown], 5 * HOUR, [TOMORROW]) == [grown]
    smaller = replace(TOMORROW, starts_at=11 * HOUR, ends_at=12 * HOUR)
    assert due_alarms([smaller], 5 * HOUR, [TOMORROW]) == []


def test_hours_without_anybody_are_not_told_a_second_time_as_hours_without_the_first_tier() -> None:
    both = [TOMORROW, replace(TOMORROW, kind=GapKind.NO_FIRST_TIER)]
    assert due_alarms(both, 5 * HOUR, []) == [TOMORROW]
    worse = [replace(TOMORROW, kind=GapKind.NO_FIRST_TIER)]
    assert due_alarms(both, 5 * HOUR, worse) == [TOMORROW]  # but when it gets worse, it is


def test_a_gap_that_was_filled_is_forgotten_and_told_anew_when_it_comes_back() -> None:
    assert settled([TOMORROW], [TOMORROW]) == []
    assert settled([], [TOMORROW]) == [TOMORROW]
    assert settled([replace(TOMORROW, kind=GapKind.NO_FIRST_TIER)], [TOMORROW]) == [TOMORROW]


def test_a_month_without_anybody_is_told_about_every_other_week_not_every_day() -> None:
    told: list[Gap] = []
    alarms = 0
    for day in range(42):
        now = day * DAY
        running = [Gap(now, now + 14 * DAY, GapKind.NOBODY)]
        due = due_alarms(running, now, told)
        alarms += len(due)
        told += due
    assert alarms == 3


# --- against a naive oracle, minute by minute -----------------------------------------------------

ZONES = ["America/Chicago", "America/St_Johns", "America/Santiago", "Australia/Lord_Howe", "UTC"]
PEOPLE = ["a", "b", "c"]
MINUTE = 60
WINDOW = 3 * 1440  # minutes that are compared
# the days around the changes of 2026 in these zones, and a plain one
DATES = [date(2026, 3, 7), date(2026, 4, 3), date(2026, 9, 5), date(2026, 10, 30), date(2026, 6, 1)]


@dataclass(frozen=True)
class Wall:
    """A zone's wall clock, minute by minute, looked at and not computed."""

    since: float
    shown: list[datetime]  # the latest wall time shown so far, so that it never goes back

    @classmethod
    @functools.lru_cache(maxsize=64)
    def of(cls, zone: str, since: float) -> Wall:
        begin = since - 3 * 86_400
        tz = ZoneInfo(zone)
        walls = (
            datetime.fromtimestamp(begin + n * MINUTE, tz).replace(tzinfo=None, fold=0)
            for n in range(WINDOW + 6 * 1440)
        )
        return cls(begin, list(itertools.accumulate(walls, max)))

    def first(self, wall: datetime) -> float:
        """The first minute at which the clock shows that time, or has jumped over it."""
        return self.since + MINUTE * bisect.bisect_left(self.shown, wall)


def naive(
    entries: list[RosterEntry], overrides: list[Override], since: float
) -> list[dict[str, int]]:
    """Who is on call in each minute, by trying everything."""
    spans: list[tuple[float, float, str, int]] = []
    for entry in entries:
        wall = Wall.of(entry.timezone, since)
        today = datetime.fromtimestamp(since, UTC).date()
        for offset in range(-2, 5):
            day = today + timedelta(days=offset)
            if not entry.days >> day.weekday() & 1:
                continue
            if not (entry.valid_from or day) <= day <= (entry.valid_until or day):
                continue
            midnight = datetime.combine(day, datetime.min.time())
            length = (entry.ends_minute - entry.starts_minute) % 1440 or 1440
            begins = midnight + timedelta(minutes=entry.starts_minute)
            ends = begins + timedelta(minutes=length)
            spans.append((wall.first(begins), wall.first(ends), entry.person_id, entry.tier))
    found = []
    for n in range(WINDOW):
        now = since + n * MINUTE
        tiers: dict[str, int] = {}
        for start, end, person, tier in spans:
            if start <= now < end:
                tiers[person] = min(tier, tiers.get(person, 9))
        for one in sorted(overrides, key=lambda o: o.order):
            if not one.starts_at <= now < one.ends_at:
                continue
            if one.instead_of is None and one.person_id is not None:
                tiers[one.person_id] = one.tier or 0
            elif one.instead_of in tiers:
                left = tiers.pop(one.instead_of)
                if one.person_id is not None:
                    tiers[one.person_id] = min(left, tiers.get(one.person_id, 9))
        found.append(tiers)
    return found


def naive_gaps(minutes: list[dict[str, int]], since: float, kind: GapKind) -> list[Gap]:
    found = []
    for missing, group in itertools.groupby(
        range(len(minutes)),
        key=lambda n: 1 not in minutes[n].values() if kind is GapKind.NO_FIRST_TIER
        else not minutes[n],
    ):  # fmt: skip
        numbers = list(group)
        if missing:
            found.append(Gap(since + numbers[0] * MINUTE, since + (numbers[-1] + 1) * MINUTE, kind))
    return found


dates = st.none() | st.sampled_from([day + timedelta(days=n) for day in DATES for n in (0, 2)])


@st.composite
def entries(draw: st.DrawFn) -> RosterEntry:
    first, last = draw(dates), draw(dates)
    return RosterEntry(
        draw(st.sampled_from(PEOPLE)),
        "prv",
        draw(st.integers(1, 3)),
        draw(st.integers(1, EVERY_DAY)),
        draw(st.integers(0, 1439)),
        draw(st.integers(0, 1440)),
        draw(st.sampled_from(ZONES)),
        first,
        last if first is None or last is None or last >= first else None,
    )


@st.composite
def exceptions(draw: st.DrawFn, since: float) -> Override:
    comes, goes = draw(
        st.tuples(st.none() | st.sampled_from(PEOPLE), st.none() | st.sampled_from(PEOPLE)).filter(
            lambda pair: pair[0] != pair[1]
        )
    )
    start = draw(st.integers(-1440, WINDOW))
    number = next(NUMBERS)
    return Override(
        f"o{number:09}", "prv", comes, goes, since + start * MINUTE,
        since + (start + draw(st.integers(1, 2 * 1440))) * MINUTE,
        draw(st.integers(1, 3)) if goes is None else None, float(number),
    )  # fmt: skip


def as_minutes(covered: list[Covered], since: float) -> list[dict[str, int]]:
    found: list[dict[str, int]] = []
    for one in covered:
        assert one.starts_at == since + len(found) * MINUTE
        found += [dict(one.tiers)] * round((one.ends_at - one.starts_at) / MINUTE)
    return found


@settings(max_examples=40, deadline=None)
@given(st.data(), st.lists(entries(), max_size=5), st.sampled_from(DATES))
def test_coverage_gaps_and_the_moment_agree_with_looking_at_every_minute(
    data: st.DataObject, weekly_shifts: list[RosterEntry], day: date
) -> None:
    since = datetime.combine(day, datetime.min.time(), UTC).timestamp()
    overrides = data.draw(st.lists(exceptions(since), max_size=4))
    plan = Roster(tuple(weekly_shifts), tuple(overrides))
    minutes = naive(weekly_shifts, overrides, since)
    covered = plan.coverage(since, since + WINDOW * MINUTE)
    assert as_minutes(covered, since) == minutes
    assert all(one.tiers != two.tiers for one, two in itertools.pairwise(covered))
    found = gaps(covered)
    for kind in GapKind:
        assert [gap for gap in found if gap.kind is kind] == naive_gaps(minutes, since, kind)
    for n in data.draw(st.lists(st.integers(0, WINDOW - 1), max_size=5)):
        assert plan.on_call(since + n * MINUTE) == minutes[n]
    for person in PEOPLE:
        turns = plan.shifts(person, since, since + WINDOW * MINUTE)
        there = [any(t.starts_at <= since + n * MINUTE < t.ends_at for t in turns)
                 for n in range(WINDOW)]  # fmt: skip
        assert there == [person in one for one in minutes]
        assert all(one.ends_at <= two.starts_at for one, two in itertools.pairwise(turns))


@settings(max_examples=200, deadline=None)
@given(
    st.tuples(st.integers(0, 50), st.integers(51, 100)),
    st.lists(st.tuples(st.integers(0, 99), st.integers(1, 40)), max_size=5),
)
@example((0, 100), [(0, 100)])
def test_what_is_left_of_a_span_is_what_no_other_span_has(
    span: tuple[int, int], others: list[tuple[int, int]]
) -> None:
    taken = [(float(start), float(start + length)) for start, length in others]
    left = without((float(span[0]), float(span[1])), taken)
    for n in range(120):
        inside = span[0] <= n < span[1] and not any(a <= n < b for a, b in taken)
        assert any(a <= n < b for a, b in left) == inside
