"""Whom a session may ring, in which order of preference, and why not. Pure.

Three kinds of obstacle. A bar (off the roster, no valid licence at all, away, busy, resting) is
never overstepped. A misfit (`oncall.fit`) is overstepped by its own step only, at its time, or
before it, where the step says so, when nobody else is left. A reserve (cool-down, later tier,
wrap-up, excluded for this session) only means "others first", so that no session is silent while
somebody could be rung for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from oncall.escalation import ladder_for
from oncall.facts import Activity, ClinicianNow, Rules, Snapshot, WaitingSession
from oncall.fit import (
    Licence,
    Misfit,
    Offered,
    Relaxation,
    Wanted,
    due,
    early,
    furthest,
    misfits,
)
from oncall.presence import PresenceState

# from far to near: the reason that is nearest to ringing somebody is the one worth telling
NEARNESS = (
    "nobody_on_roster",
    "nobody_licensed",
    "nobody_fits",
    "nobody_present",
    "nobody_available",
    "all_busy",
    "all_resting",
    "all_ringing",
)

# The order of preference. Up to CROWD a whole layer may ring at once; the rest one by one.
# EARLY: who is let through before the time, because nobody else is left.
LAYERS = range(8)
FRESH, COOLING, BEYOND, BEYOND_COOLING, EARLY, EARLY_LATER, WRAPPING_UP, EXCLUDED = LAYERS
CROWD = EARLY_LATER

MOST_URGENT = 0


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Who may be rung for a session by layer, or the reason why nobody may.

    Sessions alike share one of these, so that a thousand of them cost little more than one.
    """

    layers: Mapping[str, int]  # clinician -> layer, best first
    reason: str
    misfits: Mapping[str, frozenset[Misfit]]  # clinician -> what was let through for them
    early_steps: Mapping[str, int]  # of those before the time: how far down the order of the steps

    def crowd(self) -> list[str]:
        """Who rings together: everybody of the best layer that has anybody.

        Before its time, no step is taken while an earlier one leads to somebody.
        """
        best = min(self.layers.values(), default=LAYERS.stop)
        those = [c for c, layer in self.layers.items() if layer == best <= CROWD]
        nearest = min((self.early_steps.get(c, 0) for c in those), default=0)
        return [c for c in those if self.early_steps.get(c, 0) == nearest]


@dataclass(frozen=True, slots=True)
class _Kind:
    """What holds for all clinicians who are alike, as one kind of session sees them."""

    offered: Offered
    found: frozenset[Misfit]
    steps: int  # how far down the order of the steps
    why: str | None  # what bars them


@dataclass(frozen=True, slots=True)
class _Able:
    """A clinician whom nothing bars, as one kind of session sees them."""

    who: ClinicianNow
    found: frozenset[Misfit]
    steps: int  # how far down the order of the steps
    early: bool  # before the time of one of them


def in_line(
    session: WaitingSession, now: float, promote_after: float
) -> tuple[int, bool, int, str]:
    """The order of the line: priority, then who came back to it, then the place in line.

    Who has waited for long goes up one class, so that the urgent do not keep others for ever; only
    one, so that the urgent stay ahead of most.
    """
    return (
        priority_now(session.priority, session.pressed_at, now, promote_after),
        session.requeued_at is None,
        session.seq,
        session.id,
    )


def priority_now(priority: int, pressed_at: float, now: float, promote_after: float) -> int:
    """A session's class, with its age."""
    return max(MOST_URGENT, priority - 1) if now >= pressed_at + promote_after else priority


def off_duty(clinician: ClinicianNow, wanted: Wanted, now: float) -> str | None:
    """Whether the roster, or the want of any valid licence, bars them from any such session."""
    theirs = {wanted.provider_id, *wanted.other_providers}
    return _off_roster(clinician, theirs) or _unlicensed(clinician.licences, now)


def _off_roster(clinician: ClinicianNow, theirs: Set[str]) -> str | None:
    if clinician.tier is None or theirs.isdisjoint(clinician.provider_ids):
        return "nobody_on_roster"
    return None


def _unlicensed(licences: Iterable[Licence], now: float) -> str | None:
    return None if any(one.valid(now) for one in licences) else "nobody_licensed"


def _unable(clinician: ClinicianNow, now: float) -> str | None:
    if clinician.presence is not PresenceState.CONNECTED:
        return "nobody_present"
    if clinician.activity is not Activity.AVAILABLE:
        return "nobody_available"
    if clinician.busy and not clinician.wrapping_up:
        return "all_busy"
    if clinician.resting_until > now:
        return "all_resting"
    return None


