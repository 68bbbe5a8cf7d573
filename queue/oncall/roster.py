"""Who is on call when: weekly shifts in local time, right across daylight saving. Pure.

Rules of this file:
1. A shift is planned on the wall clock of its own time zone; the answer is always about a moment.
2. Shifts that meet on the wall meet in time: no night of the year has a gap or a second without
   anybody that the plan does not have.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from oncall.errors import BadRosterEntry

DAY_MINUTES = 24 * 60
EVERY_DAY = 0b1111111
AHEAD_DAYS = 9  # a week, and the days whose clock changes move an edge

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class RosterEntry:
    """A weekly shift. `days` is a bit mask (Monday = 1); minutes count from local midnight.

    A shift that ends at or before its start runs into the next day; equal ends mean 24 hours, from
    one wall-clock time to the next day's same one. Raises BadRosterEntry.
    """

    person_id: str
    provider_id: str
    tier: int
    days: int
    starts_minute: int
    ends_minute: int
    timezone: str

    def __post_init__(self) -> None:
        if self.tier < 1:
            raise BadRosterEntry("tier")
        if not 0 < self.days <= EVERY_DAY:
            raise BadRosterEntry("days")
        if not 0 <= self.starts_minute < DAY_MINUTES:
            raise BadRosterEntry("starts_minute")
        if not 0 <= self.ends_minute <= DAY_MINUTES:
            raise BadRosterEntry("ends_minute")
        _zone(self.timezone)

    def covers(self, now: float) -> bool:
        """Whether the shift runs at `now`."""
        # a shift lasts at most a day, so it began today or yesterday
        return any(start <= now < end for start, end in self.spans(now, ahead_days=0))

    def spans(self, around: float, ahead_days: int = AHEAD_DAYS) -> list[Span]:
        """The shift's spans from the day before a moment on, as UTC seconds [start, end)."""
        zone = _zone(self.timezone)
        today = datetime.fromtimestamp(around, zone).date()
        return [
            self._span(day, zone)
            for offset in range(-1, ahead_days + 1)
            if self.days & (1 << (day := today + timedelta(days=offset)).weekday())
        ]

    def _span(self, day: date, zone: ZoneInfo) -> Span:
        ends = self.ends_minute
        if ends <= self.starts_minute:
            ends += DAY_MINUTES
        return _moment(day, self.starts_minute, zone), _moment(day, ends, zone)


def on_call(entries: Iterable[RosterEntry], now: float) -> dict[str, int]:
    """Who is on call at `now`: person to their lowest (first-rung) tier."""
    tiers: dict[str, int] = {}
    for entry in entries:
        if entry.covers(now):
            tiers[entry.person_id] = min(entry.tier, tiers.get(entry.person_id, entry.tier))
    return tiers


def next_change(entries: Iterable[RosterEntry], now: float) -> float | None:
    """When `on_call` next gives another answer; None when it does not within a week.

    One shift that follows another without a gap changes nothing and is not a change.
    """
    shifts: dict[str, list[tuple[Span, int]]] = {}
    for entry in entries:
        shifts.setdefault(entry.person_id, []).extend((s, entry.tier) for s in entry.spans(now))
    changes = (_next_of_one(spans, now) for spans in shifts.values())
    return min((change for change in changes if change is not None), default=None)


def _next_of_one(spans: list[tuple[Span, int]], now: float) -> float | None:
    tier = _tier_at(spans, now)
    # the last spans end where we stopped looking, not where the person's duty does
    known_until = now + (AHEAD_DAYS - 1) * 86_400
    edges = sorted({edge for span, _ in spans for edge in span if now < edge <= known_until})
    return next((edge for edge in edges if _tier_at(spans, edge) != tier), None)


def _tier_at(spans: list[tuple[Span, int]], at: float) -> int | None:
    return min((tier for (start, end), tier in spans if start <= at < end), default=None)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # ValueError: not a key at all, such as "../x"; OSError: the name of a folder
        raise BadRosterEntry("timezone") from None


def _moment(day: date, minute: int, zone: ZoneInfo) -> float:
    """A wall-clock time as UTC seconds.

    A time that the clocks skip in spring is the moment of the jump; one that comes twice in autumn
    is its first occurrence. So later on the wall is never earlier in time.
    """
    days, minutes = divmod(minute, DAY_MINUTES)
    wall = datetime.combine(day + timedelta(days=days), time(minutes // 60, minutes % 60))
    first = wall.replace(tzinfo=zone, fold=0).timestamp()
    second = wall.replace(tzinfo=zone, fold=1).timestamp()
    # PEP 495: only in a gap is the reading with the later offset the earlier moment
    return first if second >= first else _jump(second, first, zone)


def _jump(before: float, after: float, zone: ZoneInfo) -> float:
    """The second at which the offset changes, between two moments on either side of it."""
    low, high = int(before), int(after)
    offset = _offset(low, zone)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(middle, zone) == offset:
            low = middle
        else:
            high = middle
    return float(high)


def _offset(at: int, zone: ZoneInfo) -> timedelta | None:
    return datetime.fromtimestamp(at, UTC).astimezone(zone).utcoffset()
