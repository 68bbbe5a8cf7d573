"""The log as CSV: nobody is named unless asked for, nothing is blank, nothing is run by a sheet."""

from __future__ import annotations

import csv
import io

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from records import case_numbers, export_columns, exports, followups, log, schema
from records.crypto import Vault
from records.engine import Database
from records.export_columns import FOLLOWUPS, SESSIONS, Names, dictionary, header
from records.followups import NewFollowup
from records.log import LogFilter, Scope
from records.sessions import SessionRow
from records.vocabulary import FLAGS
from tests.records.cast import NOW, changed, finished, pressed

MINE = Scope(programs=frozenset({"prg_1"}))
ALL = LogFilter()
NAMES = Names(
    agencies={"agy_1": "Prairie"}, providers={"prv_1": "Plains"}, people={},
    homes={"agy_1": ("Prairie", "SD")}, units={"tab_1": "Unit 12"},
)  # fmt: skip
NAMED = Names(
    NAMES.agencies, NAMES.providers, {"per_sam": "Sam Rivera", "per_miguel": "Miguel Ortiz"},
    NAMES.homes, NAMES.units,
)  # fmt: skip
DAY = 86_400.0


def label(column: str, code: str) -> str:
    return f"{column} {code}".replace("_", " ")


def rows_of(text: str) -> list[dict[str, str]]:
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:], newline="")))


async def _table(db: Database, names: Names, wanted: LogFilter = ALL) -> list[dict[str, str]]:
    async with db.read() as conn:
        found = [p async for p in exports.sessions_csv(conn, MINE, wanted, names, label)]
    return rows_of("".join(found))


async def _followups(
    db: Database, names: Names = NAMES, scope: Scope = MINE, now: float = NOW + 9 * DAY
) -> list[dict[str, str]]:
    async with db.read() as conn:
        found = [p async for p in exports.followups_csv(conn, scope, ALL, names, label, now)]
    return rows_of("".join(found))


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
        pieces = [p async for p in exports.sessions_csv(conn, MINE, ALL, NAMES, label)]
    assert len(pieces) == 4
    assert [line.split(",")[0] for line in "".join(pieces[1:]).split("\r\n") if line] == [
        row.id for row in reversed(rows)
    ]


async def test_a_row_has_all_that_is_known_and_nothing_that_only_a_clinician_may_know(
    db: Database,
) -> None:
    row = await changed(
        db, await finished(db), kind="disposition.recorded",
        actual_disposition="medical_ed", recommended_disposition="remain_in_place",
        otherwise="arrest_custody", flags=1 | 8, opioid="yes", language="lkt", body_camera="on",
        place_county="Hand", place_state="ND", intake=("adult", "overdose"), level=2,
    )  # fmt: skip

    async def write(conn: AsyncConnection) -> None:
        await case_numbers.save(conn, row.id, "=26-1", "per_sam", NOW)
        await conn.execute(
            insert(schema.note_signature).values(
                session_id=row.id, signer_id="per_dana", signed_at=NOW + 1000, signer="{}",
                digest_enc=b"x",
            )
        )  # fmt: skip

    await db.write(write)
    [cells] = await _table(db, NAMES)
    assert "opioid" not in " ".join(cells)
    assert "cad_number" not in cells
    assert (cells["flag_force_used"], cells["flag_person_injured"]) == ("yes", "no")
    assert (cells["flag_naloxone_given"], cells["flag_weapon_present"]) == ("yes", "no")
    assert (cells["place_county"], cells["place_state"], cells["place_said"]) == (
        "Hand", "ND", "yes",
    )  # fmt: skip
    assert (cells["language"], cells["language_label"]) == ("lkt", "language lkt")
    assert (cells["intake"], cells["intake_label"]) == (
        "adult overdose",
        "intake adult, intake overdose",
    )
    assert cells["otherwise"] == "arrest_custody"
    assert cells["signed_at"] == "2026-09-21T14:30:00.000Z"
    assert (cells["accept_seconds"], cells["connect_seconds"]) == ("5.000", "2.000")
    assert (cells["escalation_steps"], cells["body_camera"], cells["test"]) == ("2", "on", "no")
    [named] = await _table(db, NAMED)
    assert named["cad_number"] == "'=26-1"
    assert (named["officer"], named["unit"]) == ("Sam Rivera", "Unit 12")


async def test_before_anybody_has_said_what_happened_flags_are_unknown_not_no(
    db: Database,
) -> None:
    await pressed(db)
    [cells] = await _table(db, NAMES)
    assert {cells[f"flag_{code}"] for code in FLAGS} == {"unknown"}
    assert (cells["place_county"], cells["place_said"]) == ("Prairie", "no")
    assert (cells["intake"], cells["intake_label"]) == ("none", "none")
    assert all(cells.values())


# --- a row a follow-up ----------------------------------------------------------------------------


