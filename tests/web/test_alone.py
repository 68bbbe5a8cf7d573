"""One server for one record: whoever comes second with the same database is told, and ends."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

import crisisbridge
from signaling.settings import load
from web.server import CannotStart, alone_with

TAKEN = "Another server is using this database"


def test_two_servers_with_folders_of_their_own_never_share_an_sqlite_file(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "same.db").symlink_to(tmp_path / "one.db")
    second = load(
        {
            "CRISISBRIDGE_SECRET": "fine-and-long-0123456789-abcdefghijk",
            "CRISISBRIDGE_DATA_DIR": str(tmp_path / "b"),
            "CRISISBRIDGE_DATABASE_URL": f"sqlite:///{tmp_path}/b/same.db",
        }
    )

    async def opening(_services: object) -> None:
        raise AssertionError("the second server started")

    with alone_with(f"sqlite:///{tmp_path}/one.db"), pytest.raises(CannotStart, match=TAKEN):
        crisisbridge.start(second, [], opening, lambda: None)
    assert not (tmp_path / "one.db").exists()  # nothing was opened before that was found
    with alone_with(second.database):  # the first one is gone
        pass


def test_servers_that_know_of_each_other_share_one_and_a_restore_does_not_join_them(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/one.db"
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(alone_with(url, shared=True))
        with pytest.raises(CannotStart, match=TAKEN):
            stack.enter_context(alone_with(url))
    with ExitStack() as stack:
        stack.enter_context(alone_with(url))
        with pytest.raises(CannotStart, match=TAKEN):
            stack.enter_context(alone_with(url, shared=True))


def test_a_database_server_has_its_own_way_to_be_shared() -> None:
    url = "postgresql://nobody@/records"
    with alone_with(url), alone_with(url):
        pass
