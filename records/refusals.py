"""What a constraint of the database said no to, alike on SQLite and PostgreSQL."""

from __future__ import annotations

import sqlite3

import psycopg
from sqlalchemy.exc import DBAPIError, IntegrityError

# PostgreSQL: serialization failure, deadlock, lock not available. Who tries again may succeed.
_LOST_THE_RACE = frozenset({"40001", "40P01", "55P03"})
# SQLite: busy for longer than we wait, the disk full, broken or read-only, the file gone.
_AWAY = (
    *("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY"),
    *("SQLITE_CANTOPEN", "SQLITE_NOMEM"),
)
_UNIQUE = frozenset({"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"})


def already_there(error: IntegrityError) -> bool:
    """A unique index or a primary key said no: somebody else was first."""
    cause = error.orig
    if isinstance(cause, psycopg.Error):
        return isinstance(cause, psycopg.errors.UniqueViolation)
    return isinstance(cause, sqlite3.Error) and cause.sqlite_errorname in _UNIQUE


def by_index(error: IntegrityError, name: str, *columns: str) -> bool:
    """It was the unique index `name` over `columns` ("table.column"); SQLite tells columns only."""
    if not already_there(error):
        return False
    cause = error.orig
    if isinstance(cause, psycopg.Error):
        return cause.diag.constraint_name == name
    return str(cause).endswith(f"failed: {', '.join(columns)}")


def away(error: DBAPIError) -> str | None:
    """What keeps the database from answering at all, in one word for the log; None: it answers."""
    cause = error.orig
    if isinstance(cause, sqlite3.OperationalError) and cause.sqlite_errorname.startswith(_AWAY):
        return cause.sqlite_errorname
    if lost_the_race(error):
        return None
    if isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
        return cause.sqlstate or type(cause).__name__
    return type(cause).__name__ if error.connection_invalidated else None


def unheld(error: DBAPIError) -> bool:
    """A value that no column holds: PostgreSQL takes no NUL in a text, no number too large."""
    return isinstance(error.orig, psycopg.DataError)


def lost_the_race(error: DBAPIError) -> bool:
    """The database gave this transaction up in favour of another one."""
    return isinstance(error.orig, psycopg.Error) and error.orig.sqlstate in _LOST_THE_RACE
