"""Who is in a call besides tablet and lead: keeps seats, media plan and transfers true.

What may happen is decided in `signaling.parties`, without I/O; here it is carried out. The row in
the record decides who may sit where: the plan is made anew from it after each change.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from records import directory, offers, parties, sessions, transfers
from records.errors import RecordError
from records.parties import PartyRow
from records.sessions import SessionRow
from records.transfers import TransferRow
from signaling import wire
from signaling.errors import SessionError
from signaling.parties import CLINICIAN, LOST_SECONDS, TABLET, Mode, Role, Seated, media_plan
from signaling.session import (
    LIVE,
    OPEN,
    LeadChanged,
    LeadTaken,
    State,
    Step,
    TimelineEvent,
    handle,
)

if TYPE_CHECKING:
    from signaling.desk import Desk
    from signaling.hub import Stream

log = logging.getLogger(__name__)

Decide = Callable[[AsyncConnection, SessionRow, float], Awaitable[Step | None]]


class Company:
    """The sides of one process's calls."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._seated: dict[str, frozenset[str]] = {}  # session -> seats at the side, as planned
        self._held: set[str] = set()  # sessions whose tablet is on hold, as planned
        self._missing: dict[str, float] = {}  # party -> since when neither page nor packets

    async def arrange(self, row: SessionRow) -> None:
        """Make the bridge follow who sits in this call now; seats that were left are emptied."""
        desk = self._desk
        if not desk.cluster.mine(row):
            desk.cluster.arrange(row)
            return
        async with desk.db.read() as conn:
            here = [one for one in await parties.present(conn, [row.id]) if one.role != "lead"]
        before = self._seated.get(row.id, frozenset())
        if row.state not in OPEN:
            self._seated.pop(row.id, None)
            self._held.discard(row.id)
            return
        held = row.held_at is not None
        seats = frozenset(one.seat for one in here)
        for seat in before - seats:
            desk.empty_seat(row.id, seat)
        if seats or before or held or row.id in self._held:
            desk.plan_media(row.id, *media_plan([seated(one) for one in here], held=held))
        (self._held.add if held else self._held.discard)(row.id)
        if seats:
            self._seated[row.id] = seats
        else:
            self._seated.pop(row.id, None)

    async def describe_anew(self, row: SessionRow, seat: str) -> None:
        """The bridge lost a leg by itself: its pages, wherever they are, make it again."""
        desk = self._desk
        if row.state not in OPEN:
            return
        told = wire.MediaRebuild(session=row.id)
        if seat == "tablet":
            desk.cluster.tell_pages("tablet", row.tablet_id, told)
            return
        async with desk.db.read() as conn:
            here = await parties.present(conn, [row.id])
        for one in here:
            if one.seat == seat and one.person_id is not None:
                desk.cluster.tell_pages("console", one.person_id, told)
            elif one.seat == seat and one.guest_link_id is not None:
                desk.cluster.tell_pages("guest", one.guest_link_id, told)

    async def all_anew(self, row: SessionRow) -> None:
        """The call's server has gone, and its legs with it: every page makes its own again."""
        async with self._desk.db.read() as conn:
            here = await parties.present(conn, [row.id])
        for seat in (TABLET, *(one.seat for one in here)):
            await self.describe_anew(row, seat)

    async def came_back(self, stream: Stream) -> None:
        """A page is connected again; its call's server may have gone meanwhile, as above.

        A browser finds out by itself, but only when its path has been silent for many seconds.
        """
        desk = self._desk
        async with desk.db.read() as conn:
            seats = await self._seats_of(conn, stream)
            rows = [(await sessions.get(conn, one), seat) for one, seat in seats]
        for row, seat in rows:
            if row is None or row.state not in OPEN or not desk.cluster.mine(row):
                continue
            known = desk.legs.known(row.id, seat)
            if known is None or not known.generation:
                stream.send(wire.MediaRebuild(session=row.id))

    @staticmethod
    async def _seats_of(conn: AsyncConnection, stream: Stream) -> list[tuple[str, str]]:
        """Session and seat of each call that this page may take part in."""
        actor = stream.actor
        if stream.audience == "tablet":
            row = await sessions.by_tablet(conn, actor.id)
            return [] if row is None else [(row.id, TABLET)]
        if stream.audience == "guest":
            guest = await parties.by_link(conn, actor.id)
            return [] if guest is None else [(guest.session_id, guest.seat)]
        led = await sessions.led_by(conn, actor.id)
        beside = [(one.session_id, one.seat) for one in await parties.sitting(conn, actor.id)]
        return beside if led is None else [(led.id, CLINICIAN), *beside]

    async def lead_changes(
        self,
        session_id: str,
        to: str,
        how: str,
        check: Callable[[AsyncConnection, SessionRow], Awaitable[None]],
        actor: tuple[str, str | None],
    ) -> SessionRow:
        """One step from one clinician to another; the tablet's leg is not touched.

        `check` may refuse it within the transaction. Whoever led reads who leads now.
        Raises Busy when the new lead leads another session, IllegalTransition.
        """
        desk = self._desk
        seat: list[str | None] = [None]
        former: list[str | None] = [None]

        async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
            await check(conn, row)
            here = await parties.present(conn, [row.id])
            own = next((p for p in here if p.person_id == to and p.role != "lead"), None)
            seat[0] = own.seat if own is not None and self.up(row.id, own.seat) else None
            former[0] = row.lead_id
            flows = seat[0] is not None and row.state != State.ANSWERING
            item = LeadChanged(to, how) if flows else LeadTaken(to, how)
            return handle(desk.machine(row), item, now)

        row = await desk.change(session_id, decide, actor)
        if seat[0] is not None:
            desk.move_seat(row.id, seat[0], CLINICIAN)
        else:
            desk.empty_seat(row.id, CLINICIAN)
        await self.arrange(row)
        await self._tell_moved(row, former[0], how)
        await self.sweep(row.id, "handed_on")
        await desk.check_media(row.id)
        desk.line.wake()
        return row

    def up(self, session_id: str, seat: str) -> bool:
        """Whether a seat's sound is there."""
        return self._desk.legs.seat(session_id, seat).up

    async def _tell_moved(self, row: SessionRow, former: str | None, how: str) -> None:
        """Whoever led until now reads on all pages who leads."""
        if former is None:
            return
        async with self._desk.db.read() as conn:
            by = (await directory.read(conn)).short_name(row.lead_id)
        self._desk.cluster.tell(former, wire.SessionMoved(session=row.id, how=how, by=by))

    # --- transfers --------------------------------------------------------------------------------

    async def end_transfer(
        self,
        conn: AsyncConnection,
        row: SessionRow,
        open_one: TransferRow,
        outcome: str,
        now: float,
    ) -> Step:
        """Within a change: the transfer is over, its rings and its receiver's seat with it."""
        await transfers.change(conn, open_one.id, ended_at=now, outcome=outcome)
        await parties.leave_as_receiver(conn, row.id, outcome, now)
        await offers.undo_accepted_transfer(conn, row.id, row.epoch, outcome, now)
        before = self._desk.machine(row)
        return Step(before, before, (TimelineEvent("transfer.ended", {"reason": outcome}),))

    async def sweep(self, session_id: str, reason: str) -> None:
        """Stop what still rings for a transfer of this session, and say why."""
        desk = self._desk

        async def write(conn: AsyncConnection) -> list[offers.OfferRow]:
            now = desk.now()
            return await offers.withdraw_all(conn, session_id, reason, now, purpose="transfer")

        for offer in await desk.db.write(write):
            desk.line.tell_gone(offer, reason, None)

    async def settle(self, session_id: str) -> None:
        """A ring of a transfer has ended: when nobody rings any more, the transfer is over."""

        async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step | None:
            open_one = await transfers.open_of(conn, row.id)
            if open_one is None or open_one.receiver_id is not None:
                return None
            rung = [o for o in await offers.open_offers(conn) if o.session_id == row.id]
            if any(o.purpose == "transfer" for o in rung):
                return None
            last = await offers.last_of_transfer(conn, row.id, row.epoch)
            declined = last is not None and last.state == "declined"
            outcome = "declined" if declined else "nobody"
            return await self.end_transfer(conn, row, open_one, outcome, now)

        await self._desk.change(session_id, decide)

    # --- time -------------------------------------------------------------------------------------

    async def tick(self, rows: list[SessionRow], now: float) -> None:
        """Rings that ran out, receivers who are gone, seats of sessions that have ended."""
        desk = self._desk
        by_id = {row.id: row for row in rows}
        for session_id in [one for one in self._seated if one not in by_id]:
            self._seated.pop(session_id)
        async with desk.db.read() as conn:
            rings = await desk.ledger.open_offers(conn)
            rung = [one for one in rings if one.purpose == "transfer"]
            here = await parties.everybody(conn)
        await self._run_out(rung, by_id, now)
        mine = {row.id for row in rows if desk.cluster.mine(row)}
        sides = [one for one in here if one.role != "lead" and one.session_id in mine]
        self._missing = {k: v for k, v in self._missing.items() if k in {s.id for s in sides}}
        for one in sides:
            await self._look_after(by_id[one.session_id], one, now)

    async def _run_out(
        self, rung: list[offers.OfferRow], rows: dict[str, SessionRow], now: float
    ) -> None:
        for offer in rung:
            state, reason = _over(offer, rows.get(offer.session_id), now)
            if state is not None and await self._desk.line.end_ring(offer.id, state, reason):
                await self.settle(offer.session_id)

    async def _look_after(self, row: SessionRow, one: PartyRow, now: float) -> None:
        """Somebody at the side whose page and packets are both gone has left."""
        desk, person = self._desk, one.person_id
        there = (
            desk.cluster.attached(person)
            if person is not None
            else desk.hub.attached("guest", one.guest_link_id or "")
        )
        if there or self.up(row.id, one.seat):
            self._missing.pop(one.id, None)
            return
        since = self._missing.setdefault(one.id, now)
        if one.role != "interpreter" and now - since > LOST_SECONDS:
            await self.put_out(row.id, one, "lost")

    async def put_out(self, session_id: str, one: PartyRow, reason: str) -> None:
        """A party's place ends; a transfer falls back when it was the receiver's."""

        async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step | None:
            if not await parties.leave(conn, one.id, reason, now):
                return None
            open_one = await transfers.open_of(conn, row.id)
            left = TimelineEvent("party.left", {"role": one.role, "reason": reason, **who(one)})
            before = self._desk.machine(row)
            if one.role == "receiver" and open_one is not None:
                step = await self.end_transfer(conn, row, open_one, f"receiver_{reason}", now)
                return Step(before, before, (left, *step.events))
            return Step(before, before, (left,))

        try:
            row = await self._desk.change(session_id, decide)
        except (SessionError, RecordError) as error:
            log.info("party.overtaken session=%s code=%s", session_id, error.code)
            return
        await self.arrange(row)

    async def goes_on(self, row: SessionRow) -> bool:
        """The lead is lost for good: whoever waits to take over, with sound, leads from now on."""
        async with self._desk.db.read() as conn:
            open_one = await transfers.open_of(conn, row.id)
        receiver = open_one.receiver_id if open_one is not None else None
        if receiver is None:
            return False

        async def check(conn: AsyncConnection, now_row: SessionRow) -> None:
            here = await parties.present(conn, [now_row.id])
            seat = next((p.seat for p in here if p.role == "receiver"), None)
            if seat is None or not self.up(now_row.id, seat) or now_row.epoch != row.epoch:
                raise SessionError

        try:
            await self.lead_changes(row.id, receiver, "sender_lost", check, ("system", None))
        except (SessionError, RecordError) as error:
            log.info("transfer.overtaken session=%s code=%s", row.id, error.code)
            return False
        return True


def seated(one: PartyRow) -> Seated:
    """A row as the media plan sees it."""
    return Seated(one.seat, Role(one.role), Mode(one.mode), held=one.held_at is not None)


def who(one: PartyRow) -> dict[str, object]:
    """A party as the timeline names them."""
    return {"person": one.person_id} if one.person_id else {"link": one.guest_link_id}


def _over(offer: offers.OfferRow, row: SessionRow | None, now: float) -> tuple[str | None, str]:
    """How a transfer's ring ends now, if it does."""
    if row is None or row.state not in LIVE or row.epoch != offer.epoch:
        return "withdrawn", "session_moved_on"
    if offer.state == "pending" and now >= offer.deliver_by:
        return "undelivered", "undelivered"
    if now >= offer.expires_at:
        return "expired", "expired"
    return None, ""
