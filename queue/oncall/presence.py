"""Whether a clinician's console is really there, measured by its heartbeats. Pure.

Rules of this file:
1. Each connection holds its own lease; a person is there as long as one open connection's lease is.
2. News that is older than what is known changes nothing: a stale connection can neither renew nor
   end the lease of a newer one.
3. A closed connection may be a reload: the person is in grace until the lease would have run out.
4. What is written of a connection elsewhere is read again and again, in any order, long after it
   ran out: it never takes a connection away that is alive.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

HEARTBEAT_SECONDS = 5.0
LOST_SECONDS = 12.0  # two missed beats and some network
MOST_CONNECTIONS = 32  # of one person; the one that was silent longest makes room
FORGET_SECONDS = 3600.0


class PresenceState(enum.StrEnum):
    CONNECTED = "connected"
    GRACE = "grace"  # every connection has closed; the lease has not run out yet
    LOST = "lost"


@dataclass(slots=True)
class _Connection:
    beat: float
    closed: float | None = None


@dataclass(slots=True)
class _Person:
    last: float
    connections: dict[str, _Connection] = field(default_factory=dict)


class PresenceBoard:
    """The leases of all clinicians. Times are UTC seconds; several connections may be one person's.

    A clock that was set back by more than a lease is believed: what it left in the future is lost.
    """

    def __init__(self, lost_after: float = LOST_SECONDS) -> None:
        self.lost_after = lost_after
        self._people: dict[str, _Person] = {}

    def beat(self, person_id: str, connection_id: str, now: float) -> None:
        """This connection is alive. A beat after its closing opens it again: the page is back."""
        person = self._people.setdefault(person_id, _Person(last=now))
        if self._renew(person, connection_id, now, now) and not self._is_old(now, person.last):
            person.last = now

    def hear(
        self, person_id: str, connection_id: str, beat: float, closed: float | None, now: float
    ) -> None:
        """Of a connection elsewhere stands written when it last beat, and when it closed, if so."""
        person = self._people.setdefault(person_id, _Person(last=beat))
        if person.last <= now:  # otherwise a clock was set back: the next beat here mends that
            person.last = max(person.last, beat)
        known = person.connections.get(connection_id)
        if beat + self.lost_after > now:
            self._renew(person, connection_id, beat, max(beat, now))
            if closed is not None:
                self.drop(person_id, connection_id, closed)
        elif known is not None and not known.beat > beat:
            del person.connections[connection_id]

    def _renew(self, person: _Person, connection_id: str, beat: float, now: float) -> bool:
        """Whether this beat was news."""
        known = person.connections.get(connection_id)
        if known is not None and self._is_old(beat, max(known.beat, known.closed or known.beat)):
            return False
        self._make_room(person, now)
        person.connections[connection_id] = _Connection(beat)
        return True

    def drop(self, person_id: str, connection_id: str, now: float) -> None:
        """This connection closed. Unknown ones, and ones that have beaten since, are left alone."""
        person = self._people.get(person_id)
        known = person.connections.get(connection_id) if person is not None else None
        if known is not None and known.closed is None and not self._is_old(now, known.beat):
            known.closed = now

    def lose(self, person_id: str, connection_id: str, now: float) -> None:
        """This connection is gone with its server: no grace. Other connections keep the person."""
        person = self._people.get(person_id)
        if person is None or person.connections.pop(connection_id, None) is None:
            return
        left = (c.beat for c in person.connections.values())
        person.last = min(person.last, max(left, default=now - self.lost_after))

    def state(self, person_id: str, now: float) -> PresenceState:
        """Connected, in grace or lost; who was never here is lost."""
        person = self._people.get(person_id)
        if person is None:
            return PresenceState.LOST
        for connection in person.connections.values():
            if connection.closed is None and self._holds(connection.beat, now):
                return PresenceState.CONNECTED
        return PresenceState.GRACE if self._holds(person.last, now) else PresenceState.LOST

    def lost_since(self, person_id: str, now: float) -> float | None:
        """When the lease ran out; None while it holds, or when nobody was ever there."""
        person = self._people.get(person_id)
        if person is None or self.state(person_id, now) is not PresenceState.LOST:
            return None
        return min(now, person.last + self.lost_after)

    def next_deadline(self, now: float) -> float | None:
        """When the next lease runs out."""
        ends = (
            beat + self.lost_after
            for person in self._people.values()
            for beat in (person.last, *self._open_beats(person))
            if self._holds(beat, now)
        )
        return min(ends, default=None)

    def __contains__(self, person_id: str) -> bool:
        return person_id in self._people

    def known(self) -> list[str]:
        """Everybody who is, or not long ago was, here."""
        return list(self._people)

    def forget_lost(self, now: float) -> None:
        """Drop who has been lost for an hour, so that memory stays bounded."""
        for person_id in self.known():
            since = self.lost_since(person_id, now)
            if since is not None and (
                now - since > FORGET_SECONDS or self._people[person_id].last > now
            ):
                del self._people[person_id]

    def _holds(self, beat: float, now: float) -> bool:
        return beat - self.lost_after < now < beat + self.lost_after

    def _is_old(self, news: float, known: float) -> bool:
        return known - self.lost_after < news < known

    @staticmethod
    def _open_beats(person: _Person) -> list[float]:
        return [c.beat for c in person.connections.values() if c.closed is None]

    def _make_room(self, person: _Person, now: float) -> None:
        """Leases that have run out are kept for nothing; a flood of connections is bounded."""
        for connection_id, connection in list(person.connections.items()):
            if not self._holds(connection.beat, now):
                del person.connections[connection_id]
        while len(person.connections) >= MOST_CONNECTIONS:
            silent = min(person.connections, key=lambda c: person.connections[c].beat)
            del person.connections[silent]
