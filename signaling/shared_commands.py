"""Commands of both sides: beat, end, text, media."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from records import chat, parties, sessions
from records.sessions import SessionRow
from signaling import wire
from signaling.errors import CarriedElsewhere, IllegalTransition, NoSuchSession
from signaling.legs import Window
from signaling.scope import by, seat_of, takes_part
from signaling.session import (
    LIVE,
    OPEN,
    Cancelled,
    Ended,
    SaverChosen,
    State,
    Step,
    TimelineEvent,
    handle,
)
from signaling.stills import seen_by

if TYPE_CHECKING:
    from auth.actors import Actor
    from signaling.desk import Desk
    from signaling.hub import Stream


async def beat(desk: Desk, actor: Actor, stream: Stream, _m: wire.Beat) -> dict[str, object]:
    """Renew the lease of a console's presence; tell the server's time."""
    now = desk.now()
    if stream.audience == "console":
        await desk.live.beat(actor.id, stream.id, now)
    elif stream.audience == "tablet":
        await desk.cluster.tablet_beat(actor.id, stream.id)
    return {"now": now}


async def end(desk: Desk, actor: Actor, _s: Stream, m: wire.SessionEnd) -> dict[str, object]:
    """End the call. Before a face was seen, the officer's End is a cancel."""

    async def decide(_conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        seat = takes_part(actor, row, m.epoch)
        if seat == "tablet" and row.state == State.ANSWERING:
            return handle(desk.machine(row), Cancelled("cancelled_by_officer"), now)
        ended_by = "officer" if seat == "tablet" else "clinician"
        return handle(desk.machine(row), Ended(ended_by), now)

    await desk.change(m.session, decide, by(actor))
    desk.end_media(m.session)
    desk.line.wake()
    return {}


async def send_chat(desk: Desk, actor: Actor, _s: Stream, m: wire.ChatSend) -> dict[str, object]:
    """One line between officer and clinician, stored sealed; refused while handed over."""

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        seat = takes_part(actor, row)
        person_holds = seat == "tablet" and row.phase == "handed_over"
        if row.state not in LIVE or person_holds:
            raise IllegalTransition(row.state, "ChatSend")
        await chat.add(
            conn,
            desk.vault,
            row.id,
            sender="officer" if seat == "tablet" else "clinician",
            sender_id=actor.officer_id if seat == "tablet" else actor.id,
            body=m.text,
            now=now,
        )
        before = desk.machine(row)
        return Step(before, before, (TimelineEvent("chat.sent"),))

    await desk.change(m.session, decide, by(actor))
    return {}


async def describe_media(
    desk: Desk, actor: Actor, _s: Stream, m: wire.MediaDescribe
) -> dict[str, object]:
    """Answer a browser's description. The tablet's leg may be up long before anybody answers."""
    async with desk.db.read() as conn:
        row = await sessions.get(conn, m.session)
        if row is None:
            raise NoSuchSession
        seat = await seat_of(conn, actor, row, None if actor.kind == "tablet" else m.epoch)
    if row.state not in (OPEN if seat == "tablet" else LIVE):
        raise IllegalTransition(row.state, "MediaDescribe")
    row = await desk.cluster.host(row)
    if row.test:
        desk.bridge.plan(row.id, {"tablet": ["tablet"]})  # a test call sees and hears itself
    else:
        await desk.company.arrange(row)
    if desk.legs.taken_by_another(row.id, seat, actor.id):
        desk.empty_seat(row.id, seat)  # a new leg is built beside one's own, never beside theirs
    window = Window(m.page, m.take)
    if desk.legs.elsewhere(row.id, seat, m.generation, window, desk.now()):
        raise CarriedElsewhere
    answer = await desk.bridge.answer(row.id, seat, m.generation, m.description)
    desk.legs.described(row.id, seat, m.generation, actor.id, window, desk.now())
    desk.legs.sends(row.id, seat, muted=m.muted, camera=m.camera)
    desk.withhold(row.id, seat)
    desk.cluster.legs_changed(row)
    return {"description": answer}


async def relay_media(
    desk: Desk, _actor: Actor, _s: Stream, _m: wire.MediaRelay
) -> dict[str, object]:
    """New credentials for the relay: a kiosk's page is open for days, a credential for hours."""
    return desk.relay.for_page(desk.now())


async def state_media(
    desk: Desk, actor: Actor, _s: Stream, m: wire.MediaState
) -> dict[str, object]:
    """Muted, camera, quality: told to the other side in words."""
    async with desk.db.read() as conn:
        row = await sessions.get(conn, m.session)
        if row is None:
            raise NoSuchSession
        seat = await seat_of(conn, actor, row)
    if row.state in OPEN:
        desk.legs.stated(row.id, seat, muted=m.muted, camera=m.camera, quality=m.quality,
            blocked=m.blocked, step=m.step,
        )  # fmt: skip
        desk.withhold(row.id, seat)
        await _note_step(desk, row, seat)
        await desk.check_media(row.id)
    return {}


async def _note_step(desk: Desk, row: SessionRow, seat: str) -> None:
    """How much picture a side sends stands on the timeline, from the first face on."""
    if row.test or row.state not in {State.CONNECTED, State.RECOVERING}:
        return
    taken = desk.legs.to_note(row.id, seat, desk.now())
    if taken is not None:
        before, after = taken
        data: dict[str, object] = {"seat": seat, "from": before, "picture": after}
        await desk.note(row.id, "media.step", data)


async def choose_saver(
    desk: Desk, actor: Actor, _s: Stream, m: wire.MediaSaver
) -> dict[str, object]:
    """The one switch by hand: at most still pictures, both ways."""

    async def decide(_conn: AsyncConnection, row: SessionRow, now: float) -> Step | None:
        takes_part(actor, row)
        if row.saver == m.saver:
            return None  # the other side was faster
        return handle(desk.machine(row), SaverChosen(m.saver), now)

    await desk.change(m.session, decide, by(actor))
    return {}


async def got_still(
    _desk: Desk, _actor: Actor, stream: Stream, _m: wire.StillGot
) -> dict[str, object]:
    """The page is ready for the next still."""
    stream.saw()
    return {}


async def show_still(desk: Desk, actor: Actor, _s: Stream, m: wire.MediaStill) -> dict[str, object]:
    """One still picture for those who see this side large."""
    async with desk.db.read() as conn:
        row = await sessions.get(conn, m.session)
        if row is None:
            raise NoSuchSession
        seat = takes_part(actor, row)
        here = await parties.present(conn, [row.id])
    if row.state not in LIVE:
        raise IllegalTransition(row.state, "MediaStill")
    desk.stills.show(row.id, seat, m.picture, seen_by(row, seat, here), desk.now())
    return {}
