"""Working on follow-ups: an attempt, the end, another owner, another time; told on the timeline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from auth.access import target_of
from auth.audit import record
from auth.policy import Action, allows
from records import care_gaps, directory, followups, sessions
from records.errors import NotFound
from records.followups import FollowupRow
from records.sessions import SessionRow
from records.vocabulary import FOLLOWUP_DONE, GAP_FILLED, GAP_REASONS
from signaling import paging
from signaling.errors import NoSuchSession, UnknownCode
from signaling.scope import by
from signaling.session import State, Step, TimelineEvent

if TYPE_CHECKING:
    from auth.actors import Actor
    from signaling.desk import Desk

Work = Callable[[AsyncConnection, SessionRow, FollowupRow, float], Awaitable[TimelineEvent]]

TOLERANCE = 120.0  # seconds that a due time may lie behind our clock


async def attempt(
    desk: Desk, actor: Actor, followup_id: str, rev: int, channel: str, outcome: str, note: str
) -> None:
    """Somebody tried. Raises NotFound, NotOpen, Conflict, BadInput."""

    async def work(
        conn: AsyncConnection, _row: SessionRow, task: FollowupRow, now: float
    ) -> TimelineEvent:
        await followups.attempt(
            conn, desk.vault, task, rev,
            by_id=actor.id, channel=channel, outcome=outcome, note=note, now=now,
        )  # fmt: skip
        return TimelineEvent("followup.attempt", {"followup": task.kind, "attempt": outcome})

    await _on(desk, actor, followup_id, Action.FOLLOWUP_WORK, work)


async def close(desk: Desk, actor: Actor, followup_id: str, rev: int, reason: str) -> None:
    """It is done, or will not be and why. Raises TooFewAttempts and what `attempt` raises."""

    async def work(
        conn: AsyncConnection, _row: SessionRow, task: FollowupRow, now: float
    ) -> TimelineEvent:
        await followups.close(conn, task, rev, reason, actor.id, now)
        if reason == FOLLOWUP_DONE:
            return TimelineEvent("followup.done", {"followup": task.kind})
        return TimelineEvent("followup.closed", {"followup": task.kind, "closed": reason})

    await _on(desk, actor, followup_id, Action.FOLLOWUP_WORK, work)


async def reopen(desk: Desk, actor: Actor, followup_id: str, rev: int) -> None:
    """It was closed by mistake."""

    async def work(
        conn: AsyncConnection, _row: SessionRow, task: FollowupRow, _now: float
    ) -> TimelineEvent:
        await followups.reopen(conn, task, rev)
        return TimelineEvent("followup.reopened", {"followup": task.kind})

    await _on(desk, actor, followup_id, Action.FOLLOWUP_WORK, work)


async def move(desk: Desk, actor: Actor, followup_id: str, rev: int, due_at: float) -> None:
    """Another due time, from now on. Raises UnknownCode for one in the past."""

    async def work(
        conn: AsyncConnection, _row: SessionRow, task: FollowupRow, now: float
    ) -> TimelineEvent:
        if due_at < now - TOLERANCE:
            raise UnknownCode("That time has passed. Nothing was changed.")
        await followups.move(conn, task, rev, due_at)
        return TimelineEvent("followup.moved", {"followup": task.kind, "due": due_at})

    await _on(desk, actor, followup_id, Action.FOLLOWUP_WORK, work)


async def assign(desk: Desk, actor: Actor, followup_id: str, rev: int, owner_id: str) -> None:
    """Somebody of the same provider has it from now on. Raises UnknownCode for anybody else."""

    async def work(
        conn: AsyncConnection, row: SessionRow, task: FollowupRow, _now: float
    ) -> TimelineEvent:
        who = await directory.read(conn)
        if owner_id not in {person.id for person in who.clinicians(row.provider_id)}:
            raise UnknownCode("That person cannot have follow-ups here. Nothing was changed.")
        await followups.assign(conn, task, rev, owner_id)
        return TimelineEvent("followup.assigned", {"followup": task.kind, "clinician": owner_id})

    row = await _on(desk, actor, followup_id, Action.FOLLOWUP_ASSIGN, work)
    if owner_id != actor.id:
        key = f"{followup_id}:given:{rev}"
        await paging.remind(desk, owner_id, row.provider_id, key, "alert.words.followup_given")


async def plan(
    desk: Desk, actor: Actor, session_id: str, kind: str, owner_id: str, due_at: float
) -> None:
    """A follow-up of a session that is over, for somebody of its provider to do.

    Raises NotFound for a session that is unknown, out of reach or not over, UnknownCode.
    """

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        await _over(conn, actor, row, Action.FOLLOWUP_ASSIGN)
        who = await directory.read(conn)
        if owner_id not in {person.id for person in who.clinicians(row.provider_id)}:
            raise UnknownCode("That person cannot have follow-ups here. Nothing was changed.")
        if due_at < now - TOLERANCE:
            raise UnknownCode("That time has passed. Nothing was changed.")
        await sessions.lock(conn, row.id)
        task = followups.NewFollowup(kind, owner_id, due_at)
        await followups.add_many(conn, desk.vault, row.id, [task], now)
        await _fill_gaps(conn, row, actor, now)
        await record(conn, actor, Action.FOLLOWUP_ASSIGN, "session", row.id, "allowed", now)
        before = desk.machine(row)
        return Step(before, before, (TimelineEvent("followup.added", {"followup": kind}),))

    row = await _change(desk, actor, session_id, decide)
    if owner_id != actor.id:
        key = f"{session_id}:planned:{row.version}"
        await paging.remind(desk, owner_id, row.provider_id, key, "alert.words.followup_given")


async def plan_none(desk: Desk, actor: Actor, session_id: str, reason: str) -> None:
    """Nobody has to follow this session up, and why. Raises NotFound, BadInput."""

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        await _over(conn, actor, row, Action.FOLLOWUP_WORK)
        if reason not in GAP_REASONS:
            raise UnknownCode
        if not await care_gaps.close(conn, row.id, None, reason, actor.id, now):
            raise NotFound("There is no such session.")
        await record(conn, actor, Action.FOLLOWUP_WORK, "session", row.id, "allowed", now)
        before = desk.machine(row)
        return Step(before, before, (TimelineEvent("followup.none", {"closed": reason}),))

    await _change(desk, actor, session_id, decide)


async def _over(conn: AsyncConnection, actor: Actor, row: SessionRow, action: Action) -> None:
    target = target_of(row, await followups.owners(conn, row.id))
    if row.state not in {State.WRAP_UP, State.CLOSED} or not allows(actor, action, target):
        raise NotFound("There is no such session.")


async def _fill_gaps(conn: AsyncConnection, row: SessionRow, actor: Actor, now: float) -> None:
    """What the new follow-up makes good; a wrap-up that is open stays so."""
    still = {one.kind for one in await care_gaps.of_sessions(conn, [row], now)}
    for gap in await care_gaps.of_session(conn, row.id):
        if gap.kind not in still:
            await care_gaps.close(conn, row.id, gap.kind, GAP_FILLED, actor.id, now)


async def _change(
    desk: Desk,
    actor: Actor,
    session_id: str,
    decide: Callable[[AsyncConnection, SessionRow, float], Awaitable[Step]],
) -> SessionRow:
    try:
        return await desk.change(session_id, decide, by(actor))
    except NoSuchSession as error:
        raise NotFound("There is no such session.") from error


async def with_arrival(
    conn: AsyncConnection,
    desk: Desk,
    row: SessionRow,
    step: Step,
    disposition: str | None,
    now: float,
) -> Step:
    """The step, and for a transport a follow-up that confirms the arrival; its lead has it."""
    if row.test:
        return step
    added = await followups.arrival_to_confirm(
        conn, desk.vault, row.id, disposition, row.lead_id, now
    )
    event = TimelineEvent("followup.added", {"followup": followups.ARRIVAL})
    return replace(step, events=(*step.events, event)) if added else step


async def with_reason(
    conn: AsyncConnection,
    actor: Actor,
    row: SessionRow,
    step: Step,
    reason: str | None,
    now: float,
) -> Step:
    """The step, with why nobody follows the session up; nothing where somebody does after all."""
    if reason is None or await followups.owners(conn, row.id):
        return step
    await care_gaps.say_none(conn, row.id, reason, actor.id, now)
    event = TimelineEvent("followup.none", {"closed": reason})
    return replace(step, events=(*step.events, event))


async def _on(desk: Desk, actor: Actor, followup_id: str, action: Action, work: Work) -> SessionRow:
    """One change of one follow-up, with its session's line of the timeline and its audit entry.

    Raises NotFound for an unknown follow-up and for one that is out of the actor's reach.
    """
    async with desk.db.read() as conn:
        session_id = await followups.session_of(conn, followup_id)
    if session_id is None:
        raise NotFound("There is no such follow-up.")

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        task = await followups.held(conn, desk.vault, followup_id)
        if not allows(actor, action, target_of(row, await followups.owners(conn, row.id))):
            raise NotFound("There is no such follow-up.")
        event = await work(conn, row, task, now)
        await record(conn, actor, action, "followup", followup_id, "allowed", now)
        before = desk.machine(row)
        return Step(before, before, (event,))

    return await desk.change(session_id, decide, by(actor))
