"""A database that does not answer: a typed error, said once, and all goes on afterwards."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from records import engine
from records.engine import Database
from records.errors import RecordAway
from tests.records import servers


@contextlib.contextmanager
def no_answer(url: str) -> Iterator[None]:
    """Inside, the database cannot be written to (SQLite) or not even be reached (PostgreSQL)."""
    if not url.startswith("sqlite"):
        with servers.away(url):
            yield
        return
    other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.close()


async def a_write(conn: AsyncConnection) -> None:
    await conn.execute(text("UPDATE agency SET name = name"))


async def test_a_database_that_does_not_answer_is_said_once_and_used_again_when_it_does(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engine, "BUSY_MILLISECONDS", 20)
    caplog.set_level(logging.WARNING, "records")
    db = Database(url)
    await db.start()
    await db.write(a_write)
    with no_answer(url):
        for _ in range(3):
            with pytest.raises(RecordAway):
                await db.write(a_write)
            with contextlib.suppress(RecordAway):  # of a file that cannot be written
                async with db.read() as conn:
                    await conn.execute(text("SELECT 1"))
    await db.write(a_write)
    async with db.read() as conn:
        assert (await conn.execute(text("SELECT 1"))).scalar() == 1
    await db.close()
    said = [record.getMessage().split(" ")[:2] for record in caplog.records]
    assert [event for event, kind in said if kind == "for=writing"] == [
        "record.away",
        "record.back",
    ]


async def test_nobody_can_read_from_a_postgresql_that_is_away(postgres: servers.Server) -> None:
    url = postgres.make()
    db = Database(url)
    await db.start()
    with servers.away(url), pytest.raises(RecordAway):
        async with db.read() as conn:
            await conn.execute(text("SELECT 1"))
    await db.close()
    postgres.drop(url)


async def test_a_mistake_of_ours_is_not_taken_for_a_database_that_is_away(url: str) -> None:
    db = Database(url)
    await db.start()
    with pytest.raises(Exception, match="nowhere") as caught:
        async with db.read() as conn:
            await conn.execute(text("SELECT 1 FROM nowhere"))
    assert not isinstance(caught.value, RecordAway)
    await db.close()
