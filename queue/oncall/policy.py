"""Whom to ring for what, and what else is due: the queue's decisions. Pure.

Rules of this file:
1. A snapshot comes in, a plan comes out. Nothing is remembered, no clock is read.
2. Order: priority (one class better after a long wait), then sessions that came back to the line,
   then the place in line. A session that nobody may serve never blocks those behind it.
3. A clinician is rung for at most one session. Every session in order gets one clinician before any
   session gets a second one (`oncall.sharing` says how), also if a ring must move for it; the rest
   of its tier rings too when there is nobody else to ring for, unless its provider rings one at a
   time.
4. A waiting session is never ended by a timer: time only widens the search and raises alarms.
5. Carrying out a plan and planning again at the same moment gives nothing more to do.
6. A ring goes on only while all that stands between its clinician and its session is due by now, or
   was let through, and logged, when it was made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from oncall.eligible import Eligibility, in_line, off_duty
from oncall.escalation import due_steps, ladder_for, next_escalation, tablet_step
from oncall.facts import (
    Action,
    Activity,
    ClinicianNow,
    Escalate,
    ExpireOffer,
    Explain,
    KeepLast,
    MakeOffer,
    OfferState,
    OpenOffer,
    PauseMissing,
    Plan,
    Ring,
    Rules,
    Snapshot,
    WaitingSession,
    WithdrawOffer,
)
from oncall.fit import Misfit, due, misfits, steps_needed
from oncall.presence import PresenceState
from oncall.sharing import Sharing
from oncall.stepwise import Steps, at_once

__all__ = [
    "Action",
    "Activity",
    "ClinicianNow",
    "Escalate",
    "ExpireOffer",
    "Explain",
    "KeepLast",
    "MakeOffer",
    "OfferState",
    "OpenOffer",
    "PauseMissing",
    "Plan",
    "Ring",
    "Rules",
    "Snapshot",
    "WaitingSession",
    "WithdrawOffer",
    "in_line",
    "next_escalation",
    "plan",
    "planning",
    "tablet_step",
]


AT_ONCE = 100  # rings, clinicians or sessions that are gone through in one step


def plan(snapshot: Snapshot, rules: Rules) -> Plan:
    """Everything that is due at `snapshot.now`, and when to look again at the latest."""
    return at_once(planning(snapshot, rules))


def planning(snapshot: Snapshot, rules: Rules) -> Steps[Plan]:
    """The same in steps, for whoever has something to do between them. The snapshot stays as it is,
    so that it does not matter what happens meanwhile."""
    ended = yield from _ended_offers(snapshot, rules)
    ringing = [offer for offer in snapshot.offers if offer.id not in ended]
    yield
    after = _after(ended, snapshot, rules)
    yield
    clinicians, missing = _paused(after, ringing, snapshot, rules)
    escalations: list[Escalate] = []
    clock: list[float] = []
    for number, session in enumerate(snapshot.waiting):
        if number % AT_ONCE == 0:
            yield
        ladder = ladder_for(session.provider_id, snapshot.ladders, rules)
        due, then = due_steps(session, snapshot.now, ladder)
        escalations += due
        clock.append(then)
    # of a thousand sessions each step is due at one moment, and is taken for many at once
    escalations.sort(key=lambda step: step.level)
    yield
    moved, made, reasons = yield from _rings(snapshot, ringing, clinicians, rules)
    yield
    # who rings goes before who is alerted otherwise
    actions: list[Action] = [*ended.values(), *missing, *moved, *made, *escalations]
    actions += [Explain(session_id, reason) for session_id, reason in reasons.items()]
    gone = {action.offer_id for action in moved}
    yield
    clock += _ring_moments([o for o in ringing if o.id not in gone], made)
    for number, session in enumerate(snapshot.waiting):
        if number % AT_ONCE == 0:
            yield
        clock += _session_moments(session, snapshot, rules)
    yield
    if snapshot.waiting:
        clock += _clinician_moments(clinicians)
    later = min((moment for moment in clock if moment > snapshot.now), default=None)
    return Plan(tuple(actions), later, reasons)


# --- what has ended -------------------------------------------------------------------------------


def _ended_offers(
    snapshot: Snapshot, rules: Rules
) -> Steps[dict[str, ExpireOffer | WithdrawOffer]]:
    """Ring -> how it ends, of those that do."""
    waiting = {session.id: session for session in snapshot.waiting}
    clinicians = {clinician.id: clinician for clinician in snapshot.clinicians}
    ended: dict[str, ExpireOffer | WithdrawOffer] = {}
    for number, offer in enumerate(snapshot.offers):
        if number % AT_ONCE == 0:
            yield
        clinician, session = clinicians.get(offer.clinician_id), waiting.get(offer.session_id)
        end = _end_of(offer, clinician, session, snapshot, rules)
        if end is not None:
            ended[offer.id] = end
    return ended


def _end_of(
    offer: OpenOffer,
    clinician: ClinicianNow | None,
    session: WaitingSession | None,
    snapshot: Snapshot,
    rules: Rules,
) -> ExpireOffer | WithdrawOffer | None:
    if session is None or session.epoch != offer.epoch:
        return WithdrawOffer(offer.id, "session_moved_on")
    why = _may_not_answer(clinician, session, snapshot.now) or _fits_no_longer(
        clinician, offer, session, snapshot, rules
    )
    if why is not None:
        return WithdrawOffer(offer.id, why)
    pending = offer.state is OfferState.PENDING
    until = min(offer.deliver_by, offer.expires_at) if pending else offer.expires_at
    if snapshot.now >= until or _from_ahead(offer, snapshot):
        return ExpireOffer(offer.id, undelivered=pending)
    return None


def _from_ahead(offer: OpenOffer, snapshot: Snapshot) -> bool:
    """The clock was set back by more than a round: by this offer's times it would ring for long."""
    return offer.sent_at - snapshot.now > offer.expires_at - offer.sent_at


