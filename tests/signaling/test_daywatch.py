"""The look-out that sums days up: behind everything else, once, and again when a day changed."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text, update

from records import assessments, medication, schema, upkeep
from records.engine import Database
from records.medication_rules import begins, month_of
from records.schema_reports import medication_count, medication_month, report_built, session_fact
from signaling import daywatch
from tests.signaling.conftest import House
from tests.signaling.test_followwatch import DAY, planned


async def built(house: House) -> dict[int, int]:
    async with house.db.read() as conn:
        rows = await conn.execute(select(report_built.c.day, report_built.c.builds))
        return {row.day: row.builds for row in rows}


async def test_a_day_is_summed_up_when_it_is_over_and_again_when_it_changed(house: House) -> None:
    session = await planned(house, house.clock.now + 60)
    today = int(house.clock.now // DAY)
    assert await house.desk.days.look() == 0, "the day still runs"
    house.clock.advance((today + 1) * DAY + 7200 - house.clock.now)
    assert await house.desk.days.look() == 1
    assert await built(house) == {today: 1}
    assert await house.desk.days.look() == 0
    change = (
        update(schema.session)
        .where(schema.session.c.id == session)
        .values(actual_disposition="other")
    )
    await house.db.write(lambda conn: conn.execute(change))
    assert await house.desk.days.look() == 0, "a day that changes all the time waits"
    house.clock.advance(1000)
    assert await house.desk.days.look() == 1
    assert (await built(house))[today] == 2


async def test_older_answers_are_read_a_few_at_a_time(house: House) -> None:
    session = await planned(house)
    await house.db.write(lambda conn: conn.execute(text("UPDATE session_fact SET rules = 0")))
    assert daywatch.AT_A_TIME < 100
    await house.desk.days.look()
    async with house.db.read() as conn:
        found = (await conn.execute(select(session_fact))).one()
    assert (found.session_id, found.rules) == (session, 1)


async def test_medication_is_counted_when_its_month_has_settled_and_one_session_is_no_number(
    house: House,
) -> None:
    session = await planned(house)
    said = {"now": "no", "start": "telemedicine"}
    await house.db.write(
        lambda conn: assessments.save(
            conn, house.desk.vault, session, "moud", 0, said, "per_dana", house.clock.now
        )
    )
    month = month_of(house.clock.now)
    settled = begins(month + 1) + medication.SETTLE_SECONDS
    house.clock.advance(settled - house.clock.now + 1)
    await house.desk.days.look()
    async with house.db.read() as conn:
        assert list((await conn.execute(select(medication_month.c.month))).scalars()) == [month]
        assert (await conn.execute(select(medication_count))).all() == []


async def test_the_planners_numbers_are_counted_an_hour_after_the_start_and_then_once_a_day(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[float] = []

    async def count(_db: Database) -> int:
        counted.append(house.clock.now)
        return 0

    monkeypatch.setattr(upkeep, "keep_up", count)
    watch = daywatch.DayWatch(house.desk)
    for _ in range(26):
        await watch.look()
        house.clock.advance(3600)
    assert len(counted) == 2
    assert counted[1] - counted[0] == DAY
