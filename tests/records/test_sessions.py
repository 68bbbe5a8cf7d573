"""A session is made once and changed by one at a time."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from records import roster, schema, sessions
from records.engine import Database
from records.errors import BadInput, Busy, OpenSessionExists, StaleSession
from records.sessions import Event, SessionRow
from tests.records.cast import NOW, changed, finished, press, pressed


async def _now(db: Database, session_id: str) -> SessionRow:
    async with db.read() as conn:
        row = await sessions.get(conn, session_id)
    assert row is not None
    return row


async def test_one_press_told_many_times_at_once_is_one_session(db: Database) -> None:
    new = press(key="the-same-press")
    made = await asyncio.gather(
        *(db.write(lambda conn: sessions.create(conn, new, NOW)) for _ in range(6))
    )
    assert len({row.id for row, _new in made}) == 1
    assert [first for _row, first in made].count(True) == 1


async def test_presses_at_once_each_get_their_own_place_in_line(db: Database) -> None:
    rows = await asyncio.gather(*(pressed(db, tablet) for tablet in ("tab_1", "tab_2", "tab_3")))
    assert sorted(row.seq for row in rows) == [1, 2, 3]


async def test_another_press_of_a_tablet_with_an_open_session_names_that_session(
    db: Database,
) -> None:
    row = await pressed(db)
    with pytest.raises(OpenSessionExists) as refused:
        await pressed(db)
    assert refused.value.session_id == row.id


async def test_a_press_for_things_that_do_not_exist_is_bad_input(db: Database) -> None:
    with pytest.raises(BadInput):
        await pressed(db, "tab_nobody")


async def test_a_change_writes_its_events_with_the_next_numbers(db: Database) -> None:
    row = await pressed(db)
    events = [
        Event("session.intake", "officer", "per_sam", {"tiles": ["adult"]}),
        Event("session.voice", "officer", "per_sam"),
    ]
    after = await db.write(
        lambda conn: sessions.apply(
            conn, row, {"intake": ("adult",), "voice_only": True}, events, NOW + 1
        )
    )
    assert (after.intake, after.voice_only, after.version) == (("adult",), True, 3)
    async with db.read() as conn:
        entries = await sessions.timeline_of(conn, row.id)
    assert [(e.no, e.kind) for e in entries] == [
        (1, "session.pressed"),
        (2, "session.intake"),
        (3, "session.voice"),
    ]
    assert entries[1].data == {"tiles": ["adult"]}


async def test_of_many_changes_to_one_version_exactly_one_wins(db: Database) -> None:
    row = await pressed(db)
    outcomes = await asyncio.gather(
        *(changed(db, row, kind="session.intake", priority=n) for n in range(8)),
        return_exceptions=True,
    )
    won = [o for o in outcomes if isinstance(o, SessionRow)]
    assert len(won) == 1
    assert all(isinstance(o, StaleSession) for o in outcomes if o not in won)
    assert await _now(db, row.id) == won[0]


@pytest.mark.parametrize("older", [{"version": 0}, {"epoch": 7}, {"state": "connected"}], ids=str)
async def test_a_change_from_an_outdated_view_changes_nothing(
    db: Database, older: dict[str, object]
) -> None:
    row = await pressed(db)
    with pytest.raises(StaleSession):
        await changed(db, replace(row, **older), epoch=9)  # type: ignore[arg-type]
    assert await _now(db, row.id) == row


async def test_a_clinician_who_leads_a_session_cannot_get_another(db: Database) -> None:
    first, second = await pressed(db, "tab_1"), await pressed(db, "tab_2")
    await changed(db, first, state="answering", lead_id="per_dana", epoch=1)
    with pytest.raises(Busy):
        await changed(db, second, state="answering", lead_id="per_dana", epoch=1)
    assert await _now(db, second.id) == second


async def test_one_clinician_taking_two_sessions_at_once_gets_one(db: Database) -> None:
    rows = [await pressed(db, "tab_1"), await pressed(db, "tab_2")]
    outcomes = await asyncio.gather(
        *(changed(db, row, state="answering", lead_id="per_dana", epoch=1) for row in rows),
        return_exceptions=True,
    )
    assert sorted(type(o).__name__ for o in outcomes) == ["Busy", "SessionRow"]


@pytest.mark.parametrize(
    "changes",
    [
        {"seq": 9},
        {"press_key": "another"},
        {"tablet_id": "tab_2"},
        {"version": 90},
        {"epoch": -1},
        {"epoch": None},
        {"state": "answering", "lead_id": None},
        {"state": "closed", "close_reason": None},
        {"state": "answering", "lead_id": "per_nobody"},
    ],
    ids=str,
)
async def test_an_impossible_change_is_bad_input_and_changes_nothing(
    db: Database, changes: dict[str, object]
) -> None:
    row = await pressed(db)
    with pytest.raises(BadInput):
        await changed(db, row, **changes)  # type: ignore[arg-type]
    assert await _now(db, row.id) == row


async def test_a_closed_session_stays_closed_but_takes_its_disposition(db: Database) -> None:
    row = await finished(db)
    with pytest.raises(BadInput):
        await changed(db, row, state="waiting", lead_id=None)
    after = await changed(db, row, kind="disposition.recorded", actual_disposition="medical_ed")
    assert (after.state, after.actual_disposition) == ("closed", "medical_ed")


async def test_a_change_of_state_without_an_entry_is_refused(db: Database) -> None:
    row = await pressed(db)
    with pytest.raises(BadInput):
        await db.write(
            lambda conn: sessions.apply(
                conn, row, {"state": "answering", "lead_id": "per_dana"}, [], NOW
            )
        )


async def test_what_a_change_raises_undoes_all_of_it(db: Database) -> None:
    row = await pressed(db)

    async def half(conn: AsyncConnection) -> None:
        await sessions.apply(conn, row, {"priority": 1}, [Event("session.intake", "x", None)], NOW)
        raise LookupError

    with pytest.raises(LookupError):
        await db.write(half)
    assert await _now(db, row.id) == row


async def test_a_write_whose_caller_goes_away_is_finished_all_the_same(db: Database) -> None:
    row = await pressed(db)
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def slow(conn: AsyncConnection) -> None:
        inside.set()
        await go_on.wait()
        await sessions.apply(conn, row, {"priority": 1}, [Event("session.intake", "x", None)], NOW)

    caller = asyncio.create_task(db.write(slow))
    await inside.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    go_on.set()
    await db.close()  # waits for writes that are under way
    await db.start()
    assert (await _now(db, row.id)).priority == 1


async def test_the_open_session_of_a_tablet_and_of_its_clinician_are_found(db: Database) -> None:
    row = await pressed(db)
    led = await changed(db, row, state="connected", lead_id="per_dana", epoch=1)
    async with db.read() as conn:
        assert await sessions.by_tablet(conn, "tab_1") == led
        assert await sessions.by_tablet(conn, "tab_2") is None
        assert await sessions.led_by(conn, "per_dana") == led
        assert await sessions.led_by(conn, "per_miguel") is None
        assert await sessions.open_sessions(conn) == [led]
    ended = await changed(db, led, state="wrap_up", ended_at=NOW + 9)
    async with db.read() as conn:
        assert await sessions.by_tablet(conn, "tab_1") is None
        assert await sessions.led_by(conn, "per_dana") == ended


async def test_an_answered_call_owes_its_disposition_until_it_is_told(db: Database) -> None:
    row = await finished(db)

    async def owed(now: float) -> SessionRow | None:
        async with db.read() as conn:
            return await sessions.owed(conn, "tab_1", now)

    assert await owed(NOW + 1000) == row
    assert await owed(NOW + 600 + sessions.OWED_SECONDS) is None
    later = await changed(db, row, NOW + 1000, "disposition.postponed")
    assert await owed(NOW + 1000 + sessions.POSTPONED_SECONDS - 1) is None
    assert await owed(NOW + 1000 + sessions.POSTPONED_SECONDS + 1) == later
    await changed(db, later, kind="disposition.recorded", actual_disposition="remain_in_place")
    assert await owed(NOW + 4000) is None


async def test_the_roster_leaves_out_who_is_not_active_any_more(db: Database) -> None:
    async with db.read() as conn:
        assert [r.person_id for r in await roster.entries(conn, "prv_1")] == ["per_dana"]
        assert await roster.entries(conn, "prv_none") == []
    await db.write(lambda conn: conn.execute(schema.person.update().values(active=False)))
    async with db.read() as conn:
        assert await roster.entries(conn) == []
