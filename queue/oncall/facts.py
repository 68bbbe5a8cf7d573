"""What the policy is told and what it answers: plain values, no behaviour beyond their checks.

Ids are text; times are UTC seconds. An action is a proposal: who carries it out checks again, in
the same transaction, what it stood on.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from oncall.errors import BadRules
from oncall.fit import (
    DEFAULT_RELAXATIONS,
    AgeGroup,
    Licence,
    Misfit,
    Offered,
    Relaxation,
    Wanted,
    in_order,
)
from oncall.presence import PresenceState
from oncall.steps import Ladder


class Activity(enum.StrEnum):
    """What the clinician chose."""

    AVAILABLE = "available"
    PAUSED = "paused"
    OFFLINE = "offline"


class OfferState(enum.StrEnum):
    """The states in which an offer rings."""

    PENDING = "pending"
    DELIVERED = "delivered"


class Ring(enum.StrEnum):
    """How a provider's clinicians are rung."""

    ALL = "all"  # everybody of the tier at once
    ONE = "one"  # one after another, who has been idle longest first


_POSITIVE = frozenset({"round_seconds", "deliver_seconds", "nobody_every"})
_TIMELESS = frozenset({"ring", "relaxations", "missed_limit"})


@dataclass(frozen=True, slots=True)
class Rules:
    """All times in seconds; defaults from the design. Raises BadRules, BadRelaxations."""

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
    promote_after: float = 120.0  # who has waited so long goes up one class, once
    missed_limit: int = 2  # so many unanswered rings in a row pause a clinician; 0: never
    ring: Ring = Ring.ALL
    relaxations: tuple[Relaxation, ...] = DEFAULT_RELAXATIONS

    def __post_init__(self) -> None:
        object.__setattr__(self, "relaxations", in_order(self.relaxations))
        if self.missed_limit < 0:
            raise BadRules("missed_limit")
        for one in fields(self):
            if one.name in _TIMELESS:
                continue
            value: float = getattr(self, one.name)
            if not math.isfinite(value) or value < 0 or (value == 0 and one.name in _POSITIVE):
                raise BadRules(one.name)


@dataclass(frozen=True, slots=True)
class WaitingSession:
    """A session in the line."""

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
    other_providers: tuple[str, ...] = ()  # of the catchment, in their order
    language: str | None = None
    age_group: AgeGroup | None = None
    specialities: frozenset[str] = frozenset()

    @property
    def wanted(self) -> Wanted:
        """What it asks for in a clinician."""
        return Wanted(
            self.provider_id,
            self.other_providers,
            self.licence_state,
            self.language,
            self.age_group,
            self.specialities,
        )


@dataclass(frozen=True, slots=True)
class OpenOffer:
    """An offer that rings."""

    id: str
    session_id: str
    clinician_id: str
    epoch: int
    state: OfferState
    sent_at: float
    deliver_by: float
    expires_at: float
    relaxed: frozenset[Misfit] = frozenset()  # what was let through when it was made


@dataclass(frozen=True, slots=True)
class ClinicianNow:
    """A clinician: roster, choice, presence, and what the rows say of their work."""

    id: str
    provider_ids: frozenset[str]
    tier: int | None  # None: off the roster
    activity: Activity
    presence: PresenceState
    busy: bool  # leads a session, or owes a wrap-up
    wrapping_up: bool  # owes a wrap-up and nothing else
    cooldown_until: float  # others first until then; ignored when nobody else is left
    resting_until: float  # not rung at all until then: just declined, or their page did not answer
    licences: tuple[Licence, ...]
    languages: frozenset[str] = frozenset()
    age_groups: frozenset[AgeGroup] = frozenset(AgeGroup)
    specialities: frozenset[str] = frozenset()
    idle_since: float = 0.0  # when their last work ended; 0: long ago
    missed: int = 0  # rings in a row that they heard and did not answer
    alike: Offered | None = field(default=None, compare=False, repr=False)  # made once for many

    @property
    def offered(self) -> Offered:
        """What they are, for what a session may ask."""
        return self.alike or Offered(
            self.provider_ids, self.licences, self.languages, self.age_groups, self.specialities
        )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole queue at a moment."""

    waiting: tuple[WaitingSession, ...]
    offers: tuple[OpenOffer, ...]
    clinicians: tuple[ClinicianNow, ...]
    now: float
    ladders: Mapping[str, Ladder] = field(default_factory=dict)  # provider -> its own steps
    own_rules: Mapping[str, Rules] = field(default_factory=dict)  # of providers that have any

    def rules_of(self, provider_id: str, default: Rules) -> Rules:
        """A provider's own rules, or the ones of the settings."""
        return self.own_rules.get(provider_id, default)

    def rules_for(self, clinician: ClinicianNow, default: Rules) -> Rules:
        """The rules of the provider that a clinician works for (the first of several)."""
        return self.rules_of(min(clinician.provider_ids, default=""), default)


@dataclass(frozen=True, slots=True)
class MakeOffer:
    """Ring this clinician for this session, fenced by its epoch."""

    session_id: str
    clinician_id: str
    epoch: int
    deliver_by: float
    expires_at: float
    relaxed: tuple[Relaxation, ...] = ()  # the steps without which they could not be rung


@dataclass(frozen=True, slots=True)
class ExpireOffer:
    """The time is up. Undelivered: the page never said that it rings; that is no missed call."""

    offer_id: str
    undelivered: bool


@dataclass(frozen=True, slots=True)
class WithdrawOffer:
    """Stop ringing, through no fault of the clinician's; it costs no cool-down."""

    offer_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Escalate:
    """A timed step that is due; `at` is when it became due, and the session's level grows by 1.

    `level` is the session's before it: whoever finds another one has been overtaken.
    """

    session_id: str
    step: str
    at: float
    level: int


@dataclass(frozen=True, slots=True)
class Explain:
    """Nobody can be rung for this session, and why."""

    session_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class PauseMissing:
    """They heard so many rings in a row and answered none: pause them, and tell them so."""

    clinician_id: str
    missed: int


@dataclass(frozen=True, slots=True)
class KeepLast:
    """The same, but nobody else of their provider could be rung: an alarm instead of a pause."""

    clinician_id: str
    missed: int


Action = MakeOffer | ExpireOffer | WithdrawOffer | Escalate | Explain | PauseMissing | KeepLast


@dataclass(frozen=True, slots=True)
class Plan:
    """Actions in the order to carry them out, and when to plan again at the latest.

    `reasons` says of each session that rings nobody why not (the same as its Explain).
    """

    actions: tuple[Action, ...]
    next_deadline: float | None
    reasons: Mapping[str, str] = field(default_factory=dict)
