"""Guarded grants: who pays for agencies' sessions, and the packs that a manager orders."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit
from auth.actors import Actor
from auth.errors import Forbidden
from auth.policy import Action, reach
from records import packs
from records.engine import Database
from records.packs import PackRow, Plan

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Grants:
    """All of a program."""

    funding: Mapping[str, str]  # by agency
    plans: tuple[Plan, ...]
    packs: tuple[PackRow, ...]


async def read(db: Database, actor: Actor, now: float) -> Grants:
    """Who pays, what is ordered and what is made. Raises Forbidden, AuditFailed."""

    async def work(conn: AsyncConnection, program_id: str) -> Grants:
        return Grants(
            await packs.funding(conn, program_id),
            tuple(await packs.plans(conn, program_id)),
            tuple(await packs.made(conn, program_id)),
        )

    return await _inside(db, actor, ("grant.read", None), now, work)


async def set_funding(db: Database, actor: Actor, told: Mapping[str, str], now: float) -> int:
    """Say who pays from now on. Raises Forbidden, BadInput, NotFound, AuditFailed."""

    async def work(conn: AsyncConnection, program_id: str) -> int:
        return await packs.set_funding(conn, program_id, told)

    return await _inside(db, actor, (Action.GRANT_SET, None), now, work)


async def order(
    db: Database,
    actor: Actor,
    every: str,
    agencies: Sequence[str],
    funding: str | None,
    now: float,
) -> str:
    """Want a pack of each month or quarter. Raises as `set_funding`."""

    async def work(conn: AsyncConnection, program_id: str) -> str:
        return await packs.add_plan(
            conn, program_id, every, agencies, funding, actor.locale or "en", actor.id, now
        )

    return await _inside(db, actor, ("grant.order", None), now, work)


async def end(db: Database, actor: Actor, plan_id: str, now: float) -> None:
    """Want it no more. Raises as `set_funding`."""

    async def work(conn: AsyncConnection, program_id: str) -> None:
        await packs.end_plan(conn, program_id, plan_id, now)

    await _inside(db, actor, ("grant.end", plan_id), now, work)


async def download(db: Database, actor: Actor, pack_id: str, now: float) -> bytes:
    """The file of a pack. Raises Forbidden, NotFound, AuditFailed."""

    async def work(conn: AsyncConnection, program_id: str) -> bytes:
        return await packs.body(conn, program_id, pack_id)

    return await _inside(db, actor, ("grant.download", pack_id), now, work)


async def _inside(
    db: Database,
    actor: Actor,
    done: tuple[str, str | None],
    now: float,
    work: Callable[[AsyncConnection, str], Awaitable[T]],
) -> T:
    programs, _ = reach(actor, Action.GRANT_SET)
    if not programs:
        raise Forbidden
    recorded_as, about = done

    async def inside(conn: AsyncConnection) -> T:
        made = await work(conn, min(programs))
        await audit.record(conn, actor, recorded_as, "grant", about, "allowed", now)
        return made

    return await db.write(inside)
