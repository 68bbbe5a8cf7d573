"""Overdoses for ODMAP: found by an officer's words only, decided once, written so that it reads."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records import odmap
from records.crypto import Vault
from records.doses import Dose
from records.engine import Database
from records.errors import BadInput, Conflict
from records.log import Scope
from records.odmap_rules import (
    NALOXONE,
    BadRow,
    OdmapRow,
    checked,
    giver_said,
    is_candidate,
    minute,
    naloxone_said,
    time_said,
    write,
)
from tests.records.cast import NOW, changed, finished
from tests.records.fhir_cast import row

ZONE = "America/Chicago"
MINE = Scope(programs=frozenset({"prg_1"}))
LATER = NOW + 86_400.0
ONE = OdmapRow(NOW, "Prairie", "SD", "Main and 3rd", "nonfatal", "single", "officer")
RELEASED = "12 Elm Street"  # only ever sealed


def typed(**changes: str) -> dict[str, str]:
    return {
        "time": minute(NOW, ZONE), "county": "Prairie", "state": "SD", "place": "Main and 3rd",
        "outcome": "nonfatal", "naloxone": "single", "given_by": "officer",
    } | changes  # fmt: skip


# --- which, and what ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"intake": ("adult",)}, True),  # the flag alone
        ({"flags": 0}, True),  # the tile alone
        ({"intake": ("adult",), "flags": 0}, False),
        # what only a clinician knows finds nothing
        ({"intake": ("adult",), "flags": 0, "opioid": "yes"}, False),
        ({"state": "wrap_up"}, False),
        ({"test": True}, False),
        ({"wellness": True}, False),
    ],
    ids=str,
)
def test_an_officers_words_make_an_overdose_and_a_clinicians_do_not(
    changes: dict[str, Any], expected: bool
) -> None:
    assert is_candidate(row(**changes)) is expected


def test_what_is_suggested_of_naloxone_is_what_the_officer_said() -> None:
    assert naloxone_said(row()) == "given_unknown"
    assert naloxone_said(row(flags=0)) == "none"
    assert naloxone_said(row(flags=0, actual_disposition=None)) == "unknown"
    assert giver_said(row(), ()) == "unknown"
    assert giver_said(row(flags=0), ()) == "none"


@pytest.mark.parametrize(
    ("doses", "naloxone", "giver", "earlier"),
    [
        ([Dose(NOW + 60, "nasal-4", "officer")], "single", "officer", 0),
        ([Dose(None, "unknown", "bystander")], "single", "bystander", 0),
        ([Dose(NOW - 300, by="bystander"), Dose(NOW - 60, by="ems")], "multiple", "several", 300),
        ([Dose(NOW - 60, by="officer"), Dose(None, by="unknown")], "multiple", "unknown", 60),
    ],
)
def test_what_is_suggested_of_doses_is_what_the_officer_tapped(
    doses: list[Dose], naloxone: str, giver: str, earlier: float
) -> None:
    assert naloxone_said(row(flags=0), doses) == naloxone
    assert giver_said(row(flags=0), doses) == giver
    assert time_said(row(), doses) == NOW - earlier


def test_a_file_that_left_before_it_was_asked_who_gave_it_comes_again_as_it_was() -> None:
    old = OdmapRow(NOW, "Prairie", "SD", "Main and 3rd", "nonfatal", "single")
    assert "given_by" not in write([("odm_1", ZONE, old)])
    [cells] = csv.DictReader(io.StringIO(write([("odm_1", ZONE, ONE)]).removeprefix("\ufeff")))
    assert cells["given_by"] == "officer"


def test_a_row_is_what_was_typed_and_the_moment_of_the_press_is_kept_to_the_second() -> None:
    one = checked(typed(), row(), ZONE, LATER)
    assert one == ONE
    moved = checked(typed(time="2026-09-21T09:00"), row(), ZONE, LATER)
    assert NOW - moved.occurred_at == 13 * 60 + 20


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("outcome", ""),
        ("outcome", "unknown"),
        ("naloxone", ""),
        ("naloxone", "lots"),
        ("given_by", ""),
        ("given_by", "none"),  # of a dose
        ("county", ""),
        ("county", "x" * 61),
        ("state", "XX"),
        ("place", "x" * 121),
        ("place", "a\x00b"),
        ("time", ""),
        ("time", "yesterday"),
        ("time", "2026-09-19T09:00"),
        ("time", "2026-09-23T09:00"),
        ("time", "9999-99-99T00:00"),
    ],
)
def test_a_row_that_does_not_read_is_refused_by_its_field(field: str, value: str) -> None:
    with pytest.raises(BadRow) as refused:
        checked(typed(**{field: value}), row(), ZONE, LATER)
    assert refused.value.field == field


def test_in_the_doubled_hour_of_autumn_the_moment_near_the_press_is_meant() -> None:
    second = 1_793_516_400.0 + 1800  # 2026-11-01 01:30, the second one
    late = row(pressed_at=second + 60, ended_at=second + 900)
    assert minute(second, ZONE) == minute(second - 3600, ZONE) == "2026-11-01T01:30"
    found = checked(typed(time="2026-11-01T01:30"), late, ZONE, second + 1000)
    assert found.occurred_at == second


def read(text: str) -> list[dict[str, str]]:
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:], newline="")))


def test_the_file_has_time_place_outcome_naloxone_and_its_giver_and_nothing_else() -> None:
    [cells] = read(write([("odm_1", ZONE, ONE)]))
    assert cells == {
        "reference": "odm_1",
        "occurred_at": "2026-09-21T14:13:20Z",
        "occurred_local": "2026-09-21T09:13:20-05:00",
        "county": "Prairie",
        "state": "SD",
        "place": "Main and 3rd",
        "outcome": "nonfatal",
        "naloxone": "single",
        "given_by": "officer",
    }


@given(place=st.text(max_size=40), county=st.text(max_size=20), naloxone=st.sampled_from(NALOXONE))
def test_no_cell_is_blank_or_a_formula_whatever_was_typed(
    place: str, county: str, naloxone: str
) -> None:
    one = OdmapRow(NOW, f"a{county}", "SD", place, "fatal", naloxone)
    [head, cells] = list(csv.reader(io.StringIO(write([("odm_1", ZONE, one)])[1:], newline="")))
    assert len(cells) == len(head)
    assert all(cell and cell[0] not in "=+-@\t\r\n" for cell in cells)


# --- decided once ---------------------------------------------------------------------------------


async def overdose(db: Database, tablet: str = "tab_1", now: float = NOW, **more: Any) -> str:
    changes = {"intake": ("adult", "overdose")} | more
    one = await changed(db, await finished(db, tablet, now), kind="session.intake", **changes)
    return one.id


async def waiting(db: Database, scope: Scope = MINE, **more: Any) -> list[str]:
    async with db.read() as conn:
        rows, _ = await odmap.waiting(conn, scope, NOW - 10, LATER, **more)
    return [one.id for one in rows]


async def test_what_waits_are_the_overdoses_of_the_span_and_the_scope(db: Database) -> None:
    tile = await overdose(db)
    flag = await overdose(db, now=NOW + 5, intake=("adult",), flags=8)
    await overdose(db, now=NOW + 6, intake=("adult",), flags=7 | 16, opioid="yes")
    await overdose(db, now=NOW + 7, wellness=True)
    await overdose(db, now=NOW - 20)
    await overdose(db, now=LATER)
    assert await waiting(db) == [tile, flag]
    assert await waiting(db, limit=1) == [tile]
    assert await waiting(db, agency_id="agy_2") == []
    assert await waiting(db, Scope(programs=frozenset({"prg_2"}))) == []
    own = await waiting(db, Scope(providers=frozenset({"prv_1"})))
    assert own == [tile, flag]  # an officer's own call is in no file, whoever asks


async def test_a_release_keeps_what_left_and_the_same_session_never_leaves_again(
    db: Database, vault: Vault
) -> None:
    first, second = await overdose(db), await overdose(db, now=NOW + 5)
    secret = OdmapRow(NOW, "Prairie", "SD", RELEASED, "fatal", "none")

    async def release(*ids: str) -> str:
        rows = dict.fromkeys(ids, secret)
        return await db.write(
            lambda conn: odmap.release(conn, vault, "prg_1", rows, "per_dana", NOW + 100)
        )

    file = await release(first)
    assert await waiting(db) == [second]
    with pytest.raises(Conflict):
        await release(second, first)
    assert await waiting(db) == [second]  # all or none
    async with db.read() as conn:
        [(reference, agency, left)] = await odmap.rows_of(conn, vault, file)
        [known] = await odmap.releases_of(conn, "prg_1")
        assert await odmap.releases_of(conn, "prg_2") == []
        raw = (await conn.exec_driver_sql("SELECT row_enc FROM odmap_row")).scalar()
    assert (left, agency, known.count, known.by) == (secret, "agy_1", 1, "per_dana")
    assert reference.startswith("odm_")
    assert isinstance(raw, bytes | memoryview)
    assert RELEASED.encode() not in bytes(raw)
    assert not await db.write(lambda conn: odmap.put_back(conn, first))
    assert await waiting(db) == [second]


async def test_one_that_is_held_back_waits_no_more_until_it_is_put_back(
    db: Database, vault: Vault
) -> None:
    one = await overdose(db)
    await db.write(lambda conn: odmap.hold(conn, one, "not_overdose", "per_dana", NOW + 50))
    assert await waiting(db) == []
    async with db.read() as conn:
        [held] = await odmap.held(conn, MINE, NOW - 10, LATER)
    assert (held.row.id, held.reason, held.by) == (one, "not_overdose", "per_dana")
    assert held.row.intake == ("adult", "overdose")
    with pytest.raises(Conflict):
        await db.write(
            lambda conn: odmap.release(conn, vault, "prg_1", {one: ONE}, "per_dana", NOW + 60)
        )
    assert await db.write(lambda conn: odmap.put_back(conn, one))
    assert await waiting(db) == [one]


@pytest.mark.parametrize("count", [0, odmap.MOST + 1])
async def test_a_file_has_rows_and_not_too_many(db: Database, vault: Vault, count: int) -> None:
    rows = {f"ses_{no}": ONE for no in range(count)}
    with pytest.raises(BadInput):
        await db.write(lambda conn: odmap.release(conn, vault, "prg_1", rows, "per_dana", NOW))


async def test_a_reason_that_is_none_and_a_session_that_is_none_are_refused(db: Database) -> None:
    one = await overdose(db)
    with pytest.raises(BadInput):
        await db.write(lambda conn: odmap.hold(conn, one, "because", "per_dana", NOW))
    with pytest.raises(BadInput):
        await db.write(lambda conn: odmap.hold(conn, "ses_nobody", "other", "per_dana", NOW))
