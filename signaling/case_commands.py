"""The number under which dispatch knows an incident, told by the officer or the clinician."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from auth.access import target_of
from auth.audit import record
from auth.policy import Action, allows
from records import case_numbers, followups
from records.sessions import SessionRow
from signaling.errors import NoSuchSession
from signaling.scope import by
from signaling.session import Step, TimelineEvent

if TYPE_CHECKING:
    from auth.actors import Actor
    from signaling.desk import Desk

TOLD = TimelineEvent("session.case_number")


async def keep(
    conn: AsyncConnection, actor: Actor, row: SessionRow, typed: str, now: float
) -> tuple[TimelineEvent, ...]:
    """Keep the number; the events of it, none when it was known. Raises NoSuchSession, BadInput."""
    if not allows(
        actor, Action.CASE_NUMBER_SET, target_of(row, await followups.owners(conn, row.id))
    ):
        raise NoSuchSession
    who = actor.officer_id if actor.kind == "tablet" else actor.id
    if not await case_numbers.save(conn, row.id, typed, who, now):
        return ()
    await record(conn, actor, Action.CASE_NUMBER_SET, "session", row.id, "allowed", now)
    return (TOLD,)


async def save(desk: Desk, actor: Actor, session_id: str, typed: str) -> None:
    """From the session's page. Raises NoSuchSession, BadInput."""

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        events = await keep(conn, actor, row, typed, now)
        before = desk.machine(row)
        return Step(before, before, events)

    await desk.change(session_id, decide, by(actor))
