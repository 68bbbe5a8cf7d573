"""Whom an imagined session would ring, and when. Pure: the queue's own plan, asked age by age."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from oncall import policy
from oncall.eligible import off_duty
from oncall.escalation import ladder_for
from oncall.fit import AgeGroup, Licence, due, early, misfits
from oncall.presence import PresenceState
from oncall.steps import Ladder
from records.directory import Person


@dataclass(frozen=True, slots=True)
class Moment:
    """Who rings at an age of the session, in seconds since the press."""

    after: float
    rings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """`why`: of those who do not ring at the press, the reasons, as codes."""

    moments: tuple[Moment, ...]
    why: dict[str, tuple[str, ...]]


def ready(person: Person, tier: int | None) -> policy.ClinicianNow:
    """A clinician as if their console were open and they were free."""
    groups = (
        (AgeGroup.ADULT, person.serves_adult),
        (AgeGroup.JUVENILE, person.serves_juvenile),
    )
    return policy.ClinicianNow(
        id=person.id,
        provider_ids=frozenset({person.provider_id or ""}),
        tier=tier,
        activity=policy.Activity.AVAILABLE,
        presence=PresenceState.CONNECTED,
        busy=False,
        wrapping_up=False,
        cooldown_until=0.0,
        resting_until=0.0,
        licences=tuple(Licence(one.state, one.expires_at) for one in person.licences),
        languages=person.languages,
        age_groups=frozenset(group for group, serves in groups if serves),
        specialities=person.specialities,
    )


def imagined(
    provider_id: str,
    state: str,
    language: str | None,
    age_group: AgeGroup | None,
    specialities: Iterable[str],
) -> policy.WaitingSession:
    """A session that nobody pressed."""
    return policy.WaitingSession(
        id="preview", provider_id=provider_id, priority=0, seq=1, pressed_at=0.0,
        requeued_at=None, epoch=1, level=0, last_round_at=None, licence_state=state,
        language=language, age_group=age_group, specialities=frozenset(specialities),
    )  # fmt: skip


def preview(
    session: policy.WaitingSession,
    clinicians: Sequence[policy.ClinicianNow],
    rules: policy.Rules,
    ladders: Mapping[str, Ladder],
    now: float,
) -> Preview:
    """Whom the session would ring at the press and after each step, if nobody had answered."""
    ages = sorted(
        {
            0.0,
            ladder_for(session.provider_id, ladders, rules).second_tier_after,
            *(step.after for step in rules.relaxations),
        }
    )
    moments = tuple(
        Moment(age, _rings(replace(session, pressed_at=now - age), clinicians, rules, ladders, now))
        for age in ages
    )
    at_press = moments[0].rings
    let = due(rules.relaxations, 0.0)
    why: dict[str, tuple[str, ...]] = {}
    for one in clinicians:
        if one.id not in at_press:
            barred = off_duty(one, session.wanted, now)
            kept = misfits(one.offered, session.wanted, now) - let
            codes = (barred,) if barred else tuple(sorted(str(one) for one in kept))
            # a step that does not wait when nobody else is left would have let them through
            waits = not barred and kept <= early(rules.relaxations)
            why[one.id] = (*codes, "later") if waits else codes
    return Preview(moments, why)


def _rings(
    session: policy.WaitingSession,
    clinicians: Sequence[policy.ClinicianNow],
    rules: policy.Rules,
    ladders: Mapping[str, Ladder],
    now: float,
) -> tuple[str, ...]:
    snapshot = policy.Snapshot(
        waiting=(session,), offers=(), clinicians=tuple(clinicians), now=now,
        ladders=ladders, own_rules={session.provider_id: rules},
    )  # fmt: skip
    return tuple(
        action.clinician_id
        for action in policy.plan(snapshot, rules).actions
        if isinstance(action, policy.MakeOffer)
    )
