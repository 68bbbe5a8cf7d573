"""A weekly shift in local time, right across daylight saving. Pure.

Who is on call in the end, with the overrides over the weekly shifts: `oncall.coverage`.

Rules of this file:
1. A shift is planned on the wall clock of its own time zone; the answer is always about a moment.
2. Shifts that meet on the wall meet in time: no night of the year has a gap or a second without
   anybody that the plan does not have.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from oncall.errors import BadRosterEntry

DAY_MINUTES = 24 * 60
EVERY_DAY = 0b1111111

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
    valid_from: date | None = None  # the first day on which a shift may begin
    valid_until: date | None = None  # the last one

    def __post_init__(self) -> None:
        if self.tier < 1:
            raise BadRosterEntry("tier")
        if not 0 < self.days <= EVERY_DAY:
            raise BadRosterEntry("days")
        if not 0 <= self.starts_minute < DAY_MINUTES:
            raise BadRosterEntry("starts_minute")
        if not 0 <= self.ends_minute <= DAY_MINUTES:
            raise BadRosterEntry("ends_minute")
        if self.valid_from and self.valid_until and self.valid_until < self.valid_from:
            raise BadRosterEntry("valid_until")
        zone_of(self.timezone)

    def covers(self, now: float) -> bool:
        """Whether the shift runs at `now`."""
        return any(start <= now < end for start, end in self.spans(now, now + 1))

    def spans(self, since: float, until: float) -> list[Span]:
        """The shifts that touch [since, until), whole, in order; UTC seconds [start, end)."""
        zone = zone_of(self.timezone)
        # a shift lasts at most a day, so what still runs began the day before at the earliest;
        # and clocks that change move an edge by less than a day
        first = datetime.fromtimestamp(since, zone).date() - timedelta(days=1)
        last = datetime.fromtimestamp(until, zone).date() + timedelta(days=1)
        if self.valid_from is not None:
            first = max(first, self.valid_from)
        if self.valid_until is not None:
            last = min(last, self.valid_until)
        days = (first + timedelta(days=n) for n in range((last - first).days + 1))
        spans = (self._span(day, zone) for day in days if self.days & (1 << day.weekday()))
        return [
            (start, end) for start, end in spans if start < end and start < until and end > since
        ]

    def _span(self, day: date, zone: ZoneInfo) -> Span:
        ends = self.ends_minute
        if ends <= self.starts_minute:
            ends += DAY_MINUTES
        return moment(day, self.starts_minute, zone), moment(day, ends, zone)


def zone_of(name: str) -> ZoneInfo:
    """The time zone of that name. Raises BadRosterEntry."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # ValueError: not a key at all, such as "../x"; OSError: the name of a folder
        raise BadRosterEntry("timezone") from None


def moment(day: date, minute: int, zone: ZoneInfo) -> float:
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
