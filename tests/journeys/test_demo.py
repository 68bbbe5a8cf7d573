"""`make demo`: it starts from nothing, keeps its data, and ends cleanly."""

from __future__ import annotations

import json
import signal
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.harness import Demo, get

pytestmark = pytest.mark.journey


@pytest.fixture
def fresh_demo(tmp_path: Path) -> Iterator[Demo]:
    """Not yet running, and without anything to begin with."""
    demo = Demo(tmp_path / "data")
    yield demo
    if demo.running:
        demo.kill()


def people_in(demo: Demo) -> list[tuple[str, str]]:
    with sqlite3.connect(demo.folder / "crisisbridge.db") as database:
        return database.execute("SELECT id, password_hash FROM person ORDER BY id").fetchall()


def test_the_demo_starts_from_nothing_says_where_and_ends_on_ctrl_c(fresh_demo: Demo) -> None:
    demo = fresh_demo.start()
    assert get(f"{demo.base_url}/healthz")[0] == 200
    assert get(f"{demo.base_url}/readyz")[0] == 200
    said = demo.output()
    for one in (demo.card["tablet"], demo.card["manager"], *demo.card["clinicians"][:1]):
        assert one["url"] in said
    assert demo.card["manager"]["password"] in said
    assert demo.card["tablet"]["pin"] == "2468"
    assert len(demo.card["clinicians"]) == 3
    assert demo.stop(signal.SIGINT) == 0
    assert "server.stopped" in demo.output()
    assert "left_over" not in demo.output()


def test_a_second_start_keeps_people_password_and_key(fresh_demo: Demo) -> None:
    first = fresh_demo.start().card
    people, key = people_in(fresh_demo), (fresh_demo.folder / "records.key").read_bytes()
    assert fresh_demo.stop(signal.SIGTERM) == 0
    second = fresh_demo.start().card
    assert people_in(fresh_demo) == people
    assert (fresh_demo.folder / "records.key").read_bytes() == key
    assert second["manager"] == first["manager"]
    assert second["tablet"]["code"] != first["tablet"]["code"]
    assert fresh_demo.stop() == 0


def test_everything_in_the_data_folder_is_for_its_owner_only(fresh_demo: Demo) -> None:
    fresh_demo.start()
    assert stat.S_IMODE(fresh_demo.folder.stat().st_mode) == 0o700
    for path in fresh_demo.folder.rglob("*"):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path.name
    card = json.loads((fresh_demo.folder / "demo.json").read_text())
    assert card["base_url"] == fresh_demo.base_url


def test_a_port_in_use_is_said_in_a_clear_sentence(demo: Demo, fresh_demo: Demo) -> None:
    fresh_demo.port = demo.port
    process = fresh_demo.spawn()
    assert process.wait(30) == 1
    said = fresh_demo.output()
    assert f"Port {demo.port} is in use" in said
    assert "PORT=" in said
    assert "Traceback" not in said


def test_two_servers_never_share_one_data_folder(demo: Demo) -> None:
    second = Demo(demo.folder)
    process = second.spawn()
    assert process.wait(30) == 1
    assert "Another server is using this data folder" in second.output()
    assert get(f"{demo.base_url}/readyz")[0] == 200
    assert json.loads((demo.folder / "demo.json").read_text()) == demo.card
