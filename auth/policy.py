"""Who may do what: one table, nothing allowed by default. Pure.

Rules of this file:
1. What is not in RULES is refused; a role or an action that is missing there can do nothing.
2. A scope compares the actor with the target by ids that both have. An id that is missing on either
   side never matches: "no agency" is not the same agency as "no agency".
3. An officer acts through the tablet that they checked out, never by a role of their own: their
   agency is not a treating provider, so no clinical record is open to it.
4. A token may do what its scopes name, and only that; an address that is told of events may be told
   of them, and read nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from auth.actors import GUEST, ROLES, TABLET, TOKEN, WEBHOOK, Actor
from auth.errors import Forbidden

SUBJECTS = (TABLET, *ROLES, GUEST, TOKEN, WEBHOOK)


class Action(StrEnum):
    """Everything that is ever asked for permission."""

    # the live session
    SESSION_OPEN = "session.open"
    SESSION_TAKE_PART = "session.take_part"
    SESSION_ANSWER = "session.answer"
    SESSION_LEAD = "session.lead"
    SESSION_CLOSE = "session.close"
    SESSION_TAKE_OVER = "session.take_over"
    SESSION_LISTEN = "session.listen"
    SESSION_INVITE = "session.invite"
    SESSION_VISIT = "session.visit"
    QUEUE_READ = "queue.read"
    SHIFT_CHANGE = "shift.change"
    CARD_READ = "card.read"
    CARD_ACKNOWLEDGE = "card.acknowledge"
    DISPOSITION_RECORD = "disposition.record"
    # the record
    RECORD_READ = "record.read"
    SESSION_READ = "session.read"
    RECORD_READ_SUMMARY = "record.read_summary"
    RECORD_READ_CLINICAL = "record.read_clinical"
    RECORD_WRITE_CLINICAL = "record.write_clinical"
    RECORD_SIGN = "record.sign"
    RECORD_ADD = "record.add"
    RECORD_BREAK_GLASS = "record.break_glass"
    OPENING_REVIEW = "opening.review"
    RECORD_EXPORT = "record.export"
    ODMAP_RELEASE = "odmap.release"
    PERSON_WRITE = "person.write"
    CONSENT_WRITE = "consent.write"
    CONSENT_SIGN = "consent.sign"
    CASE_NUMBER_SET = "case_number.set"
    TAKEAWAY_MAKE = "takeaway.make"
    HOLD_SET = "hold.set"
    RETENTION_SET = "retention.set"
    # follow-ups
    FOLLOWUP_READ = "followup.read"
    FOLLOWUP_WORK = "followup.work"
    FOLLOWUP_ASSIGN = "followup.assign"
    # numbers and lists
    BOARD_READ = "board.read"
    LOG_READ = "log.read"
    REPORT_READ = "report.read"
    LOG_EXPORT = "log.export"
    LOG_EXPORT_NAMES = "log.export_names"
    AUDIT_READ = "audit.read"
    VIEW_KEEP = "view.keep"
    MISS_READ = "miss.read"
    MISS_CLOSE = "miss.close"
    # alerts
    ALERT_OWN = "alert.own"
    REACH_READ = "reach.read"
    PLAN_READ = "plan.read"
    ESCALATION_SET = "escalation.set"
    MATCHING_SET = "matching.set"
    GRANT_SET = "grant.set"
    RESOURCE_SET = "resource.set"
    RESOURCE_PICK = "resource.pick"
    # who is on call
    ROSTER_READ = "roster.read"
    ROSTER_MANAGE = "roster.manage"
    ROSTER_SWAP = "roster.swap"
    # people and devices
    TABLET_READ = "tablet.read"
    TABLET_MANAGE = "tablet.manage"
    PERSON_MANAGE = "person.manage"
    SIGN_IN_OWN = "sign_in.own"
    # other programs
    INTEGRATION_MAKE = "integration.make"
    INTEGRATION_MANAGE = "integration.manage"
    NOTICE_SEND = "notice.send"


MEANING: Mapping[Action, str] = MappingProxyType(
    {
        Action.SESSION_OPEN: "open a session with one press",
        Action.SESSION_TAKE_PART: "send sound, picture and text in a session, and end the call",
        Action.SESSION_ANSWER: "be rung for a session and take it",
        Action.SESSION_LEAD: "lead a session: hand over, hold, finish the wrap-up",
        Action.SESSION_CLOSE: "close somebody else's session",
        Action.SESSION_TAKE_OVER: "lead a running session in somebody else's place",
        Action.SESSION_LISTEN: "sit in on a running session, or speak to its lead alone",
        Action.SESSION_INVITE: "make a link that lets a guest into a call, and take it back",
        Action.SESSION_VISIT: "sit at the side of the one call that a link let them into",
        Action.QUEUE_READ: "see who is waiting",
        Action.SHIFT_CHANGE: "check a tablet out and in",
        Action.CARD_READ: "read the recommendation card",
        Action.CARD_ACKNOWLEDGE: "acknowledge the recommendation card",
        Action.DISPOSITION_RECORD: "record what actually happened",
        Action.RECORD_READ: "read a session's times, people, timeline, dispositions and follow-ups",
        Action.SESSION_READ: "read a session's times, dispositions, flags and events, as codes",
        Action.RECORD_READ_SUMMARY: "read an assessment's level and whether it was completed",
        Action.RECORD_READ_CLINICAL: "read an assessment's answers and notes",
        Action.RECORD_WRITE_CLINICAL: "write the assessment, the card and follow-ups",
        Action.RECORD_SIGN: "sign a session's note, which closes it",
        Action.RECORD_ADD: "add to a signed note",
        Action.RECORD_BREAK_GLASS: "open a record that is not theirs for an hour, with a reason",
        Action.OPENING_REVIEW: "see and review who opened which record with a reason",
        Action.RECORD_EXPORT: "give a session's record out as a FHIR bundle",
        Action.CASE_NUMBER_SET: "write the number under which dispatch knows the incident",
        Action.PERSON_WRITE: "write who a session was about, and join sessions of one person",
        Action.CONSENT_WRITE: "write down what somebody agreed to or refused, and its revocation",
        Action.CONSENT_SIGN: "sign or refuse what the clinician has put on the tablet",
        Action.HOLD_SET: "stop a session's deletion, and lift that again",
        Action.RETENTION_SET: "set how long sessions are kept, and see what is due",
        Action.TAKEAWAY_MAKE: "give the person a link to their own safety plan, and take it back",
        Action.FOLLOWUP_READ: "see which follow-ups are open, due and whose, without notes",
        Action.FOLLOWUP_WORK: "put down an attempt, close a follow-up, move it, open it again",
        Action.FOLLOWUP_ASSIGN: "give a follow-up to somebody else",
        Action.BOARD_READ: "see the four numbers",
        Action.LOG_READ: "list sessions",
        Action.REPORT_READ: "read reports: counts and rates over many sessions",
        Action.LOG_EXPORT: "export the list without names",
        Action.ODMAP_RELEASE: "review overdoses for ODMAP, and release them as a file",
        Action.LOG_EXPORT_NAMES: "export the list with the names of officers and clinicians",
        Action.VIEW_KEEP: "keep named filters of the log, and share them",
        Action.AUDIT_READ: "read who did what, export it, and say that a week was looked through",
        Action.MISS_READ: "read near misses, and what was done about them",
        Action.MISS_CLOSE: "close a near miss with a note, and open it again",
        Action.ALERT_OWN: "keep and test the ways in which they themselves are alerted",
        Action.REACH_READ: "see who can be reached, and by how many ways",
        Action.PLAN_READ: "see how many clinicians each hour needs",
        Action.ESCALATION_SET: "change the escalation steps",
        Action.MATCHING_SET: "change whom a session rings",
        Action.GRANT_SET: "say who pays for agencies' sessions, order and take grant packs",
        Action.RESOURCE_SET: "keep the directory of help near by",
        Action.RESOURCE_PICK: "read the directory for a session's place, to recommend from it",
        Action.ROSTER_READ: "see who is on call when",
        Action.ROSTER_MANAGE: "change the roster, and give an offered shift to somebody",
        Action.ROSTER_SWAP: "offer an own shift, and take over an offered one",
        Action.TABLET_READ: "list tablets",
        Action.TABLET_MANAGE: "make set-up codes and revoke tablets",
        Action.PERSON_MANAGE: "add people, end their access, release locks, reset second factors",
        Action.SIGN_IN_OWN: "keep the ways in which they themselves sign in",
        Action.INTEGRATION_MAKE: "make tokens and addresses for other programs",
        Action.INTEGRATION_MANAGE: "see what other programs may do here, and end it",
        Action.NOTICE_SEND: "be told that something happened in a session",
    }
)


class Scope(StrEnum):
    """How far a permission reaches."""

    OWN_TABLET = "this tablet"
    OWN_LEAD = "sessions they lead"
    OWN_CARE = "sessions they lead or follow up"
    OWN_CARE_OR_OPENED = "sessions they lead, follow up or opened with a reason"
    OWN_CALL = "the call of their link"
    OWN_PROVIDER = "their provider"
    OWN_PROGRAM = "their program"
    OWN_ORGANISATION = "their agency, provider or program"
    OWN_PEOPLE = "people who belong nowhere but to their agency, provider or program"
    SELF = "themselves"
    OWN_REACH = "what it was given"


@dataclass(frozen=True, slots=True)
class Target:
    """What an action is aimed at: the ids that are known of it."""

    agency_id: str | None = None
    provider_id: str | None = None
    program_id: str | None = None
    lead_id: str | None = None
    tablet_id: str | None = None
    session_id: str | None = None
    person_id: str | None = None  # somebody who signs in
    owner_ids: frozenset[str] = frozenset()  # of the session's follow-ups
    opened_to: frozenset[str] = frozenset()  # who opened it with a reason, a while ago at most
    wellness: bool = False  # an officer called for themselves: no employer reads it


RULES: Mapping[Action, Mapping[str, Scope]] = MappingProxyType(
    {
        Action.SESSION_OPEN: {TABLET: Scope.OWN_TABLET},
        Action.SESSION_TAKE_PART: {
            TABLET: Scope.OWN_TABLET,
            "clinician": Scope.OWN_LEAD,
            "supervisor": Scope.OWN_LEAD,
        },
        Action.SESSION_ANSWER: {
            "clinician": Scope.OWN_PROVIDER,
            "supervisor": Scope.OWN_PROVIDER,
        },
        Action.SESSION_LEAD: {"clinician": Scope.OWN_LEAD, "supervisor": Scope.OWN_LEAD},
        Action.SESSION_CLOSE: {"supervisor": Scope.OWN_PROVIDER},
        Action.SESSION_TAKE_OVER: {"supervisor": Scope.OWN_PROVIDER},
        Action.SESSION_LISTEN: {"supervisor": Scope.OWN_PROVIDER},
        Action.SESSION_INVITE: {"clinician": Scope.OWN_LEAD, "supervisor": Scope.OWN_LEAD},
        Action.SESSION_VISIT: {GUEST: Scope.OWN_CALL},
        Action.QUEUE_READ: {"clinician": Scope.OWN_PROVIDER, "supervisor": Scope.OWN_PROVIDER},
        Action.SHIFT_CHANGE: {TABLET: Scope.OWN_TABLET},
        Action.CARD_READ: {
            TABLET: Scope.OWN_TABLET,
            "clinician": Scope.OWN_CARE_OR_OPENED,
            "supervisor": Scope.OWN_PROVIDER,
            "manager": Scope.OWN_PROGRAM,
        },
        Action.CARD_ACKNOWLEDGE: {TABLET: Scope.OWN_TABLET},
        Action.DISPOSITION_RECORD: {TABLET: Scope.OWN_TABLET},
        Action.RECORD_READ: {
            "clinician": Scope.OWN_CARE_OR_OPENED,
            "supervisor": Scope.OWN_PROVIDER,
            "manager": Scope.OWN_PROGRAM,
        },
        Action.SESSION_READ: {"manager": Scope.OWN_PROGRAM, TOKEN: Scope.OWN_REACH},
        Action.RECORD_READ_SUMMARY: {
            "clinician": Scope.OWN_CARE_OR_OPENED,
            "supervisor": Scope.OWN_PROVIDER,
            "manager": Scope.OWN_PROGRAM,
        },
        Action.RECORD_READ_CLINICAL: {
            "clinician": Scope.OWN_CARE_OR_OPENED,
            "supervisor": Scope.OWN_PROVIDER,
        },
        Action.RECORD_WRITE_CLINICAL: {
            "clinician": Scope.OWN_LEAD,
            "supervisor": Scope.OWN_LEAD,
        },
        Action.RECORD_SIGN: {"clinician": Scope.OWN_LEAD, "supervisor": Scope.OWN_LEAD},
        Action.RECORD_BREAK_GLASS: {"clinician": Scope.OWN_PROVIDER},
        Action.OPENING_REVIEW: {"supervisor": Scope.OWN_PROVIDER, "manager": Scope.OWN_PROGRAM},
        Action.RECORD_ADD: {"clinician": Scope.OWN_CARE, "supervisor": Scope.OWN_PROVIDER},
        Action.RECORD_EXPORT: {"clinician": Scope.OWN_CARE, "supervisor": Scope.OWN_PROVIDER},
        Action.CASE_NUMBER_SET: {
            TABLET: Scope.OWN_TABLET,
            "clinician": Scope.OWN_CARE,
            "supervisor": Scope.OWN_PROVIDER,
        },
        Action.PERSON_WRITE: {
            "clinician": Scope.OWN_CARE,
            "supervisor": Scope.OWN_PROVIDER,
        },
        Action.CONSENT_WRITE: {
            "clinician": Scope.OWN_CARE,
            "supervisor": Scope.OWN_PROVIDER,
        },
        Action.CONSENT_SIGN: {TABLET: Scope.OWN_TABLET},
        Action.HOLD_SET: {"supervisor": Scope.OWN_PROVIDER, "manager": Scope.OWN_PROGRAM},
        Action.RETENTION_SET: {
            "supervisor": Scope.OWN_PROVIDER,
            "manager": Scope.OWN_PROGRAM,
            "admin": Scope.OWN_ORGANISATION,
        },
        Action.TAKEAWAY_MAKE: {
            "clinician": Scope.OWN_CARE,
            "supervisor": Scope.OWN_PROVIDER,
        },
        Action.FOLLOWUP_READ: {
            "clinician": Scope.OWN_PROVIDER,
            "supervisor": Scope.OWN_PROVIDER,
            "manager": Scope.OWN_PROGRAM,
            TOKEN: Scope.OWN_REACH,
        },
        Action.FOLLOWUP_WORK: {
            "clinician": Scope.OWN_CARE,
            "supervisor": Scope.OWN_PROVIDER,
        },
        Action.FOLLOWUP_ASSIGN: {
            "clinician": Scope.OWN_CARE,
            "supervisor": Scope.OWN_PROVIDER,
            "manager": Scope.OWN_PROGRAM,
        },
        Action.BOARD_READ: {"supervisor": Scope.OWN_PROVIDER, "manager": Scope.OWN_PROGRAM},
        Action.LOG_READ: {
            "supervisor": Scope.OWN_PROVIDER,
            "manager": Scope.OWN_PROGRAM,
            TOKEN: Scope.OWN_REACH,
        },
        Action.REPORT_READ: {
            "supervisor": Scope.OWN_PROVIDER,
            "manager": Scope.OWN_PROGRAM,
            TOKEN: Scope.OWN_REACH,
        },
        Action.LOG_EXPORT: {
            "supervisor": Scope.OWN_PROVIDER,
            "manager": Scope.OWN_PROGRAM,
            TOKEN: Scope.OWN_REACH,
        },
        Action.LOG_EXPORT_NAMES: {"manager": Scope.OWN_PROGRAM, TOKEN: Scope.OWN_REACH},
        Action.ODMAP_RELEASE: {"manager": Scope.OWN_PROGRAM},
        Action.VIEW_KEEP: {"supervisor": Scope.OWN_PROVIDER, "manager": Scope.OWN_PROGRAM},
        Action.AUDIT_READ: {
            "manager": Scope.OWN_PROGRAM,
            "admin": Scope.OWN_ORGANISATION,
        },
        Action.MISS_READ: {"supervisor": Scope.OWN_PROVIDER, "manager": Scope.OWN_PROGRAM},
        Action.MISS_CLOSE: {"supervisor": Scope.OWN_PROVIDER, "manager": Scope.OWN_PROGRAM},
        Action.ALERT_OWN: {
            "clinician": Scope.OWN_PROVIDER,
            "supervisor": Scope.OWN_PROVIDER,
            "manager": Scope.OWN_PROGRAM,
        },
        Action.REACH_READ: {"supervisor": Scope.OWN_PROVIDER, "manager": Scope.OWN_PROGRAM},
        Action.PLAN_READ: {"supervisor": Scope.OWN_PROVIDER, "manager": Scope.OWN_PROGRAM},
        Action.ESCALATION_SET: {"supervisor": Scope.OWN_PROVIDER, "manager": Scope.OWN_PROGRAM},
        Action.MATCHING_SET: {"supervisor": Scope.OWN_PROVIDER, "manager": Scope.OWN_PROGRAM},
        Action.GRANT_SET: {"manager": Scope.OWN_PROGRAM},
        Action.RESOURCE_SET: {"manager": Scope.OWN_PROGRAM},
        Action.RESOURCE_PICK: {
            "clinician": Scope.OWN_CARE,
            "supervisor": Scope.OWN_PROVIDER,
        },
        Action.ROSTER_READ: {
            "clinician": Scope.OWN_PROVIDER,
            "supervisor": Scope.OWN_PROVIDER,
            "manager": Scope.OWN_PROGRAM,
            "admin": Scope.OWN_ORGANISATION,
        },
        Action.ROSTER_MANAGE: {
            "supervisor": Scope.OWN_PROVIDER,
            "manager": Scope.OWN_PROGRAM,
            "admin": Scope.OWN_ORGANISATION,
        },
        Action.ROSTER_SWAP: {"clinician": Scope.OWN_PROVIDER},
        Action.TABLET_READ: {
            "supervisor": Scope.OWN_PROVIDER,
            "manager": Scope.OWN_PROGRAM,
            "admin": Scope.OWN_ORGANISATION,
        },
        Action.TABLET_MANAGE: {
            "manager": Scope.OWN_PROGRAM,
            "admin": Scope.OWN_ORGANISATION,
        },
        Action.PERSON_MANAGE: {"admin": Scope.OWN_PEOPLE},
        Action.SIGN_IN_OWN: {
            "clinician": Scope.SELF,
            "supervisor": Scope.SELF,
            "manager": Scope.SELF,
            "admin": Scope.SELF,
        },
        Action.INTEGRATION_MAKE: {"manager": Scope.OWN_PROGRAM},
        Action.INTEGRATION_MANAGE: {
            "manager": Scope.OWN_PROGRAM,
            "admin": Scope.OWN_ORGANISATION,
        },
        Action.NOTICE_SEND: {WEBHOOK: Scope.OWN_REACH},
    }
)


# what a token can be given, by the word that its maker ticks
TOKEN_SCOPES: Mapping[str, Action] = MappingProxyType(
    {
        "log.read": Action.LOG_READ,
        "session.read": Action.SESSION_READ,
        "followup.read": Action.FOLLOWUP_READ,
        "report.read": Action.REPORT_READ,
        "export": Action.LOG_EXPORT,
        "log.names": Action.LOG_EXPORT_NAMES,
    }
)


def allows(actor: Actor, action: Action, target: Target) -> bool:
    """Whether one of the actor's roles may do this to the target."""
    rules = RULES.get(action, {})
    return _scoped(actor, action) and any(
        role in rules and _within(actor, rules[role], target) for role in roles_of(actor)
    )


