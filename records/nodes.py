"""Server processes of one installation, and which of them looks after a session.

A process beats its row; one whose row has stopped is buried by whoever sees it first, and its open
sessions are adopted. Both are compare-and-set: of many who try, one does it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from records.schema import node, session
from records.states import OPEN


async def beat(conn: AsyncConnection, node_id: str, now: float) -> bool:
    """This process is alive; False when it was not on the list (any more): it is from now on."""
    done = await conn.execute(
        update(node).where(node.c.id == node_id).values(beat_at=now, beats=node.c.beats + 1)
    )
    if done.rowcount == 1:
        return True
    await conn.execute(insert(node).values(id=node_id, started_at=now, beat_at=now, beats=1))
    return False


async def leave(conn: AsyncConnection, node_id: str) -> None:
    """This process ends; its sessions are nobody's until another one adopts them."""
    await conn.execute(delete(node).where(node.c.id == node_id))


@dataclass(frozen=True, slots=True)
class Beat:
    """The last one of a process."""

    number: int
    at: float  # UTC seconds, by that process's own clock


async def listed(conn: AsyncConnection) -> dict[str, Beat]:
    """All processes on the list, with their last beat."""
    rows = await conn.execute(select(node.c.id, node.c.beats, node.c.beat_at))
    return {row.id: Beat(row.beats, row.beat_at) for row in rows}


async def bury(conn: AsyncConnection, node_id: str, beats: int) -> bool:
    """Take a process off the list that has not beaten since; False when it has, or is gone."""
    done = await conn.execute(delete(node).where(node.c.id == node_id, node.c.beats == beats))
    return done.rowcount == 1


async def adopt(conn: AsyncConnection, node_id: str, *, all_of_them: bool = False) -> list[str]:
    """Look after the open sessions of processes that are not on the list; which ones.

    `all_of_them`: of every other process, for one that knows that it is the only one.
    """
    mine = session.c.node_id == node_id
    others = session.c.node_id.not_in(select(node.c.id))
    homeless = session.c.node_id.is_(None) | (~mine if all_of_them else others & ~mine)
    rows = await conn.execute(
        update(session).where(OPEN, homeless).values(node_id=node_id).returning(session.c.id)
    )
    return [row.id for row in rows]


async def claim(conn: AsyncConnection, node_id: str, session_ids: Collection[str]) -> list[str]:
    """Look after these open sessions, because their tablet's leg is here; which ones were not."""
    rows = await conn.execute(
        update(session)
        .where(
            session.c.id.in_(list(session_ids)),
            OPEN,
            session.c.node_id.is_distinct_from(node_id),
        )
        .values(node_id=node_id)
        .returning(session.c.id)
    )
    return [row.id for row in rows]
