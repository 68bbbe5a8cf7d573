"""Where the tests of the record keep it: a file, or a private PostgreSQL server of their own."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, NullPool, create_engine, make_url, text

NUMBERS = itertools.count(1)
FORGETFUL = ("fsync=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0")


def programs() -> Path | None:
    """The folder of the newest PostgreSQL server on this machine, if there is one."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name)
    )
    return found[-1] if found else None


class Server:
    """A PostgreSQL server that nobody else uses, reached by a socket in its own folder."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self.folder = folder

    def run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        if os.geteuid() == 0:  # initdb refuses root
            command = ["runuser", "-u", "postgres", "--", *command]
        # The server keeps what it inherits open: a pipe would never end.
        with (self.folder / "output.txt").open("ab") as output:
            subprocess.run(
                command, check=True, cwd=self.folder, stdout=output, stderr=output, timeout=60
            )

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def make(self, template: str = "template0") -> str:
        """A fresh database; its URL."""
        url = self.url(f"records_{next(NUMBERS)}")
        fill(url, template)
        return url

    def drop(self, url: str) -> None:
        """Throw a database away, whoever is still connected to it."""
        with _administered(url) as (conn, name):
            conn.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


@contextmanager
def away(url: str) -> Iterator[None]:
    """Inside, this database hangs up on everybody and lets nobody in."""
    with _administered(url) as (conn, name):
        conn.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
        try:
            hang_up = text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname=:n"
            )
            conn.execute(hang_up, {"n": name})
            yield
        finally:
            conn.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))


def fill(url: str, template: str) -> None:
    """Make the database at `url`, in the place of one that is there, as a copy of `template`."""
    with _administered(url) as (conn, name):
        conn.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        conn.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))


@contextmanager
def _administered(url: str) -> Iterator[tuple[Connection, str]]:
    """A connection beside the database at `url`, and that one's name."""
    parsed = make_url(url)
    engine = create_engine(
        parsed.set(drivername="postgresql+psycopg", database="postgres"),
        isolation_level="AUTOCOMMIT",
        poolclass=NullPool,
    )
    with engine.connect() as conn:
        yield conn, str(parsed.database)
    engine.dispose()


@contextmanager
def running(programs: Path, *, durable: bool = False) -> Iterator[Server]:
    """A server that lives as long as the block; `durable`: its commits outlive the power."""
    folder = Path(tempfile.mkdtemp(prefix="cb-pg-"))  # short: a socket's path may be 107 bytes long
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    server = Server(programs, folder)
    data = str(folder / "data")
    try:
        server.run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N")
        options = f"-k {folder} -c listen_addresses='' -c deadlock_timeout=200ms"
        if not durable:
            options += "".join(f" -c {setting}" for setting in FORGETFUL)
        server.run("pg_ctl", "-D", data, "-w", "-t", "50", "-o", options, "start")
        try:
            yield server
        finally:
            server.run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
