"""Another key for everything, while everybody works: nothing is unreadable at any moment."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import rekeying
from records import backups, contacts, dumps, kek, kek_register, resealing, schema
from records.contacts import NewWay
from records.crypto import PURPOSES, Vault, ring_beside
from records.engine import Database
from records.errors import KeyMissing, KeyNeeded, KeyWrong, NotFound
from records.kek_sources import FileSource, TextSource
from records.ring import Ring
from records.schema import contact_point
from tests.journeys import typed
from tests.journeys.harness import ROOT
from tests.records.cast import NOW, pressed
from tests.records.sealing_writer import PEOPLE, read, seal

DAY = 86_400.0
LATER_ON = NOW + 100 * DAY
MANY = 4_000  # values: a moving takes a while


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "records.key"


class House:
    """A record with something under each kind of seal, and its key file."""

    def __init__(self, db: Database, key_file: Path) -> None:
        self.db = db
        self.source = FileSource(key_file)
        self.vault = Vault.from_key_file(key_file)
        self.first = self.vault.keks.newest.id

    async def begin(self) -> None:
        await self.checked(self.vault)
        await rekeying.enrol(self.db, self.vault, NOW)
        session = await pressed(self.db)
        await seal(self.db, self.vault, PEOPLE[0], session.id, 1)

    async def checked(self, vault: Vault) -> Vault:
        async with self.db.read() as conn:
            await vault.check(conn)
        return vault

    async def again(self) -> Vault:
        """As a server that starts now has it."""
        return await self.checked(Vault.from_key_file(self.source.path, create=False))

    async def rotate(self, now: float = NOW + 1) -> str:
        fresh = kek.fresh(now)
        self.source.add(fresh)
        await rekeying.rotate(self.db, self.vault, fresh, now)
        return fresh.id

    async def under(self) -> dict[str, Counter[str]]:
        async with self.db.read() as conn:
            return await (await self.again()).uses(conn)

    async def retire(self, kek_id: str, days: float = 35, now: float = LATER_ON) -> None:
        await rekeying.retire(self.db, self.vault, kek_id, days, now)
        self.source.drop(kek_id)


@pytest.fixture
async def house(db: Database, key_file: Path) -> House:
    made = House(db, key_file)
    await made.begin()
    return made


async def trail(db: Database) -> list[tuple[str, str | None, str]]:
    entry = schema.audit
    async with db.read() as conn:
        rows = await conn.execute(
            select(entry.c.action, entry.c.object_id, entry.c.outcome)
            .where(entry.c.action.startswith("keys."))
            .order_by(entry.c.no)
        )
        return [(row.action, row.object_id, row.outcome) for row in rows]


# --- the steps ------------------------------------------------------------------------------------


def test_every_sealed_column_hangs_on_a_session_or_is_known_to_be_sealed_anew() -> None:
    """A new column cannot be forgotten: under the vault's own key it names the key beside it."""
    own = {(one.name, column) for one in resealing.OWN for column in one.columns}
    for name, table in schema.metadata.tables.items():
        for column in table.c:
            if column.name.endswith("_enc"):
                assert ("kek_id" in table.c) == ((name, column.name) in own), column


def test_every_tag_that_is_made_is_of_a_known_purpose() -> None:
    """Or it would change when the first key goes, and with it what it finds."""
    sources = [path for folder in ("auth", "records", "signaling", "web") for path in
               (ROOT / folder).rglob("*.py")]  # fmt: skip
    used = {
        purpose
        for path in sources
        for purpose in re.findall(r"vault\.tag\(\s*([^,]+),", path.read_text())
    }
    assert used == {f'"{purpose}"' for purpose in PURPOSES}


async def test_a_running_server_seals_with_a_new_key_at_once_and_reads_the_old(
    house: House, db: Database
) -> None:
    other = await house.again()  # its keys were read before there was another one
    new = await house.rotate()
    session = await pressed(db, "tab_2")
    await seal(db, other, PEOPLE[1], session.id, 2)
    assert (await house.under())[new] == Counter(session_key=1, contact_point=1, totp=1), (
        "what another server seals is under the new key without a restart"
    )
    for vault in (house.vault, other, await house.again()):
        assert await read(db, vault) == 6


async def test_what_is_under_the_old_key_is_moved_and_the_old_one_can_go(
    house: House, db: Database
) -> None:
    new = await house.rotate()
    before = (await house.under())[house.first]
    assert before == Counter(session_key=1, contact_point=1, totp=1, tag_key=len(PURPOSES) + 1)
    moved = await rekeying.rewrap(db, house.vault, NOW + 2)
    assert (moved.seen, moved.unread) == (before.total(), 0)
    assert set(await house.under()) == {new}
    assert (await rekeying.rewrap(db, house.vault, NOW + 3)).seen == 0
    await house.retire(house.first)
    assert [one.id for one in house.source.read()] == [new]
    assert await read(db, await house.again()) == 3


