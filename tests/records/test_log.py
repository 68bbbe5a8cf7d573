"""The manager's log: their own sessions only, every one once, and a CSV that harms no sheet."""

from __future__ import annotations

import csv
import io

import pytest

from records import log, sessions
from records.engine import Database
from records.errors import BadInput
from records.log import LogFilter, Names, Scope
from records.sessions import SessionRow
from tests.records.cast import NOW, changed, finished, press, pressed

MINE = Scope(programs=frozenset({"prg_1"}))
ALL = LogFilter()
NAMES = Names(agencies={"agy_1": "Prairie"}, providers={"prv_1": "Plains"}, people={})


def label(column: str, code: str) -> str:
    return f"{column} {code}".replace("_", " ")


async def _ids(db: Database, scope: Scope, wanted: LogFilter = ALL) -> list[str]:
    async with db.read() as conn:
        return [row.id for row in (await log.page(conn, scope, wanted, None)).rows]


async def _table(db: Database, names: Names, wanted: LogFilter = ALL) -> list[dict[str, str]]:
    async with db.read() as conn:
        text = "".join([p async for p in log.export_csv(conn, MINE, wanted, names, label)])
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:], newline="")))


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


async def test_the_export_names_nobody_unless_told_to(db: Database) -> None:
    row = await finished(db)
    [cells] = await _table(db, NAMES)
    assert {"officer", "clinician"} & cells.keys() == set()
    assert not {"per_sam", "per_dana"} & set(cells.values())
    assert cells["session"] == row.id
    named = Names(NAMES.agencies, NAMES.providers, {"per_sam": "Sam Rivera"})
    [cells] = await _table(db, named)
    assert (cells["officer"], cells["clinician"]) == ("Sam Rivera", "unknown")


async def test_the_export_tells_times_durations_codes_and_labels_and_leaves_nothing_blank(
    db: Database,
) -> None:
    await finished(db)
    [cells] = await _table(db, NAMES)
    assert cells["pressed_at"] == "2026-09-21T14:13:20.000Z"
    assert cells["answer_seconds"] == "7.000"
    assert (cells["state"], cells["state_label"]) == ("closed", "state closed")
    assert cells["close_reason_label"] == "close reason completed"
    assert (cells["actual_disposition"], cells["actual_disposition_label"]) == ("unknown",) * 2
    assert all(cells.values())


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n"], ids=repr)
async def test_a_cell_that_a_sheet_would_run_is_made_harmless(db: Database, first: str) -> None:
    await finished(db)
    evil = f'{first}HYPERLINK("http://x","a,b")'
    names = Names({"agy_1": evil}, {"prv_1": "ordinary"}, {})
    [cells] = await _table(db, names)
    assert cells["agency"] == f"'{evil}"
    assert cells["provider"] == "ordinary"


async def test_a_long_export_comes_in_pieces_and_whole(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [await finished(db, now=NOW + at) for at in range(5)]
    monkeypatch.setattr(log, "MOST_ROWS", 2)
    async with db.read() as conn:
        pieces = [p async for p in log.export_csv(conn, MINE, ALL, NAMES, label)]
    assert len(pieces) == 4
    assert [line.split(",")[0] for line in "".join(pieces[1:]).split("\r\n") if line] == [
        row.id for row in reversed(rows)
    ]
