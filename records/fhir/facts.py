"""What a Bundle is made of, read and opened by somebody else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from records.assessments import AssessmentRow
from records.clinicians import LicenceRow
from records.consent_rules import SUBSTANCES, Consent, Cover
from records.followups import Attempt, FollowupRow
from records.identity_rules import Identity
from records.instruments.questionnaire import Instrument
from records.notes import Addendum, Signature
from records.recommendations import RecommendationRow
from records.sessions import SessionRow
from records.takeaways import TakeawayRow

Words = Callable[[str, str], str]  # (kind, code) -> words: "disposition", "medical_ed"


@dataclass(frozen=True, slots=True)
class House:
    """An organisation: the agency that called, or the provider that answered."""

    id: str
    name: str
    phone: str
    county: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class Staff:
    """Somebody of the provider who took part."""

    id: str
    name: str
    licences: tuple[LicenceRow, ...] = ()
    specialities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Form:
    """Answers with the form that they were given to, and the questions that are protected in it."""

    row: AssessmentRow
    form: Instrument
    hidden: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Task:
    """A follow-up and what was tried."""

    row: FollowupRow
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """One entry of the audit log about this session."""

    no: int
    at: float
    actor_kind: str
    actor_id: str | None
    action: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that is known of one session, opened, at the moment `made_at`."""

    row: SessionRow
    made_at: float
    agency: House
    provider: House
    unit: str
    words: Words
    staff: Mapping[str, Staff] = field(default_factory=dict)
    person: Identity = field(default_factory=Identity)
    subject_id: str | None = None
    case_number: str | None = None
    forms: Sequence[Form] = ()
    card: RecommendationRow | None = None
    tasks: Sequence[Task] = ()
    signature: Signature | None = None
    addenda: Sequence[Addendum] = ()
    takeaways: Sequence[TakeawayRow] = ()
    consents: Sequence[Consent] = ()
    seen: Sequence[Seen] = ()
    cover: Cover | None = None  # the consents that let this out; None: nothing protected is given

    @property
    def consented(self) -> bool:
        """Whether a valid consent covers substance-use content here; the one question asked."""
        return self.cover is not None and SUBSTANCES in self.cover.scope

    @property
    def place(self) -> tuple[str, str]:
        """County and state of the incident."""
        return (
            self.row.place_county or self.agency.county,
            self.row.place_state or self.agency.state,
        )
