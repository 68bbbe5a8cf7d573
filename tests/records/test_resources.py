"""The directory of help near by: what an entry may hold, its CSV, the store on both databases."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection

from records import resources
from records.catchments import Place
from records.engine import Database
from records.errors import BadInput, Conflict, NotFound
from records.resource_entries import (
    COLUMNS,
    LONGEST,
    MOST,
    BadEntry,
    Entry,
    Problem,
    entry,
    places,
    read,
    write,
)
from records.vocabulary import RESOURCE_KINDS, STATES
from tests.records.cast import NOW

HOUSE = Entry("Harbor House", "shelter", (("Hand", "SD"), ("Hyde", "SD")), phone="605-555-0100")
LINE = Entry("State warm line", "peer", (("", "SD"),), text_line="605-555-0111", hours="every day")

words = st.text(
    st.characters(blacklist_categories=("Cs", "Cc", "Cf", "Zl", "Zp", "Zs", "Co", "Cn")),
    max_size=20,
)
entries = st.builds(
    Entry,
    name=words.filter(bool),
    kind=st.sampled_from(RESOURCE_KINDS),
    places=st.lists(
        st.tuples(st.sampled_from(["", "Hand", "O'Brien", "Saint Clair"]), st.sampled_from(STATES)),
        min_size=1, max_size=4, unique=True,
    ).map(lambda those: tuple(sorted(those, key=lambda p: (p[1], p[0].casefold())))),
    phone=st.sampled_from(["", "+1 605 555 0100", "(605) 555-0100 x12"]),
    address=st.just("1 Main St") ,
    hours=words,
    accepts=words,
)  # fmt: skip


@given(st.lists(entries, max_size=6, unique_by=lambda one: one.key))
def test_what_is_written_as_csv_is_read_as_the_same_and_no_cell_is_a_formula(
    those: list[Entry],
) -> None:
    text = write(those)
    assert read(text) == (those, [])
    for row in csv.reader(io.StringIO(text.removeprefix("\ufeff"))):
        assert not [cell for cell in row if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]


@given(st.text(max_size=400))
def test_any_text_is_read_or_refused_and_never_fails(text: str) -> None:
    found, problems = read(text)
    assert all(isinstance(one, Entry) for one in found)
    assert all(problem.line >= 1 for problem in problems)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_spreadsheets_may_use_any_delimiter_order_and_blank_lines(delimiter: str) -> None:
    rows = [["Kind", "Phone", "Places", "Name"], ["shelter", "605-555-0100", "Hand SD", "House"],
            ["", "", "", ""], ["peer", "605-555-0101", "* sd", "Line"]]  # fmt: skip
    found, problems = read("\ufeff" + "\r\n".join(delimiter.join(row) for row in rows))
    assert problems == []
    assert [(one.name, one.places) for one in found] == [
        ("House", (("Hand", "SD"),)),
        ("Line", (("", "SD"),)),
    ]


def test_each_line_that_cannot_be_kept_is_named_with_its_column() -> None:
    text = "name,kind,places,phone,website\n" + "\n".join(
        [
            "A,shelter,Hand SD,605-555-0100,",
            "B,castle,Hand SD,605-555-0100,",
            "C,shelter,Hand,605-555-0100,",
            "D,shelter,Hand SD,call Bob,",
            "E,shelter,Hand SD,,",
            "F,shelter,Hand SD,,javascript:alert(1)",
            "a,shelter,Hand SD,605-555-0100,",
            ",shelter,Hand SD,605-555-0100,",
            "G,shelter,Hand SD,605-555-0100,,too much",
        ]
    )
    fields = ["kind", "places", "phone", "phone", "website", "name", "name", "columns"]
    assert read(text)[1] == [Problem(line, field) for line, field in enumerate(fields, start=3)]


@pytest.mark.parametrize("head", ["name,kind", "name,name,kind,places", "a;b;c"])
def test_a_file_without_its_columns_is_refused_as_a_whole(head: str) -> None:
    found, problems = read(head + "\nHouse,shelter,Hand SD\n")
    assert (found, problems) == ([], [Problem(1, "columns")])


@pytest.mark.parametrize("text", ["", "\ufeff", "\r\n", "\nHouse,shelter,Hand SD\n"])
def test_a_file_without_a_heading_is_empty(text: str) -> None:
    assert read(text) == ([], [Problem(1, "empty")])


def test_places_are_counties_with_their_state_or_a_whole_state_each_once() -> None:
    assert places("Hand County SD; hand sd\nHyde, SD;; *  nd ;WY") == (
        ("", "ND"), ("Hand", "SD"), ("Hyde", "SD"), ("", "WY"),
    )  # fmt: skip
    for nothing in ("", ";", "Hand", "Hand XX", "x" * 70 + " SD"):
        with pytest.raises(BadEntry):
            places(nothing)


@pytest.mark.parametrize("name", [name for name in COLUMNS if name not in ("kind", "places")])
def test_no_text_is_longer_than_a_card_has_room_for(name: str) -> None:
    typed = {"name": "House", "kind": "shelter", "places": "Hand SD", "phone": "605-555-0100"}
    with pytest.raises(BadEntry) as bad:
        entry(typed | {name: "9" * (LONGEST + 1)})
    assert bad.value.field == name


async def kept(db: Database, *those: Entry, program: str = "prg_1") -> list[str]:
    return [
        await db.write(
            lambda conn, one=one: resources.save(conn, program, None, 0, one, "per_dana", NOW)  # type: ignore[misc]
        )
        for one in those
    ]


async def near(db: Database, county: str, state: str = "SD", program: str = "prg_1") -> list[str]:
    async with db.read() as conn:
        found = await resources.near(conn, program, Place(county, state))
    return [one.entry.name for one in found]


async def test_a_county_finds_its_own_help_and_that_of_its_whole_state(db: Database) -> None:
    await kept(db, HOUSE, LINE)
    assert await near(db, "hand") == ["State warm line", "Harbor House"]
    assert await near(db, "Beadle") == ["State warm line"]
    assert await near(db, "Hand", "ND") == []
    assert await near(db, "Hand", program="prg_2") == []
    assert await near(db, "Hand' OR 1=1 --") == ["State warm line"]


async def test_a_change_needs_the_revision_that_was_seen(db: Database) -> None:
    (one,) = await kept(db, HOUSE)
    moved = replace(HOUSE, address="2 Main St", places=(("Hughes", "SD"),))
    await db.write(lambda conn: resources.save(conn, "prg_1", one, 1, moved, "per_dana", NOW + 1))
    assert await near(db, "Hand") == []
    assert await near(db, "Hughes") == ["Harbor House"]
    for stale in (0, 1, 3):
        with pytest.raises(Conflict):
            await db.write(
                lambda conn, rev=stale: resources.remove(conn, "prg_1", one, rev, "per_dana", NOW)  # type: ignore[misc]
            )
    with pytest.raises(NotFound):
        await db.write(lambda conn: resources.remove(conn, "prg_2", one, 2, "per_dana", NOW))
    await db.write(lambda conn: resources.remove(conn, "prg_1", one, 2, "per_dana", NOW))
    assert await near(db, "Hughes") == []


async def test_a_file_becomes_the_directory_and_says_before_what_it_changes(db: Database) -> None:
    await kept(db, HOUSE, LINE)
    wanted = [replace(HOUSE, hours="nights"), replace(LINE, name="Another line")]
    async with db.read() as conn:
        rows = await resources.of_programs(conn, ["prg_1"])
    told = resources.compared(rows, wanted)
    done = await db.write(
        lambda conn: resources.replace_all(conn, "prg_1", wanted, "per_dana", NOW + 1)
    )
    assert told == done == resources.Replaced(added=1, changed=1, same=0, removed=1)
    async with db.read() as conn:
        rows = await resources.of_programs(conn, ["prg_1"])
    assert [row.entry for row in rows] == [wanted[1], wanted[0]]
    again = await db.write(
        lambda conn: resources.replace_all(conn, "prg_1", wanted, "per_dana", NOW + 2)
    )
    assert again == resources.Replaced(added=0, changed=0, same=2, removed=0)


def test_a_file_with_too_many_entries_says_so_at_the_first_of_them() -> None:
    lines = [f"House {no},shelter,Hand SD,605-555-0101" for no in range(MOST + 2)]
    found, problems = read("\n".join(["name,kind,places,phone", *lines]))
    assert (len(found), problems) == (MOST, [Problem(MOST + 2, "most")])


async def test_a_full_directory_is_replaced_by_another_full_one_in_a_few_statements(
    db: Database,
) -> None:
    many = [replace(HOUSE, name=f"House {no}") for no in range(MOST)]
    others = [replace(one, hours="nights") for one in many[:2000]]
    others += [replace(HOUSE, name=f"Home {no}") for no in range(MOST - 2000)]
    said: list[resources.Replaced] = []
    statements: list[str] = []

    async def work(conn: AsyncConnection, entries: list[Entry], now: float) -> None:
        engine = conn.sync_connection
        assert engine is not None

        def seen(*given: Any) -> None:
            statements.append(str(given[2]))

        event.listen(engine, "before_cursor_execute", seen)
        said.append(await resources.replace_all(conn, "prg_1", entries, "per_dana", now))

    await db.write(lambda conn: work(conn, many, NOW))
    await db.write(lambda conn: work(conn, others, NOW + 1))
    assert said == [resources.Replaced(MOST, 0, 0, 0), resources.Replaced(3000, 2000, 0, 3000)]
    assert len(statements) < 100
    async with db.read() as conn:
        rows = await resources.of_programs(conn, ["prg_1"])
    assert {row.entry for row in rows} == set(others)
    with pytest.raises(BadInput):
        await db.write(lambda conn: work(conn, [*many, HOUSE], NOW + 2))


async def test_what_nobody_has_checked_for_half_a_year_is_stale(db: Database) -> None:
    (one,) = await kept(db, HOUSE)
    later = NOW + resources.STALE_SECONDS + 1
    async with db.read() as conn:
        (row,) = await resources.of_programs(conn, ["prg_1"])
    assert not row.stale(NOW + resources.STALE_SECONDS)
    assert row.stale(later)
    await db.write(lambda conn: resources.checked(conn, "prg_1", one, 1, "per_dana", later))
    async with db.read() as conn:
        (row,) = await resources.of_programs(conn, ["prg_1"])
    assert not row.stale(later)
