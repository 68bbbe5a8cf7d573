"""Which tablets are ready for a crisis, and in words why the others are not. Pure.

Ready: its page is connected, an officer has checked it out, and nothing that it told of itself
stands in the way. The four numbers and the list of tablets go by this alone.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Literal

from auth.manage import TabletRecord
from records.tablet_reports import DAY, NEWS_DAYS, remarks

Word = Literal["not_ready", "ready", "never", "ended"]
_ORDER: tuple[Word, ...] = ("not_ready", "never", "ready", "ended")


@dataclass(frozen=True, slots=True)
class Shown:
    """One tablet in the manager's list. Reasons and remarks are codes with a text each."""

    tablet: TabletRecord
    online: bool
    word: Word
    reasons: tuple[str, ...]  # why it is not ready, most pressing first
    remarks: tuple[str, ...]  # what works, and is worth a look


def is_ready(*, online: bool, officer: bool, troubled: bool) -> bool:
    return online and officer and not troubled


def listed(
    tablets: Iterable[TabletRecord], online: Container[str], build: str, now: float
) -> list[Shown]:
    """Those that are not ready first, each part in the order that was given."""
    found = [shown(one, online=one.id in online, build=build, now=now) for one in tablets]
    return sorted(found, key=lambda one: _ORDER.index(one.word))


def shown(tablet: TabletRecord, *, online: bool, build: str, now: float) -> Shown:
    """One tablet, by all that is known of it."""
    if tablet.revoked_at is not None:
        return Shown(tablet, online, "ended", (), ())
    if tablet.enrolled_at is None:
        return Shown(tablet, online, "never", (), ())
    told = tablet.report.troubles if tablet.report is not None else ()
    ready = is_ready(online=online, officer=tablet.officer is not None, troubled=bool(told))
    lost = _lost_its_key(tablet) and not online
    reasons = (
        *(() if online else ("key_lost" if lost else "offline",)),
        *(() if tablet.officer is not None else ("no_officer",)),
        *told,
    )
    notes = (*_of_key(tablet, now, lost=lost), *remarks(tablet.report, build, now))
    return Shown(tablet, online, "ready" if ready else "not_ready", reasons, notes)


def _lost_its_key(tablet: TabletRecord) -> bool:
    """The newest that came with its cookie was a device without its key."""
    refused = tablet.key_refused_at
    return refused is not None and refused > (tablet.last_seen_at or 0.0)


def _of_key(tablet: TabletRecord, now: float, *, lost: bool) -> tuple[str, ...]:
    def new(at: float | None) -> bool:
        return at is not None and now - at < NEWS_DAYS * DAY

    found = [] if tablet.has_key else ["no_key"]
    if tablet.key_bound_by in {"pin", "first_use"} and new(tablet.key_bound_at):
        found.append(f"key_{tablet.key_bound_by}")
    if new(tablet.key_refused_at) and not lost:
        found.append("copied")
    return tuple(found)
