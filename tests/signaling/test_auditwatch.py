"""The look-out over the audit trail: heads are signed by the hour, missing entries are told of."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select

from auth import audit, checkpoints
from auth.checkpoints import Signer
from records import schema
from records.contacts import NewWay
from tests.signaling.conftest import House
from tests.signaling.test_pager import add


async def _press(house: House) -> None:
    """Something that leaves entries."""
    async with house.db.read() as conn:
        before = (await audit.head(conn)).no
    await house.db.write(
        lambda conn: audit.record(conn, None, "a.b", "log", None, "allowed", house.clock.now)
    )
    async with house.db.read() as conn:
        assert (await audit.head(conn)).no == before + 1


async def test_a_head_is_signed_once_and_kept_in_the_file_as_well(
    house: House, tmp_path: Path
) -> None:
    async with asyncio.timeout(20):  # the look-out's own first signature
        while house.desk.audits._signed_at is None:
            await asyncio.sleep(0.01)
    file = house.desk.audits.file = tmp_path / "audit-checkpoints.jsonl"
    await _press(house)
    made = await house.desk.audits.sign()
    assert made is not None
    assert await house.desk.audits.sign() is None
    await _press(house)
    again = await house.desk.audits.sign()
    assert again is not None
    with file.open() as lines:
        assert checkpoints.read(lines) == [made, again]
    async with house.db.read() as conn:
        kept = [made, again]
        assert await checkpoints.verify(conn, Signer(house.desk.vault), kept) is None


async def test_entries_that_could_not_be_written_are_told_once_an_hour(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(house, NewWay("email", "a@demo.invalid", {"to": "a@demo.invalid"}), "per_ada")
    monkeypatch.setattr(audit, "failures", 0)
    house.desk.audits._told = 0

    async def told() -> int:
        async with house.db.read() as conn:
            words = select(schema.page.c.id).where(schema.page.c.text_key == "alert.words.audit")
            return len((await conn.execute(words)).all())

    await house.desk.audits.look()
    assert await told() == 0
    audit.missed()
    await house.desk.audits.look()
    await house.desk.audits.look()
    assert await told() == 1
    audit.missed()
    await house.desk.audits.look()
    assert await told() == 1, "one alarm an hour"
    house.clock.advance(3_600)
    audit.missed()
    await house.desk.audits.look()
    assert await told() == 2
