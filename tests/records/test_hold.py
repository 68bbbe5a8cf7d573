"""One server for one PostgreSQL database, or several that know of each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError

import crisisbridge
from records import hold
from records.hold import Hold, Taken
from signaling.settings import load
from tests.records import servers
from web.server import CannotStart

SOON = 0.3  # seconds until a lock that is held is given up
MOMENT = 10.0  # seconds for PostgreSQL to see that a connection has ended


@pytest.fixture
def url(postgres: servers.Server) -> Iterator[str]:
    made = postgres.make()
    yield made
    postgres.drop(made)


@pytest.fixture
def held(url: str) -> Iterator[Callable[..., Hold]]:
    made: list[Hold] = []

    def make(*, shared: bool = False, patience: float = SOON) -> Hold:
        made.append(Hold(url, shared=shared))
        made[-1].take(patience)
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_who_comes_second_is_told_until_the_first_one_is_gone(
    url: str, held: Callable[..., Hold]
) -> None:
    with closing(held()):
        for shared in (False, True):
            with pytest.raises(Taken):
                Hold(url, shared=shared).take(SOON)
    held(patience=MOMENT)


def test_servers_that_know_of_each_other_hold_it_together(held: Callable[..., Hold]) -> None:
    for _ in range(2):
        held(shared=True)
    with pytest.raises(Taken):
        held()


def test_a_lock_that_went_with_its_connection_is_taken_again(
    url: str, held: Callable[..., Hold]
) -> None:
    first = held()
    with servers.away(url), pytest.raises(SQLAlchemyError):
        first.look()
    first.look()
    with pytest.raises(Taken):
        held()
    first.look()  # it is there: nothing changes


def test_a_lock_that_another_server_took_in_the_meantime_is_missed(
    url: str, held: Callable[..., Hold]
) -> None:
    first = held()
    with servers.away(url):
        pass
    held(patience=MOMENT)
    with pytest.raises(Taken):
        first.look()


async def test_a_second_server_with_a_data_folder_of_its_own_does_not_start(
    url: str, held: Callable[..., Hold], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hold, "PATIENCE_SECONDS", SOON)
    settings = load(
        {
            "CRISISBRIDGE_SECRET": "fine-and-long-0123456789-abcdefghijk",
            "CRISISBRIDGE_DATA_DIR": str(tmp_path),
            "CRISISBRIDGE_DATABASE_URL": url,
        }
    )
    held()
    with pytest.raises(CannotStart, match="Another server is using this database"):
        async with crisisbridge.running_services(settings):
            raise AssertionError("the second server started")
