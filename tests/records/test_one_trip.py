"""SQLite's driver with one trip a statement does what the usual one does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import IntegrityError

from records import one_trip, schema
from records.engine import Database
from tests.records import migrated

PROVIDER = {"id": "prv_x", "name": "X", "timezone": "UTC", "bridge_line": ""}


@pytest.fixture
async def db(tmp_path: Path) -> Any:
    url = migrated.put(tmp_path / "x.db")
    database = Database(url)
    await database.start()
    yield database
    await database.close()


async def test_a_statement_is_one_trip_to_the_thread(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    trips = []
    execute: Any = one_trip.Connection._execute

    async def counted(self: Any, act: Any, *args: Any, **named: Any) -> Any:
        trips.append(act)
        return await execute(self, act, *args, **named)

    async with db.read() as conn:
        await conn.execute(text("SELECT 1"))
        monkeypatch.setattr(one_trip.Connection, "_execute", counted)
        found = await conn.execute(select(schema.provider))
        assert found.all() == []
    monkeypatch.undo()
    assert len(trips) == 2, "the statement, and the end of the transaction"


async def test_what_a_change_returns_and_how_many_rows_it_met_is_known(db: Database) -> None:
    table = schema.provider

    async def write(conn: Any) -> tuple[int, str]:
        await conn.execute(insert(table), [PROVIDER, PROVIDER | {"id": "prv_y"}])
        met = await conn.execute(update(table).values(name="Y"))
        one = update(table).where(table.c.id == "prv_x").values(name="Z").returning(table.c.name)
        return met.rowcount, (await conn.execute(one)).scalar_one()

    assert await db.write(write) == (2, "Z")


async def test_a_statement_that_fails_leaves_a_connection_that_works(db: Database) -> None:
    table = schema.provider
    await db.write(lambda conn: conn.execute(insert(table).values(PROVIDER)))
    for _ in range(3):
        with pytest.raises(IntegrityError):
            await db.write(lambda conn: conn.execute(insert(table).values(PROVIDER)))
    async with db.read() as conn:
        assert (await conn.execute(select(table.c.name))).scalars().all() == ["X"]


async def test_a_reader_who_leaves_in_the_middle_harms_nobody(db: Database) -> None:
    long = text(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)"
        " SELECT count(*) FROM n"
    )

    async def read() -> None:
        async with db.read() as conn:
            await conn.execute(long)

    for _ in range(5):
        reader = asyncio.create_task(read())
        await asyncio.sleep(0)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
    async with asyncio.timeout(20), db.read() as conn:
        assert (await conn.execute(long)).scalar_one() == 300000
