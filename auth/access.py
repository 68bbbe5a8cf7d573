"""Guarded reads of the record: the one way from a page to a session's content.

Each read asks the policy, and its audit entry is written before anything is given out; when that
fails, AuditFailed is raised and nothing is shown (design, invariant 9). A refused read is on record
too. A session that is unknown and one that is out of scope are refused in the same way.
"""

from __future__ import annotations

import re
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit, shapes
from auth.actors import Actor
from auth.errors import AuthError, Forbidden, NoSuchRecord
from auth.policy import RULES, Action, Target, allows, could, reach, roles_of
from auth.shapes import (
    AddendumRecord,
    AssessmentRecord,
    ChatRecord,
    ConsentRecord,
    DisclosureRecord,
    Durations,
    FollowupRecord,
    HoldRecord,
    JoinRecord,
    LogEntry,
    LogPage,
    PersonRecord,
    RecommendationRecord,
    SessionRecord,
    TimelineEntry,
    VisitRecord,
)
from records import (
    assessments,
    case_numbers,
    chat,
    consent_rules,
    consents,
    directory,
    disclosures,
    followups,
    identities,
    library,
    log,
    near_misses,
    notes,
    openings,
    quality,
    recommendations,
    retention,
    sessions,
    takeaways,
)
from records.crypto import Vault
from records.directory import Directory
from records.engine import Database
from records.notes import NoteRow
from records.sessions import SessionRow

__all__ = [
    "AddendumRecord",
    "AssessmentRecord",
    "ChatRecord",
    "Durations",
    "FollowupRecord",
    "LogEntry",
    "LogPage",
    "RecommendationRecord",
    "SessionRecord",
    "TimelineEntry",
    "own_notes",
    "person_of",
    "read_board",
    "read_log",
    "read_session",
    "scope_for",
    "target_of",
]

_AN_ID = re.compile(r"[a-z]{3}_[a-z0-9_-]{1,36}")


def target_of(row: SessionRow, owners: frozenset[str] = frozenset()) -> Target:
    """A session as the policy sees it, with whoever has a follow-up of it to do."""
    return Target(
        owner_ids=owners,
        agency_id=row.agency_id,
        provider_id=row.provider_id,
        program_id=row.program_id,
        lead_id=row.lead_id,
        tablet_id=row.tablet_id,
        wellness=row.wellness,
    )


async def read_session(
    db: Database, vault: Vault, actor: Actor, session_id: str, now: float
) -> SessionRecord:
    """A session's record, as much of it as the actor's right allows.

    Raises Forbidden for roles that read no records, NoSuchRecord for an unknown or out-of-scope
    session, AuditFailed, KeyWrong or KeyMissing when sealed content cannot be opened.
    """
    record: SessionRecord | None = None
    async with db.read() as conn:
        row = await sessions.get(conn, session_id) if _AN_ID.fullmatch(session_id) else None
        if row is not None and row.erased_at is None:  # of which numbers are left: it is gone
            open_to = await openings.open_to(conn, row.id, now)
            own = target_of(row, await followups.owners(conn, row.id))
            target = replace(own, opened_to=frozenset(open_to))
            if allows(actor, Action.RECORD_READ, target):
                record = await _assemble(conn, vault, actor, row, target, now)
                if not allows(actor, Action.RECORD_READ, own):
                    record = replace(record, opened_until=open_to.get(actor.id))
    if record is None:
        await _refused(db, actor, Action.RECORD_READ, "session", session_id, now)
        raise _refusal(actor, Action.RECORD_READ)
    action = Action.RECORD_READ_CLINICAL if record.clinical else Action.RECORD_READ
    await _allowed(db, actor, action, "session", session_id, now)
    return record


def scope_for(actor: Actor, action: Action) -> log.Scope:
    """The rows of the log that the actor may do this with. Raises Forbidden for none at all."""
    if actor.kind == "token":
        if not could(actor, action) or actor.program_id is None:
            raise Forbidden
        return log.Scope(
            programs=frozenset({actor.program_id}),
            only_agency=actor.agency_id,
            only_provider=actor.provider_id,
        )
    programs, providers = reach(actor, action)
    if not programs and not providers:
        raise Forbidden
    return log.Scope(programs=programs, providers=providers)


async def read_log(
    db: Database,
    actor: Actor,
    chosen: log.LogFilter,
    now: float,
    *,
    after: str | None = None,
    limit: int = 50,
) -> LogPage:
    """One page of the session log, within the actor's scope, newest first.

    `after` is the page before's own. Raises Forbidden, AuditFailed, BadInput for a bad `after`.
    """
    scope = await _scope(db, actor, Action.LOG_READ, now)
    async with db.read() as conn:
        page = await log.page(conn, scope, chosen, after, limit)
        who = await directory.read(conn)
    await _allowed(db, actor, Action.LOG_READ, "log", None, now)
    return LogPage(tuple(shapes.log_entry(row, who) for row in page.rows), page.after)


