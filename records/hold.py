"""One server for one PostgreSQL database, or several that know of each other.

A server without a live layer holds its database alone: a second one would ring nobody of the first
one's. Those with a live layer hold it together. The lock is an advisory one and belongs to a
connection of its own, so that it goes when the process does, however it ends. (Of SQLite's file,
the kernel's lock says the same: `web.server.alone_with`.)

A pooler between must give each client a connection of its own ("session pooling").
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator

from sqlalchemy import NullPool, create_engine, func, make_url, select, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from records.engine import SILENCE, SYNC_DRIVERS
from records.schema import SERVER_LOCK

log = logging.getLogger(__name__)

# until PostgreSQL hears that the machine of the server before this one has lost its power
PATIENCE_SECONDS = 20.0
AGAIN_SECONDS = 0.2
LOOK_SECONDS = 10.0
# PostgreSQL asks after us as we ask after it: its own two hours would keep a dead server's lock
ASKED_AFTER = {
    "tcp_keepalives_idle": 5,
    "tcp_keepalives_interval": 2,
    "tcp_keepalives_count": 3,
}


class Taken(Exception):
    """Another server works in this database and does not know of this one."""


class Hold:
    """The lock on the database at `url`: alone, or `shared`. Blocking; one thread at a time."""

    def __init__(self, url: str, *, shared: bool) -> None:
        parsed = make_url(url)
        self._lock = func.pg_try_advisory_lock_shared if shared else func.pg_try_advisory_lock
        self._engine = create_engine(
            parsed.set(drivername=SYNC_DRIVERS["postgresql"]),
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={k: v for k, v in SILENCE.items() if k not in parsed.query},
        )
        self._conn: Connection | None = None

    def take(self, patience: float) -> None:
        """Take the lock within `patience` seconds. Raises Taken and SQLAlchemyError."""
        conn = self._engine.connect()
        try:
            self._wait(conn, time.monotonic() + patience)
        except BaseException:
            _hang_up(conn)
            raise
        self._conn = conn

    def _wait(self, conn: Connection, give_up: float) -> None:
        for name, value in ASKED_AFTER.items():
            conn.execute(text(f"SET {name} = {value}"))
        while not conn.execute(select(self._lock(SERVER_LOCK))).scalar_one():
            if time.monotonic() > give_up:
                raise Taken
            time.sleep(AGAIN_SECONDS)

    def look(self) -> None:
        """Take the lock again when its connection is gone. Raises as `take` does."""
        if self._conn is not None:
            try:
                self._conn.execute(text("SELECT 1"))
            except SQLAlchemyError:
                self.close()
        if self._conn is None:
            self.take(0.0)

    def close(self) -> None:
        """Let go."""
        if self._conn is not None:
            _hang_up(self._conn)
            self._conn = None


def _hang_up(conn: Connection) -> None:
    conn.invalidate()  # nothing is asked of a database that may be gone
    conn.close()


@contextlib.asynccontextmanager
async def held(url: str, *, shared: bool) -> AsyncIterator[None]:
    """Hold the database at `url` inside; does nothing for SQLite. Raises Taken, SQLAlchemyError."""
    if make_url(url).get_backend_name() != "postgresql":
        yield
        return
    hold = Hold(url, shared=shared)
    await asyncio.to_thread(hold.take, PATIENCE_SECONDS)
    ending = asyncio.Event()
    looking = asyncio.create_task(_keep(hold, ending), name="hold")
    try:
        yield
    finally:
        ending.set()  # not cancelled: a thread may be at it
        await looking
        await asyncio.to_thread(hold.close)


async def _keep(hold: Hold, ending: asyncio.Event) -> None:
    """A database that was away comes back without our lock: take it again."""
    while not ending.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ending.wait(), LOOK_SECONDS)
            return
        try:
            await asyncio.to_thread(hold.look)
        except Taken:
            # the calls that are here must go on: whoever came second has to go
            log.error("server.not_alone")  # noqa: TRY400 - where it was found is no matter
        except SQLAlchemyError:
            continue  # away: who reads and writes says so
