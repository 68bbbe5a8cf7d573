"""SQLite's numbers: without them it takes an index that fits, however many rows that means."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from records import schema, upkeep
from records.engine import Database, upgrade
from records.upkeep import keep_up
from tests.records import cast
from tests.records.cast import NOW

NUMBERS = count()
# by which index? By itself SQLite takes the outcome's
ASKED = "SELECT id FROM session WHERE actual_disposition = 'other' AND code = '000007'"


async def sessions(conn: AsyncConnection) -> None:
    """Three thousand of one outcome, each with a code of its own."""
    await conn.execute(
        insert(schema.session),
        [
            {
                "id": f"ses_{n}", "code": f"{n:06d}", "press_key": f"k{n}", "agency_id": "agy_1",
                "provider_id": "prv_1", "program_id": "prg_1", "state": "closed", "seq": n,
                "tablet_id": "tab_1", "close_reason": "completed", "actual_disposition": "other",
                "pressed_at": NOW + n,
            }
            for n in range(3000)
        ],
    )  # fmt: skip


async def plan(db: Database) -> str:
    """Of a question that is asked first: what only explains does not look whether all is new."""
    async with db.read() as conn:
        await conn.execute(text(ASKED))
        explained = f"EXPLAIN QUERY PLAN {ASKED} ORDER BY pressed_at -- {next(NUMBERS)}"
        return "\n".join(row.detail for row in await conn.execute(text(explained)))


@pytest.fixture
def url(tmp_path: Path) -> str:
    made = f"sqlite:///{tmp_path}/long.db"
    upgrade(made)
    return made


async def test_who_is_connected_already_goes_by_the_new_numbers_too(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "REST", 0.0)
    db = Database(url)
    await db.start()
    try:
        await db.write(cast.fill)
        await keep_up(db)  # of an empty record: later numbers must replace these
        before = await plan(db)
        await db.write(sessions)
        assert await keep_up(db) > 50
        assert "session_code" in await plan(db), before
        assert "session_code" not in before, "nothing was shown"
    finally:
        await db.close()


async def test_postgresql_is_left_to_its_own_upkeep(db: Database) -> None:
    done = await keep_up(db)
    assert (done > 0) == db.sqlite
