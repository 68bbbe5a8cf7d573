"""Guarded use of the directory of help near by: kept by a program, read for a session's place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit
from auth.access import record_refusal, target_of
from auth.actors import Actor
from auth.errors import Forbidden
from auth.policy import Action, Target, allows, reach
from records import directory, followups, resources, sessions
from records.catchments import Place
from records.engine import Database
from records.resource_entries import Entry
from records.resources import Replaced, ResourceRow

T = TypeVar("T")


def program_of(actor: Actor) -> str:
    """The program whose directory this person keeps. Raises Forbidden."""
    programs, _ = reach(actor, Action.RESOURCE_SET)
    if not programs:
        raise Forbidden
    return min(programs)


async def listed(db: Database, actor: Actor) -> list[ResourceRow]:
    """The whole directory of the actor's program. Raises Forbidden."""
    program_id = program_of(actor)
    async with db.read() as conn:
        return await resources.of_programs(conn, [program_id])


async def near(db: Database, actor: Actor, session_id: str, now: float) -> list[ResourceRow]:
    """What serves the place of a session. Raises NoSuchRecord, Forbidden, AuditFailed."""

    async def work(conn: AsyncConnection) -> list[ResourceRow] | None:
        row = await sessions.get(conn, session_id)
        if row is None:
            return None
        target = target_of(row, await followups.owners(conn, row.id))
        if not allows(actor, Action.RESOURCE_PICK, target):
            return None
        found = await at_session(conn, row)
        await audit.record(conn, actor, Action.RESOURCE_PICK, "session", row.id, "allowed", now)
        return found

    found = await db.write(work)
    if found is None:
        raise await record_refusal(db, actor, Action.RESOURCE_PICK, "session", session_id, now)
    return found


async def at_session(conn: AsyncConnection, row: sessions.SessionRow) -> list[ResourceRow]:
    """What serves the place where a session is, or else its agency's own."""
    agency = (await directory.read(conn)).agencies[row.agency_id]
    place = Place(row.place_county or agency.county, row.place_state or agency.state)
    return await resources.near(conn, row.program_id, place)


async def save(
    db: Database, actor: Actor, resource_id: str | None, rev: int, entry: Entry, now: float
) -> None:
    """Add an entry or change one. Raises Forbidden, Conflict, NotFound, BadInput, AuditFailed."""

    async def work(conn: AsyncConnection, program_id: str) -> str:
        return await resources.save(conn, program_id, resource_id, rev, entry, actor.id, now)

    await _set(db, actor, resource_id, now, work)


async def remove(db: Database, actor: Actor, resource_id: str, rev: int, now: float) -> None:
    """Take an entry out. Raises as `save`."""

    async def work(conn: AsyncConnection, program_id: str) -> None:
        await resources.remove(conn, program_id, resource_id, rev, actor.id, now)

    await _set(db, actor, resource_id, now, work)


async def checked(db: Database, actor: Actor, resource_id: str, rev: int, now: float) -> None:
    """Say that an entry is right today. Raises as `save`."""

    async def work(conn: AsyncConnection, program_id: str) -> None:
        await resources.checked(conn, program_id, resource_id, rev, actor.id, now)

    await _set(db, actor, resource_id, now, work)


async def replace_all(db: Database, actor: Actor, entries: Sequence[Entry], now: float) -> Replaced:
    """Put a file in the place of the directory, in one step. Raises as `save`."""

    async def work(conn: AsyncConnection, program_id: str) -> Replaced:
        return await resources.replace_all(conn, program_id, entries, actor.id, now)

    return await _set(db, actor, None, now, work)


async def _set(
    db: Database,
    actor: Actor,
    resource_id: str | None,
    now: float,
    work: Callable[[AsyncConnection, str], Awaitable[T]],
) -> T:
    program_id = program_of(actor)

    async def inside(conn: AsyncConnection) -> T:
        if not allows(actor, Action.RESOURCE_SET, Target(program_id=program_id)):
            raise Forbidden
        done = await work(conn, program_id)
        await audit.record(
            conn, actor, Action.RESOURCE_SET, "resource", resource_id, "allowed", now
        )
        return done

    return await db.write(inside)
