"""Guarded saved views of the log: own ones, those shared where one works, and the first one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit
from auth.actors import Actor
from auth.errors import Forbidden
from auth.policy import Action, reach
from records import saved_views
from records.engine import Database
from records.saved_views import Reader, ViewRow

T = TypeVar("T")


def reader_of(actor: Actor) -> Reader:
    """Whose views somebody may use. Raises Forbidden for who keeps none."""
    programs, providers = reach(actor, Action.VIEW_KEEP)
    if not programs and not providers:
        raise Forbidden
    return Reader(actor.id, programs, providers)


async def listed(db: Database, actor: Actor) -> tuple[list[ViewRow], ViewRow | None]:
    """Views to use, and the one that the log begins with. Raises Forbidden."""
    reader = reader_of(actor)
    async with db.read() as conn:
        return await saved_views.listed(conn, reader), await saved_views.first(conn, reader)


async def one(db: Database, actor: Actor, view_id: str) -> ViewRow:
    """One view to use. Raises Forbidden, NotFound."""
    reader = reader_of(actor)
    async with db.read() as conn:
        return await saved_views.get(conn, reader, view_id)


async def add(
    db: Database, actor: Actor, name: str, chosen: str, *, shared: bool, first: bool, now: float
) -> str:
    """Keep a filter under a name. Raises Forbidden, BadInput, AuditFailed."""
    reader = reader_of(actor)
    home = min(reader.programs, default=None), min(reader.providers, default=None)

    async def work(conn: AsyncConnection) -> str:
        made = await saved_views.add(conn, reader, home, name, chosen, shared=shared, now=now)
        if first:
            await saved_views.begin_with(conn, reader, made)
        return made

    return await _write(db, actor, None, now, work)


async def change(
    db: Database, actor: Actor, view_id: str, name: str, *, shared: bool, now: float
) -> None:
    """Another name, shared or not; one's own only. Raises Forbidden, NotFound, BadInput."""
    reader = reader_of(actor)

    async def work(conn: AsyncConnection) -> None:
        await saved_views.change(conn, reader, view_id, name, shared=shared, now=now)

    await _write(db, actor, view_id, now, work)


async def remove(db: Database, actor: Actor, view_id: str, now: float) -> None:
    """One's own only. Raises Forbidden, NotFound."""
    reader = reader_of(actor)
    await _write(db, actor, view_id, now, lambda conn: saved_views.remove(conn, reader, view_id))


async def begin_with(db: Database, actor: Actor, view_id: str | None, now: float) -> None:
    """The log begins with this view, or with everything. Raises Forbidden, NotFound."""
    reader = reader_of(actor)
    await _write(
        db, actor, view_id, now, lambda conn: saved_views.begin_with(conn, reader, view_id)
    )


async def _write(
    db: Database,
    actor: Actor,
    view_id: str | None,
    now: float,
    work: Callable[[AsyncConnection], Awaitable[T]],
) -> T:
    async def inside(conn: AsyncConnection) -> T:
        done = await work(conn)
        about = view_id if view_id is not None else done if isinstance(done, str) else None
        await audit.record(conn, actor, Action.VIEW_KEEP, "view", about, "allowed", now)
        return done

    return await db.write(inside)
