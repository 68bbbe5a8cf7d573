"""A small line for the policy's tests: builders, a model store, and oracles of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from oncall.fit import AgeGroup, Licence, Misfit, misfits
from oncall.policy import (
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
    Rules,
    Snapshot,
    WaitingSession,
    WithdrawOffer,
    in_line,
    plan,
)
from oncall.presence import PresenceState

NOW = 1_800_000_000.0
RULES = Rules()


def session(
    name: str = "s1",
    *,
    age: float = 0.0,
    seq: int | None = None,
    priority: int = 1,
    requeued_at: float | None = None,
    epoch: int = 1,
    level: int = 0,
    licence_state: str | None = "SD",
    excluded: Mapping[str, float] | None = None,
    provider: str = "prv",
    others: tuple[str, ...] = (),
    language: str | None = None,
    age_group: AgeGroup | None = None,
    specialities: Iterable[str] = (),
) -> WaitingSession:
    return WaitingSession(
        id=name,
        provider_id=provider,
        priority=priority,
        seq=int(name[1:]) if seq is None else seq,
        pressed_at=NOW - age,
        requeued_at=requeued_at,
        epoch=epoch,
        level=level,
        last_round_at=None,
        licence_state=licence_state,
        excluded=excluded or {},
        other_providers=others,
        language=language,
        age_group=age_group,
        specialities=frozenset(specialities),
    )


def clinician(
    name: str = "dana",
    *,
    tier: int | None = 1,
    activity: Activity = Activity.AVAILABLE,
    presence: PresenceState = PresenceState.CONNECTED,
    busy: bool = False,
    wrapping_up: bool = False,
    cooldown: float = 0.0,
    resting: float = 0.0,
    licences: Iterable[str] = ("SD",),
    licence_expires: float | None = None,
    provider_ids: Iterable[str] = ("prv",),
    languages: Iterable[str] = (),
    age_groups: Iterable[AgeGroup] = AgeGroup,
    specialities: Iterable[str] = (),
    idle_since: float = 0.0,
    missed: int = 0,
) -> ClinicianNow:
    return ClinicianNow(
        id=name,
        provider_ids=frozenset(provider_ids),
        tier=tier,
        activity=activity,
        presence=presence,
        busy=busy or wrapping_up,
        wrapping_up=wrapping_up,
        cooldown_until=NOW + cooldown,
        resting_until=NOW + resting,
        licences=tuple(Licence(state, licence_expires) for state in licences),
        languages=frozenset(languages),
        age_groups=frozenset(age_groups),
        specialities=frozenset(specialities),
        idle_since=idle_since,
        missed=missed,
    )


def ring(
    session_id: str = "s1",
    clinician_id: str = "dana",
    *,
    age: float = 5.0,
    epoch: int = 1,
    delivered: bool = True,
    relaxed: Iterable[Misfit] = (),
) -> OpenOffer:
    sent = NOW - age
    return OpenOffer(
        id=f"{session_id}>{clinician_id}",
        session_id=session_id,
        clinician_id=clinician_id,
        epoch=epoch,
        state=OfferState.DELIVERED if delivered else OfferState.PENDING,
        sent_at=sent,
        deliver_by=sent + RULES.deliver_seconds,
        expires_at=sent + RULES.round_seconds,
        relaxed=frozenset(relaxed),
    )


def line(
    waiting: Sequence[WaitingSession],
    clinicians: Sequence[ClinicianNow],
    offers: Sequence[OpenOffer] = (),
    now: float = NOW,
    own_rules: Mapping[str, Rules] | None = None,
) -> Snapshot:
    return Snapshot(
        tuple(waiting), tuple(offers), tuple(clinicians), now, own_rules=own_rules or {}
    )


def order(snapshot: Snapshot, waits: WaitingSession) -> tuple[int, bool, int, str]:
    """A session's place, by its provider's rules."""
    own = snapshot.rules_of(waits.provider_id, RULES)
    return in_line(waits, snapshot.now, own.promote_after)


def rung(decided: Plan) -> dict[str, set[str]]:
    """Session -> who is rung for it anew."""
    made: dict[str, set[str]] = {}
    for action in decided.actions:
        if isinstance(action, MakeOffer):
            made.setdefault(action.session_id, set()).add(action.clinician_id)
    return made


def ended(decided: Plan) -> dict[str, str]:
    """Offer -> how it ended."""
    how: dict[str, str] = {}
    for action in decided.actions:
        if isinstance(action, ExpireOffer):
            how[action.offer_id] = "undelivered" if action.undelivered else "expired"
        elif isinstance(action, WithdrawOffer):
            how[action.offer_id] = action.reason
    return how


def explained(decided: Plan) -> dict[str, str]:
    return {a.session_id: a.reason for a in decided.actions if isinstance(a, Explain)}


# --- a model store --------------------------------------------------------------------------------

_numbers = count(1)


@dataclass
class Store:
    """What a real store makes of a plan, action by action; it refuses what its indexes refuse."""

    snapshot: Snapshot

    def carry_out(self, decided: Plan) -> None:
        for action in decided.actions:
            match action:
                case MakeOffer():
                    self._offer(action)
                case ExpireOffer(offer_id, undelivered):
                    self._cool(self._end(offer_id), undelivered=undelivered)
                case WithdrawOffer(offer_id):
                    self._end(offer_id)
                case Escalate(session_id):
                    self._raise(session_id)
                case PauseMissing(clinician_id):
                    self.change(clinician_id, activity=Activity.PAUSED)
                case Explain() | KeepLast():
                    pass

    def settle(self) -> Plan:
        """Plan, carry out, and see that there is nothing left to do: returns the second plan."""
        first = plan(self.snapshot, RULES)
        self.carry_out(first)
        second = plan(self.snapshot, RULES)
        told = (Explain, KeepLast)  # what changes nothing is said as long as it is so
        assert [a for a in second.actions if not isinstance(a, told)] == [], "not idempotent"
        assert second.reasons == first.reasons
        assert explained(second) == dict(second.reasons)
        return second

    def _offer(self, action: MakeOffer) -> None:
        ringing = {o.clinician_id for o in self.snapshot.offers}
        assert action.clinician_id not in ringing, "rung twice at once"
        [waits] = [s for s in self.snapshot.waiting if s.id == action.session_id]
        assert action.epoch == waits.epoch
        [asked] = [c for c in self.snapshot.clinicians if c.id == action.clinician_id]
        assert may_ring(asked, waits, self.snapshot), f"{asked} rung for {waits}"
        found = misfits(asked.offered, waits.wanted, self.snapshot.now)
        assert {step.what for step in action.relaxed} == found, "let through without a word"
        assert self.snapshot.now < action.deliver_by <= action.expires_at
        new = OpenOffer(
            id=f"off{next(_numbers)}",
            session_id=action.session_id,
            clinician_id=action.clinician_id,
            epoch=action.epoch,
            state=OfferState.PENDING,
            sent_at=self.snapshot.now,
            deliver_by=action.deliver_by,
            expires_at=action.expires_at,
            relaxed=frozenset(step.what for step in action.relaxed),
        )
        self.snapshot = replace(self.snapshot, offers=(*self.snapshot.offers, new))

    def _end(self, offer_id: str) -> str:
        [gone] = [o for o in self.snapshot.offers if o.id == offer_id]
        left = tuple(o for o in self.snapshot.offers if o.id != offer_id)
        self.snapshot = replace(self.snapshot, offers=left)
        return gone.clinician_id

    def _cool(self, clinician_id: str, *, undelivered: bool) -> None:
        now = self.snapshot.now
        if undelivered:
            self.change(clinician_id, resting_until=now + RULES.cooldown_undelivered)
        else:
            [who] = [c for c in self.snapshot.clinicians if c.id == clinician_id]
            until = now + RULES.cooldown_expired
            self.change(clinician_id, cooldown_until=until, missed=who.missed + 1)

    def _raise(self, session_id: str) -> None:
        self.snapshot = replace(
            self.snapshot,
            waiting=tuple(
                replace(s, level=s.level + 1) if s.id == session_id else s
                for s in self.snapshot.waiting
            ),
        )

    def change(self, clinician_id: str, **values: object) -> None:
        self.snapshot = replace(
            self.snapshot,
            clinicians=tuple(
                replace(c, **values) if c.id == clinician_id else c  # type: ignore[arg-type]
                for c in self.snapshot.clinicians
            ),
        )


# --- oracles: the same rules, written down another way --------------------------------------------


def may_ring(who: ClinicianNow, waits: WaitingSession, snapshot: Snapshot) -> bool:
    """Design, invariant 6, and the cool-down that is never overstepped."""
    now = snapshot.now
    served = {waits.provider_id, *waits.other_providers}
    return all(
        (
            who.tier is not None,
            served & who.provider_ids,
            [one for one in who.licences if one.expires is None or one.expires > now],
            unlet(who, waits, snapshot) == set(),
            who.presence == "connected",
            who.activity == "available",
            not who.busy or who.wrapping_up,
            who.resting_until <= now,
        )
    )


def unlet(who: ClinicianNow, waits: WaitingSession, snapshot: Snapshot) -> set[str]:
    """What no step lets through, neither by its time nor because nobody else is left."""
    now = snapshot.now
    valid = {one.state for one in who.licences if one.expires is None or one.expires > now}
    asked = {
        "speciality": waits.specialities - who.specialities,
        "language": {waits.language} - {None} - who.languages,
        "age_group": {waits.age_group} - {None} - who.age_groups,
        "provider": {waits.provider_id} - who.provider_ids,
        "licence_state": {waits.licence_state} - {None} - valid,
    }
    open_steps = {
        step.what
        for step in snapshot.rules_of(waits.provider_id, RULES).relaxations
        if step.at_once or now >= waits.pressed_at + step.after
    }
    return {what for what, missing in asked.items() if missing} - {str(one) for one in open_steps}


def servable(snapshot: Snapshot) -> list[str]:
    """By trying all distributions: the sessions that can have a clinician each, first in line
    first. Only for a handful of each."""
    chosen: list[WaitingSession] = []
    for waits in sorted(snapshot.waiting, key=lambda s: order(snapshot, s)):
        if _possible([*chosen, waits], snapshot, frozenset()):
            chosen.append(waits)
    return [s.id for s in chosen]


def _possible(sessions: list[WaitingSession], snapshot: Snapshot, taken: frozenset[str]) -> bool:
    if not sessions:
        return True
    first, *rest = sessions
    own = {o.clinician_id for o in snapshot.offers if o.session_id == first.id}
    return any(
        _possible(rest, snapshot, taken | {c.id})
        for c in snapshot.clinicians
        if c.id not in taken
        and c.presence == "connected"
        and (c.id in own or may_ring(c, first, snapshot))
    )


def assert_invariants(snapshot: Snapshot, decided: Plan) -> None:
    """Of a settled line: design's invariants 3 to 6, as far as the policy answers for them."""
    ringing = [o.clinician_id for o in snapshot.offers]
    assert len(ringing) == len(set(ringing))
    served = {o.session_id for o in snapshot.offers}
    silent = [s for s in snapshot.waiting if s.id not in served]
    assert set(decided.reasons) == {s.id for s in silent}
    assert served >= set(servable(snapshot)), "a session is silent that could ring"
    for waits in silent:
        idle = [c for c in snapshot.clinicians if c.id not in ringing]
        assert not [c.id for c in idle if may_ring(c, waits, snapshot)]
        assert_order(snapshot, waits)
    if snapshot.waiting:
        assert decided.next_deadline is not None
        assert decided.next_deadline > snapshot.now


def assert_order(snapshot: Snapshot, silent: WaitingSession) -> None:
    """Nobody rings for a session further back whom this silent one may ring."""
    waiting = {s.id: s for s in snapshot.waiting}
    people = {c.id: c for c in snapshot.clinicians}
    for offer in snapshot.offers:
        if order(snapshot, waiting[offer.session_id]) > order(snapshot, silent):
            assert not may_ring(people[offer.clinician_id], silent, snapshot)
