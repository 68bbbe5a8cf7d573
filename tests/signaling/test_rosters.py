"""The plan as the queue reads it: kept while it holds, and never a moment longer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from records import directory, roster, schema
from records.clinicians import LicenceRow
from records.directory import Person
from records.engine import Database
from records.roster import OverrideRow, RosterRow
from signaling.rosters import REREAD_SECONDS, RosterReader, plan_of
from tests.records import cast, migrated
from tests.records.cast import NOW

HOUR = 3600.0


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    url = migrated.put(tmp_path / "roster.db")
    database = Database(url)
    await database.start()
    await database.write(cast.fill)
    yield database
    await database.close()


async def now_on_call(db: Database, reader: RosterReader, now: float) -> dict[str, int]:
    async with db.read() as conn:
        return await reader.on_call(conn, now)


async def everybody(conn: AsyncConnection) -> Mapping[str, Person]:
    """All people, with a licence that does not run out."""
    licences = (LicenceRow("LPC", "SD", "1", None),)
    people = (await directory.read(conn)).people
    return {key: replace(one, licences=licences) for key, one in people.items()}


async def opens(
    db: Database, reader: RosterReader, now: float, people: Mapping[str, Person] | None = None
) -> dict[str, float]:
    async with db.read() as conn:
        return await reader.openings(conn, now, people or await everybody(conn))


def without_dana(starts: float, ends: float) -> dict[str, Any]:
    return {
        "provider_id": "prv_1", "person_id": None, "instead_of_id": "per_dana", "tier": None,
        "starts_at": starts, "ends_at": ends, "made_at": NOW, "made_by": "per_dana",
    }  # fmt: skip


async def test_an_exception_takes_effect_at_once_and_ends_to_the_second(db: Database) -> None:
    reader = RosterReader()
    assert await now_on_call(db, reader, NOW) == {"per_dana": 1}
    values = without_dana(NOW + 10, NOW + 20)
    await db.write(lambda conn: roster.add_override(conn, **values))
    seen = {
        second: bool(await now_on_call(db, reader, NOW + second)) for second in (1, 9, 10, 19, 20)
    }
    assert seen == {1: True, 9: True, 10: False, 19: False, 20: True}


async def test_rows_put_in_by_hand_are_seen_within_seconds(db: Database) -> None:
    reader = RosterReader()
    await now_on_call(db, reader, NOW)
    values = without_dana(NOW - 1, NOW + HOUR)
    await db.write(
        lambda conn: conn.execute(insert(schema.roster_override).values(id="ovr_hand", **values))
    )
    assert await now_on_call(db, reader, NOW + REREAD_SECONDS) == {}


async def test_with_nobody_on_call_it_says_when_somebody_comes_on(db: Database) -> None:
    reader = RosterReader()
    assert await opens(db, reader, NOW) == {}
    values = without_dana(NOW, NOW + 5 * HOUR)
    await db.write(lambda conn: roster.add_override(conn, **values))
    for later in (0.0, 60.0, 4 * HOUR):
        assert await opens(db, reader, NOW + later) == {"prv_1": NOW + 5 * HOUR}
    assert await opens(db, reader, NOW + 5 * HOUR) == {}
    values = without_dana(NOW, NOW + 30 * 86_400)
    await db.write(lambda conn: roster.add_override(conn, **values))
    assert await opens(db, reader, NOW) == {}  # not within two weeks: nothing is promised


async def test_who_has_no_valid_licence_neither_is_on_call_nor_comes_on(db: Database) -> None:
    reader = RosterReader()
    values = {
        **without_dana(NOW + HOUR, NOW + 2 * HOUR),
        "person_id": "per_miguel",
        "instead_of_id": None,
        "tier": 1,
    }
    await db.write(lambda conn: roster.add_override(conn, **values))
    async with db.read() as conn:
        valid = await everybody(conn)
    over = (LicenceRow("LPC", "SD", "1", NOW),)
    dana_over = {**valid, "per_dana": replace(valid["per_dana"], licences=over)}
    assert await opens(db, reader, NOW - 1, dana_over) == {}
    # Dana is planned all along, yet it is Miguel who comes on; after him there is nobody
    assert await opens(db, reader, NOW, dana_over) == {"prv_1": NOW + HOUR}
    assert await opens(db, reader, NOW + HOUR, dana_over) == {}
    assert await opens(db, reader, NOW + 2 * HOUR, dana_over) == {}
    both_over = {**dana_over, "per_miguel": replace(valid["per_miguel"], licences=())}
    assert await opens(db, reader, NOW, both_over) == {}  # nobody can be promised
    assert await opens(db, reader, NOW, valid) == {}  # Dana's was renewed: she is there


async def test_a_clock_that_goes_back_is_answered_for_its_own_time(db: Database) -> None:
    reader = RosterReader()
    values = without_dana(NOW + HOUR, NOW + 2 * HOUR)
    await db.write(lambda conn: roster.add_override(conn, **values))
    assert await now_on_call(db, reader, NOW + HOUR) == {}
    assert await now_on_call(db, reader, NOW) == {"per_dana": 1}


def test_one_bad_row_is_left_out_and_said_and_the_others_stand(
    caplog: pytest.LogCaptureFixture,
) -> None:
    good = RosterRow("ros_1", "prv_1", "per_dana", 1, 127, 0, 0, "America/Chicago")
    bad = RosterRow("ros_2", "prv_1", "per_miguel", 1, 127, 0, 0, "Mars/Olympus")
    worse = OverrideRow("ovr_1", "prv_1", None, "per_dana", NOW, NOW + 400 * 86_400, None, NOW, "x")
    assert plan_of([bad, good], [worse]).on_call(NOW) == {"per_dana": 1}
    assert "roster.bad_entry entry=ros_2 field=timezone" in caplog.text
    assert "roster.bad_override override=ovr_1 field=ends_at" in caplog.text
