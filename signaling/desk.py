"""The desk: drives every live session of this process.

It owns the loops (queue, screens, clock), the one way to change a session (`change`), and the link
to the bridge. Decisions are made elsewhere and without I/O: `signaling.session` says what may
follow, `oncall.policy` whom to ring, `signaling.views` what is shown.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit, shifts
from auth.actors import Actor
from auth.errors import AuthError
from media import Forwarding, LegEvent, LegEventKind, MediaError, Relay
from oncall.errors import OnCallError
from oncall.live import EmbeddedLiveStore, LiveStore
from oncall.policy import Rules
from records import offers, parties, people, sessions
from records.crypto import Vault
from records.engine import Database
from records.errors import RecordAway, RecordError, StaleSession, only_away
from records.ledger import Ledger
from records.sessions import Event, SessionRow
from signaling import metrics, on_record, wire
from signaling.auditwatch import AuditWatch
from signaling.cluster import Cluster, Shared
from signaling.company import Company
from signaling.courier import Courier
from signaling.daywatch import DayWatch
from signaling.directories import DirectoryReader
from signaling.errors import Draining, NoSuchSession, SessionError, StaleEpoch, WrongPage
from signaling.followwatch import FollowWatch
from signaling.gapwatch import GapWatch
from signaling.hub import Hub, Stream
from signaling.keeper import Keeper
from signaling.legs import Legs
from signaling.linekeeper import Linekeeper
from signaling.misswatch import MissWatch
from signaling.pace import Pace
from signaling.pager import Pager
from signaling.paging import console_open
from signaling.parties import CLINICIAN, Hearing
from signaling.quality_log import QualityLog
from signaling.rosters import RosterReader
from signaling.rows import machine
from signaling.screens import Screens
from signaling.session import (
    LIVE,
    Cancelled,
    ClinicianGone,
    ClinicianLost,
    HandedBack,
    Input,
    MediaFlowing,
    Session,
    SetupFailed,
    State,
    Step,
    handle,
)
from signaling.stills import Stills
from signaling.tablets import TabletWatch

log = logging.getLogger(__name__)

T = TypeVar("T")

AGAIN_SECONDS = 0.2  # until a loop that failed is begun again
TRIES = 5  # of a change that met another one on a database with many writers
TICK_SECONDS = 1.0
MISSING_SECONDS = 3.0  # a leader without page and packets this long is lost; a reload is quicker
TEST_SECONDS = 300.0  # a test call is no crisis: it may end by a timer
CHECK_LOGINS_SECONDS = 15.0

Clock = Callable[[], float]
StillWelcome = Callable[[AsyncConnection, Sequence[Actor]], Awaitable[set[Actor]]]


class Desk:
    """One process's live sessions. `start` before use; `close` ends its tasks."""

    def __init__(
        self,
        db: Database,
        vault: Vault,
        bridge_of: Callable[[Callable[[LegEvent], None]], Forwarding],
        clock: Clock,
        still_welcome: StillWelcome,
        rules: Rules | None = None,
        shared: Shared | None = None,
        relay: Relay | None = None,
    ) -> None:
        self.db = db
        self.vault = vault
        self.hub = Hub()
        self.legs = Legs()
        self.live: LiveStore = shared.live if shared is not None else EmbeddedLiveStore()
        self.rules = rules or Rules()
        self.relay = relay or Relay()
        self.idle_seconds = 0.0  # until the pages of somebody who is not seen are covered; 0: never
        self.bridge = bridge_of(self._on_leg)
        self.typed_errors: tuple[type[Exception], ...] = (
            SessionError,
            RecordError,
            AuthError,
            MediaError,
            OnCallError,
            RecordAway,
        )
        self.ledger = Ledger()
        self.refusals = on_record.Refusals()
        self.pace = Pace()
        self.rosters = RosterReader()
        self.directories = DirectoryReader()
        self.screens = Screens(self)
        self.stills = Stills(self)
        self.quality = QualityLog(self)
        self.line = Linekeeper(self)
        self.company = Company(self)
        self.cluster = Cluster(self, shared)
        self.tablets = TabletWatch(self)
        self.pager = Pager(self)
        self.gaps = GapWatch(self)
        self.follows = FollowWatch(self)
        self.misses = MissWatch(self)
        self.keeper = Keeper(self)
        self.days = DayWatch(self)
        self.audits = AuditWatch(self)
        self.courier = Courier(self)
        self._clock = clock
        self._still_welcome = still_welcome
        self._draining = False
        self._tasks: asyncio.Task[None] | None = None
        self._attention: set[str] = set()  # sessions whose legs changed
        self._lost_legs: set[tuple[str, str]] = set()  # (session, seat) whose page must hear of it
        self._looked_at: asyncio.Event = asyncio.Event()
        self._lead_missing: dict[str, float] = {}

    # --- life ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Bind the bridge and start the loops. Open sessions of an earlier process go on."""
        await self.bridge.start()
        await self.live.start()
        only_one = await self.cluster.start()
        self._tasks = asyncio.create_task(self._run(), name="desk")
        if only_one:
            await self.line.resume()
        self.screens.touch_all()

    async def drain(self) -> None:
        """Stop taking sockets; tell every page to come back. Sessions stay as they are, in SQL."""
        self._draining = True
        self.pager.stop()
        self.courier.stop()
        for stream in self.hub.all():
            self.hub.dismiss(stream, "draining", retry=True)

    async def close(self) -> None:
        """End the loops and the bridge. Safe to call twice."""
        await asyncio.gather(self.pager.drain(), self.courier.drain())
        if self._tasks is not None:
            self._tasks.cancel()
            await asyncio.gather(self._tasks, return_exceptions=True)
            self._tasks = None
            await self.audits.close()
        await self.pager.close()
        await self.courier.close()
        await self.cluster.close()
        await self.live.close()
        await self.bridge.close()

    @property
    def draining(self) -> bool:
        return self._draining

    @property
    def ready(self) -> bool:
        """Whether the loops run and new sockets are welcome."""
        return not self._draining and self._tasks is not None and not self._tasks.done()

    def now(self) -> float:
        return self._clock()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._supervise("line", self.line.run), name="line")
            tasks.create_task(self._supervise("screens", self.screens.run), name="screens")
            tasks.create_task(self._supervise("pager", self.pager.run), name="pager")
            tasks.create_task(self._supervise("gaps", self.gaps.run), name="gaps")
            tasks.create_task(self._supervise("follows", self.follows.run), name="follows")
            tasks.create_task(self._supervise("keeper", self.keeper.run), name="keeper")
            tasks.create_task(self._supervise("misses", self.misses.run), name="misses")
            tasks.create_task(self._supervise("days", self.days.run), name="days")
            tasks.create_task(self._supervise("audits", self.audits.run), name="audits")
            tasks.create_task(self._supervise("courier", self.courier.run), name="courier")
            tasks.create_task(self._supervise("clock", self._keep_time), name="clock")
            tasks.create_task(self._supervise("legs", self._watch_legs), name="legs")
            tasks.create_task(self._supervise("quality", self.quality.run), name="quality")
            if not self.cluster.alone:
                tasks.create_task(self._supervise("bus", self.cluster.run), name="bus")
                tasks.create_task(self._supervise("beats", self.cluster.beat), name="beats")

    async def _supervise(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        """Keep one loop alive: a queue that dies in silence is the worst failure of all."""
        while True:
            try:
                await loop()
            except Exception as error:
                metrics.LOOP_FAILURES.labels(loop=name).inc()
                if not only_away(error):  # the record says so itself, once
                    log.exception("desk.loop_failed loop=%s", name)
                await asyncio.sleep(AGAIN_SECONDS)

    def roster_changed(self) -> None:
        """Somebody changed the roster: the queue, the pages and the look-out follow at once."""
        self.roster_changed_here()
        self.cluster.roster_changed()

    def roster_changed_here(self) -> None:
        self.line.wake()
        self.screens.touch_all()
        self.gaps.wake()

    # --- sockets ---------------------------------------------------------------------------------

    async def joined(self, stream: Stream, *, resumed: bool, back: bool) -> None:
        """A page has a socket (again): presence, and what it should show.

        `resumed`: it missed nothing; `back`: it was connected before, here or elsewhere.
        """
        actor, now = stream.actor, self.now()
        metrics.SOCKETS.labels(page=stream.audience).inc()
        if stream.audience == "console":
            await self.live.beat(actor.id, stream.id, now)
            self.line.wake()
            await console_open(self, actor.id)
        else:
            self._replace_other_pages(stream)
            self.cluster.page_opened(stream)
            if stream.audience == "tablet":
                await self.cluster.tablet_beat(actor.id, stream.id)
                await self.tablets.came(actor.id)
        if not resumed:
            await on_record.shown(self, stream)
        self.screens.greet(stream, fresh=not resumed)
        if back:
            await self.company.came_back(stream)

    async def left(self, stream: Stream) -> None:
        """A socket ended; the stream waits for the page to come back."""
        metrics.SOCKETS.labels(page=stream.audience).dec()
        now = self.now()
        if stream.outlet is not None:
            return  # a newer socket of the same page has taken over
        if stream.audience == "console":
            await self.live.drop(stream.actor.id, stream.id, now)
            self.line.wake()
        elif stream.audience == "tablet" and not self.hub.attached("tablet", stream.actor.id):
            self.tablets.left(stream.actor.id)
            await self.cluster.tablet_left(stream.actor.id, stream.id)
        self.screens.touch_consoles()

    async def handle(self, stream: Stream, command: wire.Command) -> dict[str, object]:
        """Carry out one command of a page. Raises typed errors; then nothing has changed."""
        if self._draining:
            raise Draining
        if stream.audience not in type(command).audience:
            await on_record.refused(self, stream.actor, command)
            raise WrongPage
        return await self.cluster.carry(stream, command)

    async def dismiss_actor(self, actor_id: str, reason: str) -> None:
        """Close all pages of somebody who signed out or was revoked."""
        self.cluster.dismissed(actor_id, reason)
        await self.dismiss_here(actor_id, reason)

    async def dismiss_here(self, actor_id: str, reason: str) -> None:
        for stream in self.hub.all():
            if stream.actor.id == actor_id:
                await self._dismiss(stream, reason, retry=False)
        await self.tablets.put_out(actor_id)
        await self._put_out_person(actor_id)
        await self._stop_ringing(actor_id)
        self.line.wake()

    async def _stop_ringing(self, person_id: str) -> None:
        """Nothing rings for somebody who has left on purpose: who is in line rings for others now,
        and not when the lease of a page that may only have been loaded anew has run out."""
        async with self.db.read() as conn:
            rings = [one for one in await offers.open_offers(conn) if one.clinician_id == person_id]
        for ring in rings:
            ended = await self.line.end_ring(ring.id, "withdrawn", "console_lost")
            if ended and ring.purpose == "transfer":
                await self.company.settle(ring.session_id)

    async def _put_out_person(self, person_id: str) -> None:
        """Take the seats away that somebody has in a call which is at home here.

        Closing their page is not enough: sound and picture go their own way, and a leg that is up
        counts as being there. Who may come back has as long for it as anybody who is lost.
        """
        async with self.db.read() as conn:
            led = await sessions.led_by(conn, person_id)
            aside = await parties.sitting(conn, person_id)
            stays = await people.works_here(conn, person_id)
        if led is not None and led.state in LIVE and self.cluster.mine(led):
            if stays:
                self.empty_seat(led.id, CLINICIAN)
                await self.check_media(led.id)
            elif not await self.company.goes_on(led):
                await self._put_back(led, HandedBack("clinician_lost"))
        for one in aside:
            async with self.db.read() as conn:
                row = await sessions.get(conn, one.session_id)
            if row is not None and self.cluster.mine(row):
                await self.company.put_out(row.id, one, "put_out")

    async def roles_changed(self, person_id: str) -> None:
        """Somebody who goes on with their call has fewer roles: their pages go by what is left."""
        self.cluster.roles_changed(person_id)
        await self.roles_changed_here(person_id)

    async def roles_changed_here(self, person_id: str) -> None:
        await self._follow_roles([one for one in self.hub.all() if one.actor.id == person_id])

    async def _follow_roles(self, streams: Sequence[Stream]) -> None:
        of_people = [stream for stream in streams if stream.actor.kind == "person"]
        async with self.db.read() as conn:
            roles = await people.roles_of(conn, {stream.actor.id for stream in of_people})
        for stream in of_people:
            if stream.actor.roles != roles[stream.actor.id]:
                stream.actor = replace(stream.actor, roles=roles[stream.actor.id])

    def tablet_changed(self, actor: Actor) -> None:
        """A shift began or ended: the tablet's pages speak for its new officer from now on."""
        self.cluster.shift_changed(actor)
        self.tablet_changed_here(actor)

    def tablet_changed_here(self, actor: Actor) -> None:
        for stream in self.hub.of("tablet", actor.id):
            stream.actor = actor
        self.screens.touch_tablet(actor.id)

    def _replace_other_pages(self, stream: Stream) -> None:
        """A tablet, or a guest, is one page: a second one takes over from the first."""
        for other in self.hub.of(stream.audience, stream.actor.id):
            if other is not stream:
                self.hub.dismiss(other, "replaced", retry=False)

    # --- the one way to change a session ---------------------------------------------------------

    async def change(
        self,
        session_id: str,
        decide: Callable[[AsyncConnection, SessionRow, float], Awaitable[Step | None]],
        actor: tuple[str, str | None] = ("system", None),
        beside: Collection[str] = (),
    ) -> SessionRow:
        """Read, decide and write one session in one transaction; its events with it.

        `decide` may write beside the session (offers, the record) in the same transaction; what it
        raises undoes everything. `beside`: other sessions in whose records it writes, which are
        held too. Raises NoSuchSession.
        """

        told = False

        async def write(conn: AsyncConnection) -> SessionRow:
            nonlocal told
            if beside:
                await sessions.hold(conn, {session_id, *beside})
            # Held before anything is written: the trail's entry comes after the session for
            # everybody, or an answer that is saved and a tap on the tablet wait for each other.
            row = await sessions.get_held(conn, session_id)
            if row is None:
                raise NoSuchSession
            now, told = self.now(), False
            with audit.entries() as own:
                step = await decide(conn, row, now)
            if step is None:
                return row
            events = [Event(e.kind, *actor, e.data) for e in step.events]
            told = bool(own) or await on_record.done(conn, row.id, now)
            return await sessions.apply(conn, row, step.changes, events, now)

        row = await self.again(lambda: self.db.write(write))
        if told:
            on_record.told()
        self.screens.touch(row)
        if row.state == State.CLOSED:
            self.misses.wake()
        return row

    async def advance(
        self, session_id: str, item: Input, actor: tuple[str, str | None] = ("system", None)
    ) -> SessionRow:
        """Feed one input to a session's machine. Raises IllegalTransition, NoSuchSession."""

        async def decide(_conn: AsyncConnection, row: SessionRow, now: float) -> Step:
            return handle(machine(row), item, now)

        row = await self.change(session_id, decide, actor)
        metrics.observe(row, item)
        return row

    async def again(self, attempt: Callable[[], Awaitable[T]]) -> T:
        for _ in range(TRIES - 1):
            try:
                return await attempt()
            except StaleSession:
                continue
        return await attempt()

    # --- media -----------------------------------------------------------------------------------

    def _on_leg(self, event: LegEvent) -> None:
        """Called by the bridge, inside a datagram: note it and return."""
        self.legs.told(event, self.now())
        known = self.legs.known(event.call, event.seat)
        current = known is not None and known.generation == event.generation
        if current and event.kind is LegEventKind.CLOSED:
            self._lost_legs.add((event.call, event.seat))
        if event.kind is not LegEventKind.PATH_CHANGED:
            self._attention.add(event.call)
            self._looked_at.set()

    async def _watch_legs(self) -> None:
        while True:
            await self._looked_at.wait()
            self._looked_at.clear()
            while self._attention:
                await self.check_media(self._attention.pop())

    async def check_media(self, session_id: str) -> None:
        """Whether media passes both ways now; says so to the session's machine and the screens."""
        lost = {one for one in self._lost_legs if one[0] == session_id}
        async with self.db.read() as conn:
            row = await sessions.get(conn, session_id)
        self._lost_legs -= lost
        if row is None:
            return
        if row.state in {"answering", "recovering"} and self.legs.both_up(session_id):
            await self._try(row, MediaFlowing())
            self._lead_missing.pop(session_id, None)
        self.cluster.legs_changed(row)
        self.screens.touch(row)
        for _, seat in sorted(lost):
            await self.company.describe_anew(row, seat)

    async def _try(self, seen: SessionRow, item: Input) -> bool:
        """Feed an input that may have been overtaken since its session was `seen`.

        It speaks of that assignment and that deadline only: another node may have put the session
        back already, and the next clinician may have answered.
        """

        async def decide(_conn: AsyncConnection, row: SessionRow, now: float) -> Step:
            if (row.epoch, row.deadline_at) != (seen.epoch, seen.deadline_at):
                raise StaleEpoch
            return handle(machine(row), item, now)

        try:
            row = await self.change(seen.id, decide)
        except SessionError as error:
            log.info(
                "session.overtaken session=%s input=%s code=%s",
                seen.id,
                type(item).__name__,
                error.code,
            )
            return False
        metrics.observe(row, item)
        return True

    # --- time ------------------------------------------------------------------------------------

    async def _keep_time(self) -> None:
        checked = self.now()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = self.now()
            rows = await self.cluster.tick()
            for row in rows:
                if self.cluster.mine(row):
                    await self._look_after(row, now)
            await self.company.tick(rows, now)
            await self.tablets.look(rows, now)
            self.hub.expire(now)
            if now - checked >= CHECK_LOGINS_SECONDS:
                checked = now
                await self._check_welcome()

    async def _look_after(self, row: SessionRow, now: float) -> None:
        """Deadlines of one session: set-up, and the clinician who is gone."""
        if row.test and row.state == State.WAITING:
            if now - row.pressed_at > TEST_SECONDS or self.tablets.away(row.tablet_id, now):
                await self._try(row, Cancelled("duplicate"))
                self.end_media(row.id)
            return
        if row.state not in LIVE or row.lead_id is None:
            self._lead_missing.pop(row.id, None)
            return
        here = self.cluster.attached(row.lead_id)
        leg = self.legs.seat(row.id, "clinician")
        if here or leg.up:
            self._lead_missing.pop(row.id, None)
        else:
            self._lead_missing.setdefault(row.id, now)
        since = self._lead_missing.get(row.id)
        overdue = row.deadline_at is not None and now >= row.deadline_at
        if row.state == State.ANSWERING and overdue:
            await self._setup_overdue(row, leg_up=leg.up, here=here)
        elif row.state == State.CONNECTED and since is not None and now - since > MISSING_SECONDS:
            await self._try(row, ClinicianLost(since))
        elif row.state == State.RECOVERING:
            await self._recovering(row, missing=since is not None, overdue=overdue)

    async def _setup_overdue(self, row: SessionRow, *, leg_up: bool, here: bool) -> None:
        """No media in time. A clinician who waits for a rebooting tablet is not sent away, nor one
        for whom a tablet without any way writes and shows stills: nobody else could do better."""
        tablet = self.legs.seat(row.id, "tablet")
        if here and not tablet.up and (leg_up or tablet.blocked):

            async def wait_on(_conn: AsyncConnection, r: SessionRow, now: float) -> Step:
                before = machine(r)
                return Step(before, replace(before, deadline_at=now + 20), ())

            await self.change(row.id, wait_on)
            return
        await self._put_back(row, SetupFailed("setup_failed"))

    async def _recovering(self, row: SessionRow, *, missing: bool, overdue: bool) -> None:
        if self.legs.both_up(row.id):
            await self._try(row, MediaFlowing())
        elif overdue and missing and not await self.company.goes_on(row):
            await self._put_back(row, ClinicianGone())

    async def _put_back(self, row: SessionRow, item: Input) -> None:
        """Back to the head of the line; the tablet's leg stays."""
        self._lead_missing.pop(row.id, None)
        if not await self._try(row, item):
            return
        self.empty_seat(row.id, "clinician")
        await self.company.arrange(row)
        self.line.exclude(row.id, row.lead_id or "", self.now())
        self.line.wake()

    @staticmethod
    def machine(row: SessionRow) -> Session:
        """The durable row as the state machine sees it."""
        return machine(row)

    @staticmethod
    def same_epoch(row: SessionRow, epoch: int) -> None:
        """Raises StaleEpoch when a page speaks of an assignment that is over."""
        if row.epoch != epoch:
            raise StaleEpoch

    def empty_seat(self, session_id: str, seat: str) -> None:
        self.bridge.leave(session_id, seat)
        self.legs.vacate(session_id, seat)

    def move_seat(self, session_id: str, seat: str, to: str) -> None:
        """A leg goes on in another seat; its browser notices nothing."""
        self.bridge.move(session_id, seat, to)
        self.legs.move(session_id, seat, to)

    def withhold(self, session_id: str, seat: str) -> None:
        """What a side says that it does not send goes to nobody: a camera that is off is off."""
        known = self.legs.seat(session_id, seat)
        self.bridge.withhold(session_id, seat, known.withheld, quiet=not known.sends)

    def plan_media(self, session_id: str, hears: Hearing, sees: Hearing) -> None:
        self.bridge.plan(session_id, hears, sees)

    def end_media(self, session_id: str) -> None:
        self.bridge.close_call(session_id)
        self.cluster.media_ended(session_id)
        self.legs.forget(session_id)

    async def note(
        self,
        session_id: str,
        kind: str,
        data: dict[str, object] | None = None,
        actor: tuple[str, str | None] = ("system", None),
    ) -> None:
        """One event on the timeline, without a change of state."""

        async def write(conn: AsyncConnection) -> None:
            row = await sessions.get(conn, session_id)
            if row is not None:
                event = Event(kind, *actor, data or {})
                self.screens.touch(await sessions.apply(conn, row, {}, [event], self.now()))

        await self.again(lambda: self.db.write(write))

    async def _dismiss(self, stream: Stream, reason: str, *, retry: bool) -> None:
        self.hub.dismiss(stream, reason, retry=retry)
        if stream.audience == "console":
            await self.live.drop(stream.actor.id, stream.id, self.now())

    async def _check_welcome(self) -> None:
        """Somebody who was removed is put out; a sign-in that merely ran out ends no call.

        Of a person only the page whose sign-in was ended, which may come back: its browser may have
        a fresh one by now, and the same person's pages elsewhere are none of this.
        """
        streams = self.hub.all()
        async with self.db.read() as conn:
            welcome = await self._still_welcome(conn, [stream.actor for stream in streams])
        for stream in streams:
            if stream.actor in welcome:
                continue
            if stream.actor.kind == "person":
                await self._dismiss(stream, "revoked", retry=True)
                if not any(s.actor.id == stream.actor.id and s.actor in welcome for s in streams):
                    await self._put_out_person(stream.actor.id)
            else:
                await self.dismiss_actor(stream.actor.id, "revoked")
        await self.tablets.put_out_revoked()
        await self._follow_roles(self.hub.all())  # of which this process did not hear either
        async with self.db.read() as conn:  # of whom this process did not hear
            shut_out = await people.shut_out_in_call(conn)
            shifts_over = await people.shifts_over(conn)
        for person_id in shut_out:
            await self._put_out_person(person_id)
        if shifts_over:
            done = await self.db.write(lambda conn: shifts.end_of_who_left(conn, self.now()))
            for tablet_id in done:
                for stream in self.hub.of("tablet", tablet_id):
                    self.tablet_changed(replace(stream.actor, officer_id=None, shift_id=None))
                self.screens.touch_tablet(tablet_id)

    async def ready_clinicians(self, agency_id: str) -> int:
        """How many clinicians could be rung now for the agency."""
        picture = await self.screens.picture()
        return sum(picture.ready_clinicians(one) for one in picture.within_reach(agency_id))
