"""The timed steps while nobody answers, and what the officer's screen says meanwhile. Pure.

One clock: the session's age since the press, also when it came back to the line. Time only widens
the search and raises alarms; no step ends a session. The steps are data (`oncall.steps`), a
provider's own or the ones that the settings make.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from oncall.facts import Escalate, Rules, WaitingSession
from oncall.steps import LATEST_SECONDS, Act, Ladder, Step, step_of


def default_ladder(rules: Rules) -> Ladder:
    """The steps of a provider that has set none of its own; times from the design."""
    return _default(
        min(rules.page_after, LATEST_SECONDS),
        min(rules.second_tier_after, LATEST_SECONDS),
        min(rules.nobody_after, LATEST_SECONDS),
        min(max(rules.nobody_every, 1.0), LATEST_SECONDS),
        min(rules.partner_after, LATEST_SECONDS),
    )


@lru_cache(maxsize=64)
def _default(page: float, second: float, nobody: float, every: float, partner: float) -> Ladder:
    return Ladder(
        (
            Step(page, Act.PAGE, tier=1),
            Step(second, Act.SECOND_TIER),
            Step(nobody, Act.NOBODY_YET, every=every),
            Step(nobody, Act.SUPERVISOR),
            Step(partner, Act.PARTNER),
        )
    )


def ladder_for(provider_id: str, ladders: Mapping[str, Ladder], rules: Rules) -> Ladder:
    """A provider's own steps, or the default ones."""
    return ladders.get(provider_id) or default_ladder(rules)


def next_escalation(session: WaitingSession, ladder: Ladder) -> tuple[float, str]:
    """The session's next step: when (UTC seconds; past when it is overdue), and which."""
    age, step = step_of(session.level, ladder)
    return session.pressed_at + age, step.act


def due_steps(session: WaitingSession, now: float, ladder: Ladder) -> tuple[list[Escalate], float]:
    """Every step that is due and not taken, in order; and when the one after them is."""
    due: list[Escalate] = []
    level = session.level
    while True:
        age, step = step_of(level, ladder)
        at = session.pressed_at + age
        if at > now:
            return due, at
        due.append(Escalate(session.id, step.act, at, level))
        level += 1


def tablet_step(age: float) -> str:
    """What the officer's screen says after `age` seconds: a key, ending in an instruction."""
    if age < 20:
        return "waiting.alerting"
    if age < 45:
        return "waiting.still-trying"
    if age < 90:
        return "waiting.more-people"
    return "waiting.call-instead"
