"""The roster as people read it: a week day by day, gaps and turns in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from oncall.coverage import Covered, Roster, Shift
from oncall.gaps import AHEAD_SECONDS, Gap, GapKind, apart, gaps
from oncall.ical import WeeklyEvent
from oncall.roster import moment
from records.roster import RosterRow
from web import present
from web.i18n import Texts

DAY_MINUTES = 24 * 60
WEEK = 7


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of one day with the same people on call. `gap`: what is missing, if anything."""

    starts: str
    ends: str
    tiers: tuple[tuple[int, str], ...]  # tier and the names in it
    gap: str | None


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the week's view."""

    day: date
    weekday: int
    today: bool
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class GapLine:
    """One gap of the list."""

    kind: str
    words: str
    length: str
    starts_iso: str
    running: bool


def monday_of(day: date) -> date:
    """The Monday of that day's week."""
    return day - timedelta(days=day.weekday())


def today_in(zone: str, now: float) -> date:
    """The day that it is there."""
    return datetime.fromtimestamp(now, ZoneInfo(zone)).date()


def week(plan: Roster, names: Mapping[str, str], monday: date, zone: str, now: float) -> list[Day]:
    """The seven days from Monday on, each from midnight to midnight of that zone."""
    today = today_in(zone, now)
    days = []
    for number in range(WEEK):
        day = monday + timedelta(days=number)
        start, end = (moment(day, minute, ZoneInfo(zone)) for minute in (0, DAY_MINUTES))
        pieces = tuple(_piece(one, names, zone, end) for one in plan.coverage(start, end))
        days.append(Day(day, number, day == today, pieces))
    return days


def _piece(one: Covered, names: Mapping[str, str], zone: str, day_ends: float) -> Piece:
    tiers = one.by_tier()
    gap = GapKind.NOBODY if not tiers else None if 1 in tiers else GapKind.NO_FIRST_TIER
    return Piece(
        starts=clock(one.starts_at, zone),
        ends="24:00" if one.ends_at == day_ends else clock(one.ends_at, zone),
        tiers=tuple(
            (tier, ", ".join(sorted(names.get(person, "–") for person in people)))
            for tier, people in tiers.items()
        ),
        gap=gap.value if gap else None,
    )


def open_gaps(licensed: Roster, now: float) -> list[Gap]:
    """The uncovered hours of the next 14 days, each told once."""
    return apart(gaps(licensed.coverage(now, now + AHEAD_SECONDS)))


def gap_lines(found: Iterable[Gap], zone: str, now: float, texts: Texts) -> list[GapLine]:
    """Gaps in words."""
    return [
        GapLine(
            kind=gap.kind.value,
            words=span_words(gap.starts_at, gap.ends_at, zone, texts),
            length=hours(gap.seconds),
            starts_iso=present.iso(gap.starts_at),
            running=gap.starts_at <= now,
        )
        for gap in found
    ]


def clock(at: float, zone: str) -> str:
    """The time of day in a zone: 06:30."""
    return datetime.fromtimestamp(at, ZoneInfo(zone)).strftime("%H:%M")


def day_words(at: float, zone: str, texts: Texts) -> str:
    """A weekday and a date: Mon 2026-06-01."""
    day = datetime.fromtimestamp(at, ZoneInfo(zone)).date()
    return f"{texts.t(f'roster.day.{day.weekday()}')} {day.isoformat()}"


def span_words(starts: float, ends: float, zone: str, texts: Texts) -> str:
    """From when to when: Mon 2026-06-01 20:00 – 24:00, or with the second day named."""
    begin = f"{day_words(starts, zone, texts)} {clock(starts, zone)}"
    last = datetime.fromtimestamp(ends, ZoneInfo(zone))
    first = datetime.fromtimestamp(starts, ZoneInfo(zone)).date()
    if last.date() == first:
        return f"{begin} – {clock(ends, zone)}"
    if (last.hour, last.minute) == (0, 0) and last.date() == first + timedelta(days=1):
        return f"{begin} – 24:00"
    return f"{begin} – {day_words(ends, zone, texts)} {clock(ends, zone)}"


def hours(seconds: float) -> str:
    """A length in hours and minutes: 8:00 h."""
    whole, minutes = divmod(round(seconds / 60), 60)
    return f"{whole}:{minutes:02} h"


def turn_words(turn: Shift, zone: str, texts: Texts) -> str:
    """One turn: when, and in which tier."""
    when = span_words(turn.starts_at, turn.ends_at, zone, texts)
    return texts.t("roster.turn", when=when, tier=turn.tier)


def days_words(days: int, texts: Texts) -> str:
    """The weekdays of a shift: every day, Mon–Fri, or one by one."""
    chosen = [number for number in range(WEEK) if days >> number & 1]
    if len(chosen) == WEEK:
        return texts.t("roster.every_day")
    if len(chosen) > 2 and chosen == list(range(chosen[0], chosen[-1] + 1)):
        first, last = (texts.t(f"roster.day.{number}") for number in (chosen[0], chosen[-1]))
        return f"{first}–{last}"
    return ", ".join(texts.t(f"roster.day.{number}") for number in chosen)


def minutes_words(row: RosterRow | WeeklyEvent, texts: Texts) -> str:
    """From when to when on the wall: 22:00 – 06:00, or around the clock."""
    if row.starts_minute % DAY_MINUTES == row.ends_minute % DAY_MINUTES == 0:
        return texts.t("roster.whole_day")
    return f"{wall(row.starts_minute)} – {wall(row.ends_minute)}"


def wall(minute: int) -> str:
    """A minute of the day: 06:30; the day's end is 24:00."""
    return f"{minute // 60:02}:{minute % 60:02}"


def turns_by_person(
    plan: Roster, people: Sequence[str], since: float, until: float
) -> dict[str, list[Shift]]:
    """The turns of each person that begin in a stretch of time."""
    return {
        person: [one for one in plan.shifts(person, since, until) if one.starts_at >= since]
        for person in people
    }
