"""What all tests share: a PostgreSQL, and no property held against a shared machine's clock."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from hypothesis import settings

from signaling import logs
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


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """A command that a test runs in this process sets up its logging: not for the next."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in (*logs.OWN, *logs.QUIET)}
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, was in levels.items():
        logging.getLogger(name).setLevel(was)
