"""Turns as a calendar file, and a calendar file as weekly shifts and exceptions. No clock, no I/O.

Rules of this file:
1. A file is taken whole or refused whole, with the line at fault.
2. What is written can be read again; what others write is read as far as it means the same here:
   single events, and events that come back weekly or daily. Anything else is refused, not guessed.
3. People are found by the address of an attendee, else by the name in the summary.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, vRecur

from oncall.coverage import LONGEST_OVERRIDE, Shift
from oncall.errors import BadCalendar, BadRosterEntry
from oncall.roster import DAY_MINUTES, EVERY_DAY, moment, zone_of

LARGEST = 256 * 1024  # characters
MOST_EVENTS = 2000
MOST_EXCEPTIONS = 400  # of one event
DEEPEST = 4
LONGEST_SUMMARY = 200
TIER = "X-CRISISBRIDGE-TIER"
DAY_NAMES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
# what the library, or a time that no clock shows, may raise at bytes that are no calendar
_UNREADABLE = (
    ValueError, LookupError, TypeError, AttributeError, ArithmeticError, AssertionError, OSError,
)  # fmt: skip
_RULE_PARTS = frozenset({"FREQ", "INTERVAL", "BYDAY", "UNTIL", "COUNT", "WKST"})
_SUMMARY = re.compile(
    r"(?:(?:on call|de guardia)\s*:\s*)?(?P<name>.*?)"
    r"(?:[\s,(–-]*\b(?:tier|nivel)\s*(?P<tier>\d+)\)?)?",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class WeeklyEvent:
    """A shift that comes back every week, as RosterEntry counts it."""

    line: int
    person_id: str
    tier: int
    days: int
    starts_minute: int
    ends_minute: int
    timezone: str
    valid_from: date
    valid_until: date | None


@dataclass(frozen=True, slots=True)
class SingleEvent:
    """A span in which somebody comes, or (`goes`) does not."""

    line: int
    person_id: str
    goes: bool
    starts_at: float
    ends_at: float
    tier: int | None


@dataclass(frozen=True, slots=True)
class Parsed:
    """All of a file. `skipped`: events that are cancelled or over."""

    weekly: tuple[WeeklyEvent, ...]
    single: tuple[SingleEvent, ...]
    skipped: int


@dataclass(frozen=True, slots=True)
class Reader:
    """What a file is read against: people by e-mail or name (casefolded), zone, tier, the time."""

    people: Mapping[str, str]
    timezone: str
    tier: int
    now: float

    def read(self, text: str) -> Parsed:
        """Raises BadCalendar with the problem and the line."""
        places = _places(text)
        try:
            events = Calendar.from_ical(text).walk("VEVENT")
        except _UNREADABLE:
            raise BadCalendar("format") from None
        if len(events) != len(places):
            raise BadCalendar("format")
        weekly: list[WeeklyEvent] = []
        single: list[SingleEvent] = []
        skipped = 0
        for event, lines in zip(events, places, strict=True):
            one = _One(self, event, lines)
            try:
                found = one.read()
            except _UNREADABLE:
                raise BadCalendar("format", lines["BEGIN"]) from None
            weekly += [item for item in found if isinstance(item, WeeklyEvent)]
            single += [item for item in found if isinstance(item, SingleEvent)]
            skipped += not found
        return Parsed(tuple(weekly), tuple(single), skipped)


@dataclass(frozen=True, slots=True)
class _One:
    """One event of a file, and where its properties stand."""

    reader: Reader
    event: Any  # the library's component: what a property is, is looked at, never assumed
    lines: Mapping[str, int]

    def read(self) -> list[WeeklyEvent | SingleEvent]:
        for name, _ in self.event.errors:
            raise self.bad(
                "time" if name in ("DTSTART", "DTEND", "DURATION") else "format", str(name)
            )
        if str(self.event.get("STATUS", "")).upper() == "CANCELLED":
            return []
        for name in ("RECURRENCE-ID", "RDATE", "EXRULE"):
            if name in self.event:
                raise self.bad("moved" if name == "RECURRENCE-ID" else "rule", name)
        zone, starts, ends = self.times()
        length = round((ends - starts).total_seconds() / 60)
        people, tier = self.people()
        if "RRULE" in self.event:
            return [
                item
                for person in people
                for item in self.weekly(person, tier, zone, starts, length)
            ]
        start, end = _moment(starts, zone), _moment(ends, zone)
        if not 0 < end - start <= LONGEST_OVERRIDE:
            raise self.bad("length", "DTEND", "DURATION", "DTSTART")
        if end <= self.reader.now:
            return []
        line = self.lines["BEGIN"]
        return [SingleEvent(line, person, False, start, end, tier) for person in people]

    def weekly(
        self, person: str, tier: int, zone: str, starts: datetime, length: int
    ) -> list[WeeklyEvent | SingleEvent]:
        if not 0 < length <= DAY_MINUTES or starts.second:
            raise self.bad("length", "DTEND", "DURATION", "DTSTART")
        days, until = self.rule(zone, starts)
        minute = starts.hour * 60 + starts.minute
        line = self.lines["BEGIN"]
        shift = WeeklyEvent(
            line, person, tier, days, minute, (minute + length) % DAY_MINUTES, zone,
            starts.date(), until,
        )  # fmt: skip
        out: list[WeeklyEvent | SingleEvent] = []
        line = self.lines.get("EXDATE", line)
        occurs = days, starts, until
        for day in self.left_out(zone, occurs):
            start = moment(day, minute, ZoneInfo(zone))
            end = moment(day, minute + length, ZoneInfo(zone))
            if end > self.reader.now and end > start:
                out.append(SingleEvent(line, person, True, start, end, None))
        if until is not None and moment(until, minute + length, ZoneInfo(zone)) <= self.reader.now:
            return []
        return [shift, *out]

    def rule(self, zone: str, starts: datetime) -> tuple[int, date | None]:
        """The days as a bit mask, and the last day on which it begins."""
        rule = self.event["RRULE"]
        if not isinstance(rule, vRecur) or set(rule) - _RULE_PARTS:
            raise self.bad("rule", "RRULE")
        frequency = str(_only(rule, "FREQ")).upper()
        by_day = [str(day).upper() for day in rule.get("BYDAY", [])]
        daily = frequency == "DAILY" and not by_day
        if frequency != "WEEKLY" and not daily:
            raise self.bad("rule", "RRULE")
        if str(_only(rule, "INTERVAL", 1)) != "1" or not set(by_day) <= set(DAY_NAMES):
            raise self.bad("rule", "RRULE")
        own = 1 << starts.weekday()
        days = sum(1 << DAY_NAMES.index(day) for day in set(by_day)) or own
        days = EVERY_DAY if daily else days
        if not days & own:
            raise self.bad("rule", "RRULE")
        until = _until(_only(rule, "UNTIL", None), zone, starts)
        count = _only(rule, "COUNT", None)
        if count is not None:
            times = int(str(count))
            if until is not None or not 0 < times <= MOST_EVENTS:
                raise self.bad("rule", "RRULE")
            until = _nth(starts.date(), days, times)
        if until is not None and until < starts.date():
            raise self.bad("rule", "RRULE")
        return days, until

    def left_out(self, zone: str, occurs: tuple[int, datetime, date | None]) -> list[date]:
        """The days on which it does not take place.

        A time that is none of the event's own leaves nothing out: calendars keep such ones after a
        series was moved, and whoever is on call then by another shift stays.
        """
        given = self.event.get("EXDATE")
        lists = given if isinstance(given, list) else [given] if given is not None else []
        all_of_them = [one.dt for many in lists for one in many.dts]
        if len(all_of_them) > MOST_EXCEPTIONS:
            raise self.bad("rule", "EXDATE")
        found = [_in_zone(at, zone).date() for at in all_of_them if _at_its_time(at, zone, occurs)]
        days, starts, until = occurs
        return [
            day
            for day in dict.fromkeys(found)
            if days >> day.weekday() & 1 and starts.date() <= day <= (until or day)
        ]

    def times(self) -> tuple[str, datetime, datetime]:
        """The zone, and the wall times of start and end in it."""
        begin = self.event.get("DTSTART")
        if begin is None or isinstance(begin, list):
            raise self.bad("time", "DTSTART")
        zone = self.zone(begin, "DTSTART")
        starts = _in_zone(begin.dt, zone)
        end, duration = self.event.get("DTEND"), self.event.get("DURATION")
        if isinstance(end, list) or isinstance(duration, list):
            raise self.bad("time", "DTEND", "DURATION")
        if end is not None:
            self.zone(end, "DTEND")
            return zone, starts, _in_zone(end.dt, zone)
        if duration is not None:
            return zone, starts, starts + duration.dt
        if isinstance(begin.dt, datetime):
            raise self.bad("length", "DTSTART")
        return zone, starts, starts + timedelta(days=1)

    def zone(self, given: Any, name: str) -> str:
        """The name of a time's zone; a time without one is of the provider's."""
        at = given.dt
        if not isinstance(at, datetime):
            return self.reader.timezone
        if at.tzinfo is None:
            if "TZID" in given.params:  # one that nobody knows is not no zone
                raise self.bad("zone", name)
            return self.reader.timezone
        if at.tzinfo is UTC:
            return "UTC"
        key = getattr(at.tzinfo, "key", None)
        try:
            zone_of(str(key))
        except BadRosterEntry:
            raise self.bad("zone", name) from None
        return str(key)

    def people(self) -> tuple[list[str], int]:
        """Who is meant, and in which tier."""
        summary = self.event.get("SUMMARY")
        if isinstance(summary, list) or len(str(summary or "")) > LONGEST_SUMMARY:
            raise self.bad("person", "SUMMARY")
        said = _SUMMARY.fullmatch(str(summary or "").strip())
        given = self.event.get(TIER) or (said["tier"] if said else None) or self.reader.tier
        if not re.fullmatch("[1-9]", str(given)):
            raise self.bad("tier", TIER, "SUMMARY")
        attendees = self.event.get("ATTENDEE")
        listed = attendees if isinstance(attendees, list) else [attendees] if attendees else []
        if listed:
            keys = [str(one).casefold().removeprefix("mailto:").strip() for one in listed]
            where = "ATTENDEE"
        else:
            keys, where = [(said["name"] if said else "").strip().casefold()], "SUMMARY"
        found = [self.reader.people.get(key, "") for key in keys]
        if not all(found):
            raise self.bad("person", where)
        return list(dict.fromkeys(found)), int(str(given))

    def bad(self, problem: str, *names: str) -> BadCalendar:
        """The error at the first of these properties that is there, else at the event itself."""
        line = next((self.lines[name] for name in names if name in self.lines), None)
        return BadCalendar(problem, line or self.lines["BEGIN"])


def write(turns: Iterable[Shift], title: Callable[[Shift], str], name: str, now: float) -> bytes:
    """A calendar of turns, each as one event in UTC, so that any program shows it rightly."""
    calendar = Calendar()
    calendar.add("prodid", "-//CrisisBridge//roster//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", " ".join(name.split()))
    calendar.add("refresh-interval", timedelta(hours=1), parameters={"value": "DURATION"})
    stamp = datetime.fromtimestamp(int(now), UTC)
    for turn in turns:
        event = Event()
        key = f"{turn.person_id} {turn.tier} {turn.starts_at:.0f}"
        event.add("uid", f"{hashlib.sha256(key.encode()).hexdigest()[:32]}@crisisbridge")
        event.add("dtstamp", stamp)
        event.add("dtstart", datetime.fromtimestamp(round(turn.starts_at), UTC))
        event.add("dtend", datetime.fromtimestamp(round(turn.ends_at), UTC))
        event.add("summary", title(turn))
        event.add(TIER.lower(), str(turn.tier))
        calendar.add_component(event)
    return bytes(calendar.to_ical())


def _places(text: str) -> list[dict[str, int]]:
    """For each event its first line, and the first line of each of its properties.

    Refuses what is too large, too deep, or no calendar, before it is parsed.
    """
    if len(text) > LARGEST:
        raise BadCalendar("size")
    if "\0" in text or not text.lstrip("\ufeff \r\n").upper().startswith("BEGIN:VCALENDAR"):
        raise BadCalendar("format")
    stack: list[str] = []
    found: list[dict[str, int]] = []
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), start=1):
        if line[:1] in (" ", "\t"):
            continue  # the rest of the line before
        name = re.split("[:;]", line.lstrip("\ufeff"), maxsplit=1)[0].strip().upper()
        if name == "BEGIN":
            stack.append(line.partition(":")[2].strip().upper())
            if len(stack) > DEEPEST:
                raise BadCalendar("format", number)
            if stack[-1] == "VEVENT":
                found.append({"BEGIN": number})
                if len(found) > MOST_EVENTS:
                    raise BadCalendar("size", number)
        elif name == "END":
            if not stack or stack.pop() != line.partition(":")[2].strip().upper():
                raise BadCalendar("format", number)
        elif stack and stack[-1] == "VEVENT":
            found[-1].setdefault(name, number)
    if stack:
        raise BadCalendar("format")
    if not found:
        raise BadCalendar("events")
    return found


def _only(rule: Mapping[str, object], name: str, default: object = "") -> object:
    values = rule.get(name)
    if values is None:
        return default
    if isinstance(values, list):
        if len(values) != 1:
            raise ValueError(name)
        return values[0]
    return values


def _in_zone(at: date, zone: str) -> datetime:
    """A wall time in that zone, without it; a day is its midnight."""
    if not isinstance(at, datetime):
        return datetime.combine(at, datetime.min.time())
    if at.tzinfo is None or getattr(at.tzinfo, "key", None) == zone:
        return at.replace(tzinfo=None, fold=0)
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)


def _at_its_time(at: date, zone: str, occurs: tuple[int, datetime, date | None]) -> bool:
    """Whether an event begins then on one of its days; a date stands for its whole day."""
    if not isinstance(at, datetime):
        return True
    wall = _in_zone(at, zone)
    own = datetime.combine(wall.date(), occurs[1].time())
    if wall == own or at.tzinfo is None:
        return wall == own
    # where the clocks skip its time, others count on with the offset before
    return own.replace(tzinfo=ZoneInfo(zone)).timestamp() == at.timestamp()


def _moment(wall: datetime, zone: str) -> float:
    minute = wall.hour * 60 + wall.minute
    return moment(wall.date(), minute, ZoneInfo(zone)) + wall.second


def _until(until: object, zone: str, starts: datetime) -> date | None:
    if until is None:
        return None
    if not isinstance(until, date):
        raise TypeError("UNTIL")
    last = _in_zone(until, zone)
    if isinstance(until, datetime) and last.time() < starts.time():
        return last.date() - timedelta(days=1)
    return last.date()


def _nth(first: date, days: int, count: int) -> date:
    """The day of the so-and-so-manieth occurrence."""
    weeks, rest = divmod(count - 1, days.bit_count())
    day = first + timedelta(weeks=weeks)
    while rest:
        day += timedelta(days=1)
        rest -= days >> day.weekday() & 1
    return day
