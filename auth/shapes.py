"""What a guarded read gives: a session's record with names in it and times worked out. Pure.

A field that the reader has no right to is None, never an empty value that looks like "nothing".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from records.assessments import AssessmentRow
from records.consent_rules import Consent
from records.directory import Directory
from records.disclosures import Given
from records.followups import FollowupRow
from records.identity_rules import Identity
from records.instruments.questionnaire import Instrument
from records.near_misses import MissRow
from records.notes import Signature
from records.part2 import followup_kind, timeline_data
from records.quality import QualityRow
from records.recommendations import RecommendationRow
from records.scoring import INCOMPLETE
from records.sessions import SessionRow, TimelineRow
from records.takeaways import TakeawayRow
from records.vocabulary import RESOURCE_PROTECTED


@dataclass(frozen=True, slots=True)
class Durations:
    """Seconds between the points of a session's clock; None while one of them is missing."""

    to_alert: float | None  # pressed → the first clinician alerted
    to_accept: float | None  # pressed → accepted
    accept_to_media: float | None  # accepted → media flowing both ways: the network's share
    to_answer: float | None  # pressed → media flowing: the speed of answer
    brief: float
    handed_over: float
    debrief: float
    call: float | None  # media flowing → the call's end
    wrap_up: float | None  # the call's end → closed
    to_disposition: float | None  # the call's end → what happened was recorded
    total: float | None  # pressed → closed


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One event. `names`: of the people and providers whose ids stand in `data`, by key."""

    no: int
    at: float
    after: float  # seconds since the press
    kind: str
    actor_kind: str
    actor: str | None
    data: Mapping[str, Any]
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AssessmentRecord:
    """An assessment's summary; `answers`, `result`, `judged` and `author` only by right."""

    instrument: str
    version: str
    form: Instrument
    level: str  # as computed, one of its rule's | incomplete
    judged: str | None  # the clinician's own level beside it
    complete: bool
    updated_at: float
    author: str | None
    answers: Mapping[str, Any] | None
    result: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class RecommendationRecord:
    """The card as the tablet shows it; `draft` only by right."""

    author: str | None
    licence: str | None
    card: Mapping[str, Any] | None  # None: nothing was sent
    sent_rev: int | None
    sent_at: float | None
    acknowledged_at: float | None  # of the card shown now; None: not acknowledged
    draft: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class FollowupRecord:
    """A follow-up with its owner's name; `note` only by right."""

    id: str
    kind: str
    owner: str
    due_at: float
    status: str
    overdue: bool
    closed_at: float | None
    closed_reason: str | None
    note: str | None


@dataclass(frozen=True, slots=True)
class ChatRecord:
    """One line between officer and clinician."""

    at: float
    sender: str
    body: str


@dataclass(frozen=True, slots=True)
class AddendumRecord:
    """Words added to a signed note; only by right."""

    at: float
    author: str
    body: str


@dataclass(frozen=True, slots=True)
class VisitRecord:
    """Another session of the same person; `session_id` only where the reader may open it."""

    code: str
    at: float
    session_id: str | None


@dataclass(frozen=True, slots=True)
class JoinRecord:
    """Sessions that were joined by hand. `open`: it can be taken apart from here."""

    id: str
    count: int
    by: str
    at: float
    reason: str | None
    undone_by: str | None
    undone_at: float | None
    open: bool


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """One decision, with the names of who wrote it down and who noted its revocation."""

    consent: Consent
    by: str
    revoked_by: str | None
    replaced: bool  # by a later word: it lets nothing out any more


@dataclass(frozen=True, slots=True)
class DisclosureRecord:
    """What was given out once, with who did it."""

    at: float
    actor_kind: str
    by: str | None
    given: Given


