"""The log's filters: the same as a slow look at every session, by an index each, on both."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import insert, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from records import log, near_misses, people, schema, sessions, upkeep
from records.engine import Database
from records.flags import BIT
from records.log import LogFilter, Scope
from records.log_filters import FLAGS_TO_FIND, County, Found
from records.near_misses import NewMiss
from records.schema_misses import near_miss
from records.sessions import SessionRow
from records.upkeep import keep_up
from records.vocabulary import FLAGS
from tests.records.cast import NOW

MINE = Scope(programs=frozenset({"prg_1"}))
HAND = County("Hand", "SD", ())
PRAIRIE = County("Prairie", "SD", ("agy_1",))
BOTH = County("Prairie", "SD", ("agy_1", "agy_2"))
Slow = Callable[[SessionRow, dict[str, set[str]]], bool]


def there(county: County) -> Slow:
    return lambda row, _: (
        (row.place_county, row.place_state) == (county.name, county.state)
        if row.place_county is not None
        else row.agency_id in county.agencies
    )


# a filter, and what it means for one session and the near misses of each (their kinds, "open")
CASES: dict[str, tuple[LogFilter, Slow]] = {
    "all": (LogFilter(), lambda row, _: True),
    "clinician": (LogFilter(lead_id="per_dana"), lambda row, _: row.lead_id == "per_dana"),
    "county of an agency": (LogFilter(county=PRAIRIE), there(PRAIRIE)),
    "county of two agencies": (LogFilter(county=BOTH), there(BOTH)),
    "county of no agency": (LogFilter(county=HAND), there(HAND)),
    "flag": (LogFilter(flag="weapon_present"), lambda r, _: bool(r.flags & BIT["weapon_present"])),
    "any near miss": (LogFilter(miss="any"), lambda row, kinds: bool(kinds.get(row.id))),
    "open near miss": (LogFilter(miss="open"), lambda r, kinds: "open" in kinds.get(r.id, ())),
    "kind of near miss": (
        LogFilter(miss="to_phone"),
        lambda row, kinds: "to_phone" in kinds.get(row.id, ()),
    ),
    "found": (
        LogFilter(found=Found(("tab_1", "tab_2"), ("per_sam",), ("ses_0003",))),
        lambda r, _: (
            r.tablet_id in {"tab_1", "tab_2"} or r.officer_id == "per_sam" or r.id == "ses_0003"
        ),
    ),
    "found nothing": (LogFilter(found=Found()), lambda row, _: False),
    "found, in a county": (
        LogFilter(found=Found(("tab_1", "tab_3")), county=PRAIRIE),
        lambda r, _: r.tablet_id in {"tab_1", "tab_3"} and there(PRAIRIE)(r, {}),
    ),
    "near miss, found, county, flag, agency": (
        LogFilter(
            miss="any", found=Found(("tab_1", "tab_2"), ("per_sam",)), flag="calmer_at_end",
            agency_id="agy_1",
        ),
        lambda r, kinds: (
            bool(kinds.get(r.id))
            and (r.tablet_id in {"tab_1", "tab_2"} or r.officer_id == "per_sam")
            and bool(r.flags & BIT["calmer_at_end"])
            and r.agency_id == "agy_1"
        ),
    ),
    "waiting, in a county": (
        LogFilter(state="waiting", county=BOTH),
        lambda r, _: r.state == "waiting" and there(BOTH)(r, {}),
    ),
    "one unit": (LogFilter(found=Found(("tab_1",))), lambda row, _: row.tablet_id == "tab_1"),
    "one unit, in a county": (
        LogFilter(found=Found(("tab_1",)), county=BOTH),
        lambda row, _: row.tablet_id == "tab_1" and there(BOTH)(row, {}),
    ),
    "near misses of days and of one unit": (
        LogFilter(
            miss="any", found=Found(("tab_1",)), pressed_from=NOW + 3, pressed_until=NOW + 16
        ),
        lambda r, kinds: (
            bool(kinds.get(r.id)) and r.tablet_id == "tab_1" and NOW + 3 <= r.pressed_at < NOW + 16
        ),
    ),
    "near miss in a county": (
        LogFilter(miss="any", county=PRAIRIE),
        lambda row, kinds: bool(kinds.get(row.id)) and there(PRAIRIE)(row, {}),
    ),
    "clinician, county, days": (
        LogFilter(lead_id="per_dana", county=BOTH, pressed_from=NOW + 5, pressed_until=NOW + 15),
        lambda r, _: (
            r.lead_id == "per_dana" and there(BOTH)(r, {}) and NOW + 5 <= r.pressed_at < NOW + 15
        ),
    ),
}  # fmt: skip


WAITING = {5: "tab_1", 27: "tab_2", 64: "tab_3"}  # who waits, at which tablet


async def world(conn: AsyncConnection) -> None:
    """Eighty sessions in two agencies, of which every tenth is the officer's own."""
    dice = random.Random(3)
    await people.add(
        conn, schema.agency, id="agy_2", name="Prairie Police", county="Prairie", state="SD",
        timezone="America/Chicago", regional_line="605-555-0143", intake_tiles="[]",
    )  # fmt: skip
    await people.add(
        conn, schema.coverage, agency_id="agy_2", provider_id="prv_1", program_id="prg_1"
    )
    rows: list[dict[str, Any]] = []
    misses: list[NewMiss] = []
    for number in range(80):
        place = dice.choice([None, None, "Prairie", "Hand"])
        waits = number in WAITING
        tablet = WAITING[number] if waits else dice.choice(["tab_1", "tab_2", "tab_3"])
        rows.append(
            {
                "id": f"ses_{number:04d}", "code": f"{number:06d}", "press_key": f"k{number}",
                "agency_id": dice.choice(["agy_1", "agy_2"]), "provider_id": "prv_1",
                "program_id": "prg_1", "tablet_id": tablet,
                "officer_id": dice.choice([None, "per_sam"]),
                "state": "waiting" if waits else "closed",
                "close_reason": None if waits else "completed", "seq": number,
                "lead_id": None if waits else dice.choice([None, "per_dana", "per_miguel"]),
                "place_county": place, "place_state": place and "SD",
                "pressed_at": NOW + number // 4, "flags": dice.randrange(1 << len(FLAGS)),
                "wellness": number % 10 == 0, "test": number % 11 == 0,
            }
        )  # fmt: skip
        misses += [
            NewMiss(f"ses_{number:04d}", kind, NOW, NOW + number // 4)
            for kind in ("unanswered", "to_phone")
            if dice.random() < 0.3
        ]
    await conn.execute(insert(schema.session), rows)
    await near_misses.open_all(conn, misses, NOW)
    done = near_miss.update().where(near_miss.c.kind == "to_phone", near_miss.c.id < "nms_m")
    await conn.execute(done.values(closed_at=NOW, closed_by="per_dana"))


async def slowly(db: Database) -> tuple[list[SessionRow], dict[str, set[str]]]:
    """Every session that a program may list, newest first, and its near misses."""
    kinds: dict[str, set[str]] = {}
    async with db.read() as conn:
        rows = [sessions.row_of(one) for one in await conn.execute(schema.session.select())]
        for one in await conn.execute(near_miss.select()):
            kinds.setdefault(one.session_id, set()).add(one.kind)
            if one.closed_at is None:
                kinds[one.session_id].add("open")
    rows = [row for row in rows if not row.test and not row.wellness]
    return sorted(rows, key=lambda row: (row.pressed_at, row.id), reverse=True), kinds


async def test_each_filter_finds_what_a_slow_look_at_every_session_finds(db: Database) -> None:
    await db.write(world)
    rows, kinds = await slowly(db)
    for name, (wanted, slow) in CASES.items():
        expected = [row.id for row in rows if slow(row, kinds)]
        assert expected or name == "found nothing", name
        seen: list[str] = []
        after: str | None = None
        while True:
            async with db.read() as conn:
                page = await log.page(conn, MINE, wanted, after, limit=3)
            seen += [row.id for row in page.rows]
            after = page.after
            if after is None:
                break
        assert seen == expected, name


async def test_words_from_outside_are_values_and_never_sql(db: Database) -> None:
    await db.write(world)
    evil = "x' OR 1=1; DROP TABLE session --"
    for wanted in (
        LogFilter(lead_id=evil),
        LogFilter(county=County(evil, evil, (evil,))),
        LogFilter(miss=evil),
        LogFilter(found=Found((evil,), (evil,), (evil,))),
    ):
        async with db.read() as conn:
            assert (await log.page(conn, MINE, wanted, None)).rows == ()
    with pytest.raises(ValueError, match="naloxone"):
        await _plan(db, LogFilter(flag="naloxone_given"))
    assert "opioid" not in LogFilter.__dataclass_fields__


SERVED_BY = {
    "all": {"session_log"},
    "clinician": {"session_led"},
    "county of an agency": {"session_of_county", "session_of_agency"},
    "flag": {f"session_flag_{FLAGS.index('weapon_present')}"},
    "any near miss": {"near_miss_session"},
    "open near miss": {"near_miss_session_open"},
    "kind of near miss": {"near_miss_session_kind"},
    "found": {"session_of_tablet", "session_of_officer"},
}


async def _plan(db: Database, wanted: LogFilter) -> str:
    """What the database would do, as it says it."""
    statement = log.statement(MINE, wanted, (NOW + 10, "ses_x"), 51)
    async with db.read() as conn:
        dialect = sqlite.dialect() if conn.dialect.name == "sqlite" else postgresql.dialect()  # type: ignore[no-untyped-call]
        sql = str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
        if conn.dialect.name == "sqlite":
            rows = await conn.execute(text(f"EXPLAIN QUERY PLAN {sql}"))
            return "\n".join(row.detail for row in rows)
        # eighty rows are read quickest as they lie: what would be done with a million of them
        for off in ("seqscan", "bitmapscan", "hashjoin", "mergejoin", "sort"):
            await conn.execute(text(f"SET LOCAL enable_{off} = off"))
        rows = await conn.execute(text(f"EXPLAIN {sql}"))
        return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize("name", SERVED_BY)
async def test_each_filter_by_itself_is_served_by_its_own_index(db: Database, name: str) -> None:
    await db.write(world)
    plan = await _plan(db, CASES[name][0])
    for index in SERVED_BY[name]:
        assert index in plan, plan
    assert "SCAN session\n" not in plan
    assert "Seq Scan on session" not in plan


async def test_every_flag_that_the_log_is_searched_by_has_its_index(db: Database) -> None:
    await db.write(world)
    for code in FLAGS_TO_FIND:
        assert f"session_flag_{FLAGS.index(code)}" in await _plan(db, LogFilter(flag=code)), code


MANY = [
    {
        "id": f"ses_m{n}", "code": f"{n:06d}", "press_key": f"m{n}", "agency_id": "agy_1",
        "provider_id": "prv_1", "program_id": "prg_1", "tablet_id": "tab_1", "state": "closed",
        "close_reason": "completed", "seq": 1000 + n, "pressed_at": NOW - n,
        "recommended_disposition": "other", "actual_disposition": "other",
    }
    for n in range(3000)
]  # fmt: skip


async def test_what_is_open_is_found_among_what_is_open_whatever_else_is_asked(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "REST", 0.0)
    await db.write(world)
    await db.write(lambda conn: conn.execute(insert(schema.session), MANY))
    if not await keep_up(db):
        await db.write(lambda conn: conn.execute(text("ANALYZE session")))
    for wanted in (
        LogFilter(state="waiting", actual="other"),
        LogFilter(state="waiting", recommended="other"),
        LogFilter(state="waiting", agency_id="agy_1"),
    ):
        found = await _plan(db, wanted)
        served = ("session_open",) if db.sqlite else ("session_open", "session_state")
        assert any(one in found for one in served), found
