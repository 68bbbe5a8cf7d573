"""Whom a session may ring, in which order of preference, and why not. Pure.

Two kinds of obstacle: a bar (off the roster, unlicensed, away, busy, resting) is never overstepped
here; a reserve (cool-down, later tier, wrap-up, excluded for this session) only means "others
first", so that no session is silent while somebody could be rung for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from oncall.escalation import ladder_for
from oncall.facts import Activity, ClinicianNow, Rules, Snapshot, WaitingSession
from oncall.presence import PresenceState

# from far to near: the reason that is nearest to ringing somebody is the one worth telling
NEARNESS = (
    "nobody_on_roster",
    "nobody_licensed",
    "nobody_present",
    "nobody_available",
    "all_busy",
    "all_resting",
    "all_ringing",
)

# The order of preference. Up to CROWD a whole layer may ring at once; the rest one by one.
FRESH, COOLING, BEYOND, BEYOND_COOLING, WRAPPING_UP, EXCLUDED = LAYERS = range(6)
CROWD = BEYOND_COOLING


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Who may be rung for a session by layer, or the reason why nobody may.

    Sessions alike share one of these, so that a thousand of them cost little more than one.
    """

    layers: Mapping[str, int]  # clinician -> layer, best first
    reason: str

    def crowd(self) -> list[str]:
        """Who rings together: everybody of the best layer that has anybody."""
        best = min(self.layers.values(), default=LAYERS.stop)
        return [c for c, layer in self.layers.items() if layer == best <= CROWD]


def in_line(session: WaitingSession) -> tuple[int, bool, int, str]:
    """The order of the line: priority, then who came back to it, then the place in line."""
    return (session.priority, session.requeued_at is None, session.seq, session.id)


def barred(
    clinician: ClinicianNow, provider_id: str, licence_state: str | None, now: float
) -> str | None:
    """Why this clinician must not be rung for such a session; None when nothing bars it.

    `licence_state` is where the person is (None: unknown, then any valid licence will do).
    """
    if provider_id not in clinician.provider_ids or clinician.tier is None:
        return "nobody_on_roster"
    if clinician.licence_expires is not None and clinician.licence_expires <= now:
        return "nobody_licensed"
    if licence_state is not None and licence_state not in clinician.licence_states:
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


class Eligibility:
    """Answers for one snapshot; sessions alike in provider and state share the work."""

    def __init__(self, snapshot: Snapshot, clinicians: Iterable[ClinicianNow], rules: Rules):
        self._now = snapshot.now
        self._rules = rules
        self._ladders = snapshot.ladders
        self._clinicians = tuple(clinicians)
        self._able: dict[tuple[str, str | None], tuple[list[ClinicianNow], str]] = {}
        self._alike: dict[tuple[object, ...], Candidates] = {}

    def of(self, session: WaitingSession) -> Candidates:
        """Who may be rung for this session now; the same object for sessions that are alike."""
        able, reason = self._able_for(session.provider_id, session.licence_state)
        reach = self._reach(session, able)
        excluded = frozenset(session.excluded.items())
        alike = (session.provider_id, session.licence_state, reach, excluded)
        if alike not in self._alike:
            self._alike[alike] = self._candidates(session, able, reach, reason)
        return self._alike[alike]

    def _candidates(
        self, session: WaitingSession, able: list[ClinicianNow], reach: int, reason: str
    ) -> Candidates:
        layers = {c.id: self._layer(c, session, reach) for c in able}
        by_preference = sorted(able, key=lambda c: (layers[c.id], *_preference(c, session)))
        return Candidates({c.id: layers[c.id] for c in by_preference}, reason)

    def _able_for(self, provider_id: str, state: str | None) -> tuple[list[ClinicianNow], str]:
        key = (provider_id, state)
        if key not in self._able:
            able, reason = [], NEARNESS[0]
            for clinician in self._clinicians:
                why = barred(clinician, provider_id, state, self._now)
                if why is None:
                    able.append(clinician)
                else:
                    reason = max(reason, why, key=NEARNESS.index)
            self._able[key] = able, reason
        return self._able[key]

    def _reach(self, session: WaitingSession, able: list[ClinicianNow]) -> int:
        """Up to which tier this session rings; with nobody in the first there is no wait."""
        tiers = [c.tier for c in able if c.tier is not None]
        ladder = ladder_for(session.provider_id, self._ladders, self._rules)
        later = self._now >= session.pressed_at + ladder.second_tier_after
        return (max if later else min)(tiers, default=0)

    def _layer(self, clinician: ClinicianNow, session: WaitingSession, reach: int) -> int:
        if session.excluded.get(clinician.id, 0.0) > self._now:
            return EXCLUDED
        if clinician.wrapping_up:
            return WRAPPING_UP
        beyond = (clinician.tier or 0) > reach
        cooling = clinician.cooldown_until > self._now
        if cooling:
            return BEYOND_COOLING if beyond else COOLING
        return BEYOND if beyond else FRESH


def _preference(clinician: ClinicianNow, session: WaitingSession) -> tuple[bool, int, float, str]:
    """Within a layer: out of wrap-up, first tier, free soonest; the id only to be deterministic."""
    hold = max(clinician.cooldown_until, session.excluded.get(clinician.id, 0.0))
    return (clinician.wrapping_up, clinician.tier or 0, hold, clinician.id)
