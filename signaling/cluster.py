"""This process among the others of its installation.

A session has a home: the process that carries its media, written in its row. Any process may serve
any page; what touches media is carried out at home (`carry`), everything else where it comes in.
Who is alive stands in the record too (`records.nodes`), so that a process without Redis is not
taken for dead, and a dead one's sessions find a new home without Redis.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from auth import audit
from oncall.errors import LiveStoreAway, LiveStoreFull, NodeSilent, OnCallError
from oncall.live import LiveStore
from oncall.live_redis import RedisLiveStore
from oncall.presence import PresenceState
from oncall.redis_link import RedisLink
from records import nodes, sessions
from records.errors import RecordAway, RecordError
from records.ids import new_id
from records.sessions import SessionRow
from signaling import bus as b
from signaling import metrics, party_wire, wire
from signaling.commands import carry_out, dispatch
from signaling.errors import Relayed, SessionError
from signaling.session import OPEN
from signaling.views import veiled
from signaling.wire_base import Audience

if TYPE_CHECKING:
    from auth.actors import Actor
    from signaling.desk import Desk
    from signaling.hub import Stream
    from signaling.legs import SeatState

log = logging.getLogger(__name__)

BEAT_SECONDS = 1.5
DEAD_SECONDS = 6.0  # without a beat: long enough for a slow commit, and rings go on within 10 s
MOST_AHEAD_SECONDS = 1.0  # of another machine's clock; a ring waits two seconds to be heard of
SHARE_SECONDS = 4.0  # legs are told again, for a process that missed them or came later
MOST_AT_WORK = 64  # commands that are carried out for other processes at once

# Media, and who sits where: at home only. All of these have `session`.
AT_HOME = (
    wire.MediaDescribe,
    wire.MediaState,
    wire.SessionEnd,
    wire.SessionCancel,
    wire.SessionHold,
    party_wire.TransferConfirm,
    party_wire.TransferCallOff,
    party_wire.TransferTake,
    party_wire.SessionRequeue,
    party_wire.SessionTakeOver,
    party_wire.SessionListen,
    party_wire.PartyLeave,
    party_wire.PartyHold,
    party_wire.PartyRemove,
)
# What must not fail because another process is silent; the bridge there follows the record.
EVEN_ALONE = (wire.SessionEnd, wire.SessionCancel, party_wire.SessionRequeue)

ForPages = wire.OfferRung | wire.OfferGone | wire.SessionMoved | wire.MediaRebuild
_message: msgspec.json.Decoder[ForPages] = msgspec.json.Decoder(ForPages)


@dataclass(frozen=True, slots=True)
class Seen:
    """Another process on the list."""

    beat: int
    at: float  # when that beat was first seen, by this process's own steady clock
    proven: bool  # it has beaten while this process looked: no remnant of a crash


@dataclass(frozen=True, slots=True)
class Shared:
    """What several processes share, when they do."""

    live: LiveStore
    bus: b.Bus


def share(url: str, secret: str, clock: Callable[[], float]) -> Shared:
    """By a Redis; its keys are those of this installation, by its secret."""
    prefix = hmac.digest(secret.encode(), b"crisisbridge keys", hashlib.sha256).hex()[:12]
    link = RedisLink(url, f"cb-{prefix}")
    node = new_id("nod")
    return Shared(RedisLiveStore(link, node, clock), b.Bus(link, node, secret, clock))


class Cluster:
    """The desk's side of it; alone without `shared`."""

    def __init__(self, desk: Desk, shared: Shared | None) -> None:
        self._desk = desk
        self._bus = shared.bus if shared is not None else None
        self.id = self._bus.node if self._bus is not None else new_id("nod")
        self._seen: dict[str, Seen] = {}
        self._looked = False
        self._looked_at = 0.0  # by this process's own steady clock
        self._ahead: set[str] = set()  # whose clock is ahead of ours
        self._beaten: float | None = None
        self._hosted: set[str] = set()  # sessions whose legs are here
        self._left_over: set[str] = set()
        self._shared: dict[str, tuple[dict[str, SeatState], float]] = {}
        self._touched: set[str] = set()
        self._work: set[asyncio.Task[None]] = set()
        self.people: frozenset[str] = frozenset()  # with a console here or elsewhere, as of a tick
        self.tablets: frozenset[str] = frozenset()
        if self._bus is not None:
            self._bus.hear = self._hear
            self._bus.link.on_entry.append(self._live_news)
            self._bus.link.on_fresh.append(self._link_changed)
            self._bus.link.on_down.append(self._link_changed)

    # --- life ------------------------------------------------------------------------------------

    @property
    def alone(self) -> bool:
        return self._bus is None

    async def start(self) -> bool:
        """Be on the list; whether this is the only process."""
        desk = self._desk
        if self._bus is None:
            await desk.db.write(partial(nodes.adopt, node_id=self.id, all_of_them=True))
            return True
        await self._beat()
        await self._look_at_others()
        return not self._seen

    async def run(self) -> None:
        """Send what is said to the others."""
        if self._bus is not None:
            await self._bus.run()

    async def beat(self) -> None:
        """Be alive, whatever else there is to do: who is busy must not be taken for dead."""
        while True:
            await self._beat()
            await asyncio.sleep(BEAT_SECONDS / 3)

    async def close(self) -> None:
        """Off the list: the others take over at once."""
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        if self._bus is not None and self._beaten is not None:
            self._beaten = None
            with contextlib.suppress(RecordError, RecordAway):
                await self._desk.db.write(partial(nodes.leave, node_id=self.id))

    async def tick(self) -> list[SessionRow]:
        """Once a second: bury, adopt; all open sessions, as they are then."""
        desk = self._desk
        if self._bus is not None:
            await self._look_at_others()
            await self._look_who_is_here()
        rows = await self._open_sessions()
        known = {self.id, *self._seen}
        if any(row.node_id not in known for row in rows):
            adopt = partial(nodes.adopt, node_id=self.id, all_of_them=self.alone)
            adopted = await desk.again(partial(desk.db.write, adopt))
            rows = await self._open_sessions()
            self._adopted([row for row in rows if row.id in adopted])
        self._let_go({row.id for row in rows if row.state in OPEN and row.node_id == self.id})
        for row in rows:
            if row.id in self._hosted:
                self.legs_changed(row, again=True)
        return rows

    def _adopted(self, rows: list[SessionRow]) -> None:
        desk = self._desk
        for row in rows:
            log.info("session.adopted session=%s", row.id)
            metrics.ADOPTED.inc()
            desk.legs.forget(row.id)
            self._hosted.discard(row.id)
            if not desk.hub.attached("tablet", row.tablet_id):
                desk.tablets.left(row.tablet_id)  # until it comes to a page of somebody
        if rows:  # one job, however many: others' commands are waited for
            self._do(self._made_anew(rows))
        desk.line.wake()

    async def _made_anew(self, rows: list[SessionRow]) -> None:
        for row in rows:
            await self._desk.company.all_anew(row)

    async def _open_sessions(self) -> list[SessionRow]:
        async with self._desk.db.read() as conn:
            return await self._desk.ledger.open_sessions(conn)

    def _let_go(self, kept: set[str]) -> None:
        """Media of sessions that are over, or live elsewhere, for two ticks on end."""
        over = self._hosted - kept
        for session_id in over & self._left_over:
            self._desk.end_media(session_id)
        self._left_over = over

    # --- who is alive ----------------------------------------------------------------------------

    async def _beat(self) -> None:
        desk, at = self._desk, asyncio.get_running_loop().time()
        if self._beaten is not None and at - self._beaten < BEAT_SECONDS:
            return
        first, self._beaten = self._beaten is None, at
        now = desk.now()
        beat = partial(nodes.beat, node_id=self.id, now=now)
        listed = await desk.again(partial(desk.db.write_aside, beat))
        if not listed and not first:
            # taken for dead while it was held up: calls whose tablet is still here come back
            log.warning("node.was_buried node=%s", self.id)
            here = [one for one in self._hosted if desk.legs.seat(one, "tablet").up]
            claim = partial(nodes.claim, node_id=self.id, session_ids=here)
            await desk.again(partial(desk.db.write, claim))

    async def _look_at_others(self) -> None:
        """By their beats as seen from here, whatever the clocks of other machines say."""
        desk, at = self._desk, asyncio.get_running_loop().time()
        async with desk.db.read() as conn:
            listed = await nodes.listed(conn)
        listed.pop(self.id, None)
        if at - self._looked_at > DEAD_SECONDS / 2:
            # nobody could look, or beat, while the record was away: each gets its whole time anew
            self._seen = {node: replace(seen, at=at) for node, seen in self._seen.items()}
        self._looked_at = at
        for node, beat in listed.items():
            known = self._seen.get(node)
            if known is None or known.beat != beat.number:
                # who came while this process looked is alive; so is who has beaten since
                self._seen[node] = Seen(beat.number, at, known is not None or self._looked)
        self._looked = True
        self._compare_clocks({node: beat.at for node, beat in listed.items()})
        for node, seen in list(self._seen.items()):
            if node in listed and at - seen.at <= DEAD_SECONDS:
                continue
            if node in listed:
                bury = partial(nodes.bury, node_id=node, beats=seen.beat)
                if not await desk.again(partial(desk.db.write, bury)):
                    continue
                log.warning("node.lost node=%s", node)
            else:
                log.info("node.left node=%s", node)
            del self._seen[node]
            await desk.live.node_lost(node, desk.now())
            desk.line.wake()
            desk.screens.touch_all()

    def _compare_clocks(self, beats: dict[str, float]) -> None:
        """When a ring runs out is judged by whichever process looks: their clocks must agree.

        A beat lies in the past when it is read; of two clocks the slower one's process sees it.
        """
        now = self._desk.now()
        ahead = {node: at - now for node, at in beats.items() if at - now > MOST_AHEAD_SECONDS}
        for node in ahead.keys() - self._ahead:
            log.error("clock.differs node=%s ahead_seconds=%.1f", node, ahead[node])
        self._ahead = set(ahead)
        metrics.CLOCK_AHEAD.set(max(ahead.values(), default=0.0))

    async def _look_who_is_here(self) -> None:
        desk, now = self._desk, self._desk.now()
        connected = PresenceState.CONNECTED
        people = await desk.live.snapshot(now)
        tablets = await desk.live.tablets(now)
        self.people = frozenset(k for k, one in people.items() if one.presence is connected)
        self.tablets = frozenset(k for k, state in tablets.items() if state is connected)

    @property
    def others(self) -> frozenset[str]:
        """The other processes that are known to live."""
        return frozenset(node for node, seen in self._seen.items() if seen.proven)

    def attached(self, person_id: str) -> bool:
        """Whether a console of theirs is open, here or elsewhere."""
        return person_id in self.people or self._desk.hub.attached("console", person_id)

    async def tablet_beat(self, tablet_id: str, stream_id: str) -> None:
        """A page of a tablet is here; too many of them are no reason to refuse one."""
        if self._bus is not None:
            with contextlib.suppress(LiveStoreFull):
                await self._desk.live.beat_tablet(tablet_id, stream_id, self._desk.now())

    async def tablet_left(self, tablet_id: str, stream_id: str) -> None:
        if self._bus is not None:
            await self._desk.live.drop_tablet(tablet_id, stream_id, self._desk.now())

    # --- homes -----------------------------------------------------------------------------------

    def mine(self, row: SessionRow) -> bool:
        """Whether this process looks after the session."""
        return row.node_id in (None, self.id)

    async def host(self, row: SessionRow) -> SessionRow:
        """A leg of this session comes here: this is its home."""
        if row.node_id != self.id:
            desk = self._desk
            claim = partial(nodes.claim, node_id=self.id, session_ids=[row.id])
            await desk.again(partial(desk.db.write, claim))
            desk.legs.forget(row.id)
            row = replace(row, node_id=self.id)
        self._hosted.add(row.id)
        return row

    def media_ended(self, session_id: str) -> None:
        self._hosted.discard(session_id)
        self._shared.pop(session_id, None)

    async def carry(self, stream: Stream, command: wire.Command) -> dict[str, object]:
        """Carry out a command of a page of this process, at its session's home if need be."""
        home = None
        if self._bus is not None and isinstance(command, AT_HOME):
            home = await self._home_elsewhere(command.session)
        if home is not None:
            try:
                return await self._ask(home, stream.actor, command)
            except (LiveStoreAway, NodeSilent) as error:
                # where the tablet's leg comes, there is the home: it waits for no silent process
                leg = isinstance(command, wire.MediaDescribe) and stream.audience == "tablet"
                self._doubt(home, error)
                if not leg and not isinstance(command, EVEN_ALONE):
                    raise
                log.warning("node.silent node=%s code=%s", home, error.code)
        return await dispatch(self._desk, stream, command)

    def _doubt(self, node: str, error: OnCallError) -> None:
        """Nobody waits for it again until it has beaten."""
        seen = self._seen.get(node)
        if seen is not None and isinstance(error, NodeSilent):
            self._seen[node] = replace(seen, proven=False)

    async def _home_elsewhere(self, session_id: str) -> str | None:
        """The other process that carries this session, if it lives."""
        async with self._desk.db.read() as conn:
            row = await sessions.get(conn, session_id)
        if row is None or row.node_id in (None, self.id):
            return None
        if row.node_id not in self._seen:
            await self._look_at_others()  # it may have come a moment ago
        return row.node_id if row.node_id in self._seen else None

    async def _ask(self, home: str, actor: Actor, command: wire.Command) -> dict[str, object]:
        if self._bus is None or not self._seen[home].proven:
            raise NodeSilent
        text = msgspec.json.encode(command).decode()
        answer = await self._bus.ask(home, b.Ask(actor, text, audit.PLACE.get()))
        if answer.code:
            raise Relayed(answer.code, answer.status, answer.text, answer.data or {})
        return answer.data or {}

    # --- saying ----------------------------------------------------------------------------------

    def _post(self, note: b.AnyNote, to: str = "") -> None:
        if self._bus is not None:
            self._bus.post(note, to)

    def tell(self, person_id: str, message: ForPages) -> None:
        """A message for all consoles of one person, wherever they are."""
        self.tell_pages("console", person_id, message)

    def tell_pages(self, audience: Audience, actor_id: str, message: ForPages) -> None:
        """A message for all pages of one kind of one actor, wherever they are."""
        self._tell_here(audience, actor_id, message)
        if self._bus is not None:
            text = msgspec.json.encode(message).decode()
            self._post(b.ForPages(actor_id, text, audience))

    def _tell_here(self, audience: Audience, actor_id: str, message: ForPages) -> None:
        for stream in self._desk.hub.of(audience, actor_id):
            if isinstance(message, wire.OfferRung) and self._desk.screens.covered(stream):
                stream.send(wire.OfferRung(offer=veiled(message.offer)))
            else:
                stream.send(message)
        if audience == "console":
            self._desk.screens.touch_console(actor_id)

    def touched(self, tablet_id: str) -> None:
        """A tablet's session has changed; many changes of one moment are one word."""
        if self._bus is None:
            return
        if not self._touched:
            asyncio.get_running_loop().call_soon(self._say_touched)
        self._touched.add(tablet_id)

    def _say_touched(self) -> None:
        tablets, self._touched = self._touched, set()
        self._post(b.Touched(sorted(tablets)))

    def legs_changed(self, row: SessionRow, *, again: bool = False) -> None:
        """Tell the others how the legs here are; `again`: only if that was some time ago."""
        if self._bus is None or row.id not in self._hosted:
            return
        seats = self._desk.legs.of(row.id)
        at = asyncio.get_running_loop().time()
        told, told_at = self._shared.get(row.id, ({}, 0.0))
        if seats == told and (not again or at - told_at < SHARE_SECONDS):
            return
        self._shared[row.id] = (seats, at)
        self._post(b.LegsSeen(row.id, row.tablet_id, seats))

    def shout(self, note: b.AnyNote) -> None:
        """For pages elsewhere, if they listen now."""
        if self._bus is not None:
            self._bus.shout(note)

    def excluded(self, session_id: str, clinician_id: str, at: float) -> None:
        self._post(b.Excluded(session_id, clinician_id, at))

    def arrange(self, row: SessionRow) -> None:
        self._post(b.Arrange(row.id))

    def dismissed(self, actor_id: str, reason: str) -> None:
        self._post(b.Dismissed(actor_id, reason))

    def roles_changed(self, person_id: str) -> None:
        self._post(b.RolesChanged(person_id))

    def shift_changed(self, tablet: Actor) -> None:
        self._post(b.ShiftChanged(tablet))

    def page_opened(self, stream: Stream) -> None:
        self._post(b.PageOpened(stream.audience, stream.actor.id, stream.id))

    def roster_changed(self) -> None:
        self._post(b.RosterChanged())

    # --- hearing ---------------------------------------------------------------------------------

    def _live_news(self, entry: Any) -> None:
        if entry.get(b"k") in (b"p", b"a"):
            self._desk.screens.touch_consoles()

    def _link_changed(self) -> None:
        self._desk.line.wake()
        self._desk.screens.touch_all()

    def _hear(self, node: str, number: str, note: b.AnyNote) -> None:
        desk = self._desk
        match note:
            case b.Touched(tablets):
                for tablet_id in tablets:
                    desk.screens.touch_tablet(tablet_id)
                desk.screens.touch_consoles()
            case b.ForPages(actor, message, audience):
                self._tell_here(audience, actor, _message.decode(message))
            case b.LegsSeen(session_id, tablet_id, seats):
                if session_id not in self._hosted:
                    desk.legs.heard(session_id, seats)
                    desk.screens.touch_tablet(tablet_id)
                    desk.screens.touch_consoles()
            case b.Excluded(session_id, clinician_id, at):
                desk.line.keep_out(session_id, clinician_id, at)
            case b.RosterChanged():
                desk.roster_changed_here()
            case b.Ask():
                self._do(self._carry_out(node, number, note))
            case b.Arrange(session_id):
                self._do(self._arrange(session_id))
            case _:
                self._hear_of_pages(note)

    def _hear_of_pages(self, note: b.AnyNote) -> None:
        desk = self._desk
        match note:
            case b.Dismissed(actor_id, reason):
                self._do(desk.dismiss_here(actor_id, reason))
            case b.RolesChanged(person_id):
                self._do(desk.roles_changed_here(person_id))
            case b.ShiftChanged(tablet):
                desk.tablet_changed_here(tablet)
            case b.Still(viewers, message):
                desk.stills.deliver(viewers, message)
            case b.PageOpened(audience, actor_id, stream_id):
                for other in desk.hub.of(audience, actor_id):
                    if other.id != stream_id:
                        desk.hub.dismiss(other, "replaced", retry=False)

    def _do(self, job: Coroutine[Any, Any, None]) -> None:
        """Work that somebody else's word made; bounded, and ended with this process."""
        if len(self._work) >= MOST_AT_WORK:
            job.close()  # whoever asked hears nothing and asks again
            log.warning("node.too_busy")
            return
        task = asyncio.create_task(job, name="for another node")
        self._work.add(task)
        task.add_done_callback(self._worked)

    def _worked(self, task: asyncio.Task[None]) -> None:
        self._work.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("node.work_failed", exc_info=error)

    async def _arrange(self, session_id: str) -> None:
        async with self._desk.db.read() as conn:
            row = await sessions.get(conn, session_id)
        if row is not None and row.node_id == self.id:
            await self._desk.company.arrange(row)

    async def _carry_out(self, node: str, number: str, asked: b.Ask) -> None:
        audit.PLACE.set(asked.place)  # of this task only
        try:
            command = wire.parse_command(asked.command)
            data = await carry_out(self._desk, asked.actor, None, command)
        except self._desk.typed_errors as error:
            answer = b.Answer(
                number,
                dict(getattr(error, "data", {})),
                getattr(error, "code", "internal"),
                getattr(error, "status", 500),
                str(error),
            )
        except Exception:
            log.exception("node.command_failed")
            answer = b.Answer(number, {}, "internal", 500, SessionError.sentence)
        else:
            answer = b.Answer(number, data)
        self._post(answer, node)
