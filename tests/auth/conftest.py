"""A database with the cast in it, and cheap hashes so that the tests are quick."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import create_engine, make_url

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


async def _fill(url: str) -> None:
    database = Database(url)
    await database.start()
    try:
        await cast.fill(database)
    finally:
        await database.close()  # the last connection folds the write-ahead log into the file


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with every table and the cast, made once and copied for each test."""
    path = tmp_path_factory.mktemp("auth") / "records.db"
    engine = create_engine(f"sqlite:///{path}")
    schema.metadata.create_all(engine)
    engine.dispose()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", CHEAP)
        asyncio.run(_fill(f"sqlite:///{path}"))
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


@pytest.fixture(scope="session")
def filled_template(postgres: servers.Server) -> str:
    """The name of such a database on PostgreSQL."""
    url = postgres.make()
    upgrade(url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", CHEAP)
        asyncio.run(_fill(url))
    return str(make_url(url).database)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, filled: Path, tmp_path: Path) -> Iterator[str]:
    """Where a database with the cast in it is, of each kind."""
    if request.param == "sqlite":
        path = tmp_path / "either.db"
        shutil.copy(filled, path)
        yield f"sqlite:///{path}"
        return
    server: servers.Server = request.getfixturevalue("postgres")
    made = server.make(request.getfixturevalue("filled_template"))
    yield made
    server.drop(made)


@pytest.fixture
async def either(url: str) -> AsyncIterator[Database]:
    """A database with the cast in it, of each kind."""
    database = Database(url)
    await database.start()
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
def tokens() -> Tokens:
    return Tokens(cast.SECRET)
