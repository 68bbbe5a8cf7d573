"""SQLite's driver with one trip a statement does what the usual one does."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records import one_trip, schema
from records.engine import Database
from tests.records import migrated

LONG = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)"
    " SELECT count(*) FROM n"
)
PROVIDER = {"id": "prv_x", "name": "X", "timezone": "UTC", "bridge_line": ""}


@pytest.fixture
async def db(tmp_path: Path) -> Any:
    url = migrated.put(tmp_path / "x.db")
    database = Database(url)
    await database.start()
    yield database
    await database.close()


@pytest.fixture
def trips(db: Database, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each message that a thread is sent, once `db` has its connections."""
    sent: list[str] = []
    execute: Any = one_trip.Connection._execute

    async def counted(self: Any, act: Any, *args: Any, **named: Any) -> Any:
        sent.append(getattr(act, "__name__", "?"))
        return await execute(self, act, *args, **named)

    monkeypatch.setattr(one_trip.Connection, "_execute", counted)
    return sent


def name_of(conn: Connection) -> str:
    return str(conn.execute(select(schema.provider.c.name)).scalar_one())


def put(conn: Connection) -> None:
    conn.execute(insert(schema.provider).values(PROVIDER))


async def cancelled_in_the_middle(read: Callable[[], Coroutine[Any, Any, None]]) -> None:
    for _ in range(5):
        reader = asyncio.create_task(read())
        await asyncio.sleep(0)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader


async def test_reading_is_a_trip_for_each_statement_and_one_for_the_end(
    db: Database, trips: list[str]
) -> None:
    async with db.read() as conn:
        trips.clear()
        assert (await conn.execute(select(schema.provider))).all() == []
        assert (await conn.execute(select(schema.provider))).all() == []
    assert len(trips) == 3, trips


async def test_a_change_is_one_trip_and_another_to_commit(db: Database, trips: list[str]) -> None:
    await db.write(lambda conn: conn.execute(text("SELECT 1")))  # there is a connection now
    trips.clear()
    await db.write(lambda conn: conn.execute(insert(schema.provider).values(PROVIDER)))
    assert len(trips) == 2, trips


async def test_what_is_asked_together_is_one_trip(db: Database, trips: list[str]) -> None:
    def work(conn: Connection) -> str:
        put(conn)
        conn.execute(update(schema.provider).values(name="Y"))
        return name_of(conn)

    await db.write(lambda conn: conn.execute(text("SELECT 1")))
    trips.clear()
    assert await db.write(lambda conn: one_trip.together(conn, work)) == "Y"
    assert len(trips) == 2, trips
    async with db.read() as conn:
        assert await one_trip.together(conn, name_of) == "Y"


async def test_a_transaction_in_which_nothing_is_asked_costs_no_trip(
    db: Database, trips: list[str]
) -> None:
    async def nothing(_conn: AsyncConnection) -> None:
        return None

    await db.write(lambda conn: conn.execute(text("SELECT 1")))
    trips.clear()
    await db.write(nothing)
    assert trips == []
    await db.write(lambda conn: one_trip.together(conn, put))
    async with db.read() as conn:
        assert await one_trip.together(conn, name_of) == "X"


async def test_the_very_first_change_is_one_transaction(db: Database) -> None:
    async def fails(conn: AsyncConnection) -> None:
        await one_trip.together(conn, put)
        assert await one_trip.together(conn, name_of) == "X"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await db.write(fails)
    async with db.read() as conn:
        assert (await conn.execute(select(schema.provider))).all() == []


async def test_what_fails_together_is_undone_with_all_before_it(db: Database) -> None:
    async def twice(conn: AsyncConnection) -> None:
        await one_trip.together(conn, put)
        await one_trip.together(conn, put)

    for _ in range(3):
        with pytest.raises(IntegrityError):
            await db.write(twice)
    async with db.read() as conn:
        assert (await conn.execute(select(schema.provider))).all() == []


async def test_a_change_that_only_reads_holds_the_writer_s_place(
    db: Database, tmp_path: Path
) -> None:
    """Who reads and then writes must not lose what another connection wrote in between."""
    held = asyncio.Event()
    go_on = asyncio.Event()

    async def look(conn: AsyncConnection) -> None:
        await conn.execute(select(schema.provider))
        held.set()
        await go_on.wait()

    looking = asyncio.create_task(db.write(look))
    await held.wait()
    with closing(sqlite3.connect(tmp_path / "x.db", timeout=0, isolation_level=None)) as other:
        try:
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")
        finally:
            go_on.set()
        await looking
        other.execute("BEGIN IMMEDIATE")


async def test_who_was_cancelled_in_the_first_statement_leaves_no_transaction_open(
    db: Database,
) -> None:
    async def read() -> None:
        async with db.read() as conn:
            await one_trip.together(conn, lambda sync: sync.execute(text(LONG)).scalar_one())

    await cancelled_in_the_middle(read)
    await db.write(lambda conn: one_trip.together(conn, put))
    async with asyncio.timeout(20):
        for _ in range(12):  # more than there are connections: each has what is newest
            async with db.read() as conn:
                assert await one_trip.together(conn, name_of) == "X"


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
    async def read() -> None:
        async with db.read() as conn:
            await conn.execute(text(LONG))

    await cancelled_in_the_middle(read)
    async with asyncio.timeout(20), db.read() as conn:
        assert (await conn.execute(text(LONG))).scalar_one() == 300000
