"""Who is on call when: weekly shifts in local time, right across daylight saving. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class RosterEntry:
    """A weekly shift. `days` is a bit mask (Monday = 1); minutes count from local midnight.

    A shift that ends at or before its start runs into the next day; equal ends mean 24 hours.
    """

    person_id: str
    provider_id: str
    tier: int
    days: int
    starts_minute: int
    ends_minute: int
    timezone: str

    def spans(self, around: float) -> list[tuple[float, float]]:
        """The shift's spans near a moment, as UTC seconds [start, end)."""
        zone = ZoneInfo(self.timezone)
        today = datetime.fromtimestamp(around, zone).date()
        return [
            self._span(day, zone)
            for offset in range(-2, 9)
            if self.days & (1 << (day := today + timedelta(days=offset)).weekday())
        ]

    def _span(self, day: date, zone: ZoneInfo) -> tuple[float, float]:
        ends = self.ends_minute
        if ends <= self.starts_minute:
            ends += DAY_MINUTES
        return _moment(day, self.starts_minute, zone), _moment(day, ends, zone)


def _moment(day: date, minute: int, zone: ZoneInfo) -> float:
    """A wall-clock time as UTC seconds.

    An hour that the clocks skip in spring counts as the moment after the jump; one that comes twice
    in autumn is its first occurrence, so that shifts that meet on the wall also meet in time.
    """
    days, minutes = divmod(minute, DAY_MINUTES)
    wall = datetime.combine(day + timedelta(days=days), time(minutes // 60, minutes % 60))
    return wall.replace(tzinfo=zone, fold=0).timestamp()


def on_call(entries: Iterable[RosterEntry], now: float) -> dict[str, int]:
    """Who is on call at `now`: person to their lowest (first-rung) tier."""
    tiers: dict[str, int] = {}
    for entry in entries:
        if any(start <= now < end for start, end in entry.spans(now)):
            tiers[entry.person_id] = min(entry.tier, tiers.get(entry.person_id, entry.tier))
    return tiers


def next_change(entries: Iterable[RosterEntry], now: float) -> float | None:
    """When somebody's shift next begins or ends, within about a week."""
    moments = {edge for entry in entries for span in entry.spans(now) for edge in span}
    return min((moment for moment in moments if moment > now), default=None)
