"""The escalation steps of a provider as data: what happens at which age of a waiting session. Pure.

One clock, the age since the press. Time only widens the search and raises alarms; no step ends a
session, and the last word ("nobody yet") is repeated for ever, so that nobody waits in silence.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from oncall.errors import BadSteps

Until = Literal["acknowledged", "answered"]

MOST_STEPS = 20
LATEST_SECONDS = 86_400.0
SHORTEST_REPEAT = 30.0  # nobody is paged more often, whatever the steps say
SHORTEST_WORD = 1.0  # of "nobody yet", which pages nobody
REPEAT_SECONDS = 60.0


class Act(enum.StrEnum):
    """What a step does."""

    PAGE = "page"  # whoever is on call in one tier
    SECOND_TIER = "second_tier"  # the later tiers are rung, and paged
    SUPERVISOR = "supervisor"  # the provider's supervisors are paged
    NOBODY_YET = "nobody_yet"  # the plan for nobody, on the tablet and the consoles
    PARTNER = "partner"  # partner service, or phone


PAGES = frozenset({Act.PAGE, Act.SECOND_TIER, Act.SUPERVISOR})
ONCE = frozenset({Act.SECOND_TIER, Act.SUPERVISOR, Act.NOBODY_YET, Act.PARTNER})
_ORDER = tuple(Act)


@dataclass(frozen=True, slots=True)
class Step:
    """At `after` seconds, `act`; a page is repeated every so many seconds. Raises BadSteps.

    `until` says what ends the repeats to one person: their own acknowledgement, or only that
    somebody has answered the call.
    """

    after: float
    act: Act
    tier: int | None = None  # of a page
    every: float | None = None  # repeats of pages and of "nobody yet"
    until: Until = "acknowledged"

    def __post_init__(self) -> None:
        if not math.isfinite(self.after) or not 0 <= self.after <= LATEST_SECONDS:
            raise BadSteps("after")
        if (self.act is Act.PAGE) != (self.tier is not None):
            raise BadSteps("tier")
        if self.tier is not None and not 1 <= self.tier <= 9:
            raise BadSteps("tier")
        if self.every is not None:
            shortest = SHORTEST_WORD if self.act is Act.NOBODY_YET else SHORTEST_REPEAT
            fits = math.isfinite(self.every) and shortest <= self.every <= LATEST_SECONDS
            if not fits or self.act is Act.PARTNER:
                raise BadSteps("every")
        if self.until not in ("acknowledged", "answered"):
            raise BadSteps("until")

    @property
    def repeat(self) -> float:
        """Seconds between its repeats."""
        return self.every if self.every is not None else REPEAT_SECONDS


@dataclass(frozen=True, slots=True)
class Ladder:
    """All steps of a provider, by their time. Raises BadSteps.

    There is exactly one "nobody yet"; it repeats, so that there is always a next step.
    """

    steps: tuple[Step, ...]
    second_tier_after: float = field(init=False)  # infinite: later tiers never join by time

    def __post_init__(self) -> None:
        if not 1 <= len(self.steps) <= MOST_STEPS:
            raise BadSteps("number of steps")
        acts = [step.act for step in self.steps]
        if any(acts.count(act) > 1 for act in ONCE) or Act.NOBODY_YET not in acts:
            raise BadSteps("act")
        tiers = [step.tier for step in self.steps if step.act is Act.PAGE]
        if len(set(tiers)) != len(tiers):
            raise BadSteps("tier")
        ordered = sorted(self.steps, key=lambda s: (s.after, _ORDER.index(s.act), s.tier or 0))
        object.__setattr__(self, "steps", tuple(ordered))
        joins = next((s.after for s in ordered if s.act is Act.SECOND_TIER), math.inf)
        object.__setattr__(self, "second_tier_after", joins)

    def due(self, age: float) -> list[Step]:
        """The steps that page somebody and whose time has come, first ones first."""
        return [step for step in self.steps if step.act in PAGES and step.after <= age]


@lru_cache(maxsize=1024)
def _parts(ladder: Ladder) -> tuple[tuple[Step, ...], Step]:
    once = tuple(step for step in ladder.steps if step.act is not Act.NOBODY_YET)
    return once, next(step for step in ladder.steps if step.act is Act.NOBODY_YET)


def step_of(level: int, ladder: Ladder) -> tuple[float, Step]:
    """The step after `level` steps were taken: at what age, and which.

    Each step comes once; "nobody yet" comes again and again, for ever, and at the same age first.
    """
    once, nobody = _parts(ladder)
    for passed, step in enumerate(once):
        place = passed + _repeats_until(step.after, nobody)
        if level == place:
            return step.after, step
        if level < place:
            return _repeat(level - passed, nobody), nobody
    return _repeat(level - len(once), nobody), nobody


def used_up(ladder: Ladder) -> int:
    """After so many steps each one was taken; what comes then is only "nobody yet" again."""
    once, nobody = _parts(ladder)
    places = [place + _repeats_until(step.after, nobody) for place, step in enumerate(once)]
    first_word = sum(step.after < nobody.after for step in once)
    return max([first_word, *places]) + 1


def _repeats_until(age: float, nobody: Step) -> int:
    """How many "nobody yet" come before a step of this age."""
    if age < nobody.after:
        return 0
    return math.floor((age - nobody.after) / nobody.repeat) + 1


def _repeat(number: int, nobody: Step) -> float:
    return nobody.after + number * nobody.repeat
