"""The first ring of a press, in the transaction that makes the session.

A press that finds the line at rest need not wait for a plan: whom it rings is known already
(`oncall.rest`), so that session and offers are made, and told, together. Anything that changes the
line in the meantime ends the rest; then the press is made without a ring, and the plan follows.

Looking at a long line takes a while, and presses do not wait for it. What is pressed, heard and
cancelled meanwhile is written down and followed when the look is over: otherwise a busy line would
never come to rest, because each look would find that it lacks something.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oncall import policy
from oncall.rest import LineAtRest, only_rings
from records.directory import Directory, Post
from records.offers import OfferRow
from records.sessions import Event, NewSession, SessionRow
from signaling import line_batches, metrics

if TYPE_CHECKING:
    from signaling.desk import Desk
    from signaling.line_reading import Reading

MOST_CHANGES = 500  # that are followed after one look
# what nobody told us of is seen by the line's next round, which is over long before: presses go by
# the rest while that round looks
LONGEST_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class FirstRing:
    """Who rings with a press. `events` belong on the timeline right after the press."""

    session: policy.WaitingSession
    made: tuple[policy.MakeOffer, ...]
    rows: tuple[OfferRow, ...]

    @property
    def events(self) -> list[Event]:
        return [
            Event("offer.sent", "system", None, {"clinician": one.clinician_id})
            for one in self.rows
        ]


@dataclass(frozen=True, slots=True)
class _Pressed:
    """A press. `made`: its rings, once they have been made."""

    session: policy.WaitingSession
    made: tuple[policy.MakeOffer, ...] = ()


@dataclass(frozen=True, slots=True)
class _Heard:
    clinician_id: str


@dataclass(frozen=True, slots=True)
class _Left:
    session_id: str


_Change = _Pressed | _Heard | _Left


class FirstRings:
    """The line at rest, as long as it is."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._rest: LineAtRest | None = None
        self._reading: Reading | None = None  # of the rest
        # what came since the look that is under way began; None: no look, or more than that came
        self._since: deque[_Change] | None = None
        self._newest: Reading | None = None  # of that look
        # presses were left to a look that does not follow them after all: the next one must be soon
        self.owes = False

    def look_begins(self) -> None:
        """From here on changes may be missing in what is read."""
        self._since = deque()
        self._newest = None
        self.owes = False

    def read(self, reading: Reading) -> None:
        """What the look has read."""
        self._newest = reading

    async def at_rest(
        self, plan: policy.Plan, ring: Callable[[policy.MakeOffer], Awaitable[bool]]
    ) -> bool:
        """The plan of the look has been carried out: whether the line is at rest now.

        Presses that came meanwhile are rung for with `ring`. When one of them asks for more than
        that, the line is woken.
        """
        since, reading = self._since, self._newest
        if since is None or reading is None or not only_rings(plan):
            self.over()
            return False
        now = reading.snapshot.now
        lease = await self._desk.live.next_deadline(now)
        until = now + LONGEST_SECONDS
        rest = LineAtRest(
            reading.snapshot, plan, self._desk.rules, until if lease is None else min(until, lease)
        )
        known = {session.id for session in reading.snapshot.waiting}
        while since and self._since is since:
            if not await self._follow(rest, known, since.popleft(), ring):
                self._desk.line.wake()
        if self._since is not since:
            return False
        self._since = None
        self._rest, self._reading = rest, reading
        return True

    async def _follow(
        self,
        rest: LineAtRest,
        known: set[str],
        change: _Change,
        ring: Callable[[policy.MakeOffer], Awaitable[bool]],
    ) -> bool:
        """Whether all is as the plan would have it with this change, too."""
        match change:
            case _Heard(clinician_id):
                rest.heard(clinician_id)
                return True
            case _Left(session_id):
                return rest.withdrawn(session_id)
            case _Pressed(session, made):
                if session.id in known:
                    return True
                known.add(session.id)
                if made:
                    rest.rung(session, made)
                    return True
                made = rest.rings_for(session, self._desk.now())
                rest.rung(session, made)
                return bool(made) and all([await ring(offer) for offer in made])

    @property
    def look_at(self) -> float | None:
        """Until when there is nothing to plan (UTC seconds), if that can be said."""
        return None if self._rest is None else self._rest.look_at

    def heard(self, clinician_id: str) -> None:
        """A page has said that it rings."""
        if self._rest is not None:
            self._rest.heard(clinician_id)
        self._note(_Heard(clinician_id))

    def over(self) -> None:
        """Something changed that may change who rings for whom."""
        self._rest = None
        self._forget()

    def _forget(self) -> None:
        """What came since the look began is to be read anew."""
        self.owes = self.owes or bool(self._since)
        self._since = None

    def _note(self, change: _Change) -> bool:
        """Whether a look is under way that will follow this."""
        if self._since is not None and len(self._since) >= MOST_CHANGES:
            self._forget()  # so much is quicker read anew
        if self._since is None:
            return False
        self._since.append(change)
        return True

    def cancelled(self, session_id: str) -> bool:
        """A session left the line, its rings withdrawn: whether all is still as it should be."""
        if self._rest is not None and not self._rest.withdrawn(session_id):
            self._rest = None
        return self._note(_Left(session_id)) or self._rest is not None

    def pressed(self, post: Post, new: NewSession, row: SessionRow) -> bool:
        """A press that rings nobody yet is durable: whether the look under way will see to it."""
        reading = self._newest or self._reading
        if self._since is None or reading is None or new.test or reading.versions != post.versions:
            return False
        self._rest = None  # of an older look: it had nobody for this press, and does not know of it
        return self._note(_Pressed(_pressed(reading.who, new, row.id, row.pressed_at)))

    def choose(self, post: Post, new: NewSession, session_id: str, now: float) -> FirstRing | None:
        """Who rings for this press at once, if that can be said.

        They count as rung from here on: whoever does not make these rings calls `over`.
        """
        rest, reading = self._rest, self._reading
        if rest is None or reading is None or new.test or reading.versions != post.versions:
            return None
        session = _pressed(reading.who, new, session_id, now)
        made = rest.rings_for(session, now)
        on_call = self._desk.rosters.on_call_as_read
        if not made or not all(on_call(one.clinician_id, now) for one in made):
            return None
        rest.rung(session, made)
        self._note(_Pressed(session, made))
        return FirstRing(session, made, tuple(line_batches.ring(one, now) for one in made))

    def told(self, ring: FirstRing, row: SessionRow) -> None:
        """The press is durable, and its rings with it: ring."""
        if self._reading is None:
            return
        for offer in ring.rows:
            self._desk.line.tell_rung(self._reading.who, offer, row)
            metrics.OFFERS.labels(outcome="sent").inc()
        if self._rest is not None:
            self._desk.line.look_by(self._rest.look_at)


def _pressed(who: Directory, new: NewSession, session_id: str, now: float) -> policy.WaitingSession:
    """A press as the policy sees it: nothing is known yet but where its tablet belongs."""
    agency = who.agencies[new.agency_id]
    there = who.providers_at(agency.id)
    return policy.WaitingSession(
        id=session_id,
        provider_id=new.provider_id,
        priority=new.priority,
        seq=0,  # its place is behind all others; first rings do not depend on it
        pressed_at=now,
        requeued_at=None,
        epoch=0,
        level=0,
        last_round_at=None,
        licence_state=agency.home.state,
        other_providers=tuple(one for one in there if one != new.provider_id),
    )
