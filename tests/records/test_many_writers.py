"""PostgreSQL has many writers: they wait for each other, and who must give up is told so."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from records import offers, sessions
from records.engine import Database
from records.errors import StaleSession
from tests.records.cast import CLINICIANS, NOW, pressed, rung


@pytest.fixture
def backend() -> str:
    return "postgresql"


async def _somebody_waits(db: Database) -> None:
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(30):
        while True:
            async with db.read() as conn:  # afresh: one transaction sees one picture only
                if (await conn.execute(waiting)).scalar():
                    return
            await asyncio.sleep(0.01)


async def test_a_second_accept_waits_and_finds_its_offer_withdrawn(db: Database) -> None:
    row = await pressed(db)
    mine, theirs = [await rung(db, row, who) for who in CLINICIANS]
    holding = asyncio.Event()

    async def first(conn: AsyncConnection) -> None:
        assert await offers.end(conn, mine, to_state="accepted", reason=None, now=NOW)
        holding.set()
        await _somebody_waits(db)
        await offers.withdraw_all(conn, row.id, "taken", NOW)

    async def second(conn: AsyncConnection) -> bool:
        return await offers.end(conn, theirs, to_state="accepted", reason=None, now=NOW)

    winner = asyncio.create_task(db.write(first))
    await holding.wait()
    assert not await db.write(second)
    await winner


async def test_of_two_that_lock_each_other_out_one_is_told_that_it_was_stale(
    db: Database,
) -> None:
    one, other = await pressed(db, "tab_1"), await pressed(db, "tab_2")
    both = asyncio.Barrier(2)

    async def cross(conn: AsyncConnection, near: str, far: str) -> None:
        await sessions.lock(conn, near)
        await both.wait()
        await sessions.lock(conn, far)

    outcomes = await asyncio.gather(
        db.write(lambda conn: cross(conn, one.id, other.id)),
        db.write(lambda conn: cross(conn, other.id, one.id)),
        return_exceptions=True,
    )
    assert sorted(type(o).__name__ for o in outcomes) == ["NoneType", StaleSession.__name__]
