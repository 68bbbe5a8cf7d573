"""A database with the cast in it, and cheap hashes so that the tests are quick."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import create_engine

from auth import passwords
from auth.tokens import Tokens
from records import schema
from records.engine import Database, upgrade
from tests.auth import cast
from tests.records import servers

CHEAP = PasswordHasher(1, 8, 1)


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The real cost is pinned by a test of its own."""
    monkeypatch.setattr(passwords, "_hasher", CHEAP)
    passwords._nobody.cache_clear()
    yield
    passwords._nobody.cache_clear()


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with every table and the cast, made once and copied for each test."""
    path = tmp_path_factory.mktemp("auth") / "records.db"
    engine = create_engine(f"sqlite:///{path}")
    schema.metadata.create_all(engine)
    engine.dispose()

    async def fill() -> None:
        database = Database(f"sqlite:///{path}")
        await database.start()
        try:
            await cast.fill(database)
        finally:
            await database.close()  # the last connection folds the write-ahead log into the file

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", CHEAP)
        asyncio.run(fill())
    return path


@pytest.fixture
async def db(filled: Path, tmp_path: Path) -> AsyncIterator[Database]:
    """A started SQLite database with the cast in it."""
    path = tmp_path / "records.db"
    shutil.copy(filled, path)
    database = Database(f"sqlite:///{path}")
    await database.start()
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
async def either(request: pytest.FixtureRequest, db: Database) -> AsyncIterator[Database]:
    """A database with the cast in it, of each kind."""
    if request.param == "sqlite":
        yield db
        return
    server: servers.Server = request.getfixturevalue("postgres")
    url = server.make()
    await asyncio.to_thread(upgrade, url)
    database = Database(url)
    await database.start()
    try:
        await cast.fill(database)
        yield database
    finally:
        await database.close()
        server.drop(url)


@pytest.fixture
def tokens() -> Tokens:
    return Tokens(cast.SECRET)
