"""Commands about who is in a call: hand on, hand back, take over, sit in, hold, put out."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from auth.audit import record
from auth.logins import require_uncovered
from auth.policy import Action, allows
from oncall.fit import Licence
from oncall.presence import PresenceState
from records import directory, offers, parties, sessions, transfers
from records.errors import Busy
from records.ids import new_id
from records.offers import OfferRow
from records.sessions import SessionRow
from records.vocabulary import GIVEN_BACK_REASONS
from signaling import metrics, party_wire
from signaling.company import who
from signaling.errors import (
    CallFull,
    IllegalTransition,
    NoSuchSession,
    NotFree,
    NoTransfer,
    NotYours,
    OfferGone,
    StaleEpoch,
    TransferOpen,
    UnknownCode,
)
from signaling.needs import place_of
from signaling.parties import (
    CLINICIAN,
    RING_SECONDS,
    Colleague,
    Handing,
    Mode,
    Role,
    anybody,
    why_not,
)
from signaling.parties import confirm as confirmed
from signaling.parties import take as taken_alone
from signaling.scope import by, leads, target
from signaling.session import LIVE, HandedBack, State, Step, TimelineEvent, handle

if TYPE_CHECKING:
    from auth.actors import Actor
    from signaling.desk import Desk
    from signaling.hub import Stream
    from signaling.views import Picture

WHY_NOT = {
    "away": "This colleague's console is closed. Choose somebody else.",
    "paused": "This colleague is not available now. Choose somebody else.",
    "busy": "This colleague is in a session already. Choose somebody else.",
    "not_licensed": "This colleague is not licensed where the person is. Choose somebody else.",
    "unknown": "There is no such colleague. Choose somebody else.",
}


def _live(row: SessionRow) -> None:
    if row.state not in LIVE:
        raise IllegalTransition(row.state, "party")


# --- handing on -----------------------------------------------------------------------------------


async def ask(desk: Desk, actor: Actor, _s: Stream, m: party_wire.TransferAsk) -> dict[str, object]:
    """Ring the colleague who is to take this session, or whoever is free."""
    picture = await desk.screens.picture()
    made: list[str] = []

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        made.clear()
        leads(actor, row, m.epoch)
        if row.state not in {State.CONNECTED, State.RECOVERING} or row.test:
            raise IllegalTransition(row.state, "TransferAsk")
        if await transfers.open_of(conn, row.id) is not None:
            raise TransferOpen
        if len([p for p in await parties.present(conn, [row.id]) if p.role != "lead"]) >= 3:
            raise CallFull
        rung = _whom(picture, row, actor, m.to, now)
        await transfers.ask(
            conn,
            desk.vault,
            row.id,
            epoch=row.epoch,
            from_id=actor.id,
            to_id=m.to,
            note=m.note,
            now=now,
        )
        for one in rung:
            await _ring(desk, conn, row, one, now)
        made.extend(one.id for one in rung)
        await record(conn, actor, "transfer.ask", "session", row.id, "allowed", now)
        told: dict[str, object] = {"to": list(made)}
        if any(one.tier is None for one in rung):
            told["relaxed"] = "off_roster"  # the lead chose somebody who is not on call
        before = desk.machine(row)
        return Step(before, before, (TimelineEvent("transfer.asked", told),))

    await desk.change(m.session, decide, by(actor))
    return {"ringing": len(made), "expires_at": desk.now() + RING_SECONDS}


def _whom(
    picture: Picture, row: SessionRow, actor: Actor, to: str | None, now: float
) -> list[Colleague]:
    """The colleagues to ring. Raises NotFree with the reason in words."""
    state = place_of(row, picture.directory.agencies[row.agency_id]).state
    people = [_colleague(picture, p) for p in picture.directory.clinicians(row.provider_id)]
    others = [one for one in people if one.id != actor.id]
    if to is None:
        free = anybody(others, state, now)
        if not free:
            raise NotFree
        return free
    chosen = next((one for one in others if one.id == to), None)
    reason = "unknown" if chosen is None else why_not(chosen, state, now)
    if chosen is None or reason is not None:
        raise NotFree(WHY_NOT[reason or "unknown"])
    return [chosen]


def _colleague(picture: Picture, person: directory.Person) -> Colleague:
    state = picture.clinicians.get(person.id)
    return Colleague(
        id=person.id,
        present=state is not None and state.presence is PresenceState.CONNECTED,
        activity=state.activity if state is not None else "offline",
        work=picture.work(person.id),
        tier=state.tier if state is not None else None,
        licences=tuple(Licence(one.state, one.expires_at) for one in person.licences),
    )


async def _ring(
    desk: Desk, conn: AsyncConnection, row: SessionRow, one: Colleague, now: float
) -> None:
    await offers.add(
        conn,
        id=new_id("off"),
        session_id=row.id,
        clinician_id=one.id,
        epoch=row.epoch,
        token=secrets.token_urlsafe(18),
        sent_at=now,
        deliver_by=now + desk.rules.deliver_seconds,
        expires_at=now + RING_SECONDS,
        purpose="transfer",
    )


async def sit_in(desk: Desk, actor: Actor, offer: OfferRow) -> dict[str, object]:
    """The receiver accepts: they see the brief, the assessment and the draft, and lead nothing."""
    losers: list[OfferRow] = []

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        losers.clear()
        open_one = await transfers.open_of(conn, row.id)
        if row.state not in LIVE or row.epoch != offer.epoch or open_one is None:
            raise OfferGone
        led = await sessions.led_by(conn, actor.id)
        if led is not None and led.state != State.WRAP_UP:
            raise Busy
        if not await offers.end(conn, offer.id, to_state="accepted", reason=None, now=now):
            raise OfferGone
        losers.extend(await offers.withdraw_all(conn, row.id, "taken", now, purpose="transfer"))
        await _sit(conn, row, Role.RECEIVER, Mode.SPEAK, actor, now)
        await offers.forgive(conn, actor.id, now)
        await transfers.change(conn, open_one.id, receiver_id=actor.id, accepted_at=now)
        await record(conn, actor, "transfer.accept", "session", row.id, "allowed", now)
        before = desk.machine(row)
        return Step(before, before, (TimelineEvent("transfer.accepted", {"clinician": actor.id}),))

    row = await desk.change(offer.session_id, decide, by(actor))
    desk.line.tell_gone(offer, "accepted", None)
    for loser in losers:
        desk.line.tell_gone(loser, "taken", actor.short_name)
    metrics.OFFERS.labels(outcome="accepted").inc()
    await desk.company.arrange(row)
    desk.line.wake()
    return {"session": row.id, "epoch": row.epoch}


async def _sit(
    conn: AsyncConnection, row: SessionRow, role: Role, mode: Mode, actor: Actor, now: float
) -> None:
    made = await parties.join(
        conn,
        row.id,
        role=role,
        mode=mode,
        person_id=actor.id,
        guest_link_id=None,
        epoch=row.epoch,
        now=now,
    )
    if made is None:
        raise CallFull


async def _handing(
    desk: Desk, conn: AsyncConnection, actor: Actor, row: SessionRow, epoch: int
) -> tuple[transfers.TransferRow, Handing]:
    """The open transfer of this session, as the rules see it; only for its two sides."""
    if row.provider_id != actor.provider_id:
        raise NoSuchSession
    open_one = await transfers.open_of(conn, row.id)
    mine = open_one is not None and actor.id in {row.lead_id, open_one.receiver_id}
    if open_one is None or not mine:
        raise NoTransfer if row.epoch == epoch else StaleEpoch
    if row.epoch != epoch:
        raise StaleEpoch
    here = await parties.present(conn, [row.id])
    seat = next((p.seat for p in here if p.role == "receiver"), None)
    return open_one, Handing(
        lead_id=row.lead_id or "",
        receiver_id=open_one.receiver_id,
        joined=seat is not None and desk.company.up(row.id, seat),
        lead_ready=open_one.from_ready_at is not None,
        receiver_ready=open_one.to_ready_at is not None,
        lead_lost=row.state == State.RECOVERING,
    )


async def confirm(
    desk: Desk, actor: Actor, _s: Stream, m: party_wire.TransferConfirm
) -> dict[str, object]:
    """One side is ready. When both are, the receiver leads, in one step."""
    complete: list[str] = []

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        complete.clear()
        open_one, handing = await _handing(desk, conn, actor, row, m.epoch)
        if row.state != State.CONNECTED:
            raise IllegalTransition(row.state, "TransferConfirm")
        done = confirmed(handing, actor.id, ready=m.ready)
        lead = open_one.from_ready_at or now if done.lead_ready else None
        receiver = open_one.to_ready_at or now if done.receiver_ready else None
        await transfers.change(conn, open_one.id, from_ready_at=lead, to_ready_at=receiver)
        if done.complete and open_one.receiver_id is not None:
            complete.append(open_one.receiver_id)
        before = desk.machine(row)
        kind = "transfer.ready" if m.ready else "transfer.not_ready"
        return Step(before, before, (TimelineEvent(kind, {"clinician": actor.id}),))

    await desk.change(m.session, decide, by(actor))
    if complete:
        await _hand_on(desk, actor, m.session, m.epoch, complete[0])
    return {"handed_on": bool(complete)}


async def _hand_on(desk: Desk, actor: Actor, session_id: str, epoch: int, receiver: str) -> None:
    async def check(conn: AsyncConnection, row: SessionRow) -> None:
        open_one = await transfers.open_of(conn, row.id)
        still = open_one is not None and open_one.from_ready_at and open_one.to_ready_at
        if row.epoch != epoch or open_one is None or not still:
            raise StaleEpoch
        await transfers.change(conn, open_one.id, ended_at=desk.now(), outcome="handed_on")
        await record(conn, actor, "transfer.done", "session", row.id, "allowed", desk.now())

    await desk.company.lead_changes(session_id, receiver, "handed_on", check, by(actor))


async def take(
    desk: Desk, actor: Actor, _s: Stream, m: party_wire.TransferTake
) -> dict[str, object]:
    """The receiver goes on alone, because the sender is lost."""

    async def check(conn: AsyncConnection, row: SessionRow) -> None:
        _open, handing = await _handing(desk, conn, actor, row, m.epoch)
        taken_alone(handing, actor.id)
        await record(conn, actor, "transfer.take", "session", row.id, "allowed", desk.now())

    row = await desk.company.lead_changes(m.session, actor.id, "sender_lost", check, by(actor))
    return {"epoch": row.epoch}


async def call_off(
    desk: Desk, actor: Actor, _s: Stream, m: party_wire.TransferCallOff
) -> dict[str, object]:
    """Either side stops it; the lead goes on as before."""

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        open_one, _handing_now = await _handing(desk, conn, actor, row, m.epoch)
        outcome = "called_off" if actor.id == row.lead_id else "receiver_left"
        return await desk.company.end_transfer(conn, row, open_one, outcome, now)

    row = await desk.change(m.session, decide, by(actor))
    await desk.company.sweep(row.id, "called_off")
    await desk.company.arrange(row)
    desk.line.wake()
    return {}


async def requeue(
    desk: Desk, actor: Actor, _s: Stream, m: party_wire.SessionRequeue
) -> dict[str, object]:
    """Back to the head of the line, with a reason; the tablet's leg is kept."""
    if m.reason not in GIVEN_BACK_REASONS:
        raise UnknownCode

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        leads(actor, row, m.epoch)
        await record(conn, actor, "session.requeue", "session", row.id, "allowed", now)
        return handle(desk.machine(row), HandedBack(m.reason), now)

    row = await desk.change(m.session, decide, by(actor))
    desk.empty_seat(row.id, CLINICIAN)
    await desk.company.sweep(row.id, "called_off")
    await desk.company.arrange(row)
    desk.line.exclude(row.id, actor.id, desk.now())
    desk.line.wake()
    return {}


