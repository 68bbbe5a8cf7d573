"""Live state: who is here, and what they chose. One small interface, embedded or shared.

Everything in it can be rebuilt from the next heartbeats; nothing personal is in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from oncall.policy import Activity
from oncall.presence import PresenceBoard, PresenceState

MOST_PEOPLE = 10_000


@dataclass(frozen=True, slots=True)
class LiveClinician:
    """One clinician's live state."""

    activity: Activity
    reason: str | None
    presence: PresenceState


class LiveStore(Protocol):
    """What the desk needs; the embedded store here, a shared one later."""

    async def beat(self, person_id: str, connection_id: str, now: float) -> None: ...
    async def drop(self, person_id: str, connection_id: str, now: float) -> None: ...
    async def set_activity(
        self, person_id: str, activity: Activity, reason: str | None, now: float
    ) -> None: ...
    async def snapshot(self, now: float) -> Mapping[str, LiveClinician]: ...


class EmbeddedLiveStore:
    """In this process's memory."""

    def __init__(self) -> None:
        self._presence = PresenceBoard()
        self._chosen: dict[str, tuple[Activity, str | None]] = {}

    async def beat(self, person_id: str, connection_id: str, now: float) -> None:
        """A console is here. Who is here and has chosen nothing is available."""
        self._presence.beat(person_id, connection_id, now)

    async def drop(self, person_id: str, connection_id: str, now: float) -> None:
        self._presence.drop(person_id, connection_id, now)

    async def set_activity(
        self, person_id: str, activity: Activity, reason: str | None, now: float
    ) -> None:
        """What the clinician chose; a reason only goes with a pause."""
        if len(self._chosen) >= MOST_PEOPLE and person_id not in self._chosen:
            self._presence.forget_lost(now)
            known = set(self._presence.known())
            self._chosen = {k: v for k, v in self._chosen.items() if k in known}
        self._chosen[person_id] = (activity, reason if activity is Activity.PAUSED else None)

    async def snapshot(self, now: float) -> Mapping[str, LiveClinician]:
        """Everybody who is or recently was here."""
        found = {}
        for person_id in self._presence.known():
            activity, reason = self._chosen.get(person_id, (Activity.AVAILABLE, None))
            found[person_id] = LiveClinician(activity, reason, self._presence.state(person_id, now))
        return found