class Eligibility:
    """Answers for one snapshot; sessions that ask for the same share the work."""

    def __init__(self, snapshot: Snapshot, clinicians: Iterable[ClinicianNow], rules: Rules):
        self._snapshot = snapshot
        self._now = snapshot.now
        self._rules = rules
        self._clinicians = tuple(clinicians)
        self._able: dict[tuple[Wanted, frozenset[Misfit]], tuple[list[_Able], str]] = {}
        self._alike: dict[tuple[object, ...], Candidates] = {}

    def of(self, session: WaitingSession) -> Candidates:
        """Who may be rung for this session now; the same object for sessions that are alike."""
        wanted = session.wanted
        steps = self._snapshot.rules_of(session.provider_id, self._rules).relaxations
        let = due(steps, self._now - session.pressed_at)
        ladder = ladder_for(session.provider_id, self._snapshot.ladders, self._rules)
        later = self._now >= session.pressed_at + ladder.second_tier_after
        excluded = frozenset(session.excluded.items())
        alike = (wanted, let, later, excluded)
        if alike not in self._alike:
            able, reason = self._able_for(wanted, let)
            self._alike[alike] = self._candidates(session, able, reason, later=later)
        return self._alike[alike]

    def _candidates(
        self, session: WaitingSession, able: list[_Able], reason: str, *, later: bool
    ) -> Candidates:
        reach = _reach(able, later=later)
        layers = {
            one.who.id: self._layer(one, session, beyond=_tier(one) > reach[one.steps])
            for one in able
        }
        by_preference = sorted(
            able, key=lambda one: (layers[one.who.id], *_preference(one, session, self._now))
        )
        return Candidates(
            {one.who.id: layers[one.who.id] for one in by_preference},
            reason,
            {one.who.id: one.found for one in able},
            {one.who.id: one.steps for one in able if one.early},
        )

    def _able_for(self, wanted: Wanted, let: frozenset[Misfit]) -> tuple[list[_Able], str]:
        key = (wanted, let)
        if key not in self._able:
            steps = self._snapshot.rules_of(wanted.provider_id, self._rules).relaxations
            admitted = let | early(steps)
            able, reasons = [], {NEARNESS[0]}
            theirs = {wanted.provider_id, *wanted.other_providers}
            kinds: dict[int, _Kind] = {}  # a thousand clinicians are of few kinds
            for who in self._clinicians:
                offered = who.offered
                kind = kinds.get(id(offered))
                if kind is None:
                    kind = kinds[id(offered)] = self._kind(offered, wanted, admitted, steps)
                why = _off_roster(who, theirs) or kind.why or _unable(who, self._now)
                if why is None:
                    early_one = bool(kind.found - let)
                    able.append(_Able(who, kind.found, kind.steps, early_one))
                else:
                    reasons.add(why)
            self._able[key] = able, max(reasons, key=NEARNESS.index)
        return self._able[key]

    def _kind(
        self,
        offered: Offered,
        wanted: Wanted,
        admitted: frozenset[Misfit],
        steps: tuple[Relaxation, ...],
    ) -> _Kind:
        found = misfits(offered, wanted, self._now)
        why = _unlicensed(offered.licences, self._now) or _unfit(found - admitted)
        return _Kind(offered, found, furthest(found, steps), why)

    def _layer(self, one: _Able, session: WaitingSession, *, beyond: bool) -> int:
        if session.excluded.get(one.who.id, 0.0) > self._now:
            return EXCLUDED
        if one.who.wrapping_up:
            return WRAPPING_UP
        cooling = one.who.cooldown_until > self._now
        if one.early:
            return EARLY_LATER if beyond or cooling else EARLY
        if cooling:
            return BEYOND_COOLING if beyond else COOLING
        return BEYOND if beyond else FRESH


def _tier(one: _Able) -> int:
    return one.who.tier or 0


def _reach(able: list[_Able], *, later: bool) -> dict[int, int]:
    """Up to which tier those ring who are so many steps away; with nobody nearer there is no wait.

    A later tier waits only for those who fit at least as well.
    """
    tiers: dict[int, int] = {}
    for one in able:
        tiers[one.steps] = (max if later else min)(tiers.get(one.steps, _tier(one)), _tier(one))
    reached: dict[int, int] = {}
    for steps in sorted(tiers):
        so_far = [tiers[steps], *reached.values()]
        reached[steps] = (max if later else min)(so_far)
    return reached


def _unfit(kept_out: frozenset[Misfit]) -> str | None:
    if Misfit.LICENCE_STATE in kept_out:
        return "nobody_licensed"
    return "nobody_fits" if kept_out else None


def _preference(
    one: _Able, session: WaitingSession, now: float
) -> tuple[bool, int, int, float, float, str]:
    """Within a layer: out of wrap-up, who fits best, first tier, free soonest, idle longest."""
    who = one.who
    hold = max(who.cooldown_until, session.excluded.get(who.id, 0.0))
    # the id only to be deterministic
    return (who.wrapping_up, one.steps, _tier(one), hold, who.idle_since, who.id)
