"""A consistent copy of the whole database as one file, and putting it back. Blocking.

SQLite: its own online backup, while the server goes on. PostgreSQL: its own pg_dump and pg_restore,
which must be installed (Debian: postgresql-client); the password goes by a file, because everybody
on the machine can read a command's arguments.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import URL, Connection, Engine, make_url

from records.engine import SYNC_DRIVERS

LONGEST_SECONDS: Final = 6 * 3600.0
LINGER_SECONDS: Final = 3.0  # a closed connection is gone by then


class CannotDump(Exception):
    """The copy could not be made or put back; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a copy holds: rows by table, and the newest entry of the audit chain."""

    rows: Mapping[str, int]
    revision: str | None
    audit_no: int
    audit_digest: str


def dump(url: str, path: Path) -> Contents:
    """Copy the database into a file that is not there yet. Raises CannotDump."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _dump_sqlite(_file(parsed), path)
    engine = _engine(parsed)
    try:
        with engine.connect() as conn:
            conn.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            snapshot = str(conn.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one())
            # what is counted is what is copied: both look at one moment
            _run("pg_dump", parsed, "--format=custom", "--compress=0", "--no-owner",
                 "--no-privileges", f"--snapshot={snapshot}", f"--file={path}")  # fmt: skip
            return contents(conn)
    finally:
        engine.dispose()


def restore(url: str, path: Path, wanted: Contents, aside: Path) -> None:
    """Put a copy in the database's place. Raises CannotDump; then what was there is there still.

    SQLite's file that was there is moved to `aside`, not removed.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        check_sqlite(path, wanted)
        _replace(_file(parsed), path, aside)
        return
    _run("pg_restore", parsed, "--clean", "--if-exists", "--no-owner", "--no-privileges",
         "--single-transaction", "--exit-on-error", str(path))  # fmt: skip
    engine = _engine(parsed)
    try:
        with engine.connect() as conn:
            found = contents(conn)
    finally:
        engine.dispose()
    _same(found, wanted)


def is_empty(url: str) -> bool:
    """Whether nothing would be lost: no tables, or no people in them."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and not _file(parsed).exists():
        return True
    engine = _engine(parsed)
    try:
        with engine.connect() as conn:
            if "person" not in inspect(conn).get_table_names():
                return True
            return conn.execute(text("SELECT 1 FROM person LIMIT 1")).first() is None
    finally:
        engine.dispose()


def check_sqlite(path: Path, wanted: Contents) -> None:
    """Open a copy as a database and look through all of it. Raises CannotDump."""
    engine = create_engine(URL.create("sqlite", database=str(path)))
    try:
        with engine.connect() as conn:
            said = conn.exec_driver_sql("PRAGMA integrity_check").scalar()
            if said != "ok":
                raise CannotDump("The copy is damaged: SQLite's own check fails.")
            _same(contents(conn), wanted)
    finally:
        engine.dispose()


def is_in_use(url: str) -> bool:
    """Whether somebody else works in a PostgreSQL database as our user: a server, most likely.

    Of SQLite the lock on the data folder knows. A connection that was closed a moment ago is still
    listed, so what is seen must last.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "postgresql":
        return False
    engine = _engine(parsed)
    others = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND usename = current_user AND pid <> pg_backend_pid()"
    )
    give_up = time.monotonic() + LINGER_SECONDS
    try:
        with engine.connect() as conn:
            while conn.execute(others).scalar_one():
                if time.monotonic() > give_up:
                    return True
                conn.rollback()  # what a transaction has seen of it stays as it was
                time.sleep(0.05)
        return False
    finally:
        engine.dispose()


def check_postgresql(path: Path) -> None:
    """Let pg_restore read a copy's list of contents. Raises CannotDump."""
    _command(["pg_restore", "--list", str(path)])


def contents(conn: Connection) -> Contents:
    """What a database holds now."""
    names = sorted(inspect(conn).get_table_names())
    rows = {
        name: int(conn.exec_driver_sql(f'SELECT count(*) FROM "{name}"').scalar_one())  # noqa: S608
        for name in names
    }
    revision = None
    if rows.get("alembic_version"):
        revision = str(conn.exec_driver_sql("SELECT version_num FROM alembic_version").scalar())
    head = None
    if "audit" in rows:
        head = conn.exec_driver_sql("SELECT no, digest FROM audit ORDER BY no DESC LIMIT 1").first()
    return Contents(rows, revision, head[0] if head else 0, head[1] if head else "")


# --- inside ---------------------------------------------------------------------------------------


def _dump_sqlite(source: Path, path: Path) -> Contents:
    if not source.exists():
        raise CannotDump("There is no database yet.")
    path.touch(mode=0o600)
    try:
        with (
            closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as live,
            closing(sqlite3.connect(path)) as copy,
        ):
            live.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise CannotDump("SQLite could not copy the database.") from error
    engine = create_engine(URL.create("sqlite", database=str(path)))
    try:
        with engine.connect() as conn:
            return contents(conn)
    finally:
        engine.dispose()


def _replace(target: Path, copy: Path, aside: Path) -> None:
    """The copy becomes the database; its predecessor, with what it had not folded in yet, goes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        with closing(sqlite3.connect(target)) as old:
            old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        os.replace(target, aside)
    for ending in ("-wal", "-shm"):
        target.with_name(target.name + ending).unlink(missing_ok=True)
    os.replace(copy, target)
    descriptor = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _same(found: Contents, wanted: Contents) -> None:
    if found != wanted:
        differing = sorted(
            name
            for name in {*found.rows, *wanted.rows}
            if found.rows.get(name) != wanted.rows.get(name)
        )
        raise CannotDump(
            f"The copy does not hold what was backed up: {', '.join(differing) or 'audit'}."
        )


def _run(program: str, parsed: URL, *arguments: str) -> None:
    """pg_dump or pg_restore on that database; its password goes by a file for our eyes only."""
    words = {
        "dbname": parsed.database, "host": parsed.host or parsed.query.get("host"),
        "port": parsed.port, "user": parsed.username,
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="cb-pass-") as scratch:  # its owner's alone
        if parsed.password is not None:
            words["passfile"] = file = f"{scratch}/pass"
            secret = str(parsed.password).replace("\\", "\\\\").replace(":", "\\:")
            with open(file, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as kept:
                kept.write(f"*:*:*:*:{secret}\n")
        known = " ".join(f"{name}={_quoted(word)}" for name, word in words.items() if word)
        _command([program, "--no-password", f"--dbname={known}", *arguments])


def _quoted(word: object) -> str:
    """A value of a connection string (libpq)."""
    text = str(word).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"


def _command(command: list[str]) -> None:
    if shutil.which(command[0]) is None:
        raise CannotDump(f"{command[0]} is not installed (Debian: postgresql-client).")
    try:
        done = subprocess.run(  # noqa: S603 - our own program and our own settings
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, timeout=LONGEST_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise CannotDump(f"{command[0]} did not end.") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        # only what it says of itself: its further lines may quote rows
        raise CannotDump(f"{command[0]} failed: {said[0] if said else done.returncode}")


def _engine(parsed: URL) -> Engine:
    return create_engine(parsed.set(drivername=SYNC_DRIVERS[parsed.get_backend_name()]))


def _file(parsed: URL) -> Path:
    if not parsed.database or parsed.database == ":memory:":
        raise CannotDump("A database in memory has no copy.")
    return Path(parsed.database)