# --- supervisors ----------------------------------------------------------------------------------


async def take_over(
    desk: Desk, actor: Actor, _s: Stream, m: party_wire.SessionTakeOver
) -> dict[str, object]:
    """A supervisor leads from now on; who led reads who took it."""

    async def check(conn: AsyncConnection, row: SessionRow) -> None:
        await require_uncovered(conn, actor, desk.now(), desk.idle_seconds)
        _supervises(actor, row, Action.SESSION_TAKE_OVER)
        if row.epoch != m.epoch:
            raise StaleEpoch
        _live(row)
        await record(conn, actor, "session.take_over", "session", row.id, "allowed", desk.now())

    row = await desk.company.lead_changes(m.session, actor.id, "taken_over", check, by(actor))
    return {"session": row.id, "epoch": row.epoch}


async def listen(
    desk: Desk, actor: Actor, _s: Stream, m: party_wire.SessionListen
) -> dict[str, object]:
    """A supervisor sits in: everybody in the call reads that they listen."""

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        await require_uncovered(conn, actor, now, desk.idle_seconds)
        _supervises(actor, row, Action.SESSION_LISTEN)
        if row.epoch != m.epoch:
            raise StaleEpoch
        _live(row)
        own = await parties.sitting(conn, actor.id)
        mine = next((p for p in own if p.session_id == row.id), None)
        if row.lead_id == actor.id or (mine is not None and mine.role != Role.SUPERVISOR):
            raise NotYours
        if any(p.session_id != row.id for p in own):
            raise Busy
        before = desk.machine(row)
        if mine is not None:
            await parties.set_mode(conn, mine.id, m.mode)
            event = TimelineEvent("party.mode", {"person": actor.id, "mode": m.mode})
        else:
            await _sit(conn, row, Role.SUPERVISOR, Mode(m.mode), actor, now)
            told: dict[str, object] = {"person": actor.id, "role": "supervisor", "mode": m.mode}
            event = TimelineEvent("party.joined", told)
        await record(conn, actor, "session.listen", "session", row.id, "allowed", now)
        return Step(before, before, (event,))

    row = await desk.change(m.session, decide, by(actor))
    await desk.company.arrange(row)
    return {"session": row.id, "epoch": row.epoch}


