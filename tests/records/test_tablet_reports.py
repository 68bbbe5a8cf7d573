"""What a tablet tells of itself: kept small, not too often, and what of it makes it not ready."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from records import schema, tablet_reports
from records.engine import Database
from records.schema_tablets import tablet_report
from records.tablet_reports import DAY, SOONEST_SECONDS, Report, SelfTest, Told, remarks, troubles
from tests.records.cast import NOW

TABLET = "tab_1"
TOLD = Told("Chrome 128", "Android 14", "0123abcd", "granted", "granted", "lasting", 80, True)
GOOD = SelfTest("ok", "ok", "ok", "ok", "ok")


@pytest.mark.parametrize(
    ("told", "test", "wrong"),
    [
        (TOLD, GOOD, ()),
        (TOLD, None, ()),
        (replace(TOLD, camera="denied"), GOOD, ("camera_denied",)),
        (
            replace(TOLD, camera="missing", microphone="denied"),
            None,
            ("microphone_denied", "camera_missing"),
        ),
        (replace(TOLD, camera="prompt", microphone="unknown"), None, ()),
        (TOLD, replace(GOOD, upload="failed"), ("test_failed",)),
        (TOLD, replace(GOOD, heard="waiting"), ()),
        (TOLD, replace(GOOD, relay="failed"), ()),  # most networks need none
        (replace(TOLD, battery=14, charging=False), None, ("battery_low",)),
        (replace(TOLD, battery=14, charging=True), None, ()),
        (replace(TOLD, battery=15, charging=False), None, ()),
        (replace(TOLD, battery=None, charging=None), None, ()),
    ],
)
def test_what_keeps_a_tablet_from_being_ready(
    told: Told, test: SelfTest | None, wrong: tuple[str, ...]
) -> None:
    assert troubles(told, test) == wrong
    assert set(wrong) <= set(tablet_reports.TROUBLES)


def test_what_works_and_is_worth_a_look() -> None:
    def of(told: Told = TOLD, test: SelfTest | None = GOOD, age: float = 0.0) -> tuple[str, ...]:
        report = Report(NOW, told, None if test is None else NOW - age, test, ())
        return remarks(report, "0123abcd", NOW)

    assert of() == ()
    assert remarks(None, "", NOW) == ("never_tested",)
    assert of(test=None) == ("never_tested",)
    assert of(age=7 * DAY + 1) == ("test_old",)
    assert of(test=replace(GOOD, relay="failed")) == ("test_weak",)
    assert of(test=replace(GOOD, relay=None)) == ()
    assert of(replace(TOLD, camera="prompt")) == ("will_ask",)
    assert of(replace(TOLD, storage="passing")) == ("may_forget",)
    assert of(replace(TOLD, build="ffff")) == ("old_page",)


async def test_the_newest_report_is_kept_with_the_last_self_test(db: Database) -> None:
    async def save(told: Told, test: SelfTest | None, at: float) -> bool:
        return await db.write(lambda conn: tablet_reports.save(conn, TABLET, told, test, at))

    assert await save(TOLD, replace(GOOD, upload="failed"), NOW)
    assert not await save(TOLD, None, NOW + SOONEST_SECONDS - 1), "too soon"
    denied = replace(TOLD, camera="denied", battery=None, charging=None)
    assert await save(denied, None, NOW + 60)
    async with db.read() as conn:
        rows = (await conn.execute(select(tablet_report))).all()
        seen = await conn.execute(
            select(schema.tablet.c.last_seen_at).where(schema.tablet.c.id == TABLET)
        )
        assert seen.scalar_one() == NOW + 60
        assert await tablet_reports.troubled(conn) == {TABLET: ("camera_denied", "test_failed")}
    assert len(rows) == 1
    assert tablet_reports.of_row(rows[0]) == Report(
        NOW + 60, denied, NOW, replace(GOOD, upload="failed"), ("camera_denied", "test_failed")
    )
    assert await save(TOLD, GOOD, NOW + 120)
    async with db.read() as conn:
        assert await tablet_reports.troubled(conn) == {}


async def test_a_tablet_that_told_nothing_is_not_in_the_way(db: Database) -> None:
    async with db.read() as conn:
        assert await tablet_reports.troubled(conn) == {}
