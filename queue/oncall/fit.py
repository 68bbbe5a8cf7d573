"""Whether a clinician fits a session, and in which order the search widens when nobody does. Pure.

What a session asks for beside somebody on call (a speciality, a language, an age group, its own
provider, a licence where the person is) may be overstepped, but only by a step that says so, with
its time. What such a step has let through is told with the ring, and goes on the timeline.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Collection
from dataclasses import dataclass

from oncall.errors import BadRelaxations

LATEST_SECONDS = 86_400.0


class AgeGroup(enum.StrEnum):
    """Whom a clinician may see."""

    ADULT = "adult"
    JUVENILE = "juvenile"


class Misfit(enum.StrEnum):
    """In what a clinician is not what a session asks for."""

    SPECIALITY = "speciality"
    LANGUAGE = "language"
    AGE_GROUP = "age_group"
    PROVIDER = "provider"
    LICENCE_STATE = "licence_state"


@dataclass(frozen=True, slots=True)
class Relaxation:
    """From `after` seconds since the press, this misfit keeps nobody from being rung.

    `at_once`: before its time, too, when nobody else is left. Raises BadRelaxations.
    """

    what: Misfit
    after: float
    at_once: bool = False

    def __post_init__(self) -> None:
        if not math.isfinite(self.after) or not 0 <= self.after <= LATEST_SECONDS:
            raise BadRelaxations("after")


# A clinician who can talk with the person by an interpreter is better than nobody, so the first
# ones do not wait when there is nobody else. Practising where one is not licensed waits, always.
DEFAULT_RELAXATIONS = (
    Relaxation(Misfit.SPECIALITY, 20.0, at_once=True),
    Relaxation(Misfit.LANGUAGE, 25.0, at_once=True),
    Relaxation(Misfit.AGE_GROUP, 30.0, at_once=True),
    Relaxation(Misfit.PROVIDER, 40.0, at_once=True),
    Relaxation(Misfit.LICENCE_STATE, 45.0),
)


def in_order(steps: Collection[Relaxation]) -> tuple[Relaxation, ...]:
    """The steps by their time. Raises BadRelaxations for two of the same kind."""
    if len({step.what for step in steps}) != len(steps):
        raise BadRelaxations("what")
    return tuple(sorted(steps, key=lambda step: step.after))


@dataclass(frozen=True, slots=True)
class Licence:
    """Permission to practise in one state, by its board or by a compact; never valid beyond its
    expiry, whatever is relaxed."""

    state: str
    expires: float | None = None

    def valid(self, now: float) -> bool:
        return self.expires is None or self.expires > now


@dataclass(frozen=True, slots=True)
class Wanted:
    """All that a session asks for; sessions that ask for the same are alike."""

    provider_id: str
    other_providers: tuple[str, ...]  # of the catchment, in their order
    licence_state: str | None  # where the person is; None: unknown, then any valid licence will do
    language: str | None
    age_group: AgeGroup | None
    specialities: frozenset[str]


@dataclass(frozen=True, slots=True)
class Offered:
    """What a clinician is."""

    provider_ids: frozenset[str]
    licences: tuple[Licence, ...]
    languages: frozenset[str]
    age_groups: frozenset[AgeGroup]
    specialities: frozenset[str]


def misfits(offered: Offered, wanted: Wanted, now: float) -> frozenset[Misfit]:
    """In what this clinician is not what the session asks for."""
    found = set()
    if not wanted.specialities <= offered.specialities:
        found.add(Misfit.SPECIALITY)
    if wanted.language is not None and wanted.language not in offered.languages:
        found.add(Misfit.LANGUAGE)
    if wanted.age_group is not None and wanted.age_group not in offered.age_groups:
        found.add(Misfit.AGE_GROUP)
    if wanted.provider_id not in offered.provider_ids:
        found.add(Misfit.PROVIDER)
    states = {licence.state for licence in offered.licences if licence.valid(now)}
    if wanted.licence_state is not None and wanted.licence_state not in states:
        found.add(Misfit.LICENCE_STATE)
    return frozenset(found)


def due(steps: tuple[Relaxation, ...], age: float) -> frozenset[Misfit]:
    """What the session's age lets through."""
    return frozenset(step.what for step in steps if step.after <= age)


def early(steps: tuple[Relaxation, ...]) -> frozenset[Misfit]:
    """What is let through at any age, when nobody else is left."""
    return frozenset(step.what for step in steps if step.at_once)


def steps_needed(found: frozenset[Misfit], steps: tuple[Relaxation, ...]) -> tuple[Relaxation, ...]:
    """The steps that let these misfits through, in order."""
    return tuple(step for step in steps if step.what in found)


def furthest(found: frozenset[Misfit], steps: tuple[Relaxation, ...]) -> int:
    """How far down the order of the steps one must go for these misfits; 0: not at all."""
    return max((n for n, step in enumerate(steps, start=1) if step.what in found), default=0)