async def read_board(db: Database, actor: Actor, now: float) -> log.Board:
    """The numbers of now. Counts only, asked every few seconds: only a refusal is on record.

    Raises Forbidden, AuditFailed.
    """
    scope = await _scope(db, actor, Action.BOARD_READ, now)
    async with db.read() as conn:
        return await log.board(conn, scope)


async def audited(
    db: Database, actor: Actor, action: Action, kind: str, object_id: str | None, now: float
) -> None:
    """What is about to be given out is on record. Raises AuditFailed."""
    await _allowed(db, actor, action, kind, object_id, now)


async def record_refusal(
    db: Database, actor: Actor, action: Action, kind: str, object_id: str, now: float
) -> AuthError:
    """Put a refused read on record; the error to raise."""
    await _refused(db, actor, action, kind, object_id, now)
    return _refusal(actor, action)


async def scope_of(db: Database, actor: Actor, action: Action, now: float) -> log.Scope:
    """The rows that the actor may do this with; a refusal is on record. Raises Forbidden."""
    return await _scope(db, actor, action, now)


# --- inside ---------------------------------------------------------------------------------------


async def _assemble(
    conn: AsyncConnection, vault: Vault, actor: Actor, row: SessionRow, target: Target, now: float
) -> SessionRecord:
    who = await directory.read(conn)
    clinical = allows(actor, Action.RECORD_READ_CLINICAL, target)
    agency, lead = who.agencies[row.agency_id], who.people.get(row.lead_id or "")
    return SessionRecord(
        row=row,
        agency=agency.name,
        county=agency.county,
        state=agency.state,
        timezone=agency.timezone,
        provider=who.providers[row.provider_id].name,
        unit=who.tablets[row.tablet_id].label,
        officer=shapes.name(who, row.officer_id),
        clinician=lead.name if lead else None,
        licence=lead.licence if lead else None,
        durations=shapes.durations(row),
        timeline=shapes.timeline(
            await sessions.timeline_of(conn, row.id),
            row.pressed_at,
            who,
            None if clinical else await library.open_codes(conn),
        ),
        assessments=await _assessments(conn, vault, actor, row, target, who),
        recommendation=await _recommendation(conn, vault, actor, row, target, who),
        followups=tuple(
            shapes.followup(one, who, now, clinical=clinical)
            for one in await followups.of_session(conn, vault, row.id)
        ),
        chat=await _chat(conn, vault, row) if clinical else None,
        quality=tuple(await quality.of_session(conn, row.id)),
        signature=(signature := await notes.signature(conn, vault, row)),
        addenda=await _addenda(conn, vault, row, who) if clinical else None,
        person=await person_of(conn, vault, actor, row, who) if clinical else None,
        may_name=allows(actor, Action.PERSON_WRITE, target),
        consents=await _consents(conn, vault, row, who) if clinical else None,
        given_out=await _given_out(conn, vault, row, who) if clinical else None,
        may_consent=allows(actor, Action.CONSENT_WRITE, target),
        holds=(
            await _holds(conn, vault, actor, row, who, clinical=clinical)
            if allows(actor, Action.HOLD_SET, target)
            else None
        ),
        misses=(
            tuple(await near_misses.of_session(conn, row.id))
            if allows(actor, Action.MISS_READ, target)
            else None
        ),
        takeaways=(
            tuple(await takeaways.of_session(conn, row.id))
            if allows(actor, Action.TAKEAWAY_MAKE, target)
            else None
        ),
        case_number=await case_numbers.get(conn, row.id),
        may_number=allows(actor, Action.CASE_NUMBER_SET, target),
        may_export=allows(actor, Action.RECORD_EXPORT, target),
        has_plan=await assessments.safety_plan(conn, vault, row.id) is not None,
        may_sign=(
            signature is None
            and row.state == "closed"
            and allows(actor, Action.RECORD_SIGN, target)
        ),
        may_add=signature is not None and allows(actor, Action.RECORD_ADD, target),
        clinical=clinical,
    )


async def _assessments(
    conn: AsyncConnection,
    vault: Vault,
    actor: Actor,
    row: SessionRow,
    target: Target,
    who: Directory,
) -> tuple[AssessmentRecord, ...] | None:
    if not allows(actor, Action.RECORD_READ_SUMMARY, target):
        return None
    clinical = allows(actor, Action.RECORD_READ_CLINICAL, target)
    found: list[AssessmentRecord] = []
    for one in await assessments.of_session(conn, vault, row.id):
        form = await library.find(conn, one.instrument, one.instrument_version)
        if clinical or not form.about_substances:  # 42 CFR Part 2: that it was asked tells already
            found.append(shapes.assessment(one, form, who, clinical=clinical))
    return tuple(found)