def could(actor: Actor, action: Action) -> bool:
    """Whether the actor may do this to any target at all."""
    return _scoped(actor, action) and bool(roles_of(actor) & RULES.get(action, {}).keys())


def _scoped(actor: Actor, action: Action) -> bool:
    """A token needs a scope that names the action; nobody else has scopes."""
    return actor.kind != "token" or any(TOKEN_SCOPES.get(scope) is action for scope in actor.scopes)


def require(actor: Actor, action: Action, target: Target) -> None:
    """Raises Forbidden unless the actor may do this to the target."""
    if not allows(actor, action, target):
        raise Forbidden


def reach(actor: Actor, action: Action) -> tuple[frozenset[str], frozenset[str]]:
    """The programs and the providers in which the actor may do this; for lists and counts.

    A row is within reach if its program is among the first or its provider among the second.
    Nothing for other programs, whose reach may be narrower than that: see `auth.access.scope_for`.
    """
    rules = RULES.get(action, {})
    scopes = {rules[role] for role in roles_of(actor) if role in rules}
    wide = Scope.OWN_ORGANISATION in scopes
    programs = actor.program_id if wide or Scope.OWN_PROGRAM in scopes else None
    providers = actor.provider_id if wide or Scope.OWN_PROVIDER in scopes else None
    return (
        frozenset({programs} if programs else ()),
        frozenset({providers} if providers else ()),
    )


