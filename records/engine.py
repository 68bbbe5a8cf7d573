"""The connection to the durable record, with the settings without which it would lose data.

SQLite: one file, WAL, `synchronous=FULL`, foreign keys, one writer at a time under BEGIN IMMEDIATE;
without the last, a read followed by a write in one transaction silently loses updates.
PostgreSQL: psycopg, READ COMMITTED; every change is a compare-and-set besides.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, event, make_url, text
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from records import one_trip
from records.errors import StaleSession
from records.reach import Reach
from records.refusals import lost_the_race

T = TypeVar("T")

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}
SYNC_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}
BUSY_MILLISECONDS = 5000
# A PostgreSQL whose machine or network is gone says nothing: without these, who asks waits for
# ever. A setting of the same name in the database's address goes before.
SILENCE = {
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
POOL_SECONDS = 10.0  # until a connection is free
MIGRATIONS = Path(__file__).parent / "migrations"


def _url(url: str, drivers: dict[str, str]) -> URL:
    parsed = make_url(url)
    backend = parsed.get_backend_name()
    if backend not in drivers:
        raise ValueError("the database must be sqlite or postgresql")
    return parsed.set(drivername=drivers[backend])


class Database:
    """One database. `start` before use, `close` after; both may be called twice."""

    def __init__(self, url: str) -> None:
        self._parsed = _url(url, DRIVERS)
        self._readers: AsyncEngine | None = None
        self._writer: AsyncEngine | None = None
        self._aside: AsyncEngine | None = None
        self._one_writer = asyncio.Lock()
        self._writes: set[asyncio.Task[Any]] = set()
        self._reads, self._changes = Reach("reading"), Reach("writing")

    @property
    def sqlite(self) -> bool:
        return self._parsed.get_backend_name() == "sqlite"

    async def start(self) -> None:
        if self._readers is not None:
            return
        self._readers = self._engine("BEGIN DEFERRED")
        self._writer = self._engine("BEGIN IMMEDIATE") if self.sqlite else self._readers
        self._aside = self._writer if self.sqlite else self._engine("", connections=1)
        async with self.read() as conn:
            await conn.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Wait for writes that are under way, then let the connections go."""
        if self._writes:
            await asyncio.gather(*self._writes, return_exceptions=True)
        engines = (self._readers, self._writer, self._aside)
        for engine in {one for one in engines if one is not None}:
            await engine.dispose()
        self._readers = self._writer = self._aside = None

    def _engine(self, begin: str, connections: int = 10) -> AsyncEngine:
        if not self.sqlite:
            return create_async_engine(
                self._parsed,
                hide_parameters=True,
                pool_pre_ping=True,
                pool_size=connections,
                pool_timeout=POOL_SECONDS,
                connect_args={k: v for k, v in SILENCE.items() if k not in self._parsed.query},
            )
        engine = create_async_engine(
            self._parsed,
            hide_parameters=True,  # an error's text goes into the log, and they may be a name
            connect_args={"isolation_level": None, "async_creator_fn": one_trip.connect},
        )
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)

        def explicit(conn: Connection) -> None:
            driver = cast(one_trip.Connection, conn.connection.driver_connection)
            driver.begin(begin)

        event.listen(engine.sync_engine, "begin", explicit)
        return engine

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading, in one transaction. Cancelling is safe. Raises RecordAway."""
        if self._readers is None:
            raise RuntimeError("the database is not started")
        with self._reads.tried():
            async with self._readers.connect() as conn:
                yield conn

    async def write(self, change: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run `change` in one transaction; what it raises undoes all of it.

        Cancelling the caller does not tear the transaction: it finishes, committed or undone.
        Raises StaleSession when PostgreSQL gave the transaction up for another one's sake, and
        RecordAway when the database cannot be reached.
        """
        return await self._to_its_end(self._write(change, self._writer))

    async def write_aside(self, change: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """The same for what must not wait until hundreds of others have been served: on
        PostgreSQL, by a connection that nothing else takes."""
        return await self._to_its_end(self._write(change, self._aside))

    async def _to_its_end(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.ensure_future(work)
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return await asyncio.shield(task)

    async def _write(
        self, change: Callable[[AsyncConnection], Awaitable[T]], by: AsyncEngine | None
    ) -> T:
        if by is None:
            raise RuntimeError("the database is not started")
        if self.sqlite:
            async with self._one_writer:
                return await self._transaction(change, by)
        try:
            return await self._transaction(change, by)
        except DBAPIError as error:
            if lost_the_race(error):
                raise StaleSession from error
            raise

    async def _transaction(
        self, change: Callable[[AsyncConnection], Awaitable[T]], by: AsyncEngine
    ) -> T:
        with self._changes.tried():
            async with by.begin() as conn:
                return await change(conn)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",  # NORMAL may lose the last commits when the power fails
        "foreign_keys=ON",
        f"busy_timeout={BUSY_MILLISECONDS}",
        "trusted_schema=OFF",
        "secure_delete=ON",  # what is deleted is overwritten, in the file too
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


# --- migrations -----------------------------------------------------------------------------------


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = _url(url, SYNC_DRIVERS)
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the schema of the database at `url` to `revision`. Blocking; before anything else."""
    command.upgrade(_config(url), revision)


def downgrade(url: str, revision: str) -> None:
    """Take the schema back to `revision` ("base": nothing at all). Blocking."""
    command.downgrade(_config(url), revision)


def head() -> str | None:
    """The newest revision that this program knows."""
    return ScriptDirectory.from_config(_config("sqlite://")).get_current_head()


def current(url: str) -> str | None:
    """The revision that the database is at; None for an empty one. Blocking."""
    engine = create_engine(_url(url, SYNC_DRIVERS))
    try:
        with engine.connect() as conn:
            return MigrationContext.configure(conn).get_current_revision()
    finally:
        engine.dispose()