def _supervises(actor: Actor, row: SessionRow, action: Action) -> None:
    if row.test or not allows(actor, action, target(row)):
        raise NoSuchSession


async def hold(desk: Desk, actor: Actor, _s: Stream, m: party_wire.PartyHold) -> dict[str, object]:
    """A guest on hold, or back in the call. Colleagues are no guests."""

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step | None:
        leads(actor, row, m.epoch)
        _live(row)
        one = await parties.get(conn, m.party)
        if one is None or one.session_id != row.id or one.left_at is not None:
            raise NoSuchSession
        if one.guest_link_id is None:
            raise NotYours
        if not await parties.hold(conn, one.id, now if m.held else None):
            return None  # another page of the lead was faster
        before = desk.machine(row)
        kind = "party.held" if m.held else "party.resumed"
        return Step(before, before, (TimelineEvent(kind, {"role": one.role, **who(one)}),))

    row = await desk.change(m.session, decide, by(actor))
    await desk.company.arrange(row)
    return {}


# --- leaving --------------------------------------------------------------------------------------


async def leave(
    desk: Desk, actor: Actor, _s: Stream, m: party_wire.PartyLeave
) -> dict[str, object]:
    """Leave the side of a call; a receiver who leaves ends the transfer."""
    async with desk.db.read() as conn:
        own = await parties.sitting(conn, actor.id)
    mine = next((p for p in own if p.session_id == m.session), None)
    if mine is None:
        raise NoSuchSession
    await desk.company.put_out(m.session, mine, "left")
    desk.line.wake()
    return {}


async def remove(
    desk: Desk, actor: Actor, _s: Stream, m: party_wire.PartyRemove
) -> dict[str, object]:
    """The lead puts somebody out. Supervisors stay: they are there for the lead's sake."""
    async with desk.db.read() as conn:
        row = await sessions.get(conn, m.session)
        one = await parties.get(conn, m.party)
    if row is None:
        raise NoSuchSession
    leads(actor, row, m.epoch)
    if one is None or one.session_id != row.id or one.left_at is not None or one.role == "lead":
        raise NoSuchSession
    if one.role == "supervisor" and one.person_id is not None:
        raise NotYours
    await desk.company.put_out(row.id, one, "put_out")
    desk.line.wake()
    return {}
