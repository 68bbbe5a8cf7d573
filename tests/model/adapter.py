"""The narrow places where the model calls the product's own pure functions.

Whatever decides in the product decides here too: `oncall.policy.plan` whom to ring, what ends and
what is due; `signaling.session.handle` what may follow what. When their arguments change, this file
changes with them, and nothing else of the model.
"""

from __future__ import annotations

from dataclasses import fields
from functools import lru_cache
from typing import Any, NamedTuple

from oncall.escalation import default_ladder
from oncall.fit import Licence
from oncall.policy import (
    Activity,
    ClinicianNow,
    Escalate,
    ExpireOffer,
    MakeOffer,
    OfferState,
    OpenOffer,
    Plan,
    Rules,
    Snapshot,
    WaitingSession,
    WithdrawOffer,
    plan,
)
from oncall.presence import PresenceState
from oncall.steps import step_of
from signaling import session as machine
from signaling.errors import IllegalTransition
from tests.model.store import LED, RINGING, Row, Store

MOMENT = 20.0  # seconds between two moments; the machine's own time-outs are as long
RULES = Rules(
    deliver_seconds=MOMENT,
    round_seconds=2 * MOMENT,
    page_after=MOMENT,
    second_tier_after=2 * MOMENT,
    nobody_after=3 * MOMENT,
    nobody_every=3 * MOMENT,
    partner_after=100 * MOMENT,
    cooldown_declined=MOMENT,
    cooldown_expired=MOMENT,
    cooldown_undelivered=MOMENT,
    excluded_after_decline=2 * MOMENT,
)


class Ring(NamedTuple):
    session_id: str
    clinician_id: str
    epoch: int
    deliver_by: float
    expires_at: float


class Stop(NamedTuple):
    """End an offer: expired, undelivered or withdrawn."""

    offer_id: str
    state: str


class Raise(NamedTuple):
    session_id: str
    step: str
    level: int


Deed = Ring | Stop | Raise


class Known(NamedTuple):
    """What the snapshot says of a clinician beside the rows."""

    id: str
    tier: int | None
    connected: bool


class Decided(NamedTuple):
    deeds: tuple[Deed, ...]
    next_deadline: float | None
    reasons: tuple[tuple[str, str], ...]


def decide(now: float, store: Store, people: tuple[Known, ...]) -> Decided:
    """Read the queue as `signaling.line_reading` does, and let the policy plan."""
    made: Plan = plan(snapshot(now, store, people), RULES)
    deeds: list[Deed] = []
    for action in made.actions:
        match action:
            case MakeOffer():
                deeds.append(
                    Ring(
                        action.session_id,
                        action.clinician_id,
                        action.epoch,
                        action.deliver_by,
                        action.expires_at,
                    )
                )
            case ExpireOffer():
                deeds.append(
                    Stop(action.offer_id, "undelivered" if action.undelivered else "expired")
                )
            case WithdrawOffer():
                deeds.append(Stop(action.offer_id, "withdrawn"))
            case Escalate():
                deeds.append(Raise(action.session_id, action.step, action.level))
            case _:
                pass  # an explanation changes no row; `reasons` has it
    return Decided(tuple(deeds), made.next_deadline, tuple(sorted(made.reasons.items())))


def snapshot(now: float, store: Store, people: tuple[Known, ...]) -> Snapshot:
    led = {
        who.id: {r.state for r in store.sessions if r.lead_id == who.id and r.state != "closed"}
        for who in people
    }
    return Snapshot(
        waiting=tuple(_waiting(r, store, now) for r in store.sessions if r.state == "waiting"),
        offers=tuple(
            OpenOffer(
                id=o.id,
                session_id=o.session_id,
                clinician_id=o.clinician_id,
                epoch=o.epoch,
                state=OfferState(o.state),
                sent_at=o.sent_at,
                deliver_by=o.deliver_by,
                expires_at=o.expires_at,
            )
            for o in store.offers
            if o.state in RINGING
        ),
        clinicians=tuple(
            ClinicianNow(
                id=who.id,
                provider_ids=frozenset({"prv"}),
                tier=who.tier,
                activity=Activity.AVAILABLE,
                presence=PresenceState.CONNECTED if who.connected else PresenceState.LOST,
                busy=bool(led[who.id]),
                wrapping_up=led[who.id] == {"wrap_up"},
                cooldown_until=_after(store, who.id, ("expired",), now),
                resting_until=_after(store, who.id, ("declined", "undelivered"), now),
                licences=(Licence("SD"),),
            )
            for who in people
        ),
        now=now,
    )


def _waiting(row: Row, store: Store, now: float) -> WaitingSession:
    excluded = {
        o.clinician_id: min(o.ended_at, now) + RULES.excluded_after_decline
        for o in store.offers
        if o.session_id == row.id and o.state == "declined" and o.ended_at is not None
    }
    return WaitingSession(
        id=row.id,
        provider_id="prv",
        priority=row.priority,
        seq=row.seq,
        pressed_at=row.pressed_at,
        requeued_at=row.requeued_at,
        epoch=row.epoch,
        level=row.level,
        last_round_at=None,
        licence_state="SD",
        excluded=excluded,
    )


COOLDOWNS = {
    "declined": RULES.cooldown_declined,
    "expired": RULES.cooldown_expired,
    "undelivered": RULES.cooldown_undelivered,
}


def _after(store: Store, who: str, states: tuple[str, ...], now: float) -> float:
    return max(
        (
            min(o.ended_at, now) + COOLDOWNS[o.state]
            for o in store.offers
            if o.clinician_id == who and o.state in states and o.ended_at is not None
        ),
        default=0.0,
    )


def next_step_at(row: Row) -> float:
    """When the session's next escalation step is due."""
    return row.pressed_at + step_of(row.level, default_ladder(RULES))[0]


# --- the session's machine ------------------------------------------------------------------------

COLUMNS = frozenset(Row._fields) - {"id", "tablet_id", "seq", "priority", "pressed_at", "version"}
INPUTS: dict[str, type] = {
    "alerted": machine.Alerted,
    "accepted": machine.Accepted,
    "flowing": machine.MediaFlowing,
    "setup failed": machine.SetupFailed,
    "lost": machine.ClinicianLost,
    "back": machine.ClinicianBack,
    "gone": machine.ClinicianGone,
    "cancelled": machine.Cancelled,
    "ended": machine.Ended,
    "finished": machine.WrapupFinished,
    "escalated": machine.Escalated,
}


@lru_cache(maxsize=100_000)
def feed(row: Row, item: str, argument: Any, now: float) -> tuple[dict[str, Any], int] | None:
    """One input to the machine: the changed columns and the number of events; None: illegal."""
    made = INPUTS[item]
    given = made(argument) if fields(made) else made()
    try:
        step = machine.handle(_machine(row), given, now)
    except IllegalTransition:
        return None
    changes = {k: v for k, v in step.changes.items() if k in COLUMNS}
    if "state" in changes:
        changes["state"] = str(changes["state"])
    return changes, len(step.events)


def _machine(row: Row) -> machine.Session:
    return machine.Session(
        id=row.id,
        state=machine.State(row.state),
        pressed_at=row.pressed_at,
        epoch=row.epoch,
        level=row.level,
        lead_id=row.lead_id,
        deadline_at=row.deadline_at,
        close_reason=row.close_reason,
        requeued_at=row.requeued_at,
    )


__all__ = ["LED", "MOMENT", "RULES", "Decided", "Deed", "Known", "Raise", "Ring", "Stop", "decide"]
