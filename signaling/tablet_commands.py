"""Commands of the officer's tablet."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import shifts
from auth.audit import record
from auth.errors import AuthError
from records import directory, recommendations, sessions
from records.errors import OpenSessionExists
from records.sessions import Event, NewSession, SessionRow
from records.vocabulary import DIFFERENCE_REASONS, DISPOSITIONS, LANGUAGES, TILES
from signaling import metrics, wire
from signaling.errors import (
    MissingReason,
    NoCoverage,
    NoSuchSession,
    NotOnShift,
    SessionError,
    UnknownCode,
)
from signaling.needs import priority_of
from signaling.scope import by, tablet_owns
from signaling.session import (
    Cancelled,
    CardAcknowledged,
    DispositionRecorded,
    HandedOver,
    Input,
    IntakeTold,
    LanguageAsked,
    PlaceTold,
    Step,
    TakenBack,
    TimelineEvent,
    VoiceChosen,
    handle,
)

if TYPE_CHECKING:
    from auth.actors import Actor
    from signaling.desk import Desk
    from signaling.hub import Stream

log = logging.getLogger(__name__)

RING_FIRST_SECONDS = 0.25  # so long the audit of a press waits for the rings of it


async def open_session(
    desk: Desk, actor: Actor, _s: Stream, m: wire.SessionOpen
) -> dict[str, object]:
    """The press. Answered only when the session is durable; a repeat gives the same session."""

    ended: list[SessionRow] = []

    async def write(conn: AsyncConnection) -> SessionRow:
        ended.clear()
        new = await _new_session(conn, actor, m, desk.cluster.id)
        before = await sessions.by_tablet(conn, actor.id)
        if before is not None and before.test and not m.test:
            # a test call that was left behind never stands in the way of a real one
            step = handle(desk.machine(before), Cancelled("duplicate"), desk.now())
            told = [Event(e.kind, "system", None, e.data) for e in step.events]
            ended.append(await sessions.apply(conn, before, step.changes, told, desk.now()))
        try:
            row, _created = await sessions.create(conn, new, desk.now())
        except OpenSessionExists as exists:
            found = await sessions.get(conn, exists.session_id)
            if found is None:
                raise NoSuchSession from exists
            return found
        return row

    row = await desk.db.write(write)
    for test_call in ended:
        desk.end_media(test_call.id)
    desk.screens.touch(row)
    desk.line.wake()
    metrics.PRESSES.inc()
    await _audit_press(desk, actor, row)
    return {"session": row.id, "code": row.code, "state": row.state}


async def _new_session(
    conn: AsyncConnection, actor: Actor, m: wire.SessionOpen, node_id: str
) -> NewSession:
    post = await directory.post_of(conn, actor.id)
    if post is None or post.provider_id is None or post.program_id is None:
        raise NoCoverage
    return NewSession(
        code=f"{secrets.randbelow(1_000_000):06d}",
        press_key=f"{actor.id}:{m.key}"[-64:],
        agency_id=post.agency_id,
        provider_id=post.provider_id,
        program_id=post.program_id,
        tablet_id=actor.id,
        shift_id=post.shift_id,
        officer_id=post.officer_id,
        voice_only=m.voice_only,
        test=m.test,
        node_id=node_id,
    )


async def _audit_press(desk: Desk, actor: Actor, row: SessionRow) -> None:
    """Taking a crisis call never waits for the audit: a failure is alarmed, not answered."""
    await desk.line.quiet(RING_FIRST_SECONDS)
    try:
        await desk.db.write(
            lambda conn: record(
                conn, actor, "session.open", "session", row.id, "allowed", desk.now()
            )
        )
    except (AuthError, OSError, SQLAlchemyError):
        log.exception("audit.failed action=session.open session=%s", row.id)
        metrics.AUDIT_FAILURES.inc()


async def _feed(desk: Desk, actor: Actor, session_id: str, item: Input) -> SessionRow:
    """One input of this tablet to its own session."""

    async def decide(_conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        tablet_owns(actor, row)
        return handle(desk.machine(row), item, now)

    return await desk.change(session_id, decide, by(actor))


async def tell_intake(
    desk: Desk, actor: Actor, _s: Stream, m: wire.SessionIntake
) -> dict[str, object]:
    """Up to three tiles, while it rings."""
    if not set(m.tiles) <= set(TILES):
        raise UnknownCode
    tiles = tuple(dict.fromkeys(m.tiles))
    await _feed(desk, actor, m.session, IntakeTold(tiles, priority_of(tiles)))
    desk.line.wake()
    return {}


async def tell_language(
    desk: Desk, actor: Actor, _s: Stream, m: wire.SessionLanguage
) -> dict[str, object]:
    """The person's language: those who speak it are rung first."""
    if m.language is not None and m.language not in LANGUAGES:
        raise UnknownCode
    await _feed(desk, actor, m.session, LanguageAsked(m.language))
    desk.line.wake()
    return {}


