"""`crisisbridge audit`: prove the trail whole, sign its head now, and write it out."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit, checkpoints
from auth.checkpoints import Broken, Checkpoint, Signer
from records import schema
from records.engine import Database

_BATCH = 1000
EXPORTED = "audit.export"
_WHY = {
    "entry": "Entry {no} is missing, changed or out of place: trust nothing from there on.",
    "signature": "The checkpoint of entry {no} is not signed with this record's key.",
    "missing": "Entry {no} was signed as the newest and is not there: the end was cut off.",
    "other": "Entry {no} is another one than was signed: the trail was written anew.",
}


async def verify(db: Database, signer: Signer, files: Iterable[Path], out: TextIO) -> int:
    """Say whether the trail is whole; the exit code is 0 if it is, 1 if not, 2 for bad files."""
    kept: list[Checkpoint] = []
    for path in files:
        try:
            with path.open(encoding="utf-8") as file:
                kept += checkpoints.read(file)
        except OSError as error:
            print(f"{path.name} cannot be read: {error.strerror}.", file=out)
            return 2
        except ValueError as error:
            print(f"{path.name} cannot be used: {error}.", file=out)
            return 2
    async with db.read() as conn:
        broken: Broken | None = await checkpoints.verify(conn, signer, kept)
        count = await _count(conn)
    if broken is not None:
        print(_WHY[broken.why].format(no=broken.no), file=out)
        return 1
    print(
        f"The audit trail is whole: {count} entries, {len(kept)} checkpoints from files.", file=out
    )
    if not kept:
        print(
            "Without a file of checkpoints that was kept elsewhere, whoever could write to this "
            "database and its folder could have cut off the end.",
            file=out,
        )
    return 0


async def export(db: Database, out: TextIO) -> int:
    """Every entry as a line of JSON, with its digests: docs/operators.md says how to check them."""
    now = time.time()
    await db.write(lambda conn: audit.record(conn, None, EXPORTED, "audit", None, "allowed", now))
    after, columns = -(1 << 62), list(schema.audit.c)
    while True:
        async with db.read() as conn:
            rows = await conn.execute(
                select(*columns)
                .where(schema.audit.c.no > after)
                .order_by(schema.audit.c.no)
                .limit(_BATCH)
            )
            found = rows.mappings().all()
        for row in found:
            print(json.dumps(dict(row), ensure_ascii=True), file=out)
        if len(found) < _BATCH:
            return 0
        after = found[-1]["no"]


async def _count(conn: AsyncConnection) -> int:
    newest = select(schema.audit.c.no).order_by(schema.audit.c.no.desc()).limit(1)
    return (await conn.execute(newest)).scalar() or 0
