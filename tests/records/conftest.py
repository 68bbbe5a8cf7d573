"""Each test of the record runs on SQLite and, where a server can be started, on PostgreSQL."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from records.crypto import Vault
from records.engine import Database, upgrade
from tests.records import cast, servers

Make = Callable[[], str]


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def new_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes empty databases; each call another one."""
    if backend == "sqlite":
        yield lambda: f"sqlite:///{tmp_path}/empty-{next(servers.NUMBERS)}.db"
        return
    server: servers.Server = request.getfixturevalue("postgres")
    made: list[str] = []

    def make() -> str:
        made.append(server.make())
        return made[-1]

    yield make
    for url in made:
        server.drop(url)


def _fill(url: str) -> None:
    async def fill() -> None:
        database = Database(url)
        await database.start()
        try:
            await database.write(cast.fill)
        finally:
            await database.close()

    upgrade(url)
    asyncio.run(fill())


@pytest.fixture(scope="session")
def filled_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("records") / "records.db"
    _fill(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def filled_template(postgres: servers.Server) -> str:
    url = postgres.make()
    _fill(url)
    return str(make_url(url).database)


@pytest.fixture
def url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated database with the cast in it."""
    if backend == "sqlite":
        path = tmp_path / "records.db"
        shutil.copy(request.getfixturevalue("filled_file"), path)
        yield f"sqlite:///{path}"
        return
    server: servers.Server = request.getfixturevalue("postgres")
    made = server.make(request.getfixturevalue("filled_template"))
    yield made
    server.drop(made)


@pytest.fixture
async def db(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    await database.start()
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
def vault() -> Vault:
    return Vault(bytes(range(32)))
