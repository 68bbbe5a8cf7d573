"""The timed steps while nobody answers, and what the officer's screen says meanwhile. Pure.

One clock: the session's age since the press, also when it came back to the line. Time only widens
the search and raises alarms; no step ends a session.
"""

from __future__ import annotations

import math

from oncall.facts import Escalate, Rules, WaitingSession

PAGE = "page"
SECOND_TIER = "second_tier"
NOBODY_YET = "nobody_yet"  # supervisor, and the plan for nobody on the tablet
PARTNER = "partner"  # partner service, or phone


def escalation_step(level: int, rules: Rules) -> tuple[float, str]:
    """The step after `level` steps were taken: at what age, and which.

    Page, second tier and partner come once each; "nobody yet" comes again and again, for ever.
    """
    once = sorted(
        [
            (rules.page_after, PAGE),
            (rules.second_tier_after, SECOND_TIER),
            (rules.partner_after, PARTNER),
        ]
    )
    for passed, (age, step) in enumerate(once):
        place = passed + _repeats_until(age, rules)
        if level == place:
            return age, step
        if level < place:
            return _repeat(level - passed, rules)
    return _repeat(level - len(once), rules)


def _repeats_until(age: float, rules: Rules) -> int:
    """How many "nobody yet" steps come before a step of this age; at the same age they do."""
    if age < rules.nobody_after:
        return 0
    return math.floor((age - rules.nobody_after) / rules.nobody_every) + 1


def _repeat(number: int, rules: Rules) -> tuple[float, str]:
    return rules.nobody_after + number * rules.nobody_every, NOBODY_YET


def next_escalation(session: WaitingSession, rules: Rules) -> tuple[float, str]:
    """The session's next step: when (UTC seconds; past when it is overdue), and which."""
    age, step = escalation_step(session.level, rules)
    return session.pressed_at + age, step


def due_steps(session: WaitingSession, now: float, rules: Rules) -> tuple[list[Escalate], float]:
    """Every step that is due and not taken, in order; and when the one after them is."""
    due: list[Escalate] = []
    level = session.level
    while True:
        age, step = escalation_step(level, rules)
        at = session.pressed_at + age
        if at > now:
            return due, at
        due.append(Escalate(session.id, step, at))
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