def _may_not_answer(
    clinician: ClinicianNow | None, session: WaitingSession, now: float
) -> str | None:
    """Why a ring must stop. A page in grace may be reloading, so its ring goes on."""
    if clinician is None:
        return "off_roster"
    why = off_duty(clinician, session.wanted, now)
    if why is not None:
        return "not_licensed" if why == "nobody_licensed" else "off_roster"
    if clinician.activity is not Activity.AVAILABLE:
        return "not_available"
    if clinician.presence is PresenceState.LOST:
        return "console_lost"
    if clinician.busy and not clinician.wrapping_up:
        return "busy"
    return None


def _fits_no_longer(
    clinician: ClinicianNow | None,
    offer: OpenOffer,
    session: WaitingSession,
    snapshot: Snapshot,
    rules: Rules,
) -> str | None:
    """Why a ring must stop although nothing bars its clinician: somebody else is wanted."""
    if clinician is None:
        return None
    steps = snapshot.rules_of(session.provider_id, rules).relaxations
    let = offer.relaxed | due(steps, snapshot.now - session.pressed_at)
    kept_out = misfits(clinician.offered, session.wanted, snapshot.now) - let
    if Misfit.LICENCE_STATE in kept_out:
        return "not_licensed"
    return "fits_no_longer" if kept_out else None


def _after(
    ended: dict[str, ExpireOffer | WithdrawOffer], snapshot: Snapshot, rules: Rules
) -> list[ClinicianNow]:
    """The clinicians as they will be once these offers have ended: with their cool-downs."""
    rung: dict[str, ExpireOffer] = {}
    for offer in snapshot.offers:
        how = ended.get(offer.id)
        if isinstance(how, ExpireOffer):
            rung[offer.clinician_id] = how
    after = []
    for c in snapshot.clinicians:
        own = snapshot.rules_for(c, rules)
        match rung.get(c.id):
            case ExpireOffer(undelivered=True):
                until = max(c.resting_until, snapshot.now + own.cooldown_undelivered)
                after.append(replace(c, resting_until=until))
            case ExpireOffer():
                until = max(c.cooldown_until, snapshot.now + own.cooldown_expired)
                after.append(replace(c, cooldown_until=until, missed=c.missed + 1))
            case _:
                after.append(c)
    return after


def _paused(
    clinicians: list[ClinicianNow], ringing: list[OpenOffer], snapshot: Snapshot, rules: Rules
) -> tuple[list[ClinicianNow], list[PauseMissing | KeepLast]]:
    """Who heard too many rings in a row without answering is paused, but never the last one of a
    provider who could be rung."""
    rings = {offer.clinician_id for offer in ringing}
    people = {c.id: c for c in clinicians}
    actions: list[PauseMissing | KeepLast] = []
    for c in sorted(clinicians, key=lambda c: (-c.missed, c.id)):
        limit = snapshot.rules_for(c, rules).missed_limit
        if not 0 < limit <= c.missed or c.id in rings or not _offerable(c, snapshot.now):
            continue
        others = (o for o in people.values() if o.id != c.id and o.provider_ids & c.provider_ids)
        if any(_offerable(other, snapshot.now) for other in others):
            people[c.id] = replace(c, activity=Activity.PAUSED)
            actions.append(PauseMissing(c.id, c.missed))
        else:
            actions.append(KeepLast(c.id, c.missed))
    return list(people.values()), actions