@dataclass(frozen=True, slots=True)
class HoldRecord:
    """A legal hold; `reason` None: the reader has no right to the words."""

    id: str
    reason: str | None
    by: str
    set_at: float
    lifted_by: str | None
    lifted_at: float | None


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """Who a session was about."""

    rev: int
    identity: Identity
    subject_id: str
    visits: tuple[VisitRecord, ...]
    joins: tuple[JoinRecord, ...]


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session's page. `clinical`: whether the reader sees answers, notes and the conversation."""

    row: SessionRow
    agency: str
    county: str
    state: str
    timezone: str
    provider: str
    unit: str
    officer: str | None
    clinician: str | None
    licence: str | None
    durations: Durations
    timeline: tuple[TimelineEntry, ...]
    assessments: tuple[AssessmentRecord, ...] | None
    recommendation: RecommendationRecord | None
    followups: tuple[FollowupRecord, ...]
    chat: tuple[ChatRecord, ...] | None
    quality: tuple[QualityRow, ...]  # of every leg, by time
    signature: Signature | None
    addenda: tuple[AddendumRecord, ...] | None
    person: PersonRecord | None  # None: nobody said, or the reader may not know
    may_name: bool
    consents: tuple[ConsentRecord, ...] | None  # None: the reader may not know
    given_out: tuple[DisclosureRecord, ...] | None
    may_consent: bool
    holds: tuple[HoldRecord, ...] | None  # None: the reader sets none
    misses: tuple[MissRow, ...] | None  # near misses; None: the reader reads none
    takeaways: tuple[TakeawayRow, ...] | None  # None: the reader may not give any
    has_plan: bool
    case_number: str | None  # under which dispatch knows the incident
    may_number: bool
    may_export: bool
    may_sign: bool
    may_add: bool
    clinical: bool
    opened_until: float | None = None  # open to this reader for a while only, with a reason


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line of the session log."""

    row: SessionRow
    agency: str
    county: str
    timezone: str
    unit: str
    officer: str | None
    clinician: str | None
    durations: Durations


@dataclass(frozen=True, slots=True)
class LogPage:
    """One page of the session log; `after` leads to the next, None at the end."""

    entries: tuple[LogEntry, ...]
    after: str | None


def log_entry(row: SessionRow, who: Directory) -> LogEntry:
    """A session as a line of the log."""
    agency = who.agencies[row.agency_id]
    return LogEntry(
        row=row,
        agency=agency.name,
        county=agency.county,
        timezone=agency.timezone,
        unit=who.tablets[row.tablet_id].label,
        officer=name(who, row.officer_id),
        clinician=name(who, row.lead_id),
        durations=durations(row),
    )


def durations(row: SessionRow) -> Durations:
    """The spans of a session's clock."""
    return Durations(
        to_alert=_span(row.pressed_at, row.alerted_at),
        to_accept=_span(row.pressed_at, row.accepted_at),
        accept_to_media=_span(row.accepted_at, row.media_at),
        to_answer=_span(row.pressed_at, row.media_at),
        brief=row.brief_seconds,
        handed_over=row.handed_over_seconds,
        debrief=row.debrief_seconds,
        call=_span(row.media_at, row.ended_at),
        wrap_up=_span(row.ended_at, row.closed_at),
        to_disposition=_span(row.ended_at, row.disposition_at),
        total=_span(row.pressed_at, row.closed_at),
    )


def _called(who: Directory, id_: str) -> str | None:
    if id_ in who.people:
        return who.people[id_].name
    return who.providers[id_].name if id_ in who.providers else None


def timeline(
    rows: Sequence[TimelineRow],
    pressed_at: float,
    who: Directory,
    open_forms: Collection[str] | None = None,
) -> tuple[TimelineEntry, ...]:
    """The events in order, with names.

    `open_forms`: for a reader outside the provider, the questionnaires that tell nothing protected
    (`records.part2`); None: the reader sees everything.
    """
    if open_forms is not None:
        kept = [(row, timeline_data(row.kind, row.data, open_forms)) for row in rows]
        rows = [replace(row, data=data) for row, data in kept if data is not None]
    return tuple(
        TimelineEntry(
            no=row.no,
            at=row.at,
            after=row.at - pressed_at,
            kind=row.kind,
            actor_kind=row.actor_kind,
            actor=name(who, row.actor_id),
            data=row.data,
            names={
                key: found
                for key, value in row.data.items()
                if isinstance(value, str) and (found := _called(who, value)) is not None
            },
        )
        for row in rows
    )


def assessment(
    row: AssessmentRow, form: Instrument, who: Directory, *, clinical: bool
) -> AssessmentRecord:
    """An assessment as far as the reader may see it."""
    judged = row.answers.get("judged-level")
    return AssessmentRecord(
        instrument=row.instrument,
        version=row.instrument_version,
        form=form,
        level=str(row.result.get("level", INCOMPLETE)),
        judged=str(judged) if clinical and judged is not None else None,
        complete=row.result.get("complete") is True,
        updated_at=row.updated_at,
        author=name(who, row.author_id) if clinical else None,
        answers=row.answers if clinical else None,
        result=row.result if clinical else None,
    )


def recommendation(
    row: RecommendationRow, who: Directory, *, clinical: bool
) -> RecommendationRecord:
    """The card as far as the reader may see it."""
    author = who.people.get(row.author_id)
    current = row.sent_rev is not None and row.acknowledged_rev == row.sent_rev
    return RecommendationRecord(
        author=author.name if author else None,
        licence=author.licence if author else None,
        card=_open_part(row.sent_card) if row.sent_card and not clinical else row.sent_card,
        sent_rev=row.sent_rev,
        sent_at=row.sent_at,
        acknowledged_at=row.acknowledged_at if current else None,
        draft=row.card if clinical else None,
    )


def _open_part(card: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without the help that tells by itself that substances are the matter (42 CFR Part 2)."""
    help_near = card.get("resources")
    if not help_near:
        return card
    return {**card, "resources": [r for r in help_near if r["kind"] not in RESOURCE_PROTECTED]}


def followup(row: FollowupRow, who: Directory, now: float, *, clinical: bool) -> FollowupRecord:
    """A follow-up as far as the reader may see it."""
    return FollowupRecord(
        id=row.id,
        kind=row.kind if clinical else followup_kind(row.kind),
        owner=name(who, row.owner_id) or row.owner_id,
        due_at=row.due_at,
        status=row.status,
        overdue=row.overdue(now),
        closed_at=row.closed_at,
        closed_reason=row.closed_reason,
        note=row.note if clinical else None,
    )


def name(who: Directory, person_id: str | None) -> str | None:
    """A person's full name; None for nobody and for somebody who is not known."""
    person = who.people.get(person_id) if person_id else None
    return person.name if person else None


def _span(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else max(0.0, end - start)
