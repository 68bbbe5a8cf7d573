"""The ring that is made with the press itself, and the presses that do without it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Never

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from oncall import policy
from records import offers, roster, sessions
from records.offers import OfferRow
from tests.signaling.conftest import START, House, a_house
from tests.signaling.services import until
from tests.signaling.test_desk import row_of, timeline_of
from web.dev.cast import PROVIDER_ID


@pytest.fixture(params=["sqlite", "postgresql"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    url = f"sqlite:///{tmp_path}/bridge.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").make()
    async with a_house(url, tmp_path) as made:
        yield made


async def rings(house: House) -> list[OfferRow]:
    async with house.db.read() as conn:
        return await offers.open_offers(conn)


async def at_rest(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line has settled with everybody here, and from now on it plans nothing any more."""
    await house.desk.line.quiet(10)

    def broken(*_args: object) -> Never:
        raise AssertionError("no plan was needed")

    monkeypatch.setattr(policy, "plan", broken)


async def test_a_press_into_a_line_at_rest_rings_without_a_plan(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    dana, miguel, tablet = [await house.page(who) for who in ("dana", "miguel", "tablet")]
    await at_rest(house, monkeypatch)
    session = await house.pressed(tablet)
    assert {one.clinician_id for one in await rings(house)} == {"per_dana", "per_miguel"}
    for page in (dana, miguel):
        assert (await house.rung(page))["session"] == session
    entries = await timeline_of(house, session)
    assert [e.kind for e in entries[:3]] == ["session.pressed", "offer.sent", "offer.sent"]
    assert [e.no for e in entries] == list(range(1, len(entries) + 1))
    assert (await row_of(house, session)).version == len(entries)


async def test_a_press_that_is_sent_again_has_its_rings_once(house: House) -> None:
    await house.page("dana")
    tablet = await house.page("tablet")
    await house.desk.line.quiet(10)
    first = await tablet.send("session.open", key="a" * 20)
    await house.desk.line.quiet(10)
    again = await tablet.send("session.open", key="a" * 20)
    other_key = await tablet.send("session.open", key="b" * 20)
    assert first == again == other_key
    assert len(await rings(house)) == 1


async def test_two_presses_at_once_never_ring_the_same_clinician(house: House) -> None:
    await house.page("dana")
    tablets = [await house.page(who) for who in ("tablet", "elsewhere")]
    for number in range(10):
        await house.desk.line.quiet(10)
        both = await asyncio.gather(*(house.pressed(t, f"key-{number:016d}") for t in tablets))
        assert len(await rings(house)) == 1
        for page, session in zip(tablets, both, strict=True):
            await page.send("session.cancel", session=session)
        house.clock.advance(1)


async def test_a_press_whose_ring_somebody_else_was_quicker_with_is_made_all_the_same(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.page("dana")
    tablet, elsewhere = await house.page("tablet"), await house.page("elsewhere")
    first = await house.pressed(elsewhere)
    await house.desk.line.quiet(10)
    [rung] = await rings(house)
    await house.db.write(lambda conn: withdrawn(conn, rung, house.clock.now))
    house.clock.advance(1)
    house.desk.line.wake()
    await house.desk.line.quiet(10)
    # Dana rings for the first session again, but the line is made to believe that she does not
    line_believes = house.desk.line.first_rings
    await at_rest(house, monkeypatch)
    rest = line_believes._rest
    assert rest is not None
    del rest._rung["per_dana"]
    session = await house.pressed(tablet)
    assert (await row_of(house, session)).state == "waiting"
    assert [one.session_id for one in await rings(house)] == [first]


async def withdrawn(conn: AsyncConnection, rung: OfferRow, now: float) -> None:
    await offers.end(conn, rung.id, to_state="withdrawn", reason="test", now=now)


async def test_who_was_taken_off_the_roster_without_a_word_is_not_rung(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.page("dana")
    tablet = await house.page("tablet")
    await at_rest(house, monkeypatch)

    async def off(conn: AsyncConnection) -> None:
        await roster.add_override(
            conn,
            provider_id=PROVIDER_ID,
            person_id=None,
            instead_of_id="per_dana",
            tier=None,
            starts_at=START - 60,
            ends_at=START + 3600,
            made_at=START,
            made_by="per_dana",
        )

    await house.db.write(off)
    session = await house.pressed(tablet)
    assert (await row_of(house, session)).state == "waiting"
    assert await rings(house) == []


async def test_a_test_call_rings_nobody(house: House) -> None:
    await house.page("dana")
    tablet = await house.page("tablet")
    await house.desk.line.quiet(10)
    await tablet.send("session.open", key="a" * 20, test=True)
    assert await rings(house) == []
    real = await tablet.send("session.open", key="b" * 20)
    await house.desk.line.quiet(10)
    assert [one.session_id for one in await rings(house)] == [real["session"]]


async def test_a_press_that_the_record_refuses_leaves_nobody_counted_as_rung(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.page("dana")
    tablet = await house.page("tablet")
    await house.desk.line.quiet(10)
    create = sessions.create

    async def broken(*_args: object, **_more: object) -> Never:
        raise OSError("no space left")

    monkeypatch.setattr(sessions, "create", broken)
    with pytest.raises(Exception, match="internal"):
        await tablet.send("session.open", key="a" * 20)
    monkeypatch.setattr(sessions, "create", create)
    await house.desk.line.quiet(10)
    session = await house.pressed(tablet, "b" * 20)
    assert [one.session_id for one in await rings(house)] == [session]


async def test_a_plan_that_was_overtaken_is_no_rest(house: House) -> None:
    await house.page("dana")
    tablet = await house.page("tablet")
    await house.desk.line.quiet(10)
    line = house.desk.line
    reading = line._reading
    assert reading is not None
    overtaken = policy.Plan((policy.WithdrawOffer("off_gone", "x"),), None)
    line.first_rings.over()
    await line.first_rings.at_rest(reading, overtaken)
    session = await house.pressed(tablet)  # by the plan then
    await house.desk.line.quiet(10)
    assert [one.session_id for one in await rings(house)] == [session]


async def test_a_press_while_the_line_is_looked_at_is_not_forgotten_by_that_look(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.page("dana")
    tablet = await house.page("tablet")
    line = house.desk.line
    await line.quiet(10)
    plan, planning, go_on = line._plan, asyncio.Event(), asyncio.Event()

    async def slowly(snapshot: policy.Snapshot) -> policy.Plan:
        planning.set()
        await go_on.wait()
        return await plan(snapshot)

    monkeypatch.setattr(line, "_plan", slowly)
    settled = line.settled
    line._due = line._audit = 0.0  # the auditor's round: nothing has changed
    line._stir.set()
    await asyncio.wait_for(planning.wait(), 10)
    session = await house.pressed(tablet)
    assert [one.session_id for one in await rings(house)] == [session]
    go_on.set()
    await until(lambda: line.settled > settled)
    known = line.first_rings._rest
    assert known is not None
    assert known._rung == {"per_dana": session}
    await until(lambda: line.settled > settled + 1)  # and looked at once more, with the press
