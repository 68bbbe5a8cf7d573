"""Commands of the clinician's console."""

from __future__ import annotations

import hmac
from collections.abc import Collection
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.audit import record
from auth.logins import require_uncovered
from oncall.fit import Misfit
from oncall.policy import Activity
from records import (
    assessments,
    directory,
    disclosures,
    followups,
    offers,
    parties,
    recommendations,
    wrapups,
)
from records.disclosures import Given
from records.errors import Busy
from records.followups import NewFollowup
from records.instruments import OFFICERS
from records.offers import OfferRow
from records.sessions import SessionRow
from records.vocabulary import (
    CARD_ACTIONS,
    CLINICIAN_FLAGS,
    DECLINE_REASONS,
    DISPOSITIONS,
    FOLLOWUP_KINDS,
    GAP_REASONS,
    OPIOID,
)
from signaling import card_resources, metrics, wire
from signaling.errors import IllegalTransition, NoSuchSession, OfferGone, StaleToken, UnknownCode
from signaling.followup_commands import with_arrival, with_reason
from signaling.note_commands import sign_in_step
from signaling.party_commands import sit_in
from signaling.scope import by, leads
from signaling.session import (
    LIVE,
    Accepted,
    Alerted,
    CardSent,
    Held,
    Resumed,
    State,
    Step,
    TimelineEvent,
    WrapupFinished,
    handle,
)

if TYPE_CHECKING:
    from auth.actors import Actor
    from signaling.desk import Desk
    from signaling.hub import Stream

WRITABLE = LIVE | {State.WRAP_UP}
# those at the scene need it to act safely; nothing of 42 CFR Part 2 is on a card (a test says so)
CARD_TO_OFFICER = Given("card", "agency", "safety", "safety", ("summary",))
OVERDUE_TOLERANCE = 120.0  # seconds that a due time may lie behind our clock


async def set_activity(
    desk: Desk, actor: Actor, _s: Stream, m: wire.ActivitySet
) -> dict[str, object]:
    """Available, paused, or off: what the clinician chooses; a running call goes on."""
    if m.activity == "available":
        now = desk.now()
        await desk.db.write(lambda conn: offers.forgive(conn, actor.id, now))
    await desk.live.set_activity(actor.id, Activity(m.activity), m.reason, desk.now())
    desk.screens.touch_console(actor.id)
    desk.screens.touch_all()
    desk.line.wake()
    return {}


async def hold(desk: Desk, actor: Actor, _s: Stream, m: wire.SessionHold) -> dict[str, object]:
    """The tablet on hold, or everybody together again."""

    async def decide(_conn: AsyncConnection, row: SessionRow, now: float) -> Step | None:
        leads(actor, row, m.epoch)
        if (row.held_at is not None) == m.held:
            return None  # pressed twice, or on another page
        return handle(desk.machine(row), Held() if m.held else Resumed(), now)

    row = await desk.change(m.session, decide, by(actor))
    await desk.company.arrange(row)
    return {}


# --- offers -------------------------------------------------------------------------------------


async def _own_offer(conn: AsyncConnection, actor: Actor, offer_id: str) -> OfferRow:
    offer = await offers.get(conn, offer_id)
    if offer is None or offer.clinician_id != actor.id:
        raise NoSuchSession
    return offer


async def offer_delivered(
    desk: Desk, actor: Actor, _s: Stream, m: wire.OfferDelivered
) -> dict[str, object]:
    """The page rings. A second page of the same clinician changes nothing."""
    async with desk.db.read() as conn:
        offer = await _own_offer(conn, actor, m.offer)

    transfer = offer.purpose == "transfer"  # of a call that runs: its session stays as it is

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step | None:
        there = row.state in LIVE if transfer else row.state == State.WAITING
        if not there or not await offers.deliver(conn, m.offer, now):
            return None
        before = desk.machine(row)
        if transfer:
            rings = TimelineEvent("offer.delivered", {"clinician": actor.id})
            return Step(before, before, (rings,))
        return handle(before, Alerted(actor.id), now)

    row = await desk.change(offer.session_id, decide, by(actor))
    if not transfer:
        metrics.observe_alert(row)
    desk.line.first_rings.heard(actor.id)
    return {}


