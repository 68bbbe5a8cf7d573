"""What SQLite must be told now and then, so that it goes on finding things quickly.

Its planner chooses an index by how many rows each value has, and knows only what `ANALYZE` counted;
nothing counts by itself, as PostgreSQL's autovacuum does. Without numbers the log takes an index of
a million sessions where another has ten of them. https://www.sqlite.org/lang_analyze.html
"""

from __future__ import annotations

import asyncio
import time

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from records.engine import Database

REST = 4.0  # times what counting one index took, for everybody else who wants to write

_INDEXES = text(
    "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name"
)


async def keep_up(db: Database) -> int:
    """Count what the planner goes by; how many indexes. PostgreSQL does so by itself: 0.

    Each index in a transaction of its own: a press waits for one of them, not for all.
    """
    if not db.sqlite:
        return 0
    async with db.read() as conn:
        names = list((await conn.execute(_INDEXES)).scalars())
    for name in names:
        began = time.monotonic()
        await db.write(lambda conn, one=name: _count(conn, one))  # type: ignore[misc]
        await asyncio.sleep(REST * (time.monotonic() - began))
    await db.write(_tell)
    return len(names)


async def _count(conn: AsyncConnection, index: str) -> None:
    """All of it: of a part, an index of few rows looks longer than one of all of them."""
    await conn.execute(text(f'ANALYZE "{index}"'))


async def _tell(conn: AsyncConnection) -> None:
    """Connections that are open read the numbers when they see that the schema has changed."""
    await conn.execute(text("CREATE TABLE numbers_are_new (id INTEGER)"))
    await conn.execute(text("DROP TABLE numbers_are_new"))
