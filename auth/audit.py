"""Who did what to which record, from where: a chain of entries, each with the digest before it.

A change, a removal or a swap breaks the chain at that place (`verify`). Removing the newest entries
leaves a shorter chain that is whole in itself: signed heads find that (`auth.checkpoints`).

Two ways to write, by design's ninth invariant. `record` raises AuditFailed and takes its
transaction with it: reading a record stops when it cannot be logged. `try_record` never raises for
a failed audit: signing in, checking out and taking a crisis call go on, and the log says so loudly.

Write the entry last in a transaction: on PostgreSQL the chain's lock is held until its end.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Row, func, insert, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.actors import Actor
from auth.errors import AuditFailed
from records import schema
from records.errors import StaleSession
from records.refusals import lost_the_race

log = logging.getLogger(__name__)

Outcome = Literal["allowed", "refused", "failed"]
GENESIS = "0" * 64
_CHAIN_LOCK = 0x43425F4155444954  # "CB_AUDIT": PostgreSQL's advisory lock for the chain
_BATCH = 1000

_FIELDS = ("no", "at", "actor_kind", "actor_id", "action", "object_kind", "object_id", "outcome")
LONGEST_PLACE = 64
CUT = "audit.cut"  # entries from this number on were there and are gone; written by the look-out

# Where the request comes from that is being answered; a server sets it for each, and what is
# written down meanwhile carries it. Nothing for what the server does by itself.
PLACE: ContextVar[str | None] = ContextVar("audit_place", default=None)

# The entries that were added in this task since `entries` was entered.
_ADDED: ContextVar[list[int] | None] = ContextVar("audit_added", default=None)

added = 0  # entries since this process began, also of transactions that came to nothing
failures = 0  # entries that could not be written since this process began: somebody must be told


def missed() -> None:
    """Count an entry that could not be written; the look-out over the trail tells somebody."""
    global failures
    failures += 1


@contextlib.contextmanager
def entries() -> Iterator[list[int]]:
    """The numbers of the entries that are added inside, in this task."""
    added: list[int] = []
    token = _ADDED.set(added)
    try:
        yield added
    finally:
        _ADDED.reset(token)


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry; number 0 for an empty chain."""

    no: int = 0
    digest: str = GENESIS


async def record(
    conn: AsyncConnection,
    actor: Actor | None,
    action: str,
    object_kind: str,
    object_id: str | None,
    outcome: Outcome,
    now: float,
) -> int:
    """Add an entry in the caller's write transaction and give its number.

    `actor` None is the system or a stranger. Raises AuditFailed: nothing may be shown or done then;
    StaleSession when PostgreSQL gave the transaction up for another one's sake.
    """
    try:
        return await _append(conn, actor, action, object_kind, object_id, outcome, now)
    except SQLAlchemyError as error:
        if isinstance(error, DBAPIError) and lost_the_race(error):
            raise StaleSession from error  # nothing failed: whoever asks again may be first
        missed()
        log.error("audit.failed action=%s object=%s", action, object_kind)  # noqa: TRY400 - the
        # database's error may quote values; its type is in the chained exception.
        raise AuditFailed from error


async def try_record(
    conn: AsyncConnection,
    actor: Actor | None,
    action: str,
    object_kind: str,
    object_id: str | None,
    outcome: Outcome,
    now: float,
) -> bool:
    """Add an entry if it can be done; False if not. The rest of the transaction is unharmed."""
    try:
        async with conn.begin_nested():
            await record(conn, actor, action, object_kind, object_id, outcome, now)
    except AuditFailed:
        return False
    except StaleSession:
        missed()
        return False
    return True


async def head(conn: AsyncConnection) -> Head:
    """The chain's newest entry."""
    newest = select(schema.audit.c.no, schema.audit.c.digest).order_by(schema.audit.c.no.desc())
    row = (await conn.execute(newest.limit(1))).first()
    return Head(row.no, row.digest) if row else Head()


async def verify(conn: AsyncConnection, anchor: Head | None = None) -> int | None:
    """The number of the first entry that is missing, changed or out of place; None if whole.

    `anchor`: a head seen earlier; the chain must still contain it, so that a cut-off end is found.
    """
    expected, previous = 1, GENESIS
    while True:
        batch = (
            select(schema.audit)
            .where(schema.audit.c.no >= expected)
            .order_by(schema.audit.c.no)
            .limit(_BATCH)
        )
        rows = (await conn.execute(batch)).all()
        for row in rows:
            intact = row.no == expected and row.previous == previous
            if not intact or row.digest != _digest(_values(row), previous):
                return expected
            if anchor is not None and anchor.no == row.no and anchor.digest != row.digest:
                return expected
            expected, previous = expected + 1, row.digest
        if len(rows) < _BATCH:
            break
    if await _stray(conn):
        return 0
    return expected if anchor is not None and anchor.no >= expected else None


async def of_object(
    conn: AsyncConnection, object_kind: str, object_id: str, limit: int
) -> list[Row[Any]]:
    """The newest entries about one record, the oldest of them first; without their digests."""
    table = schema.audit
    newest = (
        select(*(table.c[field] for field in _FIELDS))
        .where(table.c.object_id == object_id, table.c.object_kind == object_kind)
        .order_by(table.c.no.desc())
        .limit(limit)
    )
    return list(reversed((await conn.execute(newest)).all()))


async def _append(
    conn: AsyncConnection,
    actor: Actor | None,
    action: str,
    object_kind: str,
    object_id: str | None,
    outcome: Outcome,
    now: float,
) -> int:
    if conn.dialect.name == "postgresql":  # SQLite has one writer at a time anyway
        await conn.execute(select(func.pg_advisory_xact_lock(_CHAIN_LOCK)))
    last = await head(conn)
    values: dict[str, object] = {
        "no": last.no + 1,
        "at": float(now),  # as it comes back from the column, or the digest would differ
        "actor_kind": actor.kind if actor else "system",
        "actor_id": actor.id if actor else None,
        "action": action,
        "object_kind": object_kind,
        "object_id": object_id,
        "outcome": outcome,
        "place": (PLACE.get() or "")[:LONGEST_PLACE] or None,
    }
    digest = _digest(values, last.digest)
    await conn.execute(insert(schema.audit).values(**values, previous=last.digest, digest=digest))
    _count(last.no + 1)
    return last.no + 1


def _count(number: int) -> None:
    global added
    added += 1
    inside = _ADDED.get()
    if inside is not None:
        inside.append(number)


async def _stray(conn: AsyncConnection) -> bool:
    """Whether entries stand before the first: numbers start at 1."""
    found = select(schema.audit.c.no).where(schema.audit.c.no < 1).limit(1)
    return (await conn.execute(found)).first() is not None


def _values(row: Row[Any]) -> dict[str, object]:
    return {field: row._mapping[field] for field in (*_FIELDS, "place")}


def _digest(values: dict[str, object], previous: str) -> str:
    """SHA-256 over the entry and the digest before it; one canonical text for one entry.

    The place stands at the end where there is one: entries from before it was kept have none.
    """
    parts = [previous, *(values[field] for field in _FIELDS)]
    if values["place"] is not None:
        parts.append(values["place"])
    entry = json.dumps(parts, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(entry.encode()).hexdigest()
