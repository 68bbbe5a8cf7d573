"""A database with the cast in it, and cheap hashes so that the tests are quick."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import create_engine

from auth import passwords
from auth.tokens import Tokens
from records import schema
from records.engine import Database
from tests.auth import cast


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The real cost is pinned by a test of its own."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(1, 8, 1))
    passwords._nobody.cache_clear()
    yield
    passwords._nobody.cache_clear()


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    """A started SQLite database with every table and the cast."""
    path = tmp_path / "records.db"
    engine = create_engine(f"sqlite:///{path}")
    schema.metadata.create_all(engine)
    engine.dispose()
    database = Database(f"sqlite:///{path}")
    await database.start()
    try:
        await cast.fill(database)
        yield database
    finally:
        await database.close()


@pytest.fixture
def tokens() -> Tokens:
    return Tokens(cast.SECRET)
