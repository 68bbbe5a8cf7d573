"""The roster's forms: what was typed, as values, or which field cannot be understood."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime

from oncall.errors import BadOverride, BadRosterEntry
from oncall.roster import moment, zone_of
from signaling.roster_changes import Special, Weekly

_CLOCK = re.compile(r"(\d{2}):(\d{2})(?::00)?")
_LOCAL = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::00)?")
LONGEST = 100

ZONES = (
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Anchorage",
    "Pacific/Honolulu",
    "America/Puerto_Rico",
    "UTC",
)


def weekly(form: Mapping[str, str]) -> Weekly:
    """A weekly shift. Raises BadRosterEntry with the field."""
    return Weekly(
        person_id=_needed(form, "person", BadRosterEntry),
        tier=_number(form.get("tier"), "tier", BadRosterEntry),
        days=sum(1 << number for number in range(7) if form.get(f"day{number}") == "1"),
        starts_minute=_minute(form.get("starts"), "starts_minute"),
        ends_minute=_minute(form.get("ends"), "ends_minute"),
        timezone=_needed(form, "timezone", BadRosterEntry),
        valid_from=_day(form.get("from"), "valid_from"),
        valid_until=_day(form.get("until"), "valid_until"),
    )


def special(form: Mapping[str, str], zone: str) -> Special:
    """An exception; its times are of the provider's zone. Raises BadOverride with the field."""
    kind = form.get("kind")
    comes = form.get("comes") or None if kind in ("add", "replace") else None
    goes = form.get("goes") or None if kind in ("remove", "replace") else None
    if kind not in ("add", "remove", "replace") or (kind == "replace" and None in (comes, goes)):
        raise BadOverride("person")
    return Special(
        comes=comes,
        goes=goes,
        starts_at=local(form.get("starts"), zone, "starts_at"),
        ends_at=local(form.get("ends"), zone, "ends_at"),
        tier=_number(form.get("tier"), "tier", BadOverride) if kind == "add" else None,
    )


def local(text: str | None, zone: str, field: str) -> float:
    """A date and time of a form, on that zone's wall clock. Raises BadOverride.

    A time that the clocks skip is the moment of the jump; one that comes twice is the first.
    """
    if text is None or not _LOCAL.fullmatch(text):
        raise BadOverride(field)
    try:
        wall = datetime.fromisoformat(text)
        return moment(wall.date(), wall.hour * 60 + wall.minute, zone_of(zone))
    except (ValueError, OverflowError):
        raise BadOverride(field) from None


def _needed(form: Mapping[str, str], name: str, error: type[BadRosterEntry]) -> str:
    value = form.get(name, "")
    if not value or len(value) > LONGEST:
        raise error(name)
    return value


def _number(text: str | None, field: str, error: type[BadRosterEntry | BadOverride]) -> int:
    if text is None or not re.fullmatch("[1-9]", text):
        raise error(field)
    return int(text)


def _minute(text: str | None, field: str) -> int:
    found = _CLOCK.fullmatch(text or "")
    if found is None:
        raise BadRosterEntry(field)
    minute = int(found[1]) * 60 + int(found[2])
    if int(found[2]) > 59 or minute >= 24 * 60:
        raise BadRosterEntry(field)
    return minute


def _day(text: str | None, field: str) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise BadRosterEntry(field) from None
    if not 2000 <= day.year <= 2200:
        raise BadRosterEntry(field)
    return day
