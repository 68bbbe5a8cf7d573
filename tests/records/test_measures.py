"""Reports: the database's counts and the pure figures, against a slow reading of every row."""

from __future__ import annotations

import statistics
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select

from records import flags, measures, reports, schema
from records.engine import Database
from records.log import Scope
from records.measures import SMALL, Outcome, Rate
from records.reports import UNIT, Wanted
from records.vocabulary import DISPOSITIONS, FLAGS
from tests.records.cast import NOW
from web.dev import sample
from web.dev.sample import DAY, Unit, World

SCOPE = Scope(programs=frozenset({"prg_1"}))
WORLD = World(
    "prv_1", "prg_1", (Unit("tab_1", "agy_1", ("per_sam",)), Unit("tab_2", "agy_1", ("per_sam",))),
    ("per_dana", "per_miguel"), -6 * 3600.0,
)  # fmt: skip


async def filled(db: Database, count: int = 400) -> list[dict[str, Any]]:
    """A sample of 30 days; every row of it."""
    made = list(sample.sessions(WORLD, count, NOW - 30 * DAY, NOW, seq=100))
    tasks = [task for _, own in made for task in own]

    async def write(conn: Any) -> None:
        await conn.execute(insert(schema.session), [row for row, _ in made])
        await conn.execute(insert(schema.followup), tasks)

    await db.write(write)
    async with db.read() as conn:
        return [dict(row) for row in (await conn.execute(select(schema.session))).mappings()]


def slow_ending(row: dict[str, Any]) -> str:
    if row["media_at"] is not None:
        return "answered"
    if row["close_reason"] == "cancelled_by_officer":
        return "short" if row["ended_at"] - row["pressed_at"] < 10 else "abandoned"
    if row["state"] != "closed":
        return "open"
    return "failed" if row["accepted_at"] is not None else "other"


