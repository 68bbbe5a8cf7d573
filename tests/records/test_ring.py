"""Aging keys: what was deleted is closed in backups too, and nothing that is kept is ever lost."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from records import schema
from records.crypto import Vault, ring_beside
from records.engine import Database
from records.errors import KeyMissing, KeyWrong
from records.ring import Ring
from tests.records.cast import pressed

DAY = 86_400
T0 = 1_790_000_000


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "records.key"


async def sealed(db: Database, vault: Vault, tablet: str = "tab_1") -> tuple[str, bytes]:
    """A session, and words that are sealed with its key."""
    row = await pressed(db, tablet)
    words = await db.write(
        lambda conn: vault.seal(conn, row.id, "addendum", "body_enc", "add_1", b"words")
    )
    return row.id, words


async def read(db: Database, vault: Vault, session_id: str, words: bytes) -> bytes:
    vault.forget(session_id)
    async with db.read() as conn:
        return await vault.open(conn, session_id, "addendum", "body_enc", "add_1", words)


async def wrapped_with(db: Database) -> set[str]:
    async with db.read() as conn:
        return set((await conn.execute(select(schema.session_key.c.kek_id))).scalars())


async def rewrap(db: Database, vault: Vault, limit: int = 100) -> int:
    return (await db.write(lambda conn: vault.rewrap(conn, limit))).seen


async def drop(db: Database, vault: Vault, ring: Ring, before: float) -> int:
    async with db.read() as conn:
        return ring.drop(await vault.unneeded(conn, before))


async def test_without_the_file_everything_is_as_it_was(db: Database, key_file: Path) -> None:
    vault = Vault.from_key_file(key_file)
    session, words = await sealed(db, vault)
    assert await wrapped_with(db) == {vault.keks.newest.id}
    assert await rewrap(db, vault) == 0
    assert await read(db, vault, session, words) == b"words"
    assert not ring_beside(key_file).exists()


async def test_keys_of_before_are_wrapped_anew_by_themselves_and_everything_still_opens(
    db: Database, key_file: Path
) -> None:
    vault = Vault.from_key_file(key_file)
    old = [await sealed(db, vault, f"tab_{n}") for n in (1, 2)]
    Ring(ring_beside(key_file)).add(T0)
    new = await sealed(db, vault, "tab_3")
    assert len(await wrapped_with(db)) == 2
    assert [await rewrap(db, vault, 1) for _ in range(3)] == [1, 1, 0]
    assert vault.keks.newest.id not in await wrapped_with(db)
    for one in (vault, Vault.from_key_file(key_file)):
        async with db.read() as conn:
            await one.check(conn)
        for session, words in (*old, new):
            assert await read(db, one, session, words) == b"words"


async def test_what_was_deleted_is_closed_in_a_backup_once_its_key_is_destroyed(
    db: Database, key_file: Path
) -> None:
    vault, ring = Vault.from_key_file(key_file), Ring(ring_beside(key_file))
    ring.add(T0)
    gone, words = await sealed(db, vault)
    kept, others = await sealed(db, vault, "tab_2")
    keys = schema.session_key
    async with db.read() as conn:
        backup = (await conn.execute(select(keys).where(keys.c.session_id == gone))).one()
    await db.write(lambda c: c.execute(keys.delete().where(keys.c.session_id == gone)))
    ring.add(T0 + 30 * DAY)
    assert await rewrap(db, vault) == 1

    async def restored() -> bytes:
        """The backup's row put back, as whoever has that backup would."""
        await db.write(lambda c: c.execute(insert(keys).values(**backup._mapping)))
        try:
            return await read(db, vault, gone, words)
        finally:
            await db.write(lambda c: c.execute(keys.delete().where(keys.c.session_id == gone)))

    assert await restored() == b"words", "the backup of yesterday still serves"
    assert await drop(db, vault, ring, T0 + 29 * DAY) == 0, "its successor is too young"
    assert await drop(db, vault, ring, T0 + 30 * DAY) == 1
    with pytest.raises(KeyWrong, match="aging keys"):
        await restored()
    assert await read(db, vault, kept, others) == b"words"
    assert await drop(db, vault, ring, T0 + 900 * DAY) == 0, "the newest always stays"


async def test_a_key_that_still_wraps_something_is_not_destroyed(
    db: Database, key_file: Path
) -> None:
    vault, ring = Vault.from_key_file(key_file), Ring(ring_beside(key_file))
    ring.add(T0)
    session, words = await sealed(db, vault)
    ring.add(T0 + DAY)
    assert await drop(db, vault, ring, T0 + 900 * DAY) == 0
    assert await read(db, vault, session, words) == b"words"


async def test_a_key_that_waits_opens_and_wraps_nothing_until_it_is_used(
    db: Database, key_file: Path
) -> None:
    ring = Ring(ring_beside(key_file))
    here = Vault.from_key_file(key_file)
    ring.add(T0, waits=True)
    await sealed(db, here)
    assert await wrapped_with(db) == {here.keks.newest.id}
    assert ring.use() == 1
    session, words = await sealed(db, here, "tab_2")
    assert len(await wrapped_with(db)) == 2
    ring_beside(key_file).write_text("+" + ring_beside(key_file).read_text())
    elsewhere = Vault.from_key_file(key_file)  # a server where it waits still
    assert await read(db, elsewhere, session, words) == b"words"


async def test_a_lost_or_a_broken_file_is_a_clear_stop_and_never_made_anew(
    db: Database, key_file: Path
) -> None:
    vault, path = Vault.from_key_file(key_file), ring_beside(key_file)
    await sealed(db, vault)
    Ring(path).add(T0)
    session, words = await sealed(db, vault, "tab_2")
    whole = path.read_text()
    path.unlink()
    later = Vault.from_key_file(key_file)
    async with db.read() as conn:
        with pytest.raises(KeyMissing, match="aging keys"):
            await later.check(conn)
    with pytest.raises(KeyWrong, match="aging keys"):
        await read(db, later, session, words)
    assert not path.exists()
    for broken in ("", "x", whole[:30], "ab 5\n"):
        path.write_text(broken)
        with pytest.raises(KeyWrong):
            Ring(path).keys()
    path.write_text(whole)
    assert await read(db, later, session, words) == b"words"


async def test_the_file_alone_opens_nothing(db: Database, key_file: Path, tmp_path: Path) -> None:
    vault = Vault.from_key_file(key_file)
    Ring(ring_beside(key_file)).add(T0)
    session, words = await sealed(db, vault)
    stolen = tmp_path / "elsewhere.key"
    ring_beside(stolen).write_text(ring_beside(key_file).read_text())
    stranger = Vault.from_key_file(stolen)
    async with db.read() as conn:
        with pytest.raises(KeyMissing):
            await stranger.check(conn)
    with pytest.raises(KeyWrong):
        await read(db, stranger, session, words)


def test_the_file_is_its_owners_alone_and_two_writers_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "records.key.ring"
    rings = [Ring(path), Ring(path)]
    for number, ring in zip(range(6), itertools.cycle(rings), strict=False):
        ring.add(T0 + number)
    known = rings[0].keys()
    assert [one.made_at for one in known] == [T0 + number for number in range(6)]
    assert path.stat().st_mode & 0o077 == 0
    assert known[0].key.hex() not in repr(known)
