"""One database is made and filled once; each test gets a copy of the file."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from auth import passwords
from records.engine import Database, upgrade
from signaling import sso_file
from tests.directory import Directory
from tests.web.cast import ORIGIN, Site, fill, open_site
from tests.web.signing_on import Opened

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


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directory]:
    running = Directory(tmp_path_factory.mktemp("directory"), [ORIGIN]).start()
    yield running
    running.kill()


@pytest.fixture
async def opened(db: Database, tmp_path: Path, directory: Directory) -> AsyncIterator[Opened]:
    """Opens the pages with this directory; its clock is the real one, as the directory's is."""
    sites: list[Site] = []

    async def open_it(given: Directory = directory, **more: Any) -> Site:
        described = more.pop("described", {})
        issuers = sso_file.read(str(given.described(**described)))
        site = await open_site(tmp_path, db, single_sign_on=issuers, **more)
        site.clock[0] = time.time()
        sites.append(site)
        return site

    yield open_it
    for site in sites:
        await site.client.close()
