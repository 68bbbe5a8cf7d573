"""Guarded near misses: the list, one of them with what was done about it, closing and opening.

A supervisor's note may hold clinical words: it is read within the provider only. A manager's note
is read by both. Each read and each change is on record.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit
from auth.access import audited, record_refusal, scope_of
from auth.actors import Actor
from auth.policy import Action, Target, allows
from records import directory, near_misses
from records.crypto import Vault
from records.directory import Directory
from records.engine import Database
from records.near_misses import MissFilter, MissPage, MissRow, Note

_LONGEST_ID = 40


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of near misses, and how many are open in all."""

    page: MissPage
    open: int
    who: Directory


@dataclass(frozen=True, slots=True)
class OneMiss:
    row: MissRow
    notes: tuple[Note, ...]
    who: Directory
    may_close: bool


async def listed(
    db: Database, actor: Actor, wanted: MissFilter, after: str | None, now: float
) -> Listed:
    """Near misses within the actor's reach. Raises Forbidden, BadInput, AuditFailed."""
    scope = await scope_of(db, actor, Action.MISS_READ, now)
    async with db.read() as conn:
        page = await near_misses.page(conn, scope, wanted, after)
        count = await near_misses.count_open(conn, scope)
        who = await directory.read(conn)
    await audited(db, actor, Action.MISS_READ, "near_miss", None, now)
    return Listed(page, count, who)


async def count_open(db: Database, actor: Actor, now: float) -> int:
    """How many are open: a number only, so only a refusal is on record. Raises Forbidden."""
    scope = await scope_of(db, actor, Action.MISS_READ, now)
    async with db.read() as conn:
        return await near_misses.count_open(conn, scope)


async def one(db: Database, vault: Vault, actor: Actor, miss_id: str, now: float) -> OneMiss:
    """One near miss. Raises Forbidden, NoSuchRecord for one that is unknown or out of reach."""
    found: OneMiss | None = None
    async with db.read() as conn:
        row = await near_misses.get(conn, miss_id) if len(miss_id) <= _LONGEST_ID else None
        if row is not None and allows(actor, Action.MISS_READ, _target(row)):
            sides = frozenset({"program", *(["provider"] if _treats(actor, row) else [])})
            found = OneMiss(
                row=row,
                notes=tuple(await near_misses.notes(conn, vault, row, sides)),
                who=await directory.read(conn),
                may_close=allows(actor, Action.MISS_CLOSE, _target(row)),
            )
    if found is None:
        raise await record_refusal(db, actor, Action.MISS_READ, "near_miss", miss_id, now)
    await audited(db, actor, Action.MISS_READ, "near_miss", miss_id, now)
    return found


async def close(
    db: Database, vault: Vault, actor: Actor, miss_id: str, rev: int, note: str, now: float
) -> None:
    """It was looked at. Raises NoSuchRecord, BadInput, Conflict, AuditFailed."""

    async def work(conn: AsyncConnection, row: MissRow, side: str) -> None:
        await near_misses.close(
            conn, vault, row, rev, by_id=actor.id, side=side, note=note, now=now
        )

    await _change(db, actor, miss_id, now, work)


async def reopen(
    db: Database, vault: Vault, actor: Actor, miss_id: str, rev: int, now: float
) -> None:
    """It needs another look. Raises NoSuchRecord, Conflict, AuditFailed."""

    async def work(conn: AsyncConnection, row: MissRow, side: str) -> None:
        await near_misses.reopen(conn, vault, row, rev, by_id=actor.id, side=side, now=now)

    await _change(db, actor, miss_id, now, work)


async def _change(
    db: Database,
    actor: Actor,
    miss_id: str,
    now: float,
    work: Callable[[AsyncConnection, MissRow, str], Awaitable[None]],
) -> None:
    async def write(conn: AsyncConnection) -> bool:
        row = await near_misses.get(conn, miss_id) if len(miss_id) <= _LONGEST_ID else None
        if row is None or not allows(actor, Action.MISS_CLOSE, _target(row)):
            return False
        await work(conn, row, "provider" if _treats(actor, row) else "program")
        await audit.record(conn, actor, Action.MISS_CLOSE, "near_miss", miss_id, "allowed", now)
        return True

    if not await db.write(write):
        raise await record_refusal(db, actor, Action.MISS_CLOSE, "near_miss", miss_id, now)


def _target(row: MissRow) -> Target:
    return Target(
        agency_id=row.agency_id,
        provider_id=row.provider_id,
        program_id=row.program_id,
        lead_id=row.lead_id,
        wellness=row.wellness,
    )


def _treats(actor: Actor, row: MissRow) -> bool:
    return allows(actor, Action.RECORD_READ_CLINICAL, _target(row))
