"""The first ring of a press, in the transaction that makes the session.

A press that finds the line at rest need not wait for a plan: whom it rings is known already
(`oncall.rest`), so that session and offers are made, and told, together. Anything that changes the
line in the meantime ends the rest; then the press is made without a ring, and the plan follows.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from oncall import policy
from oncall.rest import LineAtRest, moves_nothing
from records import offers
from records.directory import Directory, Post
from records.ids import new_id
from records.offers import OfferRow
from records.sessions import Event, NewSession, SessionRow
from signaling import metrics

if TYPE_CHECKING:
    from signaling.desk import Desk
    from signaling.line_reading import Reading

LONGEST_SECONDS = 5.0  # what nobody told us of is seen by the line's next round


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

    async def add(self, conn: AsyncConnection) -> None:
        """Write the offers. Raises Busy, StaleSession when somebody cannot be rung after all."""
        await offers.add_with_press(conn, self.rows)


class FirstRings:
    """The line at rest, as long as it is."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.changes = 0  # presses and cancels that needed no plan: older readings lack them
        self._rest: LineAtRest | None = None
        self._reading: Reading | None = None

    async def at_rest(self, reading: Reading, plan: policy.Plan) -> None:
        """The line has been read, and nothing was done; what was overtaken is planned anew."""
        if not moves_nothing(plan):
            self.over()
            return
        now = reading.snapshot.now
        lease = await self._desk.live.next_deadline(now)
        until = now + LONGEST_SECONDS
        self._rest = LineAtRest(
            reading.snapshot, plan, self._desk.rules, until if lease is None else min(until, lease)
        )
        self._reading = reading

    @property
    def look_at(self) -> float | None:
        """Until when there is nothing to plan (UTC seconds), if that can be said."""
        return None if self._rest is None else self._rest.look_at

    def heard(self, clinician_id: str) -> None:
        """A page has said that it rings."""
        if self._rest is not None:
            self._rest.heard(clinician_id)

    def over(self) -> None:
        """Something changed that may change who rings for whom."""
        self._rest = None

    def cancelled(self, session_id: str) -> bool:
        """A session left the line, its rings withdrawn: whether all is still as it should be."""
        still = self._rest is not None and self._rest.withdrawn(session_id)
        self.changes += still
        return still

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
        self.changes += 1
        return FirstRing(session, made, tuple(_row(one, now) for one in made))

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


def _row(made: policy.MakeOffer, now: float) -> OfferRow:
    return OfferRow(
        id=new_id("off"),
        session_id=made.session_id,
        clinician_id=made.clinician_id,
        epoch=made.epoch,
        token=secrets.token_urlsafe(18),
        state="pending",
        sent_at=now,
        deliver_by=made.deliver_by,
        delivered_at=None,
        expires_at=made.expires_at,
        ended_at=None,
        reason=None,
    )