async def person_of(
    conn: AsyncConnection, vault: Vault, actor: Actor, row: SessionRow, who: Directory
) -> PersonRecord | None:
    """Who a session was about, opened, for a caller who has asked whether the actor may."""
    about = await identities.get(conn, vault, row.id)
    if about is None:
        return None
    visits: list[VisitRecord] = []
    for one in await identities.visits(conn, about):
        its = replace(row, id=one.session_id, lead_id=one.lead_id)  # of the same provider
        target = target_of(its, await followups.owners(conn, one.session_id))
        seen = one.session_id if allows(actor, Action.RECORD_READ, target) else None
        visits.append(VisitRecord(one.code, one.pressed_at, seen))
    joins = [
        JoinRecord(
            id=j.id,
            count=len(j.sessions),
            by=shapes.name(who, j.made_by) or j.made_by,
            at=j.made_at,
            reason=j.reason,
            undone_by=shapes.name(who, j.undone_by) or j.undone_by,
            undone_at=j.undone_at,
            open=j.open,
        )
        for j in await identities.joins(conn, about.subject_id)
    ]
    return PersonRecord(about.rev, about.identity, about.subject_id, tuple(visits), tuple(joins))


async def _consents(
    conn: AsyncConnection, vault: Vault, row: SessionRow, who: Directory
) -> tuple[ConsentRecord, ...]:
    rows = await consents.of_session(conn, vault, row.id)
    said = [one.consent for one in rows]
    return tuple(
        ConsentRecord(
            one.consent,
            shapes.name(who, one.recorded_by) or one.recorded_by,
            shapes.name(who, one.revoked_by),
            consent_rules.replaced(one.consent, said),
        )
        for one in rows
    )


async def _given_out(
    conn: AsyncConnection, vault: Vault, row: SessionRow, who: Directory
) -> tuple[DisclosureRecord, ...]:
    return tuple(
        DisclosureRecord(one.at, one.actor_kind, shapes.name(who, one.actor_id), one.given)
        for one in await disclosures.of_session(conn, vault, row.id)
    )


async def _holds(
    conn: AsyncConnection,
    vault: Vault,
    actor: Actor,
    row: SessionRow,
    who: Directory,
    *,
    clinical: bool,
) -> tuple[HoldRecord, ...]:
    return tuple(
        HoldRecord(
            one.id,
            one.reason if clinical or one.set_by == actor.id else None,
            shapes.name(who, one.set_by) or one.set_by,
            one.set_at,
            shapes.name(who, one.lifted_by),
            one.lifted_at,
        )
        for one in await retention.holds(conn, vault, row.id)
    )


async def _addenda(
    conn: AsyncConnection, vault: Vault, row: SessionRow, who: Directory
) -> tuple[AddendumRecord, ...]:
    return tuple(
        AddendumRecord(one.at, shapes.name(who, one.author_id) or one.author_id, one.body)
        for one in await notes.addenda(conn, vault, row.id)
    )


async def own_notes(
    db: Database, actor: Actor, now: float
) -> tuple[tuple[NoteRow, ...], Directory]:
    """The sessions that this clinician led and that are over; unsigned ones first.

    Raises Forbidden for roles that sign nothing, AuditFailed.
    """
    if not roles_of(actor) & set(RULES[Action.RECORD_SIGN]):
        await _refused(db, actor, Action.RECORD_SIGN, "log", None, now)
        raise Forbidden
    async with db.read() as conn:
        rows = await notes.own(conn, actor.id)
        who = await directory.read(conn)
    await _allowed(db, actor, Action.RECORD_READ, "log", None, now)
    return tuple(rows), who


async def _recommendation(
    conn: AsyncConnection,
    vault: Vault,
    actor: Actor,
    row: SessionRow,
    target: Target,
    who: Directory,
) -> RecommendationRecord | None:
    if not allows(actor, Action.CARD_READ, target):
        return None
    found = await recommendations.get(conn, vault, row.id)
    if found is None:
        return None
    clinical = allows(actor, Action.RECORD_READ_CLINICAL, target)
    return shapes.recommendation(found, who, clinical=clinical)


async def _chat(conn: AsyncConnection, vault: Vault, row: SessionRow) -> tuple[ChatRecord, ...]:
    lines = await chat.of_session(conn, vault, row.id)
    return tuple(ChatRecord(line.at, line.sender, line.body) for line in lines)


async def _scope(db: Database, actor: Actor, action: Action, now: float) -> log.Scope:
    try:
        return scope_for(actor, action)
    except Forbidden:
        await _refused(db, actor, action, "log", None, now)
        raise


def _refusal(actor: Actor, action: Action) -> AuthError:
    """A role that never may is told so; one that may elsewhere learns nothing about this id."""
    return NoSuchRecord() if could(actor, action) else Forbidden()


async def _allowed(
    db: Database, actor: Actor, action: Action, kind: str, object_id: str | None, now: float
) -> None:
    await db.write(lambda conn: audit.record(conn, actor, action, kind, object_id, "allowed", now))


async def _refused(
    db: Database, actor: Actor, action: Action, kind: str, object_id: str | None, now: float
) -> None:
    """What a stranger typed is kept only where it looks like an id."""
    known = object_id if object_id and _AN_ID.fullmatch(object_id) else None
    await db.write(lambda conn: audit.record(conn, actor, action, kind, known, "refused", now))
