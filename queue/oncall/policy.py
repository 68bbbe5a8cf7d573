"""Whom to ring for what, and what else is due: the queue's decisions. Pure.

Rules of this file:
1. A snapshot comes in, a plan comes out. Nothing is remembered, no clock is read.
2. Order: priority, then sessions that came back to the line, then the place in line. A session that
   nobody may serve never blocks those behind it.
3. A clinician is rung for at most one session. Every session in order gets one clinician before any
   session gets a second one; the rest of its tier rings too when there is nobody else to ring for.
4. A waiting session is never ended by a timer: time only widens the search and raises alarms.
5. Carrying out a plan and planning again at the same moment gives nothing more to do.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from oncall.presence import PresenceState


class Activity(enum.StrEnum):
    AVAILABLE = "available"
    PAUSED = "paused"
    OFFLINE = "offline"


class OfferState(enum.StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True)
class Rules:
    """All times in seconds; defaults from the design."""

    round_seconds: float = 20.0
    deliver_seconds: float = 2.0
    second_tier_after: float = 30.0
    page_after: float = 15.0
    nobody_after: float = 60.0
    nobody_every: float = 60.0
    partner_after: float = 120.0
    cooldown_declined: float = 30.0
    cooldown_expired: float = 15.0
    cooldown_undelivered: float = 5.0
    excluded_after_decline: float = 120.0


@dataclass(frozen=True, slots=True)
class WaitingSession:
    id: str
    provider_id: str
    priority: int  # lower is more urgent
    seq: int  # place in line
    pressed_at: float  # the one escalation clock
    requeued_at: float | None
    epoch: int
    level: int  # escalation steps already taken
    last_round_at: float | None
    licence_state: str | None  # where the person is
    excluded: Mapping[str, float] = field(default_factory=dict)  # clinician -> until


@dataclass(frozen=True, slots=True)
class OpenOffer:
    id: str
    session_id: str
    clinician_id: str
    epoch: int
    state: OfferState
    sent_at: float
    deliver_by: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class ClinicianNow:
    id: str
    provider_ids: frozenset[str]
    tier: int | None  # None: off the roster
    activity: Activity
    presence: PresenceState
    busy: bool  # leads a session, or owes a wrap-up
    wrapping_up: bool  # owes a wrap-up and nothing else
    cooldown_until: float  # others first until then; ignored when nobody else is left
    resting_until: float  # not rung at all until then: just declined, or their page did not answer
    licence_states: frozenset[str]
    licence_expires: float | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    waiting: tuple[WaitingSession, ...]
    offers: tuple[OpenOffer, ...]
    clinicians: tuple[ClinicianNow, ...]
    now: float


@dataclass(frozen=True, slots=True)
class MakeOffer:
    session_id: str
    clinician_id: str
    epoch: int
    deliver_by: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class ExpireOffer:
    offer_id: str
    undelivered: bool


@dataclass(frozen=True, slots=True)
class WithdrawOffer:
    offer_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Escalate:
    session_id: str
    step: str
    at: float


@dataclass(frozen=True, slots=True)
class Explain:
    """Nobody can be rung for this session, and why."""

    session_id: str
    reason: str


Action = MakeOffer | ExpireOffer | WithdrawOffer | Escalate | Explain


@dataclass(frozen=True, slots=True)
class Plan:
    actions: tuple[Action, ...]
    next_deadline: float | None


# --- the plan -------------------------------------------------------------------------------------


def plan(snapshot: Snapshot, rules: Rules) -> Plan:
    """Everything that is due at `snapshot.now`, and when to look again at the latest."""
    ended = _ended_offers(snapshot)
    gone = {action.offer_id for action in ended}
    ringing = [offer for offer in snapshot.offers if offer.id not in gone]
    escalations, clock = _escalations(snapshot, rules)
    offers, reasons = _new_offers(snapshot, ringing, rules)
    actions: list[Action] = [*ended, *escalations, *offers]
    actions += [Explain(session_id, reason) for session_id, reason in reasons.items()]
    return Plan(tuple(actions), _next_deadline(snapshot, ringing, offers, clock, rules))


def _ended_offers(snapshot: Snapshot) -> list[ExpireOffer | WithdrawOffer]:
    now = snapshot.now
    waiting = {session.id: session for session in snapshot.waiting}
    clinicians = {clinician.id: clinician for clinician in snapshot.clinicians}
    ended: list[ExpireOffer | WithdrawOffer] = []
    for offer in snapshot.offers:
        session = waiting.get(offer.session_id)
        clinician = clinicians.get(offer.clinician_id)
        if session is None or session.epoch != offer.epoch:
            ended.append(WithdrawOffer(offer.id, "session_moved_on"))
        elif clinician is None or clinician.tier is None:
            ended.append(WithdrawOffer(offer.id, "off_roster"))
        elif clinician.activity is not Activity.AVAILABLE:
            ended.append(WithdrawOffer(offer.id, "not_available"))
        elif clinician.presence is PresenceState.LOST:
            ended.append(WithdrawOffer(offer.id, "console_lost"))
        elif now >= offer.expires_at:
            ended.append(ExpireOffer(offer.id, undelivered=offer.state is OfferState.PENDING))
        elif offer.state is OfferState.PENDING and now >= offer.deliver_by:
            ended.append(ExpireOffer(offer.id, undelivered=True))
    return ended


# --- escalation -----------------------------------------------------------------------------------


def escalation_steps(rules: Rules) -> list[tuple[float, str]]:
    """The timed steps, by age; after the last, the "nobody yet" step repeats for ever."""
    return sorted(
        [
            (rules.page_after, "page"),
            (rules.second_tier_after, "second_tier"),
            (rules.nobody_after, "nobody_yet"),
            (rules.partner_after, "partner"),
        ]
    )


def escalation_step(level: int, rules: Rules) -> tuple[float, str]:
    """The step after `level` steps were taken: at what age, and which."""
    steps = escalation_steps(rules)
    if level < len(steps):
        return steps[level]
    last_age, _ = steps[-1]
    return last_age + (level - len(steps) + 1) * rules.nobody_every, "nobody_yet"


def _escalations(snapshot: Snapshot, rules: Rules) -> tuple[list[Escalate], list[float]]:
    due: list[Escalate] = []
    clock: list[float] = []
    for session in snapshot.waiting:
        level = session.level
        age, step = escalation_step(level, rules)
        while session.pressed_at + age <= snapshot.now:
            due.append(Escalate(session.id, step, session.pressed_at + age))
            level += 1
            age, step = escalation_step(level, rules)
        clock.append(session.pressed_at + age)
    return due, clock


def tablet_step(age: float) -> str:
    """What the officer's screen says after `age` seconds: a key, ending in an instruction."""
    if age < 20:
        return "waiting.alerting"
    if age < 45:
        return "waiting.still-trying"
    if age < 90:
        return "waiting.more-people"
    return "waiting.call-instead"