async def accept(desk: Desk, actor: Actor, _s: Stream, m: wire.OfferAccept) -> dict[str, object]:
    """Answer. Of many accepts exactly one wins; the others read who took it."""
    async with desk.db.read() as conn:
        await require_uncovered(conn, actor, desk.now(), desk.idle_seconds)
        offer = await _own_offer(conn, actor, m.offer)
    if not hmac.compare_digest(offer.token, m.token):
        raise StaleToken
    if offer.purpose == "transfer":
        return await sit_in(desk, actor, offer)
    losers: list[OfferRow] = []

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        losers.clear()
        if row.state != State.WAITING or row.epoch != offer.epoch:
            raise OfferGone
        if actor.id in await parties.receivers(conn):
            raise Busy
        provider = _answers_for(actor, row, offer)
        if not await offers.end(conn, offer.id, to_state="accepted", reason=None, now=now):
            raise OfferGone
        losers.extend(await offers.withdraw_all(conn, row.id, "taken", now))
        await offers.forgive(conn, actor.id, now)
        step = handle(desk.machine(row), Accepted(actor.id, provider), now)
        withdrawn = tuple(
            TimelineEvent("offer.withdrawn", {"clinician": o.clinician_id, "reason": "taken"})
            for o in losers
        )
        return Step(step.before, step.after, step.events + withdrawn)

    with desk.pace.urgent():
        row = await desk.change(offer.session_id, decide, by(actor))
    desk.line.tell_gone(offer, "accepted", None)  # their other pages ring on otherwise
    for loser in losers:
        desk.line.tell_gone(loser, "taken", actor.short_name)
    metrics.OFFERS.labels(outcome="accepted").inc()
    metrics.observe_accept(row)
    desk.line.wake()
    return {"session": row.id, "epoch": row.epoch}


def _answers_for(actor: Actor, row: SessionRow, offer: OfferRow) -> str:
    """Whose session it is from now on. Raises OfferGone for another provider's clinician, unless
    the search had been widened that far when they were rung."""
    own = actor.provider_id
    widened = any(step == Misfit.PROVIDER for step, _ in offer.relaxed)
    if own is None or (own != row.provider_id and not widened):
        raise OfferGone
    return own


async def missed_read(
    desk: Desk, actor: Actor, _s: Stream, m: wire.MissedRead
) -> dict[str, object]:
    """The list of missed rings was read; what came after stays on it."""
    now = desk.now()
    await desk.db.write(lambda conn: offers.mark_read(conn, actor.id, min(m.until, now), now))
    desk.screens.touch_console(actor.id)
    return {}


async def decline(desk: Desk, actor: Actor, _s: Stream, m: wire.OfferDecline) -> dict[str, object]:
    """Not me, with a reason; the session goes on ringing for others."""
    if m.reason not in DECLINE_REASONS:
        raise UnknownCode
    async with desk.db.read() as conn:
        await require_uncovered(conn, actor, desk.now(), desk.idle_seconds)
        offer = await _own_offer(conn, actor, m.offer)
    if not hmac.compare_digest(offer.token, m.token):
        raise StaleToken

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        done = await offers.end(conn, offer.id, to_state="declined", reason=m.reason, now=now)
        if not done:
            raise OfferGone
        await offers.forgive(conn, actor.id, now)
        before = desk.machine(row)
        event = TimelineEvent("offer.declined", {"clinician": actor.id, "reason": m.reason})
        return Step(before, before, (event,))

    await desk.change(offer.session_id, decide, by(actor))
    desk.line.tell_gone(offer, "declined", None)
    metrics.OFFERS.labels(outcome="declined").inc()
    if offer.purpose == "transfer":
        await desk.company.settle(offer.session_id)
    desk.line.wake()
    return {}


# --- the record ---------------------------------------------------------------------------------


def _may_write(actor: Actor, row: SessionRow, epoch: int) -> None:
    leads(actor, row, epoch)
    if row.state not in WRITABLE:
        raise IllegalTransition(row.state, "record")


async def save_assessment(
    desk: Desk, actor: Actor, _s: Stream, m: wire.AssessmentSave
) -> dict[str, object]:
    """Autosave. A stale revision is refused with both versions, and nothing is written."""
    if m.instrument in OFFICERS:
        raise UnknownCode
    saved: list[assessments.AssessmentRow] = []

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step | None:
        _may_write(actor, row, m.epoch)
        saved[:] = [
            await assessments.save(
                conn,
                desk.vault,
                row.id,
                m.instrument,
                m.rev,
                m.answers,
                actor.id,
                now,
                version=m.version,
            )
        ]
        await record(conn, actor, "assessment.save", "session", row.id, "allowed", now)
        before = desk.machine(row)
        first = saved[0].rev == 1
        event = TimelineEvent("assessment.saved", {"instrument": m.instrument})
        return Step(before, before, (event,) if first else ())

    await desk.change(m.session, decide, by(actor))
    row = saved[0]
    return {"rev": row.rev, "result": dict(row.result), "updated_at": row.updated_at}


