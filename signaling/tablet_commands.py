"""Commands of the officer's tablet."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit, shifts
from auth.audit import record
from auth.errors import AuthError
from records import directory, offers, recommendations, sessions
from records.errors import Busy, OpenSessionExists, RecordAway, StaleSession
from records.ids import new_id
from records.offers import OfferRow
from records.press import press_and_ring
from records.sessions import Event, NewSession, SessionRow
from records.vocabulary import (
    DIFFERENCE_REASONS,
    DISPOSITIONS,
    LANGUAGES,
    OFFICER_FLAGS,
    OTHERWISE,
    TILES,
)
from signaling import case_commands, metrics, wire
from signaling.errors import (
    MissingReason,
    NoCoverage,
    NoSuchSession,
    NotOnShift,
    SessionError,
    UnknownCode,
)
from signaling.first_rings import FirstRing
from signaling.followup_commands import with_arrival
from signaling.needs import priority_of
from signaling.scope import by, tablet_owns
from signaling.session import (
    CameraTold,
    Cancelled,
    CardAcknowledged,
    DispositionRecorded,
    HandedOver,
    Input,
    IntakeTold,
    LanguageAsked,
    OtherwiseTold,
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


@dataclass(slots=True)
class _Pressed:
    """What a press has made, or found."""

    row: SessionRow
    ring: FirstRing | None = None
    ended: SessionRow | None = None  # a test call that stood in the way
    fresh: tuple[directory.Post, NewSession] | None = None  # what a new session was made from


async def open_session(
    desk: Desk, actor: Actor, _s: Stream, m: wire.SessionOpen
) -> dict[str, object]:
    """The press. Answered only when the session is durable; a repeat gives the same session."""
    done = None
    try:
        with desk.pace.urgent():
            try:
                done = await desk.db.write(partial(_press, desk, actor, m, ring_at_once=True))
            except (Busy, StaleSession):  # somebody else was quicker; no press is lost for a ring
                desk.line.first_rings.over()  # the rings that it counted on were never made
                done = await desk.db.write(partial(_press, desk, actor, m, ring_at_once=False))
    finally:
        _ring(desk, done)
    if done.ended is not None:
        desk.end_media(done.ended.id)
    desk.screens.touch(done.row)
    metrics.PRESSES.inc()
    await _audit_press(desk, actor, done.row)
    return {"session": done.row.id, "code": done.row.code, "state": done.row.state}


def _ring(desk: Desk, done: _Pressed | None) -> None:
    """Tell whoever rings already; or see to it that somebody will. None: the press has failed."""
    if done is not None and done.ring is not None:
        desk.line.rang(done.ring, done.row)
    elif done is not None and done.fresh is not None:
        desk.line.pressed(*done.fresh, done.row)
    else:
        desk.line.wake()


async def _press(
    desk: Desk, actor: Actor, m: wire.SessionOpen, conn: AsyncConnection, *, ring_at_once: bool
) -> _Pressed:
    """One transaction: the session, and who rings for it if that is plain.

    `ring_at_once` takes the press for a new one; if it is not, StaleSession is raised.
    """
    now = desk.now()
    post = await directory.post_of_press(conn, actor.id)
    new = _new_session(post, actor, m, desk.cluster.id)
    if ring_at_once and post is not None:
        session_id = new_id("ses")
        ring = desk.line.first_rings.choose(post, new, session_id, now)
        if ring is not None:
            row = await press_and_ring(conn, new, now, session_id, ring.events, ring.rows)
            return _Pressed(row, ring)
    try:
        row, made = await sessions.create(conn, new, now)
    except OpenSessionExists as exists:
        before = await sessions.get(conn, exists.session_id)
        if before is None:
            raise NoSuchSession from exists
        if not before.test or m.test:
            return _Pressed(before)
        # a test call that was left behind never stands in the way of a real one
        step = handle(desk.machine(before), Cancelled("duplicate"), now)
        told = [Event(e.kind, "system", None, e.data) for e in step.events]
        ended = await sessions.apply(conn, before, step.changes, told, now)
        row, _ = await sessions.create(conn, new, now)
        return _Pressed(row, ended=ended)
    return _Pressed(row, fresh=(post, new) if made and post is not None else None)


def _new_session(
    post: directory.Post | None, actor: Actor, m: wire.SessionOpen, node_id: str
) -> NewSession:
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
    except AuthError:
        log.exception("audit.failed action=session.open session=%s", row.id)
    except (OSError, SQLAlchemyError, RecordAway):
        log.exception("audit.failed action=session.open session=%s", row.id)
        audit.missed()


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
    if m.words not in (None, place.words):
        raise UnknownCode
    first = next(iter(who.providers_at(agency.id, place)), None)
    await _feed(desk, actor, m.session, PlaceTold(place.county, place.state, first))
    desk.line.wake()
    return {}


async def tell_otherwise(
    desk: Desk, actor: Actor, _s: Stream, m: wire.SessionOtherwise
) -> dict[str, object]:
    """What the officer would have done without the call."""
    if m.otherwise not in OTHERWISE:
        raise UnknownCode
    await _feed(desk, actor, m.session, OtherwiseTold(m.otherwise))
    return {}


async def tell_camera(
    desk: Desk, actor: Actor, _s: Stream, m: wire.SessionCamera
) -> dict[str, object]:
    """Whether the officer's body camera runs."""
    await _feed(desk, actor, m.session, CameraTold(m.camera))
    return {}


async def choose_voice(
    desk: Desk, actor: Actor, _s: Stream, m: wire.SessionVoice
) -> dict[str, object]:
    await _feed(desk, actor, m.session, VoiceChosen(m.voice_only))
    return {}


async def cancel(desk: Desk, actor: Actor, _s: Stream, m: wire.SessionCancel) -> dict[str, object]:
    """End a session that nobody has; whoever rings for it is told at once."""
    gone: list[OfferRow] = []

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        tablet_owns(actor, row)
        step = handle(desk.machine(row), Cancelled(m.reason), now)
        # in one transaction: a ring without its session would be taken for one to be withdrawn
        gone[:] = await offers.withdraw_all(conn, row.id, "cancelled", now)
        stopped = [
            TimelineEvent("offer.withdrawn", {"clinician": one.clinician_id, "reason": "cancelled"})
            for one in gone
        ]
        return replace(step, events=(*step.events, *stopped))

    row = await desk.change(m.session, decide, by(actor))
    desk.end_media(row.id)
    desk.line.cancelled(row.id, gone)
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
        await shifts.check_pin(desk.db, officer, m.pin, desk.now(), tablet=actor)
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
    if not set(m.flags) <= set(OFFICER_FLAGS):
        raise UnknownCode
    flags = tuple(code for code in OFFICER_FLAGS if code in m.flags)

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        tablet_owns(actor, row)
        differs = row.recommended_disposition not in (None, m.actual)
        if differs and m.reason is None:
            raise MissingReason
        reason = m.reason if differs else None
        step = handle(desk.machine(row), DispositionRecorded(m.actual, reason, flags), now)
        step = await with_arrival(conn, desk, row, step, m.actual, now)
        if m.number.strip():
            told = await case_commands.keep(conn, actor, row, m.number, now)
            step = replace(step, events=(*step.events, *told))
        await record(conn, actor, "disposition.record", "session", row.id, "allowed", now)
        return step

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
