"""Guarded reading and changing of a provider's roster; each is on record, allowed or refused.

A manager reaches a provider through the programs that it serves. Changes here are no part of a
call: when the audit fails, so does the change.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit
from auth.actors import Actor
from auth.errors import AuthError, Forbidden, NoSuchRecord
from auth.policy import RULES, Action, Target, allows, roles_of
from records import schema
from records.engine import Database

T = TypeVar("T")


async def may(conn: AsyncConnection, actor: Actor, action: Action, provider_id: str) -> bool:
    """Whether the actor may do this with the provider's roster."""
    coverage = schema.coverage
    served = await conn.execute(
        select(coverage.c.program_id).where(coverage.c.provider_id == provider_id).distinct()
    )
    programs: list[str | None] = [row.program_id for row in served]
    return any(
        allows(actor, action, Target(provider_id=provider_id, program_id=program))
        for program in (*programs, None)
    )


async def within_reach(conn: AsyncConnection, actor: Actor, action: Action) -> list[str]:
    """The providers with whose rosters the actor may do this, by name."""
    rows = await conn.execute(
        select(schema.provider.c.id).order_by(schema.provider.c.name, schema.provider.c.id)
    )
    return [row.id for row in rows if await may(conn, actor, action, row.id)]


async def guarded(
    db: Database,
    actor: Actor,
    action: Action,
    recorded_as: str,
    provider_id: str,
    now: float,
    work: Callable[[AsyncConnection], Awaitable[T]],
) -> T:
    """Permission, the work and its audit entry in one transaction; a refusal is on record too.

    Raises Forbidden, NoSuchRecord, AuditFailed, and what `work` raises.
    """

    async def write(conn: AsyncConnection) -> tuple[AuthError | None, T | None]:
        if not await may(conn, actor, action, provider_id):
            known = await _known(conn, provider_id)
            await audit.record(conn, actor, recorded_as, "roster", known, "refused", now)
            could = roles_of(actor) & set(RULES[action])
            return (NoSuchRecord() if could else Forbidden()), None
        done = await work(conn)
        await audit.record(conn, actor, recorded_as, "roster", provider_id, "allowed", now)
        return None, done

    refusal, done = await db.write(write)
    if refusal is not None:
        raise refusal
    return done  # type: ignore[return-value]  # with no refusal it is what `work` gave


async def reading(db: Database, actor: Actor, provider_id: str, now: float) -> None:
    """Permission to read a roster, on record before anything is shown.

    Raises Forbidden, NoSuchRecord, AuditFailed.
    """

    async def nothing(_conn: AsyncConnection) -> None:
        return None

    await guarded(db, actor, Action.ROSTER_READ, Action.ROSTER_READ, provider_id, now, nothing)


async def _known(conn: AsyncConnection, provider_id: str) -> str | None:
    """What a stranger typed is not kept, unless it is a provider's id."""
    found = await conn.execute(
        select(schema.provider.c.id).where(schema.provider.c.id == provider_id)
    )
    return found.scalar_one_or_none()
