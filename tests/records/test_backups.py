"""Backups of SQLite and PostgreSQL: made while somebody writes, read back, restored elsewhere."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from sqlalchemy import make_url, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from records import backups, dumps, schema
from records.crypto import Vault
from records.dumps import CannotDump
from records.engine import Database
from tests.records import servers
from tests.records.conftest import Make

NOW = 1_800_000_000.0
VAULT = Vault(b"k" * 32)


@pytest.fixture(autouse=True)
def tools(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """pg_dump of the server's own version."""
    if backend == "postgresql":
        found = servers.programs()
        assert found is not None
        monkeypatch.setenv("PATH", f"{found}{os.pathsep}{os.environ['PATH']}")


async def names(url: str) -> list[str]:
    db = Database(url)
    await db.start()
    try:
        async with db.read() as conn:
            found = await conn.execute(select(schema.agency.c.name).order_by(schema.agency.c.id))
            return list(found.scalars())
    finally:
        await db.close()


async def rename(url: str, name: str) -> None:
    db = Database(url)
    await db.start()
    try:

        async def write(conn: AsyncConnection) -> None:
            await conn.execute(text("UPDATE agency SET name = :name"), {"name": name})

        await db.write(write)
    finally:
        await db.close()


async def test_what_was_backed_up_is_there_again_in_an_empty_place(
    url: str, new_url: Make, tmp_path: Path
) -> None:
    before = await names(url)
    path = backups.make(url, VAULT, tmp_path / "kept", NOW)
    assert [one.name for one in (tmp_path / "kept").iterdir()] == [path.name], "and nothing else"
    assert path.stat().st_mode & 0o777 == 0o600
    assert backups.check(path, VAULT).contents.rows["agency"] == len(before)
    for name in before:
        assert name.encode() not in path.read_bytes()
    elsewhere = new_url()
    backups.restore(path, elsewhere, VAULT, NOW, replace=False)
    assert await names(elsewhere) == before


async def test_a_record_that_is_there_goes_only_when_it_is_said(
    url: str, tmp_path: Path, backend: str
) -> None:
    before = await names(url)
    path = backups.make(url, VAULT, tmp_path / "kept", NOW)
    await rename(url, "changed since")
    with pytest.raises(CannotDump, match="--replace"):
        backups.restore(path, url, VAULT, NOW, replace=False)
    assert set(await names(url)) == {"changed since"}
    backups.restore(path, url, VAULT, NOW, replace=True)
    assert await names(url) == before
    if backend == "sqlite":
        (aside,) = await asyncio.to_thread(lambda: list(tmp_path.glob("before-restore-*.db")))
        assert set(await names(f"sqlite:///{aside}")) == {"changed since"}


async def test_no_record_is_replaced_under_a_server_that_works_in_it(
    url: str, tmp_path: Path, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of SQLite the lock on the data folder knows; PostgreSQL's may be anybody's, from anywhere."""
    if backend == "sqlite":
        assert not dumps.is_in_use(url)
        return
    monkeypatch.setattr(dumps, "LINGER_SECONDS", 0.2)
    path = backups.make(url, VAULT, tmp_path / "kept", NOW)
    db = Database(url)
    await db.start()
    try:
        async with db.read() as conn:
            await conn.execute(select(schema.agency.c.name))
        with pytest.raises(CannotDump, match="Stop every server"):
            await asyncio.to_thread(backups.restore, path, url, VAULT, NOW, replace=True)
    finally:
        await db.close()
    monkeypatch.setattr(dumps, "LINGER_SECONDS", 10.0)
    await asyncio.to_thread(backups.restore, path, url, VAULT, NOW, replace=True)


async def test_a_damaged_file_restores_nothing(url: str, tmp_path: Path) -> None:
    path = backups.make(url, VAULT, tmp_path / "kept", NOW)
    whole = path.read_bytes()
    await rename(url, "as it is")
    for bad in (whole[:-40], whole[:500] + b"\0" + whole[501:], b"", whole + b"more"):
        path.write_bytes(bad)
        with pytest.raises(CannotDump):
            backups.check(path, VAULT)
        with pytest.raises(CannotDump):
            backups.restore(path, url, VAULT, NOW, replace=True)
    path.write_bytes(whole)
    with pytest.raises(CannotDump, match="another key"):
        backups.restore(path, url, Vault(b"x" * 32), NOW, replace=True)
    assert set(await names(url)) == {"as it is"}


async def test_old_backups_are_removed_and_nothing_else_of_the_folder(
    url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "kept"
    made = [backups.make(url, VAULT, folder, NOW + number) for number in range(3)]
    (folder / "notes.txt").write_text("mine")
    (folder / "crisisbridge-old.backup").write_text("mine too")
    assert backups.prune(folder, 2) == made[:1]
    assert {one.name for one in folder.iterdir()} == {
        "notes.txt", "crisisbridge-old.backup", made[1].name, made[2].name,
    }  # fmt: skip


def test_a_backup_of_one_kind_is_not_put_into_the_other(
    url: str, tmp_path: Path, backend: str
) -> None:
    path = backups.make(url, VAULT, tmp_path / "kept", NOW)
    here, other = f"sqlite:///{tmp_path}/other.db", "postgresql://nobody@/none?host=/nowhere"
    into = here if backend == "postgresql" else other
    with pytest.raises(CannotDump, match="settings say"):
        backups.restore(path, into, VAULT, NOW, replace=True)


def test_a_password_goes_by_a_file_of_our_own_and_in_no_argument(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[list[str]] = []

    def command(words: list[str]) -> None:
        seen.append(words)
        known = next(one for one in words if one.startswith("--dbname="))
        file = known.partition("passfile='")[2].partition("'")[0]
        assert Path(file).stat().st_mode & 0o777 == 0o600
        assert Path(file).read_text() == "*:*:*:*:a\\:b\\\\c\n"

    monkeypatch.setattr(dumps, "_command", command)
    url = make_url("postgresql://o'neil:a%3Ab%5Cc@db.example:5433/bridge")
    dumps._run("pg_dump", url, "--format=custom")
    (words,) = seen
    assert "user='o\\'neil'" in words[2]
    assert "a:b" not in " ".join(words)
