"""Changing the key that wraps all others, while everybody works: each step on the audit trail.

Rotate (a new key seals from now on), rewrap (what older keys hold is moved to it), retire (an old
key that nothing needs any more). Each may be cut off at any moment and be begun again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit
from records import kek_register, resealing
from records.crypto import Vault
from records.engine import Database
from records.errors import KeyNeeded, StaleSession
from records.kek import Kek
from records.kek_register import Registered
from records.resealing import Moved

BATCH: Final = 200  # rows in one transaction
REST_SECONDS: Final = 0.02  # between two, for whoever waits to write
DAY: Final = 86_400.0
Some = Callable[[AsyncConnection, int, str], Awaitable[Moved]]


@dataclass(frozen=True, slots=True)
class Status:
    """One key: what is known of it, whether it is here, and what hangs on it."""

    id: str
    registered: Registered | None
    here: bool
    uses: Counter[str]


async def status(db: Database, vault: Vault, now: float) -> list[Status]:
    """Every key that is registered, here, or named by a value; no value is opened."""
    async with db.read() as conn:
        known = {one.id: one for one in await kek_register.listed(conn)}
        uses = await vault.uses(conn)
    await _note(db, "keys.status", None, now)
    here = {one.id for one in vault.keks.keys}
    ids = [*known, *sorted((here | uses.keys()) - known.keys())]
    return [Status(one, known.get(one), one in here, uses.get(one, Counter())) for one in ids]


async def waiting(db: Database, vault: Vault) -> Kek | None:
    """The newest key that is here and was never in use."""
    async with db.read() as conn:
        known = {one.id for one in await kek_register.listed(conn)}
    fresh = [one for one in vault.keks.keys if one.id not in known and one.made_at is not None]
    return fresh[-1] if known and fresh else None


async def enrol(db: Database, vault: Vault, now: float) -> None:
    """Register a record's first key as its current one, if none is yet."""
    first = vault.keks.first or vault.keks.keys[0]
    await db.write(lambda conn: kek_register.enrol(conn, first.id, now))


async def rotate(db: Database, vault: Vault, new: Kek, now: float) -> None:
    """Everything is sealed with this key from now on, by all servers. Raises StaleSession."""

    async def work(conn: AsyncConnection) -> None:
        await vault.keep_tags(conn)
        await kek_register.make_current(conn, new.id, now)
        await audit.record(conn, None, "keys.rotate", "kek", new.id, "allowed", now)

    try:
        await db.write(work)
    except IntegrityError as error:
        raise StaleSession(
            "Somebody else made a key the current one in this moment. Look at `keys status`."
        ) from error


async def rewrap(db: Database, vault: Vault, now: float) -> Moved:
    """Move everything to the current key, a batch at a time; how much, and what did not open."""
    total = await _all(db, vault.rewrap)
    for own in resealing.OWN:
        total += await _all(db, partial(resealing.reseal, vault, own))
    if total.seen:
        await _note(db, "keys.rewrap", None, now, failed=bool(total.unread))
    return total


async def retire(db: Database, vault: Vault, kek_id: str, days: float, now: float) -> None:
    """Never use a key again. `days`: backups are kept so long.

    Raises NotFound, and KeyNeeded when something still needs it. Doing it twice does no harm.
    """

    async def work(conn: AsyncConnection) -> None:
        one = await kek_register.hold_alone(conn, kek_id)
        if one.state == "retired":
            return
        await _nothing_needs(conn, vault, one, days, now)
        await kek_register.retire(conn, kek_id, now)
        await audit.record(conn, None, "keys.retire", "kek", kek_id, "allowed", now)

    try:
        await db.write(work)
    except KeyNeeded:
        await _note(db, "keys.retire", kek_id, now, refused=True)
        raise


async def note_backup(db: Database, vault: Vault, now: float) -> None:
    """A backup was made: it cannot be read without the keys in use now, nor without its own."""

    async def work(conn: AsyncConnection) -> None:
        needed = {vault.keks.newest.id, *await vault.uses(conn)}
        await kek_register.note_backup(conn, needed, now)

    await db.write(work)


# --- inside ---------------------------------------------------------------------------------------


async def _nothing_needs(
    conn: AsyncConnection, vault: Vault, one: Registered, days: float, now: float
) -> None:
    if vault.keks.get(one.id) is None:
        raise KeyNeeded(
            "This key is not here, so it cannot be told what it still wraps. Do this on a server"
            " that has it. Nothing was changed."
        )
    left = (await vault.uses(conn)).get(one.id, Counter()).total()
    if left:
        raise KeyNeeded(f"{left} values still need this key: `crisisbridge keys rewrap` first.")
    followers = [each for each in await kek_register.listed(conn) if each.since > one.since]
    last = max([one.backup_at or 0.0, *(each.since for each in followers[:1])])
    if now - last < days * DAY:
        ago = (now - last) / DAY
        raise KeyNeeded(
            f"Backups of {ago:.0f} days ago need this key, and they are kept for {days:g} days."
            " Retire it later, or give --days 0 when all of them are destroyed."
        )


async def _all(db: Database, some: Some) -> Moved:
    total, after = Moved(), ""
    while True:
        batch = await db.write(partial(_batch, some, after))
        total += batch
        if batch.seen < BATCH:
            return total
        after = batch.last
        await asyncio.sleep(REST_SECONDS)


async def _batch(some: Some, after: str, conn: AsyncConnection) -> Moved:
    return await some(conn, BATCH, after)


async def _note(
    db: Database,
    action: str,
    kek_id: str | None,
    now: float,
    *,
    refused: bool = False,
    failed: bool = False,
) -> None:
    outcome: audit.Outcome = "refused" if refused else "failed" if failed else "allowed"
    await db.write(lambda conn: audit.record(conn, None, action, "kek", kek_id, outcome, now))
