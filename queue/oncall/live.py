"""Live state: who is here, and what they chose. One small interface, embedded or shared.

Everything in it can be rebuilt from the next heartbeats; nothing personal is in it. What every
implementation must keep is written down as tests: tests/oncall/live_contract.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from oncall.errors import LiveStoreFull
from oncall.facts import Activity
from oncall.presence import LOST_SECONDS, PresenceBoard, PresenceState

MOST_PEOPLE = 10_000


@dataclass(frozen=True, slots=True)
class LiveClinician:
    """One clinician's live state. `lost_since` is set while the presence is lost."""

    activity: Activity
    reason: str | None
    presence: PresenceState
    lost_since: float | None = None


@lru_cache(maxsize=1024)
def _here(activity: Activity, reason: str | None, presence: PresenceState) -> LiveClinician:
    return LiveClinician(activity, reason, presence)


class LiveStore(Protocol):
    """What the desk needs: the embedded store here, the shared one in `oncall.live_redis`.

    Times are UTC seconds and come from the caller. Cancelling any of these is safe: a step has
    either happened as a whole or not at all. None of them waits for another machine.
    """

    @property
    def partial(self) -> bool:
        """Whether only this process's own pages are known: who is missing may be elsewhere.

        Such people are in grace, never lost: a ring of theirs is left alone.
        """

    async def start(self) -> None:
        """Before use. Raises LiveStoreUnfit when the shared store must not be used as it is."""

    async def close(self) -> None:
        """Tell the others that this process's pages are gone, if they can be told."""

    async def beat(self, person_id: str, connection_id: str, now: float) -> None:
        """This connection is alive; who comes or comes back wakes the line."""

    async def drop(self, person_id: str, connection_id: str, now: float) -> None:
        """This connection closed; a change of presence wakes the line."""

    async def set_activity(
        self, person_id: str, activity: Activity, reason: str | None, now: float
    ) -> None:
        """What the clinician chose; no reason goes with "available". A change wakes the line."""

    async def snapshot(self, now: float) -> Mapping[str, LiveClinician]:
        """Every clinician who is, or not long ago was, here."""

    async def beat_tablet(self, tablet_id: str, connection_id: str, now: float) -> None:
        """This page of a tablet is alive."""

    async def drop_tablet(self, tablet_id: str, connection_id: str, now: float) -> None:
        """This page of a tablet closed."""

    async def tablets(self, now: float) -> Mapping[str, PresenceState]:
        """Every tablet that is, or not long ago was, here."""

    async def node_lost(self, node_id: str, now: float) -> None:
        """A server died: its pages are lost together, without grace. Wakes the line."""

    async def next_deadline(self, now: float) -> float | None:
        """When the next lease runs out, if nobody beats."""

    async def wake(self) -> None:
        """Something changed that the line may act on: end the wait, or the next one at once."""

    async def wait(self, deadline_seconds: float) -> bool:
        """Sleep until woken, or so many seconds; whether it was a wake-up. One waiter at a time.

        Wake-ups may be merged, never lost: those before the wait end it at once.
        """


class EmbeddedLiveStore:
    """In this process's memory, for `most_people` at once (LiveStoreFull beyond)."""

    def __init__(self, lost_after: float = LOST_SECONDS, most_people: int = MOST_PEOPLE) -> None:
        self._presence = PresenceBoard(lost_after)
        self._tablets = PresenceBoard(lost_after)
        self._chosen: dict[str, tuple[Activity, str | None]] = {}
        self._most_people = most_people
        self._woken = asyncio.Event()

    @property
    def partial(self) -> bool:
        return False

    async def start(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""

    async def beat(self, person_id: str, connection_id: str, now: float) -> None:
        """Who is here and has chosen nothing is available."""
        self._make_room(person_id, now)
        before = self._presence.state(person_id, now)
        self._presence.beat(person_id, connection_id, now)
        self._wake_if(self._presence.state(person_id, now) is not before)

    async def drop(self, person_id: str, connection_id: str, now: float) -> None:
        before = self._presence.state(person_id, now)
        self._presence.drop(person_id, connection_id, now)
        self._wake_if(self._presence.state(person_id, now) is not before)

    async def set_activity(
        self, person_id: str, activity: Activity, reason: str | None, now: float
    ) -> None:
        self._make_room(person_id, now)
        chosen = (activity, None if activity is Activity.AVAILABLE else reason)
        self._wake_if(self._chosen.get(person_id) != chosen)
        self._chosen[person_id] = chosen

    async def snapshot(self, now: float) -> Mapping[str, LiveClinician]:
        return {person_id: self._one(person_id, now) for person_id in self._presence.known()}

    async def beat_tablet(self, tablet_id: str, connection_id: str, now: float) -> None:
        if tablet_id not in self._tablets:
            self._tablets.forget_lost(now)
            if len(self._tablets.known()) >= self._most_people:
                raise LiveStoreFull
        self._tablets.beat(tablet_id, connection_id, now)

    async def drop_tablet(self, tablet_id: str, connection_id: str, now: float) -> None:
        self._tablets.drop(tablet_id, connection_id, now)

    async def tablets(self, now: float) -> Mapping[str, PresenceState]:
        return {one: self._tablets.state(one, now) for one in self._tablets.known()}

    async def node_lost(self, node_id: str, now: float) -> None:
        """There is no other."""

    async def next_deadline(self, now: float) -> float | None:
        return self._presence.next_deadline(now)

    async def wake(self) -> None:
        self._woken.set()

    async def wait(self, deadline_seconds: float) -> bool:
        try:
            async with asyncio.timeout(max(0.0, deadline_seconds)):
                await self._woken.wait()
        except TimeoutError:
            return False
        # cleared last: a cancelled wait leaves the wake-up to the next one
        self._woken.clear()
        return True

    def _one(self, person_id: str, now: float) -> LiveClinician:
        activity, reason = self._chosen.get(person_id, (Activity.AVAILABLE, None))
        presence = self._presence.state(person_id, now)
        if presence is not PresenceState.LOST:
            return _here(activity, reason, presence)  # most of a thousand are alike
        return LiveClinician(activity, reason, presence, self._presence.lost_since(person_id, now))

    def _wake_if(self, changed: bool) -> None:
        if changed:
            self._woken.set()

    def _make_room(self, person_id: str, now: float) -> None:
        """Before a newcomer is let in: forget who has long gone. Raises LiveStoreFull."""
        if person_id in self._presence or person_id in self._chosen:
            return
        if len({*self._presence.known(), *self._chosen}) < self._most_people:
            return
        self._presence.forget_lost(now)
        here = set(self._presence.known())
        self._chosen = {who: chosen for who, chosen in self._chosen.items() if who in here}
        if len(here) >= self._most_people:
            raise LiveStoreFull
