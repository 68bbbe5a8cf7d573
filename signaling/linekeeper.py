"""Keeps the line moving: reads the queue, asks the policy, carries out its plan.

The policy decides (`oncall.policy`, pure); each action is one transaction that checks again what
the decision stood on. An action that was overtaken is dropped, and the next round decides anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
import secrets
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from oncall import policy
from oncall.fit import Relaxation
from oncall.rest import WORDS
from records import directory, offers, sessions
from records.errors import RecordError, StaleSession
from records.ids import new_id
from records.offers import OfferRow
from records.sessions import Event, SessionRow
from records.vocabulary import PAUSED_FOR_MISSING
from signaling import line_batches, line_reading, metrics, wire
from signaling.errors import SessionError
from signaling.first_rings import FirstRing, FirstRings
from signaling.line_batches import alike
from signaling.session import Escalated, Step, TimelineEvent, handle
from signaling.views import offer_view

if TYPE_CHECKING:
    from signaling.desk import Desk

log = logging.getLogger(__name__)

MOST_ROUNDS = 20  # a plan that never settles is a fault: stop, log, and go on at the next wake-up
MOST_OVERTAKEN = 3  # so often a plan that was too late is followed by a fresh look at once
SOONEST_SECONDS = 0.02  # a moment that does not pass must not keep the process busy
MOST_REST_SECONDS = 0.5  # after a moment of many sessions: the next one's comes with others
OTHERS_SECONDS = 0.25  # until a press is looked at with what other processes know
FEWEST_ALARMS = 4  # however busy the line is: whoever presses rings first, but alarms come too
ALARMS_SECONDS = 0.5  # so long alarms are raised before the line is looked at again
IDLE_SECONDS = 5.0  # the auditor's round, even when nothing wakes the line
EXCLUDED_SECONDS = 60.0  # after a failed set-up or a lost clinician, others first


class Said(enum.Enum):
    """How much of a plan's words was carried out."""

    NOTHING = enum.auto()
    IN_PART = enum.auto()
    ALL = enum.auto()


