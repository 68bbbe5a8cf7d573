"""The audit chain: an edit, a removal or a swap is found; a failed audit stops reading only."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit
from auth.actors import Actor
from auth.audit import Head
from auth.errors import AuditFailed
from records import schema
from records.engine import Database
from tests.auth.cast import NOW

ADA = Actor("person", "per_ada", "Ada Okafor", "Ada", frozenset({"supervisor"}))


async def _write(db: Database, count: int) -> None:
    async def work(conn: AsyncConnection) -> None:
        for number in range(count):
            await audit.record(
                conn, ADA, "record.read", "session", f"ses_{number}", "allowed", NOW + number / 7
            )

    await db.write(work)


async def _verify(db: Database, anchor: Head | None = None) -> int | None:
    async with db.read() as conn:
        return await audit.verify(conn, anchor)


async def _head(db: Database) -> Head:
    async with db.read() as conn:
        return await audit.head(conn)


async def tampered(db: Database, *statements: str) -> None:
    """As somebody who may do everything to the database, its own locks on the trail included."""

    async def work(conn: AsyncConnection) -> None:
        for table in ("audit", "audit_checkpoint"):
            for change in ("update", "delete"):
                await conn.execute(text(f"DROP TRIGGER IF EXISTS {table}_no_{change}"))
        for statement in statements:
            await conn.execute(text(statement))

    await db.write(work)


async def test_an_empty_chain_is_whole(db: Database) -> None:
    assert await _verify(db) is None
    assert await _head(db) == Head()


async def test_entries_are_numbered_from_one_and_the_chain_is_whole(db: Database) -> None:
    await _write(db, 5)
    assert await _verify(db) is None
    assert (await _head(db)).no == 5


async def test_a_chain_longer_than_one_reading_is_whole(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "_BATCH", 4)
    await _write(db, 12)
    assert await _verify(db) is None
    await tampered(db, "UPDATE audit SET outcome='refused' WHERE no=9")
    assert await _verify(db) == 9


@pytest.mark.parametrize(
    "edit",
    [
        "at = at + 0.001",
        "actor_kind = 'tablet'",
        "actor_id = 'per_bob'",
        "actor_id = NULL",
        "action = 'record.write'",
        "object_kind = 'tablet'",
        "object_id = 'ses_9'",
        "outcome = 'refused'",
        "place = '198.51.100.7'",
        "previous = digest",
        "digest = previous",
        "no = 77",
        "no = -3",
    ],
)
async def test_an_edited_entry_is_found(db: Database, edit: str) -> None:
    await _write(db, 5)
    await tampered(db, f"UPDATE audit SET {edit} WHERE no = 3")
    assert await _verify(db) == 3


async def test_a_removed_entry_is_found(db: Database) -> None:
    await _write(db, 5)
    await tampered(db, "DELETE FROM audit WHERE no = 2")
    assert await _verify(db) == 2


async def test_a_removed_entry_is_found_even_when_the_rest_is_numbered_anew(db: Database) -> None:
    await _write(db, 5)
    await tampered(
        db,
        "DELETE FROM audit WHERE no = 2",
        *(f"UPDATE audit SET no={n - 1} WHERE no={n}" for n in (3, 4, 5)),
    )
    assert await _verify(db) == 2


async def test_two_swapped_entries_are_found(db: Database) -> None:
    await _write(db, 5)
    await tampered(
        db,
        "UPDATE audit SET no = 99 WHERE no = 2",
        "UPDATE audit SET no = 2 WHERE no = 3",
        "UPDATE audit SET no = 3 WHERE no = 99",
    )
    assert await _verify(db) == 2


async def test_an_entry_put_before_the_first_is_found(db: Database) -> None:
    await _write(db, 2)
    await tampered(
        db,
        "INSERT INTO audit SELECT 0, at, actor_kind, actor_id, action, object_kind, object_id, "
        "outcome, place, previous, digest FROM audit WHERE no = 1",
    )
    assert await _verify(db) == 0


async def test_a_cut_off_end_is_found_with_a_head_kept_elsewhere(db: Database) -> None:
    await _write(db, 5)
    kept = await _head(db)
    await tampered(db, "DELETE FROM audit WHERE no >= 4")
    assert await _verify(db) is None  # a shorter chain is whole in itself
    assert await _verify(db, kept) == 4


async def test_a_chain_made_anew_is_found_with_a_head_kept_elsewhere(db: Database) -> None:
    await _write(db, 3)
    kept = await _head(db)
    await tampered(db, "DELETE FROM audit")
    await _write(db, 2)
    await _write(db, 2)
    assert await _verify(db) is None
    assert await _verify(db, kept) == 3


async def test_a_kept_head_agrees_with_the_chain_that_grew_on(db: Database) -> None:
    await _write(db, 3)
    kept = await _head(db)
    await _write(db, 3)
    assert await _verify(db, kept) is None


async def test_a_time_in_whole_seconds_is_chained_as_it_is_stored(db: Database) -> None:
    await db.write(lambda conn: audit.record(conn, None, "a.b", "log", None, "failed", 5))
    assert await _verify(db) is None


async def test_entries_written_at_once_form_one_chain(db: Database) -> None:
    await asyncio.gather(*(_write(db, 3) for _ in range(10)))
    assert (await _head(db)).no == 30
    assert await _verify(db) is None


async def test_an_entry_whose_transaction_fails_is_not_there(db: Database) -> None:
    async def work(conn: AsyncConnection) -> None:
        await audit.record(conn, ADA, "record.read", "session", "ses_1", "allowed", NOW)
        raise RuntimeError("and then it went wrong")

    with pytest.raises(RuntimeError):
        await db.write(work)
    assert await _head(db) == Head()


async def test_a_strict_entry_that_fails_takes_its_transaction_with_it(db: Database) -> None:
    await tampered(db, "DROP TABLE audit")

    async def work(conn: AsyncConnection) -> None:
        await conn.execute(text("UPDATE agency SET name = 'changed'"))
        await audit.record(conn, ADA, "record.read", "session", "ses_1", "allowed", NOW)

    with pytest.raises(AuditFailed):
        await db.write(work)
    async with db.read() as conn:
        names = (await conn.execute(select(schema.agency.c.name))).scalars().all()
    assert "changed" not in names


async def test_a_lenient_entry_that_fails_harms_nothing_else_and_is_logged(
    db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await tampered(db, "DROP TABLE audit")

    async def work(conn: AsyncConnection) -> bool:
        await conn.execute(text("UPDATE agency SET name = 'before'"))
        written = await audit.try_record(
            conn, ADA, "session.open", "session", "ses_1", "allowed", NOW
        )
        await conn.execute(text("UPDATE agency SET county = 'after'"))
        return written

    assert not await db.write(work)
    async with db.read() as conn:
        rows = (await conn.execute(select(schema.agency))).all()
    assert {(row.name, row.county) for row in rows} == {("before", "after")}
    assert "audit.failed action=session.open" in caplog.text
    assert "Ada" not in caplog.text
    assert "per_ada" not in caplog.text
