"""Which key wraps all others now: kept in the database, so that all servers change at once.

A key is current, then old (it opens, and nothing new needs it), then retired. Whoever seals holds
the row of the key until the transaction ends; retiring waits for them and then counts, so a key is
never retired under a value that is just being written.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records.errors import KeyNeeded, NotFound
from records.schema_keys import kek


@dataclass(frozen=True, slots=True)
class Registered:
    """One key, by its name."""

    id: str
    state: str  # current | old | retired
    since: float
    backup_at: float | None
    retired_at: float | None


async def listed(conn: AsyncConnection) -> list[Registered]:
    """All of them, the oldest first."""
    rows = await conn.execute(
        select(kek.c.id, kek.c.state, kek.c.since, kek.c.backup_at, kek.c.retired_at).order_by(
            kek.c.since, kek.c.id
        )
    )
    return [Registered(**row._mapping) for row in rows]


async def held(conn: AsyncConnection, state: str) -> list[str]:
    """The names of the keys in this state, the newest first; held until the transaction ends."""
    rows = await conn.execute(
        select(kek.c.id)
        .where(kek.c.state == state)
        .order_by(kek.c.since.desc(), kek.c.id)
        .with_for_update(read=True, key_share=True)  # SQLite has one writer at a time anyway
    )
    return list(rows.scalars())


async def enrol(conn: AsyncConnection, kek_id: str, now: float) -> None:
    """The first key of a record is its current one. Does nothing where there is one."""
    if (await conn.execute(select(kek.c.id).limit(1))).first() is None:
        with contextlib.suppress(IntegrityError):  # another server was faster
            async with conn.begin_nested():
                await conn.execute(insert(kek).values(id=kek_id, state="current", since=now))


async def make_current(conn: AsyncConnection, kek_id: str, now: float) -> None:
    """Seal with this one from now on; the one before is old."""
    await conn.execute(update(kek).where(kek.c.state == "current").values(state="old"))
    await conn.execute(insert(kek).values(id=kek_id, state="current", since=now))


async def hold_alone(conn: AsyncConnection, kek_id: str) -> Registered:
    """A key to be retired, once nobody seals with it any more. Raises NotFound, KeyNeeded."""
    found = await conn.execute(select(kek.c.id).where(kek.c.id == kek_id).with_for_update())
    if found.first() is None:
        raise NotFound("There is no key of this name. `crisisbridge keys status` lists them.")
    one = next(one for one in await listed(conn) if one.id == kek_id)
    if one.state == "current":
        raise KeyNeeded(
            "This key seals everything new. `crisisbridge keys rotate` first, then `rewrap`."
            " Nothing was changed."
        )
    return one


async def retire(conn: AsyncConnection, kek_id: str, now: float) -> None:
    """Never seal with it again. Whether it may go is the caller's to look at."""
    await conn.execute(
        update(kek)
        .where(kek.c.id == kek_id, kek.c.state == "old")
        .values(state="retired", retired_at=now)
    )


async def note_backup(conn: AsyncConnection, kek_ids: Collection[str], at: float) -> None:
    """A backup was made that cannot be read without these."""
    await conn.execute(update(kek).where(kek.c.id.in_(list(kek_ids))).values(backup_at=at))
