"""Hours without anybody on call are paged a day ahead: once, by one process, and again if grown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import update

from oncall.gaps import GapKind
from records import roster, schema
from records.engine import Database
from signaling.gapwatch import GapWatch
from tests.records import cast as people
from tests.records import migrated
from tests.records.cast import NOW

HOUR = 3600.0
DAY = 24 * HOUR


class Recorder:
    """A desk of which only the clock, the database and the pager's alarm are used."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.clock = NOW
        self.raised: list[tuple[str, str, str, str]] = []
        self.pager = self

    def now(self) -> float:
        return self.clock

    async def raise_alarm(self, *what: str) -> int:
        self.raised.append(cast(Any, what))
        return 1


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Recorder]:
    url = migrated.put(tmp_path / "roster.db")
    database = Database(url)
    await database.start()
    await database.write(people.fill)
    await licence(database, "SD", None)
    yield Recorder(database)
    await database.close()


async def licence(db: Database, state: str | None, expires: float | None) -> None:
    table = schema.person
    change = update(table).where(table.c.id == "per_dana")
    await db.write(
        lambda conn: conn.execute(change.values(licence_state=state, licence_expires_at=expires))
    )


async def away(desk: Recorder, starts: float, ends: float) -> str:
    return await desk.db.write(
        lambda conn: roster.add_override(
            conn, provider_id="prv_1", person_id=None, instead_of_id="per_dana", tier=None,
            starts_at=starts, ends_at=ends, made_at=desk.clock, made_by="per_dana",
        )
    )  # fmt: skip


def watch(desk: Recorder) -> GapWatch:
    return GapWatch(cast(Any, desk))


async def test_a_covered_roster_raises_nothing(desk: Recorder) -> None:
    assert await watch(desk).look() == []
    assert desk.raised == []


async def test_a_gap_is_raised_a_day_ahead_once_also_after_a_restart(desk: Recorder) -> None:
    await away(desk, NOW + 30 * HOUR, NOW + 32 * HOUR)
    assert await watch(desk).look() == []
    desk.clock = NOW + 7 * HOUR
    (gap,) = await watch(desk).look()
    assert (gap.starts_at, gap.kind) == (NOW + 30 * HOUR, GapKind.NOBODY)
    for later in (7.1, 12, 29, 31, 33):
        desk.clock = NOW + later * HOUR
        assert await watch(desk).look() == []
    assert [(kind, provider) for kind, provider, _, _ in desk.raised] == [("uncovered", "prv_1")]


async def test_an_alarm_that_was_raised_but_not_noted_is_raised_again_under_the_same_key(
    desk: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    await away(desk, NOW - HOUR, NOW + 2 * HOUR)

    async def crash(*_: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(GapWatch, "_remember", crash)
        with pytest.raises(ConnectionError):
            await watch(desk).look()
    desk.clock = NOW + 60
    await watch(desk).look()
    keys = [key for _, _, key, _ in desk.raised]
    assert len(keys) == 2
    assert len(set(keys)) == 1


async def test_a_gap_that_was_filled_and_opened_again_is_raised_again(desk: Recorder) -> None:
    override = await away(desk, NOW + HOUR, NOW + 2 * HOUR)
    await watch(desk).look()
    await desk.db.write(lambda conn: roster.end_override(conn, "prv_1", override, NOW))
    assert await watch(desk).look() == []
    await away(desk, NOW + HOUR, NOW + 2 * HOUR)
    assert len(await watch(desk).look()) == 1
    assert len({key for _, _, key, _ in desk.raised}) == 2


@pytest.mark.parametrize(("state", "expires"), [(None, None), ("SD", NOW + 5 * HOUR)])
async def test_hours_that_only_somebody_unlicensed_covers_are_a_gap(
    desk: Recorder, state: str | None, expires: float | None
) -> None:
    await licence(desk.db, state, expires)
    (gap,) = await watch(desk).look()
    assert gap.starts_at == (expires or pytest.approx(NOW - 14 * DAY))


async def test_looking_closes_the_offers_of_turns_that_are_over(desk: Recorder) -> None:
    swap = await desk.db.write(
        lambda conn: roster.propose(
            conn, provider_id="prv_1", from_id="per_dana", to_id=None,
            starts_at=NOW - 2 * HOUR, ends_at=NOW - HOUR, made_at=NOW - DAY,
        )
    )  # fmt: skip
    await watch(desk).look()
    async with desk.db.read() as conn:
        assert (await roster.swap(conn, "prv_1", swap)).state == "lapsed"
