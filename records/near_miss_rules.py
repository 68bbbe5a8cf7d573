"""What counts as a near miss of a session that is over. Pure; docs/managers.md has the same words.

Each kind is found at most once in a session. The thresholds stand here and nowhere else. What a
session is looked at for is codes and times: no clinical word takes part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

LONG_WAIT_SECONDS: Final = 60.0  # the promise: a clinician within a minute
NO_MEDIA_SECONDS: Final = 8.0  # a verdict on the network takes no longer (product.md)
LOST_SECONDS: Final = 30.0  # sound and picture gone in a running call
NOT_ANSWERED: Final = frozenset({"cancelled_by_officer", "officer_lost", "closed_by_supervisor"})
LICENCE: Final = "licence_state"
KINDS: Final = frozenset(  # of the timeline: what the rules read of it
    {
        "media.flowing", "media.step", "session.connected", "session.recovering",
        "session.recovered", "session.requeued", "session.ended", "session.closed", "tablet.lost",
        "tablet.back",
    }
)  # fmt: skip
_STARTS = {"session.recovering": "clinician", "tablet.lost": "tablet"}
_ENDS = {
    "session.recovered": ("clinician",),
    "session.connected": ("clinician",),
    "tablet.back": ("tablet",),
    "session.ended": ("clinician", "tablet"),
    "session.closed": ("clinician", "tablet"),
}


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the timeline."""

    at: float
    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facts:
    """A closed session. `last_level`: after so many steps its provider's ladder is used up."""

    pressed_at: float
    accepted_at: float | None
    media_at: float | None
    ended_at: float
    close_reason: str
    level: int = 0
    last_level: int = 1
    relaxed: frozenset[str] = frozenset()  # in what whoever answered was not what was asked for
    events: Sequence[Event] = ()


def found(facts: Facts) -> dict[str, float]:
    """Kinds of near misses, and when each happened."""
    checks = {
        "unanswered": _unanswered(facts),
        "no_media": _no_media(facts),
        "connection_lost": _connection_lost(facts.events),
        "clinician_lost": _requeued(facts.events, "clinician_lost"),
        "to_phone": _to_phone(facts),
        "licence_relaxed": facts.media_at if LICENCE in facts.relaxed else None,
        "last_step": facts.pressed_at if facts.level >= facts.last_level else None,
    }
    return {kind: at for kind, at in checks.items() if at is not None}


def _unanswered(facts: Facts) -> float | None:
    """Nobody accepted, and it ended after a long wait: taken back, lost, closed by somebody."""
    if facts.accepted_at is not None or facts.close_reason not in NOT_ANSWERED:
        return None
    return facts.ended_at if facts.ended_at - facts.pressed_at >= LONG_WAIT_SECONDS else None


def _no_media(facts: Facts) -> float | None:
    """Somebody accepted, and no sound or picture came: given up after a while, or at the end."""
    given_up = _requeued(facts.events, "setup_failed")
    if given_up is not None:
        return given_up
    if facts.accepted_at is None or facts.media_at is not None:
        return None
    return facts.ended_at if facts.ended_at - facts.accepted_at >= NO_MEDIA_SECONDS else None


def _connection_lost(events: Sequence[Event]) -> float | None:
    """In a call that ran, one side was gone for longer than the threshold: since when."""
    since: dict[str, float] = {}
    ran = False
    for event in events:
        ran = ran or event.kind in {"media.flowing", "session.connected"}
        side = _STARTS.get(event.kind)
        if side is not None and ran:
            since.setdefault(side, event.at)
        for ended in _ENDS.get(event.kind, ()):
            start = since.pop(ended, None)
            if start is not None and event.at - start > LOST_SECONDS:
                return start
    return None


def _requeued(events: Sequence[Event], reason: str) -> float | None:
    for event in events:
        if event.kind == "session.requeued" and event.data.get("reason") == reason:
            return event.at
    return None


def _to_phone(facts: Facts) -> float | None:
    """It went on by phone: the officer chose it, or the line carried no voice any more."""
    for event in facts.events:
        if event.kind == "media.step" and event.data.get("picture") == "phone":
            return event.at
    return facts.ended_at if facts.close_reason == "moved_to_phone" else None
