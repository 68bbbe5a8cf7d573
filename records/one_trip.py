"""SQLite's driver with one trip to its thread for each statement.

`aiosqlite` gives each connection a thread, and sends it one message to make a cursor, one to run
the statement, one to fetch the rows and one to close the cursor: most of the time of a small
statement goes into these four trips. Here all four happen in one. Everything is fetched at once,
as SQLAlchemy does anyway.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Self

import aiosqlite


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
        driver: Any = self._connection  # untyped there
        await driver._execute(partial(self._in_thread, act))
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
    """A connection whose cursors make one trip."""

    def cursor(self) -> Any:
        return Cursor(self)


async def connect(database: str, **options: Any) -> Connection:
    """Open `database`; for `create_async_engine(async_creator_fn=…)`. Options as of sqlite3."""
    made = Connection(lambda: sqlite3.connect(database, **options), iter_chunk_size=64)
    made._thread.daemon = True  # a process that ends does not wait for it
    await made
    return made