# --- offers ---------------------------------------------------------------------------------------


def in_line(session: WaitingSession) -> tuple[int, bool, int, str]:
    """The order of the line."""
    return (session.priority, session.requeued_at is None, session.seq, session.id)


def _why_not(clinician: ClinicianNow, session: WaitingSession, now: float) -> str | None:
    """Why this clinician may not serve this session at all; None when they may."""
    if session.provider_id not in clinician.provider_ids or clinician.tier is None:
        return "nobody_on_roster"
    if clinician.licence_expires is not None and clinician.licence_expires <= now:
        return "nobody_licensed"
    if session.licence_state is not None and session.licence_state not in clinician.licence_states:
        return "nobody_licensed"
    if clinician.presence is not PresenceState.CONNECTED:
        return "nobody_present"
    if clinician.activity is not Activity.AVAILABLE:
        return "nobody_available"
    if clinician.busy and not clinician.wrapping_up:
        return "all_busy"
    if clinician.resting_until > now:
        return "all_resting"
    return None


# the reason that is nearest to ringing somebody is the one worth telling
_NEARNESS = (
    "nobody_on_roster",
    "nobody_licensed",
    "nobody_present",
    "nobody_available",
    "all_busy",
    "all_resting",
    "all_ringing",
)


def _candidates(
    session: WaitingSession, snapshot: Snapshot, rules: Rules
) -> tuple[list[ClinicianNow], str]:
    """Who may be rung for this session now, best first; or the reason why nobody may."""
    now = snapshot.now
    able: list[ClinicianNow] = []
    reason = "nobody_on_roster"
    for clinician in snapshot.clinicians:
        why = _why_not(clinician, session, now)
        if why is None:
            able.append(clinician)
        elif _NEARNESS.index(why) > _NEARNESS.index(reason):
            reason = why
    tiers = sorted({c.tier for c in able if c.tier is not None})
    if not tiers:
        return [], reason
    age = now - session.pressed_at
    # with nobody able in the first tier there is nothing to wait for
    reach = tiers[-1] if age >= rules.second_tier_after else tiers[0]
    near = [c for c in able if c.tier is not None and c.tier <= reach]
    return _spare_if_possible(near, able, session, now), reason