async def test_tags_and_what_they_find_outlive_the_key_that_they_came_from(
    house: House, db: Database
) -> None:
    before = [house.vault.tag(purpose, "text") for purpose in PURPOSES]
    way = NewWay("email", "dana@demo.invalid", {"to": "dana@demo.invalid"})
    known, _ = await db.write(lambda c: contacts.add(c, house.vault, "per_dana", way, NOW))
    for _ in range(2):
        old = house.source.read()[-1].id
        await house.rotate()
        await rekeying.rewrap(db, house.vault, NOW)
        await house.retire(old, days=0)
    later = await house.again()
    assert [later.tag(purpose, "text") for purpose in PURPOSES] == before
    assert later.tag("a purpose of a later version", "text") == (await house.again()).tag(
        "a purpose of a later version", "text"
    )
    same, new = await db.write(lambda c: contacts.add(c, later, "per_dana", way, NOW))
    assert (same.id, new) == (known.id, False)
    with pytest.raises(RuntimeError, match="must be checked"):
        Vault.from_key_file(house.source.path).tag(PURPOSES[0], "text")


async def test_a_key_goes_only_when_nothing_needs_it(house: House, db: Database) -> None:
    with pytest.raises(KeyNeeded, match="seals everything new"):
        await house.retire(house.first)
    new = await house.rotate()
    with pytest.raises(KeyNeeded, match="values still need this key"):
        await house.retire(house.first)
    await rekeying.rewrap(db, house.vault, NOW)
    with pytest.raises(KeyNeeded, match="Backups of 34 days ago"):
        await house.retire(house.first, now=NOW + 1 + 34 * DAY)
    with pytest.raises(NotFound):
        await house.retire("0" * 16)
    assert len(house.source.read()) == 2
    await house.retire(house.first, days=0)
    await house.retire(house.first)  # twice does no harm
    assert [one.id for one in house.source.read()] == [new]
    async with db.read() as conn:
        assert [one.state for one in await kek_register.listed(conn)] == ["retired", "current"]


async def test_a_backup_holds_the_keys_that_it_needs(house: House, db: Database) -> None:
    new = await house.rotate()
    await rekeying.note_backup(db, await house.again(), NOW + 60 * DAY)  # before the rewrap
    await rekeying.rewrap(db, house.vault, NOW)
    with pytest.raises(KeyNeeded, match="Backups of 30 days ago"):
        await house.retire(house.first, now=NOW + 90 * DAY)
    await rekeying.note_backup(db, await house.again(), NOW + 90 * DAY)  # needs the new one alone
    await house.retire(house.first, now=NOW + 96 * DAY)
    async with db.read() as conn:
        noted = {one.id: one.backup_at for one in await kek_register.listed(conn)}
    assert noted == {house.first: NOW + 60 * DAY, new: NOW + 90 * DAY}


async def test_every_step_is_on_the_trail(house: House, db: Database) -> None:
    new = await house.rotate()
    with pytest.raises(KeyNeeded):
        await house.retire(house.first)
    await rekeying.rewrap(db, house.vault, NOW)
    await rekeying.status(db, house.vault, NOW)
    await house.retire(house.first)
    assert await trail(db) == [
        ("keys.rotate", new, "allowed"),
        ("keys.retire", house.first, "refused"),
        ("keys.rewrap", None, "allowed"),
        ("keys.status", None, "allowed"),
        ("keys.retire", house.first, "allowed"),
    ]


async def test_aging_keys_go_on_beside_a_new_key(house: House, db: Database) -> None:
    ring = Ring(ring_beside(house.source.path))
    ring.add(NOW)
    await rekeying.rewrap(db, house.vault, NOW)
    new = await house.rotate()
    vault = await house.again()
    assert (await rekeying.rewrap(db, vault, NOW)).seen > 0
    assert set(await house.under()) == {new}
    ring.add(NOW + DAY)
    await rekeying.rewrap(db, vault, NOW)
    async with db.read() as conn:
        assert len(await vault.unneeded(conn, NOW + 2 * DAY)) == 1
    await house.retire(house.first)
    assert await read(db, await house.again()) == 3