async def test_every_figure_is_what_a_slow_reading_of_the_rows_says(db: Database) -> None:
    rows = await filled(db)
    since, until = NOW - 20 * DAY, NOW - 5 * DAY
    real = [r for r in rows if not r["test"] and since <= r["pressed_at"] < until]
    wanted = Wanted(SCOPE, since, until)
    async with db.read() as conn:
        outcomes = await reports.outcomes(conn, wanted)
        marks = await reports.marks(conn, wanted)
        waits = await reports.waits(conn, wanted)
        arrivals = await reports.arrivals(conn, wanted)
        followups = await reports.done_on_time(conn, wanted, NOW)
        signed = await reports.signed_in_a_day(conn, wanted, NOW)
        tasks = [dict(r) for r in (await conn.execute(select(schema.followup))).mappings()]

    endings = Counter(map(slow_ending, real))
    numbers = measures.numbers(outcomes)
    assert {name: getattr(numbers, name) for name in endings} == dict(endings)
    assert numbers.offered == len(real)
    assert numbers.counted == len(real) - endings["short"]

    answered = [r for r in real if r["media_at"] is not None]
    known = [r for r in answered if r["actual_disposition"]]
    stayed = [r for r in known if r["actual_disposition"] == "remain_in_place"]
    assert measures.in_place(outcomes) == Rate(len(stayed), len(known), len(answered) - len(known))
    same = [r for r in known if r["actual_disposition"] == r["recommended_disposition"]]
    assert measures.agreement(outcomes).part == len(same)
    cells = measures.matrix(outcomes, DISPOSITIONS)
    assert sum(map(sum, cells)) == len(answered)
    assert sum(cells[i][i] for i in range(len(DISPOSITIONS))) == len(same)

    for source in measures.DIVERTED_FROM:
        said = [r for r in answered if r["otherwise"] == source]
        told = [r for r in said if r["actual_disposition"]]
        other = [r for r in told if r["actual_disposition"] != source]
        assert measures.diverted(outcomes, source) == Rate(
            len(other), len(told), len(said) - len(told)
        )
        assert other
    over = [r for r in answered if r["state"] == "closed"]
    assert marks.sessions == len(over)
    for flag in FLAGS:
        assert marks.flags.get(flag, 0) == sum(flag in flags.codes_of(r["flags"]) for r in over)
    assert marks.opioid == dict(Counter(r["opioid"] for r in over))

    exact = sorted(r["media_at"] - r["pressed_at"] for r in answered)
    times = measures.times(waits.to_answer, UNIT)
    assert times.count == len(exact)
    assert times.mean == pytest.approx(statistics.fmean(exact), abs=UNIT)
    assert times.median == pytest.approx(statistics.median_low(exact), abs=UNIT)
    assert times.longest == pytest.approx(exact[-1], abs=UNIT)
    for seconds in measures.LEVELS:
        level = measures.within(waits.to_answer, UNIT, seconds, numbers.counted)
        assert abs(level.part - sum(wait <= seconds for wait in exact)) <= sum(
            abs(wait - seconds) <= UNIT for wait in exact
        )
    assert arrivals == dict(Counter(int(r["pressed_at"] // 3600) for r in real))

    ids = {r["id"] for r in real}
    own = [t for t in tasks if t["session_id"] in ids]
    counted = [t for t in own if t["due_at"] <= NOW or t["status"] != "open"]
    on_time = [t for t in counted if t["status"] == "done" and t["closed_at"] <= t["due_at"]]
    assert followups == Rate(len(on_time), len(counted), len(own) - len(counted))
    over = [r for r in answered if r["state"] == "closed"]
    pending = [r for r in over if r["closed_at"] + DAY > NOW]
    assert signed == Rate(0, len(over) - len(pending), len(pending))


async def test_a_report_keeps_to_its_scope_its_agency_and_its_days(db: Database) -> None:
    await filled(db, 60)
    everything = Wanted(SCOPE, 0, NOW + 1)
    async with db.read() as conn:
        assert measures.numbers(await reports.outcomes(conn, everything)).offered > 0
        for nothing in (
            Wanted(Scope(programs=frozenset({"prg_2"})), 0, NOW + 1),
            Wanted(Scope(), 0, NOW + 1),
            Wanted(SCOPE, 0, NOW + 1, "agy_2"),
            Wanted(SCOPE, NOW + 1, NOW + 2),
        ):
            assert await reports.outcomes(conn, nothing) == []
            assert await reports.arrivals(conn, nothing) == {}
            assert (await reports.waits(conn, nothing)).to_answer == {}
            assert (await reports.done_on_time(conn, nothing, NOW)) == Rate(0, 0, 0)


def test_without_a_word_before_the_call_no_diversion_is_claimed() -> None:
    outcomes = [
        Outcome("answered", "remain_in_place", "remain_in_place", 9),
        Outcome("answered", "remain_in_place", "remain_in_place", 4, "arrest_custody"),
        Outcome("answered", "remain_in_place", "arrest_custody", 2, "arrest_custody"),
        Outcome("answered", "remain_in_place", None, 3, "arrest_custody"),
        Outcome("abandoned", None, None, 5, "arrest_custody"),
    ]
    assert measures.diverted(outcomes, "arrest_custody") == Rate(4, 6, 3)
    assert measures.diverted(outcomes, "medical_ed") == Rate(0, 0, 0)


@pytest.mark.parametrize("side", ["officer", "clinician"])
def test_one_side_saying_its_flags_leaves_the_others_alone(side: str) -> None:
    everything = sum(flags.BIT.values())
    own = flags.SIDES[side]
    kept = flags.codes_of(flags.told(everything, side, own[:1]))
    assert set(kept) == (set(FLAGS) - set(own)) | {own[0]}
    with pytest.raises(ValueError, match=side):
        flags.told(0, side, [next(code for code in FLAGS if code not in own)])


def test_no_sessions_give_no_rates_and_no_times() -> None:
    assert Rate(0, 0).share is None
    assert measures.times({}, UNIT).median is None
    assert measures.numbers([]).offered == 0
    assert measures.in_place([]) == Rate(0, 0, 0)


def test_unknown_outcomes_are_said_and_never_counted_as_no() -> None:
    found = [
        Outcome("answered", "remain_in_place", "remain_in_place", 3),
        Outcome("answered", "remain_in_place", None, 2),
        Outcome("answered", None, "medical_ed", 1),
        Outcome("failed", None, None, 9),
    ]
    assert measures.in_place(found) == Rate(3, 4, 2)
    assert measures.agreement(found) == Rate(3, 3, 3)


@given(
    values=st.lists(st.integers(0, 3000), min_size=1, max_size=200),
)
def test_times_of_a_spread_are_those_of_the_values(values: list[int]) -> None:
    times = measures.times(dict(Counter(values)), 1.0)
    ordered = sorted(values)
    assert times.median == statistics.median_low(ordered)
    assert times.longest == ordered[-1]
    assert times.mean == pytest.approx(statistics.fmean(ordered))
    assert times.p90 is not None
    assert sum(value <= times.p90 for value in ordered) >= 0.9 * len(ordered)
    assert sum(value < times.p90 for value in ordered) < 0.9 * len(ordered)


tables = st.integers(1, 6).flatmap(
    lambda width: st.lists(
        st.lists(st.integers(0, 40), min_size=width, max_size=width), min_size=1, max_size=6
    )
)


@given(cells=tables)
def test_no_small_count_is_shown_and_no_line_gives_one_away_by_its_total(
    cells: list[list[int]],
) -> None:
    shown = measures.suppressed(cells)
    for row, seen in zip(cells, shown, strict=True):
        for count, cell in zip(row, seen, strict=True):
            assert cell in (None, count)
            assert cell is None or not 0 < cell < SMALL
    lines = list(zip(cells, shown, strict=True)) + [
        ([row[c] for row in cells], [row[c] for row in shown]) for c in range(len(cells[0]))
    ]
    for real, seen in lines:
        hidden = [count for count, cell in zip(real, seen, strict=True) if cell is None]
        others = [cell for cell in seen if cell]
        assert len(hidden) != 1 or not others