async def save_card(desk: Desk, actor: Actor, _s: Stream, m: wire.CardSave) -> dict[str, object]:
    """Save the recommendation's draft; with `send` the tablet shows it."""
    codes = {action.code for action in m.card.actions}
    if m.card.disposition not in DISPOSITIONS or not codes <= set(CARD_ACTIONS):
        raise UnknownCode
    saved: list[recommendations.RecommendationRow] = []

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step | None:
        _may_write(actor, row, m.epoch)
        card = msgspec.to_builtins(m.card)
        before = await recommendations.get(conn, desk.vault, row.id)
        card["resources"] = await card_resources.resolved(
            conn, row, [one.id for one in m.card.resources], before.card if before else {}
        )
        saved[:] = [
            await recommendations.save(
                conn, desk.vault, row.id, m.rev, card, actor.id, now, send=m.send
            )
        ]
        action = "card.send" if m.send else "card.save"
        await record(conn, actor, action, "session", row.id, "allowed", now)
        if not m.send:
            return Step(desk.machine(row), desk.machine(row), ())
        await disclosures.record(
            conn, desk.vault, row.id, CARD_TO_OFFICER, actor.kind, actor.id, now
        )
        return handle(desk.machine(row), CardSent(m.card.disposition), now)

    await desk.change(m.session, decide, by(actor))
    return {"rev": saved[0].rev, "sent_rev": saved[0].sent_rev}


async def save_wrapup(
    desk: Desk, actor: Actor, _s: Stream, m: wire.WrapupSave
) -> dict[str, object]:
    """Autosave of the wrap-up. A stale revision is refused with what is stored."""
    kinds = {f.kind for f in m.draft.followups}
    chosen = {m.draft.disposition} - {None}
    if not chosen <= set(DISPOSITIONS) or not kinds <= set(FOLLOWUP_KINDS):
        raise UnknownCode
    if m.draft.no_followup not in (None, *GAP_REASONS):
        raise UnknownCode
    _known_flags(m.draft.flags, m.draft.opioid or "unknown")
    saved: list[int] = []

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step | None:
        _may_write(actor, row, m.epoch)
        draft = msgspec.to_builtins(m.draft)
        saved[:] = [await wrapups.save(conn, desk.vault, row.id, m.rev, draft, actor.id, now)]
        await record(conn, actor, "wrapup.save", "session", row.id, "allowed", now)
        before = desk.machine(row)
        return Step(before, before, ())

    await desk.change(m.session, decide, by(actor))
    return {"rev": saved[0]}


async def finish_wrapup(
    desk: Desk, actor: Actor, _s: Stream, m: wire.WrapupFinish
) -> dict[str, object]:
    """Close the session: disposition, and follow-ups with an owner and a due time each.

    With `sign`, the note is signed in the same transaction, or nothing is done at all.
    """
    kinds = {f.kind for f in m.followups}
    if m.disposition not in DISPOSITIONS or not kinds <= set(FOLLOWUP_KINDS):
        raise UnknownCode
    if m.no_followup is not None and (m.no_followup not in GAP_REASONS or m.followups):
        raise UnknownCode
    flags = _known_flags(m.flags, m.opioid)

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        leads(actor, row, m.epoch)
        step = handle(
            desk.machine(row), WrapupFinished(m.disposition, flags, m.opioid, m.wellness), now
        )
        who = await directory.read(conn)
        owners = {person.id for person in who.clinicians(row.provider_id)}
        if not {f.owner for f in m.followups} <= owners:
            raise UnknownCode("A follow-up's owner is not on the list. Nothing was changed.")
        if any(f.due_at < now - OVERDUE_TOLERANCE for f in m.followups):
            raise UnknownCode("A follow-up is due in the past. Nothing was changed.")
        await followups.add_many(
            conn,
            desk.vault,
            row.id,
            [NewFollowup(f.kind, f.owner, f.due_at, f.note) for f in m.followups],
            now,
        )
        went = row.actual_disposition or m.disposition
        step = await with_arrival(conn, desk, row, step, went, now)
        step = await with_reason(conn, actor, row, step, m.no_followup, now)
        await wrapups.forget(conn, row.id)
        if m.sign:
            step = await sign_in_step(conn, desk, actor, row, step, now)
        await record(conn, actor, "wrapup.finish", "session", row.id, "allowed", now)
        return step

    await desk.change(m.session, decide, by(actor))
    desk.line.wake()
    return {}


def _known_flags(codes: Collection[str], opioid: str) -> tuple[str, ...]:
    """The clinician's flags, each once. Raises UnknownCode."""
    if not set(codes) <= set(CLINICIAN_FLAGS) or opioid not in OPIOID:
        raise UnknownCode
    return tuple(code for code in CLINICIAN_FLAGS if code in codes)
