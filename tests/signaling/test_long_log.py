"""The line of a record in which millions of sessions have been closed: nothing goes through them.

SQLite is told, by the numbers that it plans with, that every table is long; PostgreSQL that it must
not read a table as it lies. Then each is asked how it would answer each question of a session's
life. One that it would answer by going through a table that grows with the years keeps presses
waiting, more each year.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.signaling.conftest import House
from tests.signaling.test_first_rings import house as house  # the fixture: on both databases

MILLION = 1_000_000
# what grows with every session, person's answer or look, and is never thinned out but by retention
LONG = (
    *("session", "timeline", "offer", "audit", "page", "chat_line", "recommendation", "quality"),
    *("participant", "transfer", "assessment", "wrapup_draft", "followup", "identity", "consent"),
    *("disclosure", "guest_link", "session_key", "note_signature", "addendum", "consent_ask"),
)
COMMON = ("state", "status", "provider_id", "program_id", "purpose", "instrument")

# indexes of rows that are few at any time: rings in vain that were not forgiven, who sits in calls
FEW = (
    *("missed_in_a_row", "one_place_per_link", "one_sitting_per_receiver", "page_queue"),
    "assessment_counted",  # read once a month
)
NEWEST = "ORDER BY audit.no DESC"  # the last row, by its key

Asked = dict[str, Any]  # statement -> its parameters


async def lengthen(conn: AsyncConnection) -> None:
    """As if each of the tables had a million rows, all alike in what is alike in all of them.

    Indexes of some rows have no number at all: nothing was open when SQLite counted.
    """
    await conn.execute(text("ANALYZE"))
    await conn.execute(text("DELETE FROM sqlite_stat1"))
    found = await conn.execute(
        text("SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'index'")
    )
    for row in found.all():
        if row.tbl_name not in LONG or " WHERE " in (row.sql or ""):
            continue
        columns = list((await conn.execute(text(f'PRAGMA index_info("{row.name}")'))).scalars())
        names = [one.name for one in await conn.execute(text(f'PRAGMA index_info("{row.name}")'))]
        of_one = MILLION if names[0] in COMMON else 1 if len(columns) == 1 else 5_000
        numbers = [MILLION, of_one, *([1] * (len(columns) - 1))]
        await conn.execute(
            text("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (:tbl, :idx, :stat)"),
            {"tbl": row.tbl_name, "idx": row.name, "stat": " ".join(map(str, numbers))},
        )
    await conn.execute(text("CREATE TABLE numbers_are_new (id INTEGER)"))
    await conn.execute(text("DROP TABLE numbers_are_new"))


@contextmanager
def listening() -> Iterator[Asked]:
    """Every statement that is sent to a database meanwhile."""
    heard: Asked = {}

    def hear(_c: object, _cur: object, statement: str, given: Any, _x: object, many: bool) -> None:
        heard.setdefault(statement, given[0] if many else given)

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        event.remove(Engine, "before_cursor_execute", hear)


async def goes_through(conn: AsyncConnection, statement: str, given: Any) -> list[str]:
    """The long tables that would be read from one end to the other, and how."""
    few = "|".join(FEW)
    if conn.dialect.name == "sqlite":
        plan = await conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)
        found = [row.detail for row in plan]
        through = rf"SCAN ({'|'.join(LONG)})\b(?! USING (COVERING )?INDEX ({few})\b)"
        return [how for how in found if re.search(through, how)]
    for off in ("seqscan", "hashjoin", "mergejoin"):
        await conn.exec_driver_sql(f"SET LOCAL enable_{off} = off")
    plan = await conn.exec_driver_sql(f"EXPLAIN {statement}", given)
    lines = [row[0].strip() for row in plan] + [""]
    through = rf"(Seq|Index|Index Only) Scan .*\bon ({'|'.join(LONG)})\b"
    return [
        how
        for how, then in pairwise(lines)
        if re.search(through, how) and "Index Cond" not in then and not re.search(few, how)
    ]


async def test_no_question_of_a_sessions_life_goes_through_all_that_ever_were(house: House) -> None:
    if house.db.sqlite:
        await house.db.write(lengthen)
    with listening() as heard:
        console, tablet = await house.page("dana"), await house.page("tablet")
        session, epoch = await house.in_call(tablet, console)
        await console.send("session.end", session=session, epoch=epoch)
        await console.until_view(lambda v: v["session"]["state"] == "wrap_up")
        await console.send(
            "wrapup.finish",
            session=session, epoch=epoch, disposition="remain_in_place", followups=[],
        )  # fmt: skip
        cancelled = await house.pressed(tablet, "another" * 4)
        await house.rung(console)
        await tablet.send("session.cancel", session=cancelled)
        for watch in (house.desk.follows, house.desk.misses, house.desk.keeper, house.desk.gaps):
            await watch.look()
    words = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b")
    asked = [one for one in heard if words.match(one) and NEWEST not in one]
    assert len(asked) > 60, "nothing was heard"
    slow = []
    async with house.db.read() as conn:
        for statement in asked:
            slow += [
                (how, statement) for how in await goes_through(conn, statement, heard[statement])
            ]
    assert not slow, "\n\n".join(f"{how}\n{statement}" for how, statement in slow)
