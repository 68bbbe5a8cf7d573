"""Who is at a scene now: those who wait or talk, the oldest press first, within a scope."""

from __future__ import annotations

import pytest

from records import scene, sessions
from records.engine import Database
from records.log import Scope
from records.scene import Scene
from records.sessions import Event
from tests.records.cast import NOW, changed, finished, press, pressed

MINE = Scope(programs=frozenset({"prg_1"}))


async def at(db: Database, scope: Scope = MINE) -> Scene:
    async with db.read() as conn:
        return await scene.now(conn, scope)


async def test_those_who_wait_or_talk_are_there_the_oldest_press_first(db: Database) -> None:
    await finished(db)
    late = await pressed(db, "tab_1", NOW + 9)
    early = await pressed(db, "tab_2", NOW + 5)
    talks = await changed(
        db, early, state="connected", lead_id="per_dana", epoch=1, requeued_at=NOW + 6
    )
    drill = press("tab_3", test=True)
    await db.write(lambda conn: sessions.create(conn, drill, NOW))
    found = await at(db)
    assert [(one.id, one.state, one.lead_id, one.again) for one in found.rows] == [
        (talks.id, "connected", "per_dana", True),
        (late.id, "waiting", None, False),
    ]
    await changed(db, talks, state="wrap_up", ended_at=NOW + 60)
    assert [one.id for one in (await at(db)).rows] == [late.id]


async def test_each_shows_the_escalation_step_that_it_took_last(db: Database) -> None:
    row = await pressed(db)
    assert (await at(db)).rows[0].step is None
    for level, step in enumerate(("page", "second_tier"), 1):
        event = Event("escalation.step", "system", None, {"step": step})
        row = await db.write(
            lambda conn, row=row, level=level, event=event: sessions.apply(  # type: ignore[misc]
                conn, row, {"level": level}, [event], NOW
            )
        )
    assert (await at(db)).rows[0].step == "second_tier"


async def test_an_officer_who_called_for_themselves_is_shown_to_the_provider_only(
    db: Database,
) -> None:
    row = await pressed(db)
    await changed(db, row, wellness=True)
    assert not (await at(db)).rows
    assert not (await at(db, Scope(agencies=frozenset({"agy_1"})))).rows
    assert (await at(db, Scope(providers=frozenset({"prv_1"})))).rows
    assert not (await at(db, Scope())).rows


async def test_more_than_a_page_holds_are_counted(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for tablet in ("tab_1", "tab_2", "tab_3"):
        await pressed(db, tablet)
    monkeypatch.setattr(scene, "MOST", 2)
    found = await at(db)
    assert (len(found.rows), found.more) == (2, 1)
