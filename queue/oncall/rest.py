"""The line at rest: what a press may be given in the moment it comes, without a new plan. Pure.

Most presses find a queue in which nothing is due. Then `policy.plan` would leave everything as it
is and ring those who are silent and fit at once; who that is can be said without planning anew, so
that the ring is made in the very transaction that makes the session. Whatever is less plain gets no
ring here, and waits for the plan, which is a moment later. A line whose plan only rings comes to
rest when these rings have been made.

This never decides differently: what `rings_for` gives is exactly what the plan would ring for that
session (tests/oncall/test_rest.py), and afterwards the plan has nothing more to do either. The same
holds for a session that is cancelled.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from oncall.eligible import FRESH, Candidates, Eligibility
from oncall.escalation import ladder_for, next_escalation
from oncall.facts import (
    Escalate,
    Explain,
    KeepLast,
    MakeOffer,
    OfferState,
    Plan,
    Ring,
    Rules,
    Snapshot,
    WaitingSession,
)

# What a plan may say of a line in which everybody rings for whom they should: a step that is due
# alerts others, and changes nothing of that.
WORDS = (Escalate, Explain, KeepLast)


def only_rings(plan: Plan) -> bool:
    """Whether a plan leaves all rings as they are, or makes more: then nothing is left to do."""
    return all(isinstance(action, (*WORDS, MakeOffer)) for action in plan.actions)


def moves_nothing(plan: Plan) -> bool:
    """Whether a plan leaves all rings as they are."""
    return all(isinstance(action, WORDS) for action in plan.actions)


class LineAtRest:
    """A snapshot whose plan at most rings, and has been carried out; kept until something changes,
    or `until`."""

    def __init__(
        self, snapshot: Snapshot, plan: Plan, rules: Rules, until: float = math.inf
    ) -> None:
        """`until`: at the latest. Raises ValueError for a plan that ends rings or pauses people."""
        if not only_rings(plan):
            raise ValueError("the line is not at rest")
        self._snapshot = snapshot
        self._rules = rules
        self._eligibility = Eligibility(snapshot, snapshot.clinicians, rules)
        #: clinician -> the ring that was made since
        self._due = {one.clinician_id: one for one in plan.actions if isinstance(one, MakeOffer)}
        self._rung = {offer.clinician_id: offer.session_id for offer in snapshot.offers} | {
            who: offer.session_id for who, offer in self._due.items()
        }
        ringing = set(self._rung.values())
        self._waiting = {waits.id for waits in snapshot.waiting}
        #: sessions that would take a clinician who becomes free
        self._wanting = {
            waits.id
            for waits in snapshot.waiting
            if waits.id not in ringing or self._own(waits).ring is Ring.ALL
        }
        self._missing = {
            who.id
            for who in snapshot.clinicians
            if 0 < snapshot.rules_for(who, rules).missed_limit <= who.missed
        }
        self._until = min(until, *self._ring_moments())
        self._look_at = plan.next_deadline
        self._moments: dict[str, list[float]] = {}  # of the sessions that were pressed since
        self._heard: set[str] = set()  # of these, whose page has said that it rings

    @property
    def until(self) -> float:
        """UTC seconds from which time alone may have changed who rings, or would be rung."""
        moments = [self._until, *self._due_rings()]
        for session_id in self._wanting & self._moments.keys():
            moments += self._moments[session_id]
        return min(moments)

    @property
    def look_at(self) -> float:
        """UTC seconds at which the plan may have something to do, alarms included."""
        moments = [self.until, *(at for those in self._moments.values() for at in those)]
        return min(moments) if self._look_at is None else min(self._look_at, *moments)

    def _due_rings(self) -> Iterator[float]:
        for who, offer in self._due.items():
            heard = who in self._heard
            yield offer.expires_at if heard else min(offer.deliver_by, offer.expires_at)

    def _ring_moments(self) -> list[float]:
        """Moments that change who rings. Those of a session that has its one ring do not: it keeps
        it, however far the search for it could widen."""
        snapshot, moments = self._snapshot, [math.inf]
        for offer in snapshot.offers:
            pending = offer.state is OfferState.PENDING
            first = min(offer.deliver_by, offer.expires_at)
            moments.append(first if pending else offer.expires_at)
        for waits in snapshot.waiting:
            if waits.id in self._wanting:
                moments += [*self._of_search(waits), *waits.excluded.values()]
        for who in snapshot.clinicians:
            moments += [who.cooldown_until, who.resting_until]
            moments += [one.expires for one in who.licences if one.expires is not None]
        return [at for at in moments if at > snapshot.now]

    def _of_search(self, session: WaitingSession) -> list[float]:
        """When the search for a session widens, or its place in line changes."""
        at, own = session.pressed_at, self._own(session)
        ladder = ladder_for(session.provider_id, self._snapshot.ladders, self._rules)
        moments = [at + ladder.second_tier_after, at + own.promote_after]
        return moments + [at + step.after for step in own.relaxations]

    def rings_for(self, session: WaitingSession, now: float) -> tuple[MakeOffer, ...]:
        """Whom a session rings that was pressed at `now`: nobody, or all that the plan would ring.

        `session` is new: no round, no exclusion, no step taken.
        """
        if now >= self.until or now < self._snapshot.now:
            return ()
        # as old as a press is, by the clock of this reading
        found = self._eligibility.of(replace(session, pressed_at=self._snapshot.now))
        silent = self._silent(found)
        own = self._own(session)
        return tuple(
            MakeOffer(
                session_id=session.id,
                clinician_id=clinician,
                epoch=session.epoch,
                deliver_by=now + own.deliver_seconds,
                expires_at=now + own.round_seconds,
            )
            for clinician in (silent[:1] if own.ring is Ring.ONE else silent)
        )

    def rung(self, session: WaitingSession, made: tuple[MakeOffer, ...]) -> None:
        """These rings have been made: still at rest, until the first of their moments."""
        self._rung |= {offer.clinician_id: session.id for offer in made}
        self._waiting.add(session.id)
        own = self._own(session)
        if own.ring is Ring.ALL:
            self._wanting.add(session.id)
        self._due |= {offer.clinician_id: offer for offer in made}
        self._heard -= {offer.clinician_id for offer in made}
        ladder = ladder_for(session.provider_id, self._snapshot.ladders, self._rules)
        moments = [next_escalation(session, ladder)[0], *self._of_search(session)]
        self._moments[session.id] = [at for at in moments if at > session.pressed_at]

    def heard(self, clinician_id: str) -> None:
        """A page has said that it rings: until it expires then."""
        self._heard.add(clinician_id)

    def withdrawn(self, session_id: str) -> bool:
        """This session has left the line, and what rang for it was withdrawn: still at rest?

        Not if somebody else waits for one of those who are free now, or if one of them would have
        been paused but for this ring.
        """
        if session_id not in self._waiting:
            return False  # answered, for all that is known here: its clinician is free as well
        self._waiting.discard(session_id)
        freed = {who for who, rings in self._rung.items() if rings == session_id}
        self._wanting.discard(session_id)
        if self._wanting or freed & self._missing:
            return False
        for who in freed:
            del self._rung[who]
            self._due.pop(who, None)
        self._moments.pop(session_id, None)
        return True

    def _own(self, session: WaitingSession) -> Rules:
        return self._snapshot.rules_of(session.provider_id, self._rules)

    def _silent(self, found: Candidates) -> list[str]:
        """Whom nothing holds back and who does not ring, best first.

        At rest such clinicians ring for nobody only because nobody could ring them: there is none
        to share them with. What needs a step of the widening search, or a reserve, is the plan's.
        """
        silent = [
            clinician
            for clinician, layer in found.layers.items()
            if layer == FRESH and clinician not in self._rung
        ]
        return [] if any(found.misfits[clinician] for clinician in silent) else silent