async def tell_place(
    desk: Desk, actor: Actor, _s: Stream, m: wire.SessionPlace
) -> dict[str, object]:
    """Where it is, of the agency's own places: the state decides which licence is needed,
    and the providers that are listed there who is rung first."""
    async with desk.db.read() as conn:
        who = await directory.read(conn)
    agency = who.agencies[actor.agency_id or ""]
    if m.place >= len(agency.places):
        raise UnknownCode
    place = agency.places[m.place]
    first = next(iter(who.providers_at(agency.id, place)), None)
    await _feed(desk, actor, m.session, PlaceTold(place.county, place.state, first))
    desk.line.wake()
    return {}


async def choose_voice(
    desk: Desk, actor: Actor, _s: Stream, m: wire.SessionVoice
) -> dict[str, object]:
    await _feed(desk, actor, m.session, VoiceChosen(m.voice_only))
    return {}


async def cancel(desk: Desk, actor: Actor, _s: Stream, m: wire.SessionCancel) -> dict[str, object]:
    """End a session that nobody has; whoever rings for it is told at once."""
    row = await _feed(desk, actor, m.session, Cancelled(m.reason))
    desk.end_media(row.id)
    await desk.line.withdraw(row.id, "cancelled")
    return {}


async def hand_over(
    desk: Desk, actor: Actor, _s: Stream, m: wire.HandoverStart
) -> dict[str, object]:
    """Give the tablet to the person; only where a PIN can bring it back."""

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        tablet_owns(actor, row)
        desk.same_epoch(row, m.epoch)
        who = await directory.read(conn)
        if who.tablets[actor.id].officer_id is None:
            raise NotOnShift
        return handle(desk.machine(row), HandedOver(), now)

    await desk.change(m.session, decide, by(actor))
    return {}


async def take_back(desk: Desk, actor: Actor, _s: Stream, m: wire.HandoverEnd) -> dict[str, object]:
    """The officer's PIN ends the hand-over; a wrong one is written down and changes nothing."""
    async with desk.db.read() as conn:
        row = await sessions.get(conn, m.session)
        who = await directory.read(conn)
    if row is None:
        raise NoSuchSession
    tablet_owns(actor, row)
    officer = who.tablets[actor.id].officer_id
    if officer is None:
        raise NotOnShift
    try:
        await shifts.check_pin(desk.db, officer, m.pin, desk.now())
    except AuthError:
        await desk.note(row.id, "handover.pin_refused", actor=by(actor))
        raise
    await _feed(desk, actor, m.session, TakenBack())
    return {}


async def acknowledge_card(
    desk: Desk, actor: Actor, _s: Stream, m: wire.CardAcknowledge
) -> dict[str, object]:
    """The officer has read the card of this revision."""

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step | None:
        tablet_owns(actor, row)
        if not await recommendations.acknowledge(conn, row.id, m.rev, now):
            raise SessionError("A newer recommendation has come. Read it first.")
        return handle(desk.machine(row), CardAcknowledged(), now)

    await desk.change(m.session, decide, by(actor))
    return {}


async def record_disposition(
    desk: Desk, actor: Actor, _s: Stream, m: wire.DispositionRecord
) -> dict[str, object]:
    """What actually happened; a difference from what was advised needs its reason."""
    if m.actual not in DISPOSITIONS or (m.reason and m.reason not in DIFFERENCE_REASONS):
        raise UnknownCode

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        tablet_owns(actor, row)
        differs = row.recommended_disposition not in (None, m.actual)
        if differs and m.reason is None:
            raise MissingReason
        await record(conn, actor, "disposition.record", "session", row.id, "allowed", now)
        reason = m.reason if differs else None
        return handle(desk.machine(row), DispositionRecorded(m.actual, reason), now)

    await desk.change(m.session, decide, by(actor))
    return {}


async def postpone_disposition(
    desk: Desk, actor: Actor, _s: Stream, m: wire.DispositionLater
) -> dict[str, object]:
    """Skip for now; the ready screen reminds."""

    async def decide(_conn: AsyncConnection, row: SessionRow, _now: float) -> Step:
        tablet_owns(actor, row)
        before = desk.machine(row)
        return Step(before, before, (TimelineEvent("disposition.postponed"),))

    await desk.change(m.session, decide, by(actor))
    return {}
