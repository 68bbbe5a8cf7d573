"""One database is made and filled once; each test gets a copy of the file."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from auth import passwords
from records.engine import Database, upgrade
from tests.web.cast import Site, fill, open_site

CHEAP = PasswordHasher(1, 8, 1)  # the real cost is pinned elsewhere


@pytest.fixture(autouse=True, scope="session")
def cheap_hashes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", CHEAP)
        passwords._nobody.cache_clear()
        yield
    passwords._nobody.cache_clear()


@pytest.fixture(scope="session")
def filled(cheap_hashes: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    url = f"sqlite:///{folder / 'crisisbridge.db'}"
    upgrade(url)
    asyncio.run(fill(folder, url))
    return folder


@pytest.fixture
async def db(filled: Path, tmp_path: Path) -> AsyncIterator[Database]:
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    database = Database(f"sqlite:///{tmp_path / 'crisisbridge.db'}")
    await database.start()
    yield database
    await database.close()


@pytest.fixture
async def site(db: Database, tmp_path: Path) -> AsyncIterator[Site]:
    opened = await open_site(tmp_path, db)
    yield opened
    await opened.client.close()
