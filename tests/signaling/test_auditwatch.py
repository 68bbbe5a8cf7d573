"""The look-out over the audit trail: heads are signed by the hour, missing entries are told of."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select

from auth import audit, checkpoints
from auth.checkpoints import Broken, Signer
from records import schema
from records.contacts import NewWay
from signaling import paging
from signaling.auditwatch import AuditWatch
from tests.auth.test_audit import tampered
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
    await _look_out_begun(house)
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


async def _look_out_begun(house: House) -> None:
    async with asyncio.timeout(20):  # the look-out's own first signature
        while house.desk.audits._signed_at is None:
            await asyncio.sleep(0.01)


async def _alarms(house: House) -> int:
    async with house.db.read() as conn:
        words = select(schema.page.c.id).where(schema.page.c.text_key == "alert.words.audit_cut")
        return len((await conn.execute(words)).all())


async def _verified(house: House, *files: Path) -> Broken | None:
    kept = [one for file in files for one in checkpoints.read(file.read_text().splitlines())]
    async with house.db.read() as conn:
        return await checkpoints.verify(conn, Signer(house.desk.vault), kept)


async def test_the_newest_entries_are_noted_within_a_second_so_that_cutting_them_off_shows(
    house: House, tmp_path: Path
) -> None:
    await _look_out_begun(house)
    file = house.desk.audits.head_file = tmp_path / "audit-head.json"
    await _press(house)
    async with house.db.read() as conn:
        newest = (await audit.head(conn)).no

    def noted() -> int:
        found = checkpoints.noted(file)
        return found.no if found else 0

    async with asyncio.timeout(20):  # by the loop itself, long before its minute is over
        while noted() != newest:
            await asyncio.sleep(0.01)
    assert await _verified(house, file) is None
    await tampered(house.db, f"DELETE FROM audit WHERE no = {newest}")
    assert await _verified(house) is None, "the chain itself cannot tell"
    assert await _verified(house, file) == Broken(newest, "missing")


@pytest.mark.parametrize("again", [False, True], ids=["while it ran", "while it was down"])
async def test_an_end_that_is_cut_off_is_told_once_and_stays_provable(
    house: House, tmp_path: Path, again: bool
) -> None:
    await add(house, NewWay("email", "a@demo.invalid", {"to": "a@demo.invalid"}), "per_ada")
    await _look_out_begun(house)
    watch, heads, newest = house.desk.audits, tmp_path / "heads.jsonl", tmp_path / "head.json"
    watch.file, watch.head_file = heads, newest
    await _press(house)
    await watch.note()
    cut = checkpoints.noted(newest)
    assert cut is not None
    await tampered(house.db, f"DELETE FROM audit WHERE no = {cut.no}")
    house.clock.advance(1)
    await _press(house)  # another entry stands at its place now
    if again:
        watch = AuditWatch(house.desk)
        watch.file, watch.head_file = heads, newest
    await watch.note()
    await watch.note()
    assert await _alarms(house) == 1
    assert watch.cut, "for the managers' screens"
    async with house.db.read() as conn:
        page = (await conn.execute(select(schema.page))).one()
        assert paging._about(page) == "audit_cut", "what the holder of its link reads"  # type: ignore[arg-type]
        said = await conn.execute(
            select(schema.audit.c.object_id, schema.audit.c.outcome).where(
                schema.audit.c.action == audit.CUT
            )
        )
        assert said.all() == [(str(cut.no), "failed")], "and the trail itself says so, once"
    assert await _verified(house, heads) == Broken(cut.no, "other")
    now = checkpoints.noted(newest)
    assert now is not None
    assert now.digest != cut.digest, "from here on the trail that there is is looked after"


async def test_a_disk_that_keeps_no_heads_holds_up_nothing_and_is_said_once(
    house: House, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await _look_out_begun(house)
    watch = house.desk.audits
    watch.head_file = tmp_path / "no such folder" / "audit-head.json"
    for _ in range(3):
        await _press(house)
        await watch.note()
    assert caplog.text.count("audit.head_not_kept") == 1
    watch.head_file = tmp_path / "audit-head.json"
    await _press(house)
    await watch.note()
    assert watch.head_file.exists()


@pytest.mark.parametrize(
    "text", ["", "nonsense", '{"no": 9, "digest": "d", "at": 1, "signature": "00"}']
)
async def test_a_noted_head_that_is_no_head_of_ours_is_not_believed(
    house: House, tmp_path: Path, text: str
) -> None:
    await _look_out_begun(house)
    await _press(house)
    watch = AuditWatch(house.desk)
    watch.head_file = tmp_path / "audit-head.json"
    watch.head_file.write_text(text)
    await watch.note()
    assert await _alarms(house) == 0
    assert await _verified(house, watch.head_file) is None