def roles_of(actor: Actor) -> frozenset[str]:
    """A tablet is a tablet, a guest a guest, a person none of them, whatever the value claims."""
    if actor.kind == "person":
        return actor.roles - {TABLET, GUEST, TOKEN, WEBHOOK}
    return frozenset({actor.kind})


def matrix_markdown() -> str:
    """The whole table for the documentation: a row an action, a column a subject."""
    head = ["Action", "What it is", *SUBJECTS]
    rows = [
        [f"`{action}`", MEANING[action], *(RULES[action].get(who, "–") for who in SUBJECTS)]
        for action in Action
    ]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _within(actor: Actor, scope: Scope, target: Target) -> bool:
    match scope:
        case Scope.OWN_TABLET:
            return _same(actor.id, target.tablet_id) and _same(actor.agency_id, target.agency_id)
        case Scope.OWN_LEAD:
            return _same(actor.id, target.lead_id) and _same(actor.provider_id, target.provider_id)
        case Scope.OWN_CARE:
            mine = _same(actor.id, target.lead_id) or actor.id in target.owner_ids
            return mine and _same(actor.provider_id, target.provider_id)
        case Scope.OWN_CARE_OR_OPENED:
            mine = _same(actor.id, target.lead_id) or actor.id in (
                target.owner_ids | target.opened_to
            )
            return mine and _same(actor.provider_id, target.provider_id)
        case Scope.OWN_CALL:
            return _same(actor.session_id, target.session_id) and _same(
                actor.provider_id, target.provider_id
            )
        case Scope.OWN_PROVIDER:
            return _same(actor.provider_id, target.provider_id)
        case Scope.OWN_PROGRAM:
            return _same(actor.program_id, target.program_id) and not target.wellness
        case Scope.SELF:
            return _same(actor.id, target.person_id)
        case Scope.OWN_PEOPLE:  # whoever may do this can act in their name: never for a wider reach
            places = (
                (actor.agency_id, target.agency_id),
                (actor.provider_id, target.provider_id),
                (actor.program_id, target.program_id),
            )
            return any(its is not None for _, its in places) and all(
                its is None or mine == its for mine, its in places
            )
        case Scope.OWN_REACH:
            return (
                _same(actor.program_id, target.program_id)
                and actor.agency_id in (None, target.agency_id)
                and actor.provider_id in (None, target.provider_id)
                and not target.wellness
            )
        case Scope.OWN_ORGANISATION:
            employer = _same(actor.agency_id, target.agency_id) or _same(
                actor.program_id, target.program_id
            )
            return _same(actor.provider_id, target.provider_id) or (
                employer and not target.wellness
            )


def _same(mine: str | None, its: str | None) -> bool:
    return mine is not None and mine == its