def _spare_if_possible(
    near: list[ClinicianNow], able: list[ClinicianNow], session: WaitingSession, now: float
) -> list[ClinicianNow]:
    """Leave out who is in wrap-up, excluded or cooling down, unless nobody else is left at all.

    A session is never silent while somebody could be rung for it.
    """

    def rested(c: ClinicianNow) -> bool:
        return c.cooldown_until <= now and session.excluded.get(c.id, 0.0) <= now

    for pool in (near, able):
        for good in (
            [c for c in pool if not c.wrapping_up and rested(c)],
            [c for c in pool if rested(c)],
        ):
            if good:
                return sorted(good, key=_preference)
    return sorted(able, key=lambda c: (_hold(c, session), *_preference(c)))


def _hold(clinician: ClinicianNow, session: WaitingSession) -> float:
    return max(clinician.cooldown_until, session.excluded.get(clinician.id, 0.0))


def _preference(clinician: ClinicianNow) -> tuple[bool, int, float, str]:
    return (
        clinician.wrapping_up,
        clinician.tier or 0,
        clinician.cooldown_until,
        clinician.id,
    )


def _new_offers(
    snapshot: Snapshot, ringing: list[OpenOffer], rules: Rules
) -> tuple[list[MakeOffer], dict[str, str]]:
    line = sorted(snapshot.waiting, key=in_line)
    taken = {offer.clinician_id for offer in ringing}
    served = {offer.session_id for offer in ringing}
    candidates: dict[str, list[ClinicianNow]] = {}
    reasons: dict[str, str] = {}
    for session in line:
        candidates[session.id], reason = _candidates(session, snapshot, rules)
        if not candidates[session.id] and session.id not in served:
            reasons[session.id] = reason
    made: list[MakeOffer] = []

    def ring(session: WaitingSession, clinician: ClinicianNow) -> None:
        taken.add(clinician.id)
        served.add(session.id)
        now = snapshot.now
        made.append(
            MakeOffer(
                session_id=session.id,
                clinician_id=clinician.id,
                epoch=session.epoch,
                deliver_by=now + rules.deliver_seconds,
                expires_at=now + rules.round_seconds,
            )
        )

    for session in line:  # one for each, in order
        free = [c for c in candidates[session.id] if c.id not in taken]
        if session.id not in served:
            if free:
                ring(session, free[0])
            elif candidates[session.id]:
                reasons[session.id] = "all_ringing"
    for session in line:  # then the rest of each tier
        if session.id in served:
            for clinician in candidates[session.id]:
                if clinician.id not in taken and _joins(clinician, session, snapshot.now):
                    ring(session, clinician)
    return made, reasons


def _joins(clinician: ClinicianNow, session: WaitingSession, now: float) -> bool:
    """A second clinician for a session: only one who is free, rested and welcome."""
    return not clinician.wrapping_up and _hold(clinician, session) <= now


def _next_deadline(
    snapshot: Snapshot,
    ringing: list[OpenOffer],
    offers: list[MakeOffer],
    clock: list[float],
    rules: Rules,
) -> float | None:
    now = snapshot.now
    moments = list(clock)
    for offer in ringing:
        pending = offer.state is OfferState.PENDING
        moments.append(min(offer.deliver_by, offer.expires_at) if pending else offer.expires_at)
    moments += [offer.deliver_by for offer in offers]
    for session in snapshot.waiting:
        moments.append(session.pressed_at + rules.second_tier_after)
        moments += list(session.excluded.values())
    if snapshot.waiting:
        for clinician in snapshot.clinicians:
            moments += [clinician.cooldown_until, clinician.resting_until]
    return min((moment for moment in moments if moment > now), default=None)
