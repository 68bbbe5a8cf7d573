"""The manager's log: their own sessions only, and every one once."""

from __future__ import annotations

import pytest

from records import log, sessions
from records.engine import Database
from records.errors import BadInput
from records.log import LogFilter, Scope
from records.sessions import SessionRow
from tests.records.cast import NOW, changed, finished, press, pressed

MINE = Scope(programs=frozenset({"prg_1"}))
ALL = LogFilter()


async def _ids(db: Database, scope: Scope, wanted: LogFilter = ALL) -> list[str]:
    async with db.read() as conn:
        return [row.id for row in (await log.page(conn, scope, wanted, None)).rows]


async def test_pages_show_every_session_once_newest_first(db: Database) -> None:
    rows = [await finished(db, now=NOW + at) for at in (0, 5, 5, 5, 9)]
    seen: list[SessionRow] = []
    after: str | None = None
    async with db.read() as conn:
        while True:
            page = await log.page(conn, MINE, ALL, after, limit=2)
            assert len(page.rows) <= 2
            seen += page.rows
            after = page.after
            if after is None:
                break
    assert seen == sorted(rows, key=lambda row: (row.pressed_at, row.id), reverse=True)


@pytest.mark.parametrize(
    "scope",
    [
        Scope(),
        Scope(programs=frozenset({"prg_2"})),
        Scope(agencies=frozenset({"prg_1"})),
        Scope(providers=frozenset({"agy_1"})),
    ],
    ids=str,
)
async def test_another_scope_sees_and_counts_nothing(db: Database, scope: Scope) -> None:
    await finished(db)
    await pressed(db)
    assert await _ids(db, scope) == []
    async with db.read() as conn:
        assert await log.board(conn, scope) == log.Board(0, None, 0, 0)


async def test_each_kind_of_scope_sees_its_own(db: Database) -> None:
    row = await finished(db)
    for scope in (
        MINE,
        Scope(agencies=frozenset({"agy_1"})),
        Scope(providers=frozenset({"prv_1"})),
        Scope(everything=True),
    ):
        assert await _ids(db, scope) == [row.id]


async def test_filters_narrow_the_log(db: Database) -> None:
    old = await finished(db, now=NOW)
    new = await changed(
        db, await finished(db, now=NOW + 100), kind="disposition.recorded",
        actual_disposition="medical_ed", recommended_disposition="remain_in_place",
    )  # fmt: skip
    waiting = await pressed(db, now=NOW + 200)
    drill = press("tab_2", test=True)
    test, _new = await db.write(lambda conn: sessions.create(conn, drill, NOW))
    for wanted, expected in (
        (LogFilter(pressed_from=NOW + 100, pressed_until=NOW + 200), {new.id}),
        (LogFilter(state="waiting"), {waiting.id}),
        (LogFilter(actual="medical_ed"), {new.id}),
        (LogFilter(recommended="remain_in_place"), {new.id}),
        (LogFilter(code="000000"), set()),
        (LogFilter(agency_id="agy_1"), {old.id, new.id, waiting.id}),
        (LogFilter(tests=True), {old.id, new.id, waiting.id, test.id}),
    ):
        assert set(await _ids(db, MINE, wanted)) == expected, wanted


@pytest.mark.parametrize("key", ["", "x", "nan~ses_1", "inf~ses_1", "1.0", "~", "1;DROP~a"])
async def test_a_page_key_that_we_did_not_make_is_bad_input(db: Database, key: str) -> None:
    async with db.read() as conn:
        with pytest.raises(BadInput):
            await log.page(conn, MINE, ALL, key)


async def test_the_board_counts_now(db: Database) -> None:
    await pressed(db, "tab_1", NOW + 7)
    await pressed(db, "tab_2", NOW + 3)
    led = await pressed(db, "tab_3")
    await changed(db, led, state="recovering", lead_id="per_dana", epoch=1)
    async with db.read() as conn:
        assert await log.board(conn, MINE) == log.Board(2, NOW + 3, 1, 0)
