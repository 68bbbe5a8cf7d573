"""What is sealed opens only in its place and with its key; a missing key is a clear stop."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from records import chat, crypto, schema
from records.crypto import Vault
from records.engine import Database
from records.errors import KeyMissing, KeyWrong, NotFound
from tests.records.cast import NOW, pressed

WORDS = "the words of a crisis"


async def _say(db: Database, vault: Vault, session_id: str, body: str = WORDS) -> int:
    return await db.write(
        lambda conn: chat.add(
            conn, vault, session_id, sender="officer", sender_id=None, body=body, now=NOW
        )
    )


async def _heard(db: Database, vault: Vault, session_id: str) -> list[str]:
    async with db.read() as conn:
        return [line.body for line in await chat.of_session(conn, vault, session_id)]


async def _check(db: Database, vault: Vault) -> None:
    async with db.read() as conn:
        await vault.check(conn)


async def test_nothing_that_was_said_is_stored_in_clear(db: Database, vault: Vault) -> None:
    row = await pressed(db)
    await _say(db, vault, row.id)
    async with db.read() as conn:
        stored = (await conn.execute(select(schema.chat_line.c.body_enc))).scalar_one()
    assert WORDS.encode() not in stored
    assert await _heard(db, Vault(bytes(range(32))), row.id) == [WORDS]  # another process


async def test_a_sealed_value_moved_to_another_row_does_not_open(
    db: Database, vault: Vault
) -> None:
    row = await pressed(db)
    await _say(db, vault, row.id)
    await _say(db, vault, row.id, "something else")

    async def swap(conn: AsyncConnection) -> None:
        line = schema.chat_line
        first = (await conn.execute(select(line.c.body_enc).where(line.c.no == 1))).scalar_one()
        await conn.execute(update(line).where(line.c.no == 2).values(body_enc=first))

    await db.write(swap)
    with pytest.raises(KeyWrong):
        await _heard(db, vault, row.id)


@pytest.mark.parametrize(
    "place",
    [("chat_line", "body_enc", "2"), ("chat_line", "note", "1"), ("followup", "body_enc", "1")],
    ids=str,
)
async def test_the_place_is_part_of_the_seal(
    db: Database, vault: Vault, place: tuple[str, str, str]
) -> None:
    row = await pressed(db)
    sealed = await db.write(
        lambda conn: vault.seal(conn, row.id, "chat_line", "body_enc", "1", WORDS.encode())
    )
    async with db.read() as conn:
        with pytest.raises(KeyWrong):
            await vault.open(conn, row.id, *place, sealed)
        opened = await vault.open(conn, row.id, "chat_line", "body_enc", "1", sealed)
    assert opened == WORDS.encode()


async def test_every_changed_byte_and_every_cut_is_noticed(db: Database, vault: Vault) -> None:
    row = await pressed(db)
    sealed = await db.write(lambda conn: vault.seal(conn, row.id, "t", "c", "1", b"abc"))
    broken = [sealed[:n] + bytes([sealed[n] ^ 1]) + sealed[n + 1 :] for n in range(len(sealed))]
    broken += [sealed[:n] for n in range(len(sealed))]
    async with db.read() as conn:
        for each in broken:
            with pytest.raises(KeyWrong):
                await vault.open(conn, row.id, "t", "c", "1", each)


async def test_a_key_whose_transaction_was_undone_seals_nothing_afterwards(
    db: Database, vault: Vault
) -> None:
    row = await pressed(db)

    async def undone(conn: AsyncConnection) -> None:
        for place in ("1", "2"):
            sealed = await vault.seal(conn, row.id, "t", "c", place, b"lost")
            await vault.open(conn, row.id, "t", "c", place, sealed)  # remembered by now
        raise LookupError

    with pytest.raises(LookupError):
        await db.write(undone)
    await _say(db, vault, row.id)
    assert await _heard(db, vault, row.id) == [WORDS]
    assert await _heard(db, Vault(bytes(range(32))), row.id) == [WORDS]


async def test_destroying_a_key_destroys_one_sessions_content_only(
    db: Database, vault: Vault
) -> None:
    one, other = await pressed(db, "tab_1"), await pressed(db, "tab_2")
    for row in (one, other):
        await _say(db, vault, row.id)
    key = schema.session_key
    await db.write(lambda conn: conn.execute(delete(key).where(key.c.session_id == one.id)))
    vault.forget(one.id)
    with pytest.raises(KeyMissing):
        await _heard(db, vault, one.id)
    assert await _heard(db, vault, other.id) == [WORDS]


async def test_remembered_keys_are_bounded(
    db: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crypto, "CACHED_KEYS", 2)
    rows = [await pressed(db, tablet) for tablet in ("tab_1", "tab_2", "tab_3")]
    for row in rows:
        await _say(db, vault, row.id)
        await _heard(db, vault, row.id)
    assert list(vault._cache) == [row.id for row in rows[1:]]
    assert [await _heard(db, vault, row.id) for row in rows] == [[WORDS]] * 3


async def test_nothing_is_sealed_for_a_session_that_does_not_exist(
    db: Database, vault: Vault
) -> None:
    with pytest.raises(NotFound):
        await db.write(lambda conn: vault.seal(conn, "ses_none", "t", "c", "1", b"x"))


# --- the key file ---------------------------------------------------------------------------------


def test_the_key_file_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "deeper" / "records.key"
    first = Vault.from_key_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert Vault.from_key_file(path).keks.newest.id == first.keks.newest.id
    assert [each.name for each in path.parent.iterdir()] == ["records.key"]
    assert path.read_text().strip() not in repr(first)


@pytest.mark.parametrize("content", ["", "not a key", "ab" * 31, "ab" * 33, "\x00\xff"], ids=repr)
def test_a_key_file_that_holds_no_key_is_a_clear_stop(tmp_path: Path, content: str) -> None:
    path = tmp_path / "records.key"
    path.write_text(content)
    with pytest.raises(KeyWrong, match="64 hexadecimal digits"):
        Vault.from_key_file(path)
    assert path.read_text() == content


def test_a_key_file_that_cannot_be_read_is_a_clear_stop(tmp_path: Path) -> None:
    with pytest.raises(KeyWrong, match="cannot be read"):
        Vault.from_key_file(tmp_path)  # a folder stands there
    with pytest.raises(KeyMissing):
        Vault.from_key_file(tmp_path / "none.key", create=False)


async def test_a_missing_key_file_stops_the_start_and_leaves_no_false_one(
    db: Database, tmp_path: Path
) -> None:
    path = tmp_path / "records.key"
    real = Vault.from_key_file(path)
    await _check(db, real)  # nothing is sealed yet
    row = await pressed(db)
    await _say(db, real, row.id)
    kept = path.read_text()
    await _check(db, Vault.from_key_file(path))

    path.unlink()
    for _start in range(2):
        with pytest.raises(KeyMissing, match="Restore it from its backup"):
            await _check(db, Vault.from_key_file(path))
        assert not path.exists()

    path.write_text(kept)
    restored = Vault.from_key_file(path)
    await _check(db, restored)
    assert await _heard(db, restored, row.id) == [WORDS]


async def test_the_key_file_of_another_database_stops_the_start_and_is_kept(
    db: Database, vault: Vault, tmp_path: Path
) -> None:
    row = await pressed(db)
    await _say(db, vault, row.id)
    path = tmp_path / "records.key"
    Vault.from_key_file(path)
    with pytest.raises(KeyWrong, match="another database"):
        await _check(db, Vault.from_key_file(path))
    assert path.exists()
    with pytest.raises(KeyWrong):
        await _heard(db, Vault.from_key_file(path), row.id)
