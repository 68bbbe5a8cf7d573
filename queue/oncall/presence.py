"""Whether a clinician's console is really there, measured by its heartbeats. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

HEARTBEAT_SECONDS = 5.0
LOST_SECONDS = 12.0  # two missed beats and some network


class PresenceState(enum.StrEnum):
    CONNECTED = "connected"
    GRACE = "grace"  # every page has closed its socket; the lease has not run out yet
    LOST = "lost"


@dataclass(slots=True)
class _Leases:
    pages: dict[str, float] = field(default_factory=dict)  # connection -> last beat
    last: float = 0.0


class PresenceBoard:
    """Leases of all clinicians; a person may have several pages open. Times are UTC seconds."""

    def __init__(self, lost_after: float = LOST_SECONDS) -> None:
        self.lost_after = lost_after
        self._people: dict[str, _Leases] = {}

    def beat(self, person_id: str, connection_id: str, now: float) -> None:
        """This page is alive."""
        leases = self._people.setdefault(person_id, _Leases())
        leases.pages[connection_id] = now
        leases.last = max(leases.last, now)

    def drop(self, person_id: str, connection_id: str, now: float) -> None:
        """This page's socket closed; it may be a reload."""
        leases = self._people.get(person_id)
        if leases is not None and leases.pages.pop(connection_id, None) is not None:
            leases.last = max(leases.last, min(now, leases.last + self.lost_after))

    def state(self, person_id: str, now: float) -> PresenceState:
        leases = self._people.get(person_id)
        if leases is None:
            return PresenceState.LOST
        if any(now - beat < self.lost_after for beat in leases.pages.values()):
            return PresenceState.CONNECTED
        if now - leases.last < self.lost_after:
            return PresenceState.GRACE
        return PresenceState.LOST

    def lost_since(self, person_id: str, now: float) -> float | None:
        """When the lease ran out; None while there is one, or nobody was ever there."""
        leases = self._people.get(person_id)
        if leases is None or self.state(person_id, now) is not PresenceState.LOST:
            return None
        return leases.last + self.lost_after

    def next_deadline(self, now: float) -> float | None:
        """When the next lease runs out."""
        ends = [
            beat + self.lost_after
            for leases in self._people.values()
            for beat in (*leases.pages.values(), leases.last)
        ]
        return min((end for end in ends if end > now), default=None)

    def known(self) -> list[str]:
        """Everybody who was ever here."""
        return list(self._people)

    def forget_lost(self, now: float) -> None:
        """Drop leases that ran out long ago, so that memory stays bounded."""
        for person_id, leases in list(self._people.items()):
            for page, beat in list(leases.pages.items()):
                if now - beat > 10 * self.lost_after:
                    del leases.pages[page]
            if not leases.pages and now - leases.last > 3600:
                del self._people[person_id]
