"""SQLite's driver with few trips to its thread.

`aiosqlite` gives each connection a thread, and sends it one message to make a cursor, one to run
the statement, one to fetch the rows and one to close the cursor: most of the time of a small
statement goes into these four trips. Here all four happen in one, a transaction begins on the trip
of its first statement, and one that is over already is not rolled back. Everything is fetched at
once, as SQLAlchemy does anyway.

Statements that need nothing of each other's answers can share one trip as well: `together`.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Self, TypeVar, cast

import aiosqlite
import sqlalchemy
from sqlalchemy import Engine, StaticPool, create_engine
from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")


class Cursor:
    """What SQLAlchemy needs of a driver's cursor. Nothing is open between two calls."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> Self:
        return await self._run(lambda cursor: cursor.execute(statement, parameters))

    async def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> Self:
        return await self._run(lambda cursor: cursor.executemany(statement, rows))

    async def fetchall(self) -> list[Any]:
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        """Closed already, in the thread."""

    async def _run(self, act: Callable[[sqlite3.Cursor], object]) -> Self:
        await self._connection.trip(partial(self._in_thread, act))
        return self

    def _in_thread(self, act: Callable[[sqlite3.Cursor], object]) -> None:
        cursor = self._connection._conn.cursor()
        try:
            act(cursor)
            self._rows = cursor.fetchall() if cursor.description else []
            self.description, self.rowcount = cursor.description, cursor.rowcount
            self.lastrowid = cursor.lastrowid
        finally:
            cursor.close()


class Connection(aiosqlite.Connection):
    """A connection whose cursors make one trip. Made by `connect`."""

    _engine: Engine  # SQLAlchemy on the very same connection, for use in the thread

    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connector, iter_chunk_size=64)
        self._thread.daemon = True  # a process that ends does not wait for it
        self._opening: str | None = None
        self._left = False  # somebody went while the thread was at work for them

    def cursor(self) -> Any:
        return Cursor(self)

    def begin(self, statement: str) -> None:
        """Begin a transaction with `statement` when something is first asked in it."""
        self._opening = statement

    async def trip(self, act: Callable[[], T]) -> T:
        """Run `act` in the thread, in the transaction that was begun. Raises what it raises."""
        driver: Any = self  # untyped there
        try:
            return cast(T, await driver._execute(self._in_transaction, act))
        except asyncio.CancelledError:
            self._left = True
            raise

    def _in_transaction(self, act: Callable[[], T]) -> T:
        if self._opening is not None:
            self._conn.execute(self._opening)
            self._opening = None
        return act()

    async def commit(self) -> None:
        if self._may_be_open():
            await super().commit()

    async def rollback(self) -> None:
        if self._may_be_open():
            await super().rollback()

    def _may_be_open(self) -> bool:
        """Whether there may be a transaction; one that nothing was asked in has not begun."""
        if self._left:  # what was asked last may still be on its way
            return True
        self._opening = None
        return self.in_transaction

    async def together(self, work: Callable[[sqlalchemy.Connection], T]) -> T:
        """Run `work` in the thread, in one trip, in the transaction that was begun."""
        return await self.trip(lambda: self._work(work))

    def _work(self, work: Callable[[sqlalchemy.Connection], T]) -> T:
        with self._engine.connect() as conn:
            return work(conn)

    def _prepare(self) -> None:
        """Before any transaction: SQLAlchemy's first use of a driver's connection ends one."""
        self._engine = _on(self._conn)
        with self._engine.connect():
            pass


def _on(driver: sqlite3.Connection) -> Engine:
    """SQLAlchemy on a connection whose transactions are another's: it begins and ends none."""
    return create_engine(
        "sqlite://",
        creator=lambda: driver,
        poolclass=StaticPool,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        hide_parameters=True,
    )


async def together(conn: AsyncConnection, work: Callable[[sqlalchemy.Connection], T]) -> T:
    """Run `work`, which asks several things, in `conn`'s transaction. Raises what it raises.

    On SQLite it runs in the connection's thread, in one trip: it must touch nothing but the
    connection that it is given.
    """
    if not conn.in_transaction():
        await conn.begin()
    driver = (await conn.get_raw_connection()).driver_connection
    if isinstance(driver, Connection):
        return await driver.together(work)
    return await conn.run_sync(work)


async def connect(database: str, **options: Any) -> Connection:
    """Open `database`; for `create_async_engine(async_creator_fn=…)`. Options as of sqlite3."""
    made = Connection(lambda: sqlite3.connect(database, **options))
    await made
    await made.trip(made._prepare)
    return made