class Linekeeper:
    """The dispatcher of one process."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.settled = 0  # how often the line came to rest
        self.first_rings = FirstRings(desk)
        self._woken = False
        self._again = False  # to be looked at once more, without any hurry
        self._stir = asyncio.Event()  # woken, or to be looked at sooner
        self._due = 0.0  # loop time at which to look whether there is something to do
        self._soonest = SOONEST_SECONDS  # a line that takes long to look at is looked at less often
        self._audit = 0.0  # loop time of the auditor's round
        self._quiet = asyncio.Event()  # nothing has changed since the newest plan
        self._excluded: dict[tuple[str, str], float] = {}
        self._explained: dict[str, str] = {}
        self._alarmed: dict[str, int] = {}  # clinician -> missed in a row when it was last said
        self._reading: line_reading.Reading | None = None  # of the newest plan
        self.rings_read: dict[str, tuple[OfferRow, policy.OpenOffer]] = {}  # by the newest look

    def wake(self) -> None:
        """Something changed that the line may act on."""
        self._quiet.clear()
        self.first_rings.over()
        self._woken = True
        self._stir.set()

    def pressed(self, post: directory.Post, new: sessions.NewSession, row: SessionRow) -> None:
        """A press that rings nobody yet: a look that is under way sees to it, or a new one."""
        if self.first_rings.pressed(post, new, row):
            self._quiet.clear()
            self._in_time()
        else:
            self.wake()

    def rang(self, ring: FirstRing, row: SessionRow) -> None:
        """A press is durable, and whom it rings with it."""
        self.first_rings.told(ring, row)
        self._in_time()

    def look_by(self, moment: float) -> None:
        """Nothing to do now, but at that time (UTC seconds) at the latest."""
        loop = asyncio.get_running_loop()
        self._due = min(self._due, loop.time() + max(self._soonest, moment - self._desk.now()))
        self._stir.set()

    async def quiet(self, at_most: float) -> None:
        """Wait until the line has acted on what changed, or so many seconds.

        For work that can wait: who rings goes before who looks on, and before what is logged.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(at_most):
                await self._quiet.wait()

    def exclude(self, session_id: str, clinician_id: str, now: float) -> None:
        """Do not ring this clinician for this session again at once."""
        self.keep_out(session_id, clinician_id, now)
        self._desk.cluster.excluded(session_id, clinician_id, now)

    def keep_out(self, session_id: str, clinician_id: str, now: float) -> None:
        """The same, when another process says so."""
        self._excluded[session_id, clinician_id] = now + EXCLUDED_SECONDS

    async def resume(self) -> None:
        """After a start as the only process: rings of an earlier one are not ringing any more."""
        async with self._desk.db.read() as conn:
            rung = await offers.open_offers(conn)
        for offer in rung:
            await self.end_ring(offer.id, "withdrawn", "server_restarted")
        self.wake()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            self._woken = self._again = False
            with metrics.LINE_ROUND.time():
                plan = await self._settle()
            self.settled += 1
            self._soonest = min(MOST_REST_SECONDS, max(SOONEST_SECONDS, loop.time() - began))
            # counted from its beginning: until the next one is over, presses go by this one
            self._audit = self._due = max(began + IDLE_SECONDS, loop.time() + self._soonest)
            if plan is not None and plan.next_deadline is not None:
                self.look_by(plan.next_deadline)
            if not self._woken:
                self._quiet.set()
            await self._until_due(loop.time() + max(self._soonest, OTHERS_SECONDS))

    async def _until_due(self, again: float) -> None:
        """Until something wakes the line, or a moment comes at which there may be something to do.

        `again`: loop time of another look, if one is wanted without any hurry.
        A ring that was due to be heard of, and was, is no such moment any more.
        """
        loop = asyncio.get_running_loop()
        while not self._woken and not (self._again and loop.time() >= again):
            if loop.time() >= self._due:
                moment = self.first_rings.look_at
                if moment is None or moment <= self._desk.now() or loop.time() >= self._audit:
                    return
                self._due = self._audit
                self.look_by(moment)
            self._stir.clear()
            with contextlib.suppress(TimeoutError):
                until = min(self._due, again) if self._again else self._due
                async with asyncio.timeout_at(until):
                    await self._stir.wait()

    async def _settle(self) -> policy.Plan | None:
        """Plan and act until the policy has nothing more to do; that last plan.

        None when something came that is looked at first, or when it never ends.
        """
        for number in range(MOST_ROUNDS):
            self._woken = False
            self.first_rings.look_begins()
            with self._desk.pace.look():
                plan = await self._plan(await self._look())
            moves = [action for action in plan.actions if not isinstance(action, WORDS)]
            done = [each for group in alike(moves) for each in await self._act_all(group)]
            rests = all(done) and await self.first_rings.at_rest(plan, self._act)
            if not rests:
                self.first_rings.over()
            said = await self._say(plan)
            if self._woken:
                return None
            if rests and said is not Said.IN_PART:
                return plan
            overtaken = self.first_rings.owes or (not all(done) and number < MOST_OVERTAKEN)
            if not any(done) and not overtaken and said is Said.NOTHING:
                return plan
        log.error("line.unsettled rounds=%d", MOST_ROUNDS)
        return None

    async def _say(self, plan: policy.Plan) -> Said:
        """Carry out what moves no ring: alarms, and reasons on the timeline."""
        loop = asyncio.get_running_loop()
        until = loop.time() + ALARMS_SECONDS
        raised, said = 0, Said.NOTHING
        for group in alike([action for action in plan.actions if isinstance(action, WORDS)]):
            # hundreds may be due at once
            if loop.time() > until or (self._woken and raised >= FEWEST_ALARMS):
                return Said.IN_PART
            if isinstance(group[0], policy.Escalate):
                raised += len(group)
            if any(await self._act_all(group)):
                said = Said.ALL
        return said

    async def _plan(self, snapshot: policy.Snapshot) -> policy.Plan:
        """In steps: a press need not wait for the whole of a long line's plan."""
        return await self._desk.pace.through(policy.planning(snapshot, self._desk.rules))

    async def _look(self) -> policy.Snapshot:
        now = self._desk.now()
        self._excluded = {pair: until for pair, until in self._excluded.items() if until > now}
        reading = await line_reading.read(self._desk, self._excluded)
        waits = {session.id for session in reading.snapshot.waiting}
        self._reading = reading
        self.first_rings.read(reading)
        self._explained = {k: v for k, v in self._explained.items() if k in waits}
        self._alarmed = {c: n for c, n in self._alarmed.items() if c in reading.missed}
        return reading.snapshot

    async def _act_all(self, group: list[policy.Action]) -> list[bool]:
        """Carry out actions that are alike, together where that can be; whether each was done."""
        if len(group) > 1:
            try:
                done = await self._together(group)
            except (RecordError, SessionError) as error:
                log.info("line.batch_refused many=%d code=%s", len(group), error.code)
            else:
                if done is not None:
                    return done
        return [await self._act(action) for action in group]

    async def _together(self, group: list[policy.Action]) -> list[bool] | None:
        """One transaction for all of them; None when it has to be one for each."""
        match group[0]:
            case policy.MakeOffer():
                wanted = [one for one in group if isinstance(one, policy.MakeOffer)]
                made = await line_batches.make_rings(self._desk, wanted)
                self._rings_made(made)
                rung = {(ring.session_id, ring.clinician_id) for ring in made.rings} | made.before
                return [(one.session_id, one.clinician_id) in rung for one in wanted]
            case policy.ExpireOffer() | policy.WithdrawOffer():
                ends = [one for one in group if isinstance(one, line_batches.Ends)]
                rings = [
                    self.rings_read[o.offer_id][0] for o in ends if o.offer_id in self.rings_read
                ]
                if len(rings) < len(ends):
                    return None
                over = await line_batches.end_rings(self._desk, ends, rings)
                state, reason = line_batches.how_it_ends(ends[0])
                self._touch(over.rows)
                for ring in over.rings:
                    self._ring_ended(ring, state, reason)
                gone = {ring.id for ring in over.rings} | over.before
                return [one.offer_id in gone for one in ends]
            case policy.Escalate():
                due = [one for one in group if isinstance(one, policy.Escalate)]
                raised = await line_batches.raise_alarms(self._desk, due)
                self._touch(raised.rows)
                higher = {row.id for row in raised.rows}
                return [one.session_id in higher for one in due]
            case policy.Explain():
                await self._explain([one for one in group if isinstance(one, policy.Explain)])
                return [False] * len(group)
        return None

    def _touch(self, rows: Iterable[SessionRow]) -> None:
        for row in rows:
            self._desk.screens.touch(row)

    def _rings_made(self, made: line_batches.Done) -> None:
        rows = {row.id: row for row in made.rows}
        for ring in made.rings:
            self._ring_made(ring, rows[ring.session_id])

    def _ring_made(self, ring: OfferRow, row: SessionRow) -> None:
        """A ring is on record: let it ring."""
        self._explained.pop(row.id, None)
        if self._reading is not None:
            self.tell_rung(self._reading.who, ring, row)
        self._desk.screens.touch(row)
        metrics.OFFERS.labels(outcome="sent").inc()

    def _ring_ended(self, ring: OfferRow, state: str, reason: str) -> None:
        """Its end is on record: let it stop."""
        metrics.OFFERS.labels(outcome=state).inc()
        self.tell_gone(ring, reason, None)

    async def _act(self, action: policy.Action) -> bool:
        """Carry out one action; False when there was nothing to do any more."""
        try:
            match action:
                case policy.MakeOffer():
                    return await self._offer(action)
                case policy.ExpireOffer() | policy.WithdrawOffer():
                    return await self.end_ring(action.offer_id, *line_batches.how_it_ends(action))
                case policy.Escalate():
                    return await self._escalate(action)
                case policy.Explain():
                    await self._explain([action])
                    return False
                case policy.PauseMissing():
                    return await self._pause(action)
                case policy.KeepLast():
                    return await self._keep_last(action)
        except (RecordError, SessionError) as error:
            log.info("line.overtaken action=%s code=%s", type(action).__name__, error.code)
            return False

    async def _offer(self, action: policy.MakeOffer) -> bool:
        token = secrets.token_urlsafe(18)
        offer_id = new_id("off")

        async def write(conn: AsyncConnection) -> tuple[OfferRow, SessionRow]:
            row = await sessions.get(conn, action.session_id)
            if row is None or row.state != "waiting" or row.epoch != action.epoch:
                raise StaleSession
            now = self._desk.now()
            if action.clinician_id not in await self._desk.rosters.on_call(conn, now):
                raise StaleSession  # the plan was read before the roster changed
            age = round(max(0.0, now - row.pressed_at), 1)
            made = await offers.add(
                conn,
                id=offer_id,
                session_id=row.id,
                clinician_id=action.clinician_id,
                epoch=row.epoch,
                token=token,
                sent_at=now,
                deliver_by=action.deliver_by,
                expires_at=action.expires_at,
                relaxed=[(str(step.what), age) for step in action.relaxed],
            )
            events = await _widened(conn, row, action.relaxed, age)
            told: dict[str, object] = {"clinician": action.clinician_id}
            if action.relaxed:
                told["relaxed"] = [str(step.what) for step in action.relaxed]
            events.append(Event("offer.sent", "system", None, told))
            return made, await sessions.apply(conn, row, {}, events, now)

        self._ring_made(*await self._desk.db.write(write))
        return True

    def tell_rung(self, who: directory.Directory, offer: OfferRow, row: SessionRow) -> None:
        """Ring at once on the clinician's pages; the snapshot with everything follows."""
        if row.agency_id not in who.agencies:
            return  # the snapshot tells it
        message = wire.OfferRung(offer=offer_view(who, offer, row))
        self._desk.cluster.tell(offer.clinician_id, message)

    async def _escalate(self, action: policy.Escalate) -> bool:
        """One step up, by one node only: another one may have planned the same at the same time."""

        async def decide(_conn: AsyncConnection, row: SessionRow, now: float) -> Step:
            if row.level != action.level:
                raise StaleSession
            return handle(self._desk.machine(row), Escalated(action.step), now)

        await self._desk.change(action.session_id, decide)
        metrics.ESCALATIONS.labels(step=action.step).inc()
        return True

    async def end_ring(self, offer_id: str, state: str, reason: str) -> bool:
        """End an offer that still rings, and write it on the timeline in the same transaction."""
        states = line_batches.may_end_from(state)
        async with self._desk.db.read() as conn:
            offer = await offers.get(conn, offer_id)
        if offer is None:
            return False
        clinician = offer.clinician_id
        done: list[bool] = []

        async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step | None:
            done[:] = [
                await offers.end(
                    conn, offer_id, to_state=state, reason=reason, now=now, from_states=states
                )
            ]
            return self._told(row, state, reason, clinician) if done[0] else None

        await self._desk.change(offer.session_id, decide)
        if not done[0]:
            return False
        self._ring_ended(offer, state, reason)
        return True

    def _told(self, row: SessionRow, state: str, reason: str, *clinicians: str) -> Step:
        """The timeline's entries for offers that ended; the session itself stays as it is."""
        before = self._desk.machine(row)
        events = [
            TimelineEvent(f"offer.{state}", {"clinician": who, "reason": reason})
            for who in clinicians
        ]
        return Step(before, before, tuple(events))

    def cancelled(self, session_id: str, gone: Sequence[OfferRow]) -> None:
        """A session has left the line: stop what rang for it, which is withdrawn already."""
        for offer in gone:
            metrics.OFFERS.labels(outcome="withdrawn").inc()
            self.tell_gone(offer, "cancelled", None)
        if self.first_rings.cancelled(session_id):
            self._in_time()
        else:
            self.wake()

    def _in_time(self) -> None:
        """Something was acted on that the newest look lacks. Other processes may know more than
        that look did, so that there is another one soon; until then it goes on being true."""
        if not self._desk.cluster.alone:
            self._again = True
            self._stir.set()

    def tell_gone(self, offer: OfferRow, reason: str, by: str | None) -> None:
        """Stop the ring on all of a clinician's pages, with the reason in words."""
        gone = wire.OfferGone(offer=offer.id, session=offer.session_id, reason=reason, by=by)
        self._desk.cluster.tell(offer.clinician_id, gone)

    async def _explain(self, silent: Sequence[policy.Explain]) -> None:
        """Nobody can be rung: the reason goes on the timeline once, not on every round."""
        reason = silent[0].reason
        news = [one.session_id for one in silent if self._explained.get(one.session_id) != reason]
        if news:
            self._touch((await line_batches.explain(self._desk, news, reason)).rows)
            self._explained |= dict.fromkeys(news, reason)

    async def _pause(self, action: policy.PauseMissing) -> bool:
        """Rings that nobody answers are for others; the console says so until they are back."""
        desk, who = self._desk, action.clinician_id
        async with desk.db.read() as conn:
            missed = await offers.missed_in_a_row(conn, desk.now() - line_reading.MISSED_SECONDS)
        if missed.get(who, 0) < action.missed:
            return False  # they have come back since the look
        live = (await desk.live.snapshot(desk.now())).get(who)
        if live is None or live.activity is not policy.Activity.AVAILABLE:
            return False
        await desk.live.set_activity(who, policy.Activity.PAUSED, PAUSED_FOR_MISSING, desk.now())
        metrics.PAUSED.labels(outcome="paused").inc()
        log.info("line.paused clinician=%s missed=%d", who, action.missed)
        desk.screens.touch_console(who)
        desk.screens.touch_all()
        return True

    async def _keep_last(self, action: policy.KeepLast) -> bool:
        """Nobody else is there to be rung: an alarm, once for each ring more, and no pause."""
        if self._alarmed.get(action.clinician_id, 0) < action.missed:
            self._alarmed[action.clinician_id] = action.missed
            metrics.PAUSED.labels(outcome="last_one").inc()
            log.warning(
                "line.last_one_missed clinician=%s missed=%d", action.clinician_id, action.missed
            )
            self._desk.screens.touch_consoles()
        return False


async def _widened(
    conn: AsyncConnection, row: SessionRow, steps: tuple[Relaxation, ...], age: float
) -> list[Event]:
    """The steps that this ring needs and that the timeline does not tell of yet."""
    if not steps:
        return []
    before = await sessions.relaxed_before(conn, row.id)
    return [
        Event("queue.relaxed", "system", None, {"widened": str(step.what), "seconds": age})
        for step in steps
        if step.what not in before
    ]