def _offerable(clinician: ClinicianNow, now: float) -> bool:
    """Whether some session could ring them, sooner or later, as they are."""
    return (
        clinician.tier is not None
        and clinician.presence is PresenceState.CONNECTED
        and clinician.activity is Activity.AVAILABLE
        and not clinician.busy
        and any(licence.valid(now) for licence in clinician.licences)
    )


# --- who rings ------------------------------------------------------------------------------------


def _rings(
    snapshot: Snapshot, ringing: list[OpenOffer], clinicians: list[ClinicianNow], rules: Rules
) -> Steps[tuple[list[WithdrawOffer], list[MakeOffer], dict[str, str]]]:
    """Rings that must move, new ones, and why the silent sessions are silent."""
    own = {s.id: snapshot.rules_of(s.provider_id, rules) for s in snapshot.waiting}
    in_order = sorted(
        snapshot.waiting, key=lambda s: in_line(s, snapshot.now, own[s.id].promote_after)
    )
    line = {session.id: session for session in in_order}
    eligibility = Eligibility(snapshot, clinicians, rules)
    candidates = {}
    for number, session in enumerate(line.values()):
        candidates[session.id] = eligibility.of(session)
        if number % AT_ONCE == 0:
            yield
    sharing = Sharing(list(line), candidates, _kept_first(ringing, clinicians))
    yield
    yield from sharing.choosing()
    first = sharing.chosen
    yield

    holder = {clinician: session for session, clinician in first.items()}
    moved = [
        WithdrawOffer(offer.id, "rung_for_another")
        for offer in ringing
        if holder.get(offer.clinician_id, offer.session_id) != offer.session_id
    ]
    away = {action.offer_id for action in moved}
    taken = {o.clinician_id: o.session_id for o in ringing if o.id not in away}
    pairs = [(s, c) for s, c in first.items() if taken.get(c) != s]
    taken.update({c: s for s, c in pairs})
    counts = dict.fromkeys(line, 0) | Counter(taken.values())
    alone = {session for session in line if own[session].ring is Ring.ONE}
    pairs += sharing.joining(taken, {s: n for s, n in counts.items() if s not in alone})

    reasons = {
        session: "all_ringing" if candidates[session].layers else candidates[session].reason
        for session in line
        if counts[session] == 0
    }
    made = [_offer(line[s], c, candidates[s].misfits[c], snapshot.now, own[s]) for s, c in pairs]
    return moved, made, reasons


def _kept_first(ringing: list[OpenOffer], clinicians: list[ClinicianNow]) -> dict[str, list[str]]:
    """Session -> clinicians whose page is there and rings, the longest heard first."""
    present = {c.id for c in clinicians if c.presence is PresenceState.CONNECTED}
    order = sorted(ringing, key=lambda o: (o.state is OfferState.PENDING, o.sent_at, o.id))
    rings: dict[str, list[str]] = {}
    for offer in order:
        if offer.clinician_id in present:
            rings.setdefault(offer.session_id, []).append(offer.clinician_id)
    return rings


def _offer(
    session: WaitingSession,
    clinician_id: str,
    found: frozenset[Misfit],
    now: float,
    rules: Rules,
) -> MakeOffer:
    return MakeOffer(
        session_id=session.id,
        clinician_id=clinician_id,
        epoch=session.epoch,
        deliver_by=now + rules.deliver_seconds,
        expires_at=now + rules.round_seconds,
        relaxed=steps_needed(found, rules.relaxations),
    )


# --- when to look again: moments at which time alone may change the plan; some may be past --------


def _ring_moments(ringing: list[OpenOffer], made: list[MakeOffer]) -> Iterator[float]:
    for offer in ringing:
        pending = offer.state is OfferState.PENDING
        yield min(offer.deliver_by, offer.expires_at) if pending else offer.expires_at
    for new in made:
        yield min(new.deliver_by, new.expires_at)


def _session_moments(session: WaitingSession, snapshot: Snapshot, rules: Rules) -> Iterator[float]:
    ladder = ladder_for(session.provider_id, snapshot.ladders, rules)
    yield session.pressed_at + ladder.second_tier_after
    own = snapshot.rules_of(session.provider_id, rules)
    yield session.pressed_at + own.promote_after
    for step in own.relaxations:
        yield session.pressed_at + step.after
    yield from session.excluded.values()


def _clinician_moments(clinicians: list[ClinicianNow]) -> Iterator[float]:
    for clinician in clinicians:
        yield clinician.cooldown_until
        yield clinician.resting_until
        for licence in clinician.licences:
            if licence.expires is not None:
                yield licence.expires