async def test_a_value_that_does_not_open_is_left_and_counted_and_the_others_move(
    house: House, db: Database
) -> None:
    await db.write(lambda c: c.execute(update(contact_point).values(details_enc=b"\1" + b"x" * 40)))
    await house.rotate()
    moved = await rekeying.rewrap(db, house.vault, NOW)
    assert moved.unread == 1
    assert (await house.under())[house.first] == Counter(contact_point=1)
    assert (await trail(db))[-1] == ("keys.rewrap", None, "failed")


async def test_a_value_that_was_changed_meanwhile_is_not_overwritten(
    house: House, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other writer comes between reading and writing, as PostgreSQL lets it."""
    await house.rotate()
    real = Vault.open_own
    newer = b"newer bytes"

    async def slow(
        self: Vault, table: str, column: str, row_id: str, sealed: bytes, kek_id: str
    ) -> bytes:
        plain = await real(self, table, column, row_id, sealed, kek_id)
        if table == "contact_point":
            await conn.execute(update(contact_point).values(details_enc=newer))
        return plain

    monkeypatch.setattr(Vault, "open_own", slow)
    own = next(one for one in resealing.OWN if one.table is contact_point)
    async with db.read() as conn:  # undone at its end
        await resealing.reseal(house.vault, own, conn, 10)
        stored = (await conn.execute(select(contact_point.c.details_enc))).scalars().all()
    assert set(stored) == {newer}


# --- lost and wrong keys --------------------------------------------------------------------------


async def test_a_lost_and_a_wrong_key_are_a_clear_stop(house: House, db: Database) -> None:
    whole = house.source.path.read_text()
    new = await house.rotate()
    both = house.source.path.read_text()
    house.source.path.write_text(whole)
    with pytest.raises(KeyMissing, match="keys rotate"):  # the new one is current, and not here
        await house.again()
    house.source.path.write_text(both.splitlines()[1])
    with pytest.raises(KeyMissing, match="newest copies"):
        await house.again()
    house.source.path.write_text("ab" * 32)
    with pytest.raises(KeyWrong, match="another database"):
        await house.again()
    house.source.path.write_text(both)
    vault = await house.again()
    assert await read(db, vault) == 3
    found = await rekeying.status(db, Vault.from_source(TextSource("t", whole), Path("none")), NOW)
    assert [(one.id, one.here) for one in found] == [(house.first, True), (new, False)]


async def test_a_server_without_the_new_key_takes_calls_with_the_old_one(
    house: House, db: Database
) -> None:
    """Its copy of the file did not come yet. What it seals is moved by the next rewrap."""
    behind = Vault.from_source(TextSource("t", house.source.path.read_text()), Path("none"))
    await house.checked(behind)
    await house.rotate()
    session = await pressed(db, "tab_2")
    await seal(db, behind, PEOPLE[1], session.id, 2)
    assert await read(db, house.vault) == 6
    assert (await house.under())[house.first]["session_key"] == 2


async def test_a_name_that_nobody_has_reads_the_keys_once_in_a_while(
    house: House, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = []

    class Counted(FileSource):
        def read(self) -> tuple[kek.Kek, ...]:
            times.append(1)
            return super().read()

    vault = Vault.from_source(Counted(house.source.path), Path("none"))
    assert len(times) == 1
    for _ in range(5):
        with pytest.raises(KeyWrong):
            await vault.open_own("totp", "secret_enc", "per_dana", b"\1" * 50, "absent")
    assert len(times) == 2
    await house.checked(vault)
    await house.rotate()  # a name that is there is found all the same
    session = await pressed(db, "tab_2")
    await seal(db, vault, PEOPLE[1], session.id, 2)
    assert len(times) == 3


async def test_the_new_key_opens_older_backups_while_both_are_here(
    house: House, tmp_path: Path, url: str, backend: str
) -> None:
    if backend != "sqlite":
        pytest.skip("a backup's seal is the same for both")
    old = backups.make(url, house.vault, tmp_path / "kept", NOW)
    await house.rotate()
    both = await house.again()
    new = backups.make(url, both, tmp_path / "kept", NOW + 5)
    assert backups.check(old, both).kek_id == house.first
    assert backups.check(new, both).kek_id == both.keks.newest.id
    with pytest.raises(dumps.CannotDump):
        backups.check(new, house_with(house.source.read()[:1]))


def house_with(keys: tuple[kek.Kek, ...]) -> Vault:
    return Vault.from_source(TextSource("t", "\n".join(one.line for one in keys)), Path("none"))


# --- several processes ----------------------------------------------------------------------------


class Outside:
    """Other processes on the same record."""

    def __init__(self, url: str, key_file: Path, folder: Path) -> None:
        self.url, self.key_file, self.stop = url, key_file, folder / "stop"
        self._settings = {
            "secret": "fine-and-long-0123456789-abcdefghijk",
            "data_dir": str(folder / "data"),
            "database_url": url,
            "kek_file": str(key_file),
        }

    def writer(self, number: int) -> subprocess.Popen[str]:
        module = "tests.records.sealing_writer"
        command = [sys.executable, "-m", module, self.url, str(self.key_file), str(number),
                   str(self.stop)]  # fmt: skip
        env = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'queue'}"}
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=pipe, stderr=subprocess.STDOUT, text=True
        )

    def begun(self, *argv: str) -> typed.Typed:
        return typed.begin("keys", *argv, **self._settings)

    async def keys(self, *argv: str) -> tuple[int, str]:
        return await asyncio.to_thread(self.begun(*argv).end)

    async def done(self, *argv: str) -> str:
        code, said = await self.keys(*argv)
        assert code == 0, said
        return said

    async def moved_and_retired(self, old: str) -> None:
        """As an operator would: a writer that began before the change may end after the moving."""
        for _ in range(10):
            await self.done("rewrap")
            code, said = await self.keys("retire", old, "--days", "0")
            if code == 0:
                assert "is retired" in said
                return
            assert "still need this key" in said, said
        raise AssertionError("the old key is needed for ever")


async def test_two_processes_write_while_keys_come_and_go_and_everything_opens_at_every_moment(
    db: Database, url: str, key_file: Path, tmp_path: Path
) -> None:
    Vault.from_key_file(key_file)
    outside = Outside(url, key_file, tmp_path)
    writers = [outside.writer(number) for number in range(2)]
    try:
        for one in writers:
            assert one.stdout is not None
            assert await asyncio.to_thread(one.stdout.readline) == "writing\n"
        first = FileSource(key_file).read()[-1].id
        await outside.done("rotate")
        await outside.moved_and_retired(first)
        here = House(db, key_file)
        for _ in range(2):
            await here.checked(here.vault)
            old, _ = FileSource(key_file).read()[-1].id, await here.rotate()
            await _moved_and_retired(here, old)
        status = await outside.done("status")
    finally:
        outside.stop.touch()
        said = [(await asyncio.to_thread(one.communicate, timeout=60))[0] for one in writers]
    assert [one.returncode for one in writers] == [0, 0], said
    assert all("written" in one and " opened 0" not in one for one in said), said
    (left,) = FileSource(key_file).read()
    assert f"{left.id} current" in status
    assert left.key.hex() not in status
    vault = Vault.from_key_file(key_file, create=False)
    async with db.read() as conn:
        await vault.prove(conn)
        assert set(await vault.uses(conn)) == {left.id}
    assert await read(db, vault) > 2


async def _moved_and_retired(house: House, old: str) -> None:
    """As an operator would: a writer that began before the change may end after the moving."""
    for _ in range(20):
        await rekeying.rewrap(house.db, house.vault, NOW)
        with contextlib.suppress(KeyNeeded):
            return await house.retire(old, days=0)
    raise AssertionError("the old key is needed for ever")


async def test_a_rewrap_that_is_killed_half_way_is_begun_again_and_ends(
    db: Database, url: str, key_file: Path, tmp_path: Path
) -> None:
    house = House(db, key_file)
    await house.begin()
    await db.write(lambda conn: _many(conn, house.vault, MANY))
    new = await house.rotate()
    process = Outside(url, key_file, tmp_path).begun("rewrap").process
    try:
        while not 0 < await _moved(db, new) < MANY + 1:
            assert process.poll() is None
            await asyncio.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.wait, 60)
    finally:
        process.kill()
    half = await _moved(db, new)
    assert 0 < half < MANY + 1
    async with db.read() as conn:
        await (await house.again()).prove(conn)
    said = await Outside(url, key_file, tmp_path).done("rewrap")
    assert f"{MANY + 1 - half + len(PURPOSES) + 1 + 1} values moved" in said  # and tags, and an app
    assert set(await house.under()) == {new}


async def _many(conn: AsyncConnection, vault: Vault, number: int) -> None:
    own = await vault.own(conn)
    rows = [
        {
            "id": f"con_{n}",
            "person_id": "per_miguel",
            "kind": "sms",
            "place": n,
            "details_enc": own.seal("contact_point", "details", f"con_{n}", b"{}"),
            "kek_id": own.id,
            "digest": f"{n}",
            "created_at": NOW,
        }
        for n in range(number)
    ]
    await conn.execute(insert(contact_point), rows)


async def _moved(db: Database, kek_id: str) -> int:
    async with db.read() as conn:
        counted = select(func.count()).where(contact_point.c.kek_id == kek_id)
        return int(await conn.scalar(counted) or 0)
