"""The database counts each change of the directory itself, whoever makes it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from sqlalchemy import delete, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from records import directory, schema
from records.engine import Database

# one row of each table, as a statement that changes it
ROWS: dict[Any, dict[str, object]] = {
    schema.provider: {"id": "prv_new", "name": "New", "timezone": "UTC", "bridge_line": ""},
    schema.catchment: {"provider_id": "prv_new", "state": "SD", "county": "", "rank": 1},
    schema.queue_settings: {"provider_id": "prv_new"},
    schema.escalation_step: {
        "provider_id": "prv_new",
        "no": 1,
        "after_seconds": 20.0,
        "act": "page",
        "until": "answered",
    },
    schema.person: {
        "id": "per_new",
        "name": "New",
        "short_name": "N",
        "email": "new@example.org",
        "provider_id": "prv_new",
    },
    schema.role_grant: {"person_id": "per_new", "role": "clinician", "granted_at": 1.0},
    schema.person_tag: {"person_id": "per_new", "kind": "language", "code": "es"},
    schema.licence: {"person_id": "per_new", "no": 1, "type": "LPC", "state": "SD", "number": "1"},
}


async def counted(db: Database) -> int:
    async with db.read() as conn:
        return await directory.version(conn)


async def test_every_row_that_comes_changes_or_goes_is_counted(db: Database) -> None:
    seen = [await counted(db)]

    async def grew(statement: Any) -> bool:
        await db.write(lambda conn: conn.execute(statement))
        seen.append(await counted(db))
        return seen[-1] > seen[-2]

    for table, row in ROWS.items():
        assert await grew(insert(table).values(row)), table
        column = next(iter(row))
        same = update(table).where(table.c[column] == row[column]).values({column: row[column]})
        assert await grew(same), table
    for table, row in reversed(ROWS.items()):
        column = next(iter(row))
        assert await grew(delete(table).where(table.c[column] == row[column])), table


async def test_an_officer_who_starts_a_shift_and_a_tablet_that_moves_are_counted(
    db: Database,
) -> None:
    before = await counted(db)
    tablet = schema.tablet
    await db.write(lambda conn: conn.execute(update(tablet).values(last_seen_at=5.0)))
    assert await counted(db) == before, "being seen changes nothing of a tablet"
    await db.write(lambda conn: conn.execute(update(tablet).values(label="Moved")))
    moved = await counted(db)
    assert moved > before
    await db.write(lambda conn: conn.execute(update(schema.shift).values(ended_at=9.0)))
    assert await counted(db) > moved


async def test_what_is_undone_is_not_counted(db: Database) -> None:
    before = await counted(db)

    async def fails(conn: AsyncConnection) -> None:
        await conn.execute(update(schema.person).values(name="Nobody"))
        raise LookupError

    with pytest.raises(LookupError):
        await db.write(fails)
    assert await counted(db) == before


async def test_two_who_change_different_people_at_once_do_not_wait_for_each_other(
    db: Database,
) -> None:
    """On PostgreSQL; SQLite has one writer, who ends before the other begins."""
    if db.sqlite:
        return
    before = await counted(db)
    met = asyncio.Barrier(2)

    async with db.read() as conn:
        people = sorted((await directory.read(conn)).people)[:2]

    async def change(conn: AsyncConnection, person_id: str) -> None:
        person = schema.person
        own = update(person).where(person.c.id == person_id)
        await conn.execute(own.values(name="One"))
        async with asyncio.timeout(10):
            await met.wait()  # both have changed somebody, and hold no lock on the count
        await conn.execute(own.values(name="Two"))

    await asyncio.gather(*(db.write(partial(change, person_id=one)) for one in people))
    assert await counted(db) == before + 2
