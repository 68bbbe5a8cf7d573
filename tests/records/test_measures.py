"""Reports: the database's counts and the pure figures, against a slow reading of every row."""

from __future__ import annotations

import asyncio
import statistics
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update

from records import daybook, flags, measures, reports, schema, tally
from records.catchments import Place
from records.engine import Database, upgrade
from records.log import Scope
from records.measures import SMALL, Outcome, Rate
from records.reports import Wanted
from records.schema_identities import identity
from records.schema_reports import report_block_built, report_built, session_fact
from records.tally import UNIT, Seen, Tally
from records.vocabulary import FLAGS
from tests.records import cast, log_of_all_kinds, servers
from tests.records.cast import NOW, changed, finished, pressed
from tests.records.log_of_all_kinds import Log, Row, slow
from web.dev.sample import DAY

EVERYTHING = Scope(everything=True)
SCOPE = Scope(programs=frozenset({"prg_1"}))
CLINIC = Scope(providers=frozenset({"prv_1"}))
ALL = Wanted(EVERYTHING, NOW - 120 * DAY, NOW + 1)
PRAIRIE, FAR = Place("Prairie", "SD"), Place("Far", "SD")
SOME = replace(ALL, since=NOW - 100.3 * DAY, until=NOW - 4.2 * DAY)
CHOICES = {
    "everything": ALL,
    "some days": SOME,
    "whole days": replace(ALL, since=(NOW // DAY - 20) * DAY, until=(NOW // DAY - 10) * DAY),
    "an hour": replace(ALL, since=NOW - 10 * DAY, until=NOW - 10 * DAY + 3600),
    "a program": replace(ALL, scope=SCOPE),
    "a provider": replace(ALL, scope=CLINIC),
    "an agency": replace(SOME, scope=SCOPE, agencies=frozenset({"agy_far"})),
    "a county": replace(ALL, place=PRAIRIE, at_home=frozenset({"agy_1"})),
    "another county": replace(SOME, scope=SCOPE, place=FAR, at_home=frozenset({"agy_far"})),
    "who pays": replace(ALL, scope=SCOPE, funding="opioid_settlement"),
    "nothing": replace(ALL, scope=Scope()),
}


def wanted_rows(log: Log, wanted: Wanted) -> list[Row]:
    """The rows of a choice, one condition after another."""
    scope, rows = wanted.scope, [r for r in log.sessions if not r["test"]]
    rows = [r for r in rows if wanted.since <= r["pressed_at"] < wanted.until]
    if not scope.everything:
        rows = [
            r for r in rows
            if r["provider_id"] in scope.providers
            or (r["program_id"] in scope.programs and not r["wellness"])
        ]  # fmt: skip
    if wanted.agencies is not None:
        rows = [r for r in rows if r["agency_id"] in wanted.agencies]
    if wanted.funding is not None:
        rows = [r for r in rows if r["funding"] == wanted.funding]
    if wanted.place is not None:
        home = {"agy_1": PRAIRIE, "agy_far": FAR}

        def where(row: Row) -> Place:
            named = Place(row["place_county"] or "", row["place_state"] or "")
            return named if row["place_county"] else home[row["agency_id"]]

        rows = [r for r in rows if where(r) == wanted.place]
    return rows


def as_slow(tally: Tally) -> dict[str, Any]:
    """A tally in the words of the slow reading."""
    sums, found = tally.sums, tally.outcomes()
    endings, pairs = Counter[str](), Counter[tuple[str | None, ...]]()
    for one in found:
        endings[one.ending] += one.count
        if one.ending == "answered":
            pairs[one.recommended, one.actual, one.otherwise] += one.count

    def starting(prefix: str) -> Counter[str]:
        return Counter({k[len(prefix) :]: n for k, n in sums.items() if k.startswith(prefix) and n})

    rates = (
        "drop", "restored", "screen", "plan", "means", "bars", "bars_calm", "followups", "signed",
        "contact_24h", "contact_48h", "contact_72h", "linked_7d", "linked_30d",
    )  # fmt: skip
    return {
        "endings": endings, "pairs": pairs, "hours": Counter(tally.hours),
        "funding": starting("funding_"), "opioid": starting("opioid_"), "flags": starting("flag_"),
        "levels": Counter({level: sums[f"within_{level}"] for level in measures.LEVELS}),
        "over": sums["over"], "busy": sums["busy"], "setup": sums["setup"],
        "kits": sums["made_naloxone_delivery"],
        "rings": tuple(sums[f"ring_{name}"] for name in ("accepted", "declined", "missed")),
        "repeats": {
            days: (rate.part, rate.whole) for days, rate in tally.repeats((7, 30, 90)).items()
        },
        "bars_sums": (sums["bars_before"], sums["bars_after"]),
        **{name: sorted(tally.waits[name]) for name in ("to_answer", "to_accept", "to_media")},
        **{
            name: (tally.rate(name).part, tally.rate(name).whole, tally.rate(name).unknown)
            for name in rates
        },
    }  # fmt: skip


async def compared(db: Database, log: Log, now: float) -> None:
    for name, wanted in CHOICES.items():
        async with db.read() as conn:
            found = as_slow(await reports.total(conn, wanted, now))
        expected = slow(log, wanted_rows(log, wanted), now)
        for figure, value in expected.items():
            assert found[figure] == value, (name, figure)
        assert found.keys() == expected.keys()


async def built(db: Database, now: float) -> int:
    async with db.read() as conn:
        days = await daybook.due(conn, now)
    for day in days:
        assert await daybook.build(db, day, now)
    async with db.read() as conn:
        blocks = await daybook.due_blocks(conn, now)
    for block in blocks:
        assert await daybook.build_block(db, block, now)
    return len(days)


async def fresh(db: Database, now: float) -> frozenset[int]:
    async with db.read() as conn:
        return frozenset(await reports.fresh_days(conn, 0, int(NOW // DAY) + 1, now))


async def blocks(db: Database) -> int:
    async with db.read() as conn:
        found = await conn.execute(select(report_block_built.c.block))
        return len(found.all())


async def test_every_figure_is_what_a_slow_reading_of_the_rows_says(db: Database) -> None:
    log = await log_of_all_kinds.fill(db, 1)
    assert len(wanted_rows(log, CHOICES["an agency"])) > 10
    await compared(db, log, NOW)
    assert await built(db, NOW) > 100
    assert len(await fresh(db, NOW)) > 90
    await compared(db, log, NOW)
    later = NOW + 3 * DAY  # follow-ups have become due, notes late
    await compared(db, log, later)
    await built(db, later)
    await compared(db, log, later)
    assert await blocks(db) >= 1
    much_later = later + 40 * DAY
    await built(db, much_later)
    assert await blocks(db) >= 2
    await compared(db, log, much_later)
    await compared(db, log, much_later + 40 * DAY)


async def test_what_changes_a_day_that_is_over_is_in_the_next_report(db: Database) -> None:
    await log_of_all_kinds.fill(db, 3, count=80, days=12)
    await built(db, NOW)
    log = await log_of_all_kinds.read(db)
    over = [r for r in log.sessions if r["state"] == "closed" and r["media_at"] is not None]
    unsigned = next(r for r in over if r["id"] not in log.signed)
    task = next(t for t in log.tasks if t["status"] == "open")
    one = {"session_id": unsigned["id"]}
    signature = {**one, "signer_id": "per_dana", "signed_at": NOW, "signer": "{}"}
    changes: dict[str, Any] = {
        "actual": update(schema.session)
        .where(schema.session.c.id == over[0]["id"])
        .values(actual_disposition="other", flags=255),
        "signed": insert(schema.note_signature).values(**signature, digest_enc=b""),
        "done": update(schema.followup)
        .where(schema.followup.c.id == task["id"])
        .values(status="done", closed_at=NOW, closed_reason="done"),
        "reached": insert(schema.followup_attempt).values(
            followup_id=task["id"], no=40, at=NOW, by_id="per_dana", channel="phone",
            outcome="reached",
        ),
        "facts": update(session_fact)
        .where(session_fact.c.session_id == over[1]["id"])
        .values(plan="made", rules=1),
        "no attempt": delete(schema.followup_attempt).where(
            schema.followup_attempt.c.followup_id == task["id"]
        ),
        "joined": update(identity)
        .where(identity.c.session_id.in_(list(log.people)[:9]))
        .values(subject_id="sub_one", tag=b"t"),
        "forgotten": delete(identity).where(identity.c.session_id == next(iter(log.people))),
        "no fact": delete(session_fact).where(session_fact.c.session_id == over[2]["id"]),
    }  # fmt: skip
    for name, change in changes.items():
        before = await fresh(db, NOW)
        await db.write(lambda conn, change=change: conn.execute(change))  # type: ignore[misc]
        after = await fresh(db, NOW)
        assert len(after) <= len(before), name
        await compared(db, await log_of_all_kinds.read(db), NOW)
        again = NOW + daybook.AGAIN_SECONDS
        await built(db, again)
        assert after <= await fresh(db, again), name


async def test_what_time_alone_changes_is_at_most_twenty_minutes_late(db: Database) -> None:
    row = await finished(db, now=NOW - 5 * DAY)
    due = NOW + 3600.0
    task = {"id": "fup_1", "session_id": row.id, "kind": "contact_24h", "owner_id": "per_dana"}
    values = {**task, "due_at": due, "status": "open", "created_at": NOW}
    await db.write(lambda conn: conn.execute(insert(schema.followup).values(values)))
    assert await built(db, NOW) == 5

    async def on_time(now: float) -> Rate:
        async with db.read() as conn:
            return (await reports.total(conn, ALL, now)).rate("followups")

    assert await on_time(due + 1) == Rate(0, 0, 1)
    assert await on_time(due + reports.LATE_SECONDS) == Rate(0, 1, 0)
    assert await built(db, due + 1) == 1
    assert await on_time(due + 1) == Rate(0, 1, 0)


async def test_a_session_that_is_open_is_counted_once_before_and_after_it_closes(
    db: Database,
) -> None:
    row = await pressed(db, now=NOW - 2 * DAY)
    await built(db, NOW)

    async def offered() -> int:
        async with db.read() as conn:
            return measures.numbers((await reports.total(conn, ALL, NOW)).outcomes()).offered

    assert await offered() == 1
    await changed(db, row, state="closed", close_reason="duplicate", closed_at=NOW, ended_at=NOW)
    assert await offered() == 1
    assert await built(db, NOW + daybook.AGAIN_SECONDS) == 1
    assert await offered() == 1


async def test_of_two_that_sum_up_one_day_the_slower_changes_nothing(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await log_of_all_kinds.fill(db, 4, count=40, days=10)
    day = int(NOW // DAY) - 3
    stored = tally.stored
    told: list[bool] = []

    def meanwhile(own: Tally) -> bytes:
        if not told:
            told.append(True)
            asyncio.run_coroutine_threadsafe(daybook.build(db, day, NOW), loop).result(20)
        return stored(own)

    loop = asyncio.get_running_loop()
    for expected in (False, False):
        told.clear()
        monkeypatch.setattr(tally, "stored", meanwhile)
        assert await daybook.build(db, day, NOW) is expected
        monkeypatch.setattr(tally, "stored", stored)
    async with db.read() as conn:
        builds = await conn.scalar(select(report_built.c.builds).where(report_built.c.day == day))
    assert builds == 2
    await compared(db, await log_of_all_kinds.read(db), NOW)


async def test_what_changes_while_a_day_is_summed_up_stays_marked(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await log_of_all_kinds.fill(db, 5, count=60, days=10)
    row = next(r for r in log.sessions if r["media_at"] and r["state"] == "closed")
    day = int(row["pressed_at"] // DAY)
    stored, loop = tally.stored, asyncio.get_running_loop()

    async def change() -> None:
        statement = (
            update(schema.session)
            .where(schema.session.c.id == row["id"])
            .values(actual_disposition="other", flags=255, opioid="yes")
        )
        await db.write(lambda conn: conn.execute(statement))

    def meanwhile(own: Tally) -> bytes:
        monkeypatch.setattr(tally, "stored", stored)
        asyncio.run_coroutine_threadsafe(change(), loop).result(20)
        return stored(own)

    monkeypatch.setattr(tally, "stored", meanwhile)
    assert await daybook.build(db, day, NOW)
    assert day not in await fresh(db, NOW)
    await compared(db, await log_of_all_kinds.read(db), NOW)


async def test_both_databases_give_the_same_report(
    tmp_path: Path, postgres: servers.Server
) -> None:
    """Percentiles too: each figure to its last digit."""
    found: list[list[Any]] = []
    for url in (f"sqlite:///{tmp_path / 'one.db'}", postgres.make()):
        await asyncio.to_thread(upgrade, url)
        db = Database(url)
        await db.start()
        await db.write(cast.fill)
        await log_of_all_kinds.fill(db, 6, count=200, days=40)
        own: list[Any] = []
        for _ in range(2):
            for wanted in CHOICES.values():
                async with db.read() as conn:
                    total = await reports.total(conn, wanted, NOW)
                own.append(as_slow(total))
                own += [measures.times(total.spread(name), UNIT) for name in tally.WAITS]
            await built(db, NOW)
        await db.close()
        found.append(own)
    assert found[0] == found[1]
    assert any(isinstance(one, measures.Times) and one.p90 for one in found[0])


def test_percentiles_are_those_of_the_waits() -> None:
    waits = [10, 20, 20, 30, 1000]
    total = Tally()
    total.waits["to_answer"].extend(waits)
    times = measures.times(total.spread("to_answer"), UNIT)
    assert (times.median, times.p90, times.longest) == (2.0, 100.0, 100.0)


def test_who_was_answered_a_moment_too_late_was_not_answered_within_that_time() -> None:
    total = Tally()
    for waited in (14.96, 15.0, 15.04, 30.0004):
        call = Seen(
            state="connected", close_reason=None, pressed_at=NOW, accepted_at=NOW + 5,
            media_at=NOW + waited, ended_at=None, closed_at=None, recommended=None, actual=None,
            otherwise=None, flags=0, opioid="unknown",
        )  # fmt: skip
        total.add(call, NOW)
    assert [total.sums[f"within_{level}"] for level in (15, 30, 60)] == [2, 4, 4]
    assert [round(wait * UNIT, 1) for wait in sorted(total.waits["to_answer"])][:3] == [15.0] * 3


@given(
    parts=st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from(["a", "o|x|||", "b.part"]), st.integers(0, 10**9)),
            st.dictionaries(st.integers(0, 10**6), st.integers(1, 10**6)),
            st.lists(st.integers(0, 2**32 - 1), max_size=20),
        ),
        max_size=5,
    )
)
def test_stored_sums_add_up_to_what_they_were(parts: list[Any]) -> None:
    whole, bodies = Tally(), []
    for sums, hours, waits in parts:
        one = Tally(Counter(sums), Counter(hours))
        one.waits["to_media"].extend(waits)
        bodies.append(tally.stored(one))
        whole.merge(one)
    found = tally.added(bodies)
    assert (+found.sums, +found.hours) == (+whole.sums, +whole.hours)
    assert sorted(found.waits["to_media"]) == sorted(whole.waits["to_media"])


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
