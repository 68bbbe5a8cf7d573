"""The sample log: like the real thing in its mix, the same each time, never beside real people."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from records import log, schema
from records.engine import Database
from records.log import LogFilter, Scope
from records.vocabulary import (
    CLOSE_REASONS,
    DIFFERENCE_REASONS,
    DISPOSITIONS,
    FOLLOWUP_KINDS,
    TILES,
)
from tests.records import migrated
from web.dev import cast, sample
from web.dev.fill import BATCH, NotASample, fill
from web.dev.sample import DAY, Unit, World
from web.dev.seed import seed

NOW = 1_800_000_000.0
WORLD = World(
    "prv", "prg", (Unit("tab1", "agy1", ("o1", "o2")), Unit("tab2", "agy2", ("o3",))),
    ("c1", "c2", "c3"), -6 * 3600.0,
)  # fmt: skip


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    url = migrated.put(tmp_path / "sample.db")
    made = Database(url)
    await made.start()
    await seed(made, "calm river under stars", NOW)
    yield made
    await made.close()


def made(count: int, seed: int = 1) -> list[tuple[dict[str, object], list[dict[str, object]]]]:
    return list(sample.sessions(WORLD, count, NOW - 365 * DAY, NOW, seq=1, seed=seed))


def test_the_same_seed_gives_the_same_log_and_another_one_another() -> None:
    assert made(50) == made(50)
    assert made(50) != made(50, seed=2)
    assert not {row["id"] for row, _ in made(50)} & {row["id"] for row, _ in made(50, seed=2)}


def test_every_code_is_one_that_the_record_knows() -> None:
    for row, tasks in made(3000):
        assert row["close_reason"] in CLOSE_REASONS
        assert {row["recommended_disposition"], row["actual_disposition"]} <= {None, *DISPOSITIONS}
        assert row["difference_reason"] in (None, *DIFFERENCE_REASONS)
        assert set(json.loads(str(row["intake"]))) <= set(TILES)
        assert {task["kind"] for task in tasks} <= set(FOLLOWUP_KINDS)


def test_each_session_s_clock_goes_forward() -> None:
    points = (
        "pressed_at", "alerted_at", "accepted_at", "media_at", "handed_over_at", "handed_back_at",
        "recommended_at", "ended_at", "closed_at",
    )  # fmt: skip
    for row, _ in made(3000):
        times = [row[point] for point in points if row[point] is not None]
        assert times == sorted(times)  # type: ignore[type-var]
        differs = row["actual_disposition"] not in (None, row["recommended_disposition"])
        assert differs is (row["difference_reason"] is not None)


def test_the_mix_is_near_the_published_one() -> None:
    talks = [row for row, _ in made(20_000) if row["recommended_disposition"]]
    advised = Counter(str(row["recommended_disposition"]) for row in talks)
    done = Counter(str(row["actual_disposition"]) for row in talks if row["actual_disposition"])
    assert advised["remain_in_place"] / len(talks) == pytest.approx(141 / 181, abs=0.02)
    assert advised["involuntary_hold"] / len(talks) == pytest.approx(27 / 181, abs=0.02)
    assert done["remain_in_place"] / done.total() == pytest.approx(137 / 181, abs=0.02)
    assert done["involuntary_hold"] / done.total() == pytest.approx(19 / 181, abs=0.02)


def test_evenings_are_busier_than_nights() -> None:
    hours = Counter(
        int((float(str(r["pressed_at"])) - 6 * 3600) % DAY // 3600) for r, _ in made(5000)
    )
    assert sum(hours[h] for h in (17, 18, 19)) > 3 * sum(hours[h] for h in (3, 4, 5))


async def test_a_filled_log_is_read_like_any_other(db: Database) -> None:
    heard: list[int] = []
    tasks = await fill(db, BATCH + 10, 30, NOW, told=heard.append)
    assert heard == [BATCH, BATCH + 10]
    more = await fill(db, 20, 30, NOW)  # once more: beside the first
    scope = Scope(programs=frozenset({cast.PROGRAM_ID}))
    async with db.read() as conn:
        page = await log.page(conn, scope, LogFilter(tests=True), None, 50)
        counted = await conn.scalar(select(func.count()).select_from(schema.session))
        followups = await conn.scalar(select(func.count()).select_from(schema.followup))
    assert len(page.rows) == 50
    assert counted == BATCH + 30
    assert followups == tasks + more


async def test_nothing_is_written_beside_real_people(db: Database) -> None:
    real = update(schema.person).where(schema.person.c.id == cast.LENA.id).values(demo=False)
    await db.write(lambda conn: conn.execute(real))
    started = time.monotonic()
    with pytest.raises(NotASample):
        await fill(db, 1_000_000, 30, NOW)
    assert time.monotonic() - started < 30
    async with db.read() as conn:
        assert await conn.scalar(select(func.count()).select_from(schema.session)) == 0