async def with_followups(db: Database, vault: Vault) -> tuple[SessionRow, SessionRow]:
    """Two sessions: one with three follow-ups, one of them tried twice; one with another one."""
    one, other = await finished(db, now=NOW), await finished(db, "tab_2", now=NOW + 10)

    async def write(conn: AsyncConnection) -> None:
        planned = [
            NewFollowup("contact_24h", "per_miguel", NOW + DAY, "a note about heroin"),
            NewFollowup("naloxone_delivery", "per_miguel", NOW + 2 * DAY),
            NewFollowup("contact_48h", "per_miguel", NOW + 20 * DAY),
        ]
        await followups.add_many(conn, vault, one.id, planned, NOW + 900)
        late = [NewFollowup("warm_handoff", "per_miguel", NOW + DAY)]
        await followups.add_many(conn, vault, other.id, late, NOW + 900)
        first = (await followups.of_session(conn, vault, one.id))[0]
        for channel, outcome, at in (
            ("phone", "no_answer", 1000.0),
            ("text", "reached", 2000.0),
            ("visit", "reached", 3000.0),
        ):
            held = await followups.held(conn, vault, first.id)
            await followups.attempt(
                conn, vault, held, held.rev, by_id="per_miguel", channel=channel, outcome=outcome,
                note="more of it", now=NOW + at,
            )  # fmt: skip
        held = await followups.held(conn, vault, first.id)
        await followups.close(conn, held, held.rev, "done", "per_miguel", NOW + 4000)

    await db.write(write)
    return one, other


async def test_each_follow_up_is_a_row_with_its_attempts_and_no_note(
    db: Database, vault: Vault
) -> None:
    one, other = await with_followups(db, vault)
    rows = await _followups(db)
    assert [row["session"] for row in rows] == [other.id, one.id, one.id, one.id]
    assert [row["kind"] for row in rows] == [
        "referral", "contact_24h", "referral", "contact_48h",
    ]  # fmt: skip
    assert [row["on_time"] for row in rows] == ["no", "yes", "no", "unknown"]
    done = rows[1]
    assert (done["attempts"], done["last_channel"], done["last_outcome"]) == (
        "3", "visit", "reached",
    )  # fmt: skip
    assert done["reached_seconds"] == "1400.000"
    assert done["closed_reason_label"] == "closed reason done"
    assert (rows[0]["attempts"], rows[0]["last_outcome"], rows[0]["reached_at"]) == (
        "0", "unknown", "unknown",
    )  # fmt: skip
    assert all(cell for row in rows for cell in row.values())
    text = str(rows)
    for words in ("heroin", "naloxone", "more of it", "per_miguel", "Miguel"):
        assert words not in text
    assert {row["owner"] for row in await _followups(db, NAMED)} == {"Miguel Ortiz"}


async def test_follow_ups_of_another_scope_and_of_officers_themselves_are_in_no_table(
    db: Database, vault: Vault
) -> None:
    one, _other = await with_followups(db, vault)
    assert await _followups(db, scope=Scope(programs=frozenset({"prg_2"}))) == []
    await changed(db, one, kind="wrapup.finished", wellness=True)
    assert one.id not in {row["session"] for row in await _followups(db)}
    own = await _followups(db, scope=Scope(providers=frozenset({"prv_1"})))
    assert one.id in {row["session"] for row in own}


async def test_a_long_table_of_follow_ups_comes_in_pieces(
    db: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    await with_followups(db, vault)
    await finished(db, "tab_3", now=NOW + 20)  # without any
    whole = await _followups(db)
    monkeypatch.setattr(log, "MOST_ROWS", 1)
    async with db.read() as conn:
        pieces = [
            p async for p in exports.followups_csv(conn, MINE, ALL, NAMES, label, NOW + 9 * DAY)
        ]
    assert len(pieces) == 3
    assert rows_of("".join(pieces)) == whole


# --- the dictionary -------------------------------------------------------------------------------


def test_the_dictionary_has_every_column_that_leaves_and_no_other() -> None:
    for name, columns in (
        ("sessions", header(SESSIONS, named=True)),
        ("followups", header(FOLLOWUPS, named=True)),
    ):
        assert [one.column for one in dictionary() if one.table == name] == columns
    without = {one.column for one in dictionary() if not one.named and one.table == "sessions"}
    assert set(header(SESSIONS, named=False)) == without


async def test_a_cell_holds_only_codes_that_the_dictionary_knows(
    db: Database, vault: Vault
) -> None:
    await with_followups(db, vault)
    known = {(one.table, one.column): {*one.codes, "unknown", "none"} for one in dictionary()}
    for table, rows in (
        ("sessions", await _table(db, NAMES)),
        ("followups", await _followups(db)),
    ):
        for row in rows:
            for column, cell in row.items():
                codes = known[table, column] - {"unknown", "none"}
                assert not codes or set(cell.split()) <= known[table, column], (column, cell)


def test_what_tells_of_substance_use_is_no_kind_that_the_table_knows() -> None:
    assert not {"naloxone_delivery", "lead_referral"} & set(export_columns.KINDS)
