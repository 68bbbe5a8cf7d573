"""Lock after failures (CJIS 5.9.5): 5 within 15 minutes, until an administrator releases.

The count starts anew only after 15 minutes without a try, not at the end of a fixed quarter of an
hour: so no 5 failures within any 15 minutes go by, at the price of being stricter than the rule.
A try is counted before it is checked, so that many tries at once cannot slip past the count; a
success takes the count back. A lock stops new sign-ins and PIN checks only: it never ends a running
sign-in, shift or call. Password, one-time codes, passkeys, recovery codes and PIN of a person share
one count.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, replace

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from records import schema

FAILURES = 5
WINDOW = 15 * 60.0  # seconds
STRANGERS = 4096


@dataclass(frozen=True, slots=True)
class Tries:
    """The recent tries of one name. Times are UTC epoch seconds."""

    count: int = 0
    since: float | None = None  # the newest try that was admitted
    locked_at: float | None = None


def admit(tries: Tries, now: float) -> Tries | None:
    """The count with one more try begun; None when no further try may be made."""
    if tries.locked_at is not None:
        return None
    if tries.since is None or now - tries.since >= WINDOW:
        return Tries(1, now)
    if tries.count >= FAILURES:
        return None  # others are being checked at this moment
    return Tries(tries.count + 1, now)


def fail(tries: Tries, now: float) -> Tries:
    """The count after the check of an admitted try failed."""
    if tries.locked_at is not None or tries.count < FAILURES:
        return tries
    return replace(tries, locked_at=now)


class Strangers:
    """Counts for names that nobody has, so that an unknown name locks just as a known one does.

    Kept in this process only, bounded, by digest: the names themselves are not kept.
    """

    def __init__(self, limit: int = STRANGERS) -> None:
        self._limit = limit
        self._tries: OrderedDict[bytes, Tries] = OrderedDict()

    def admit(self, name: str, now: float) -> bool:
        """Count one try; False when this name is locked."""
        key = _digest(name)
        admitted = admit(self._tries.get(key, Tries()), now)
        if admitted is None:
            return False
        self._tries[key] = admitted
        self._tries.move_to_end(key)
        while len(self._tries) > self._limit:
            self._tries.popitem(last=False)
        return True

    def fail(self, name: str, now: float) -> bool:
        """Note that the try failed; True when that locked the name."""
        key = _digest(name)
        after = fail(self._tries.get(key, Tries()), now)
        self._tries[key] = after
        return after.locked_at is not None


async def admit_person(conn: AsyncConnection, person_id: str, now: float) -> bool:
    """Count one try of a person; False when the person is locked."""
    admitted = admit(await _load(conn, person_id), now)
    if admitted is None:
        return False
    await _store(conn, person_id, admitted)
    return True


async def fail_person(conn: AsyncConnection, person_id: str, now: float) -> bool:
    """Note that a person's try failed; True when the person is locked now."""
    before = await _load(conn, person_id)
    after = fail(before, now)
    if after != before:
        await _store(conn, person_id, after)
    return after.locked_at is not None


async def clear(conn: AsyncConnection, person_id: str) -> bool:
    """Forget the count after a success; False when the person was locked meanwhile."""
    person = schema.person
    done = await conn.execute(
        update(person)
        .where(person.c.id == person_id, person.c.locked_at.is_(None))
        .values(failed_count=0, failed_since=None)
    )
    return done.rowcount == 1


async def take_back(conn: AsyncConnection, person_id: str) -> bool:
    """Uncount one try that was right but is not yet a success; False when locked meanwhile.

    A right password before a second factor is such a try: were it a success, whoever knows the
    password could guess four codes, sign in anew, and guess again for ever.
    """
    tries = await _load(conn, person_id)
    if tries.locked_at is not None:
        return False
    await _store(conn, person_id, replace(tries, count=max(0, tries.count - 1)))
    return True


async def release(conn: AsyncConnection, person_id: str) -> bool:
    """Open a lock, whoever asks: permission is the caller's matter. False: no such person."""
    person = schema.person
    done = await conn.execute(
        update(person)
        .where(person.c.id == person_id)
        .values(failed_count=0, failed_since=None, locked_at=None)
    )
    return done.rowcount == 1


async def _load(conn: AsyncConnection, person_id: str) -> Tries:
    person = schema.person
    found = await conn.execute(
        select(person.c.failed_count, person.c.failed_since, person.c.locked_at)
        .where(person.c.id == person_id)
        .with_for_update()  # PostgreSQL: tries at the same moment count one after the other
    )
    row = found.one()
    return Tries(row.failed_count, row.failed_since, row.locked_at)


async def _store(conn: AsyncConnection, person_id: str, tries: Tries) -> None:
    person = schema.person
    await conn.execute(
        update(person)
        .where(person.c.id == person_id)
        .values(failed_count=tries.count, failed_since=tries.since, locked_at=tries.locked_at)
    )


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
