"""Guarded reading and changing of a provider's roster; each is on record, allowed or refused.

A manager reaches a provider through the programs that it serves. Changes here are no part of a
call: when the audit fails, so does the change.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit
from auth.actors import Actor
from auth.errors import AuthError, Forbidden, NoSuchRecord
from auth.policy import RULES, Action, Target, allows, roles_of
from records import directory, roster, schema
from records.directory import Person
from records.engine import Database
from records.roster import FeedRow

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


# --- private calendar addresses -------------------------------------------------------------------


async def make_feed(db: Database, actor: Actor, provider_id: str, now: float, *, own: bool) -> str:
    """A private address for the own turns, or for everybody's; its token, which is not kept.

    Raises Forbidden, NoSuchRecord, AuditFailed.
    """
    token = secrets.token_urlsafe(24)

    async def work(conn: AsyncConnection) -> None:
        await roster.add_feed(
            conn,
            token,
            provider_id=provider_id,
            person_id=actor.id if own else None,
            owner_id=actor.id,
            made_at=now,
        )

    action = Action.ROSTER_SWAP if own else Action.ROSTER_MANAGE
    await guarded(db, actor, action, "roster.make_feed", provider_id, now, work)
    return token


async def revoke_feed(db: Database, actor: Actor, feed_id: str, now: float) -> None:
    """End one of the actor's own addresses. Raises NotFound, AuditFailed."""

    async def write(conn: AsyncConnection) -> None:
        await roster.revoke_feed(conn, actor.id, feed_id, now)
        await audit.record(conn, actor, "roster.revoke_feed", "feed", feed_id, "allowed", now)

    await db.write(write)


async def open_feed(db: Database, token: str, now: float) -> FeedRow:
    """What a calendar may read with this token, on record as its owner's reading.

    The owner must still have the right that it was made with. Raises NoSuchRecord, AuditFailed.
    """

    async def write(conn: AsyncConnection) -> FeedRow | None:
        feed = await roster.feed_by_token(conn, token)
        owner = (await directory.read(conn)).people.get(feed.owner_id) if feed else None
        if feed is None or owner is None or not owner.active:
            return None
        actor = _as_actor(owner)
        action = Action.ROSTER_SWAP if feed.person_id is not None else Action.ROSTER_MANAGE
        allowed = await may(conn, actor, action, feed.provider_id)
        outcome: audit.Outcome = "allowed" if allowed else "refused"
        await audit.record(conn, actor, "roster.feed", "feed", feed.id, outcome, now)
        return feed if allowed else None

    feed = await db.write(write)
    if feed is None:
        raise NoSuchRecord
    return feed


def _as_actor(person: Person) -> Actor:
    return Actor(
        kind="person",
        id=person.id,
        name=person.name,
        short_name=person.short_name,
        roles=person.roles,
        agency_id=person.agency_id,
        provider_id=person.provider_id,
        program_id=person.program_id,
    )


async def _known(conn: AsyncConnection, provider_id: str) -> str | None:
    """What a stranger typed is not kept, unless it is a provider's id."""
    found = await conn.execute(
        select(schema.provider.c.id).where(schema.provider.c.id == provider_id)
    )
    return found.scalar_one_or_none()
