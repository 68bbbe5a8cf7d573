"""Working on follow-ups: an attempt, the end, another owner, another time; told on the timeline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from auth.access import target_of
from auth.audit import record
from auth.policy import Action, allows
from records import directory, followups
from records.errors import NotFound
from records.followups import FollowupRow
from records.sessions import SessionRow
from records.vocabulary import FOLLOWUP_DONE
from signaling import paging
from signaling.errors import UnknownCode
from signaling.scope import by
from signaling.session import Step, TimelineEvent

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
