"""What all tests share: a PostgreSQL, and no property held against a shared machine's clock."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.records import servers

settings.register_profile("patient", settings(), deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def postgres() -> Iterator[servers.Server]:
    """A private PostgreSQL for this run; each test takes databases of its own."""
    programs = servers.programs()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed here")
    with servers.running(programs) as server:
        yield server
