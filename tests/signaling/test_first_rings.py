"""The ring that is made with the press itself, and the presses that do without it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Never

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from oncall import policy
from records import offers, roster
from records.errors import Busy
from records.offers import OfferRow
from records.press import press_and_ring
from signaling import linekeeper, tablet_commands
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
        await house.desk.line.quiet(60)  # a press that came during a look rings after it
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

    async def broken(*_args: object, **_more: object) -> Never:
        raise OSError("no space left")

    with monkeypatch.context() as full:
        full.setattr(tablet_commands, "press_and_ring", broken)
        with pytest.raises(Exception, match="internal"):
            await tablet.send("session.open", key="a" * 20)
    await house.desk.line.quiet(10)
    session = await house.pressed(tablet, "b" * 20)
    assert [one.session_id for one in await rings(house)] == [session]


async def never(_offer: policy.MakeOffer) -> bool:
    raise AssertionError("nobody is to be rung")


async def test_a_plan_that_ends_rings_is_no_rest(house: House) -> None:
    await house.page("dana")
    tablet = await house.page("tablet")
    await house.desk.line.quiet(10)
    line = house.desk.line
    assert line._reading is not None
    line.first_rings.look_begins()
    line.first_rings.read(line._reading)
    ends = policy.Plan((policy.WithdrawOffer("off_gone", "x"),), None)
    assert not await line.first_rings.at_rest(ends, never)
    session = await house.pressed(tablet)  # by the plan then
    await house.desk.line.quiet(10)
    assert [one.session_id for one in await rings(house)] == [session]


class Held:
    """The line in the middle of a look, until it may go on."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        self.line = house.desk.line
        self._plan = self.line._plan
        self._planning, self._go_on = asyncio.Event(), asyncio.Event()
        self.looks = 0
        monkeypatch.setattr(self.line, "_plan", self._slowly)

    async def _slowly(self, snapshot: policy.Snapshot) -> policy.Plan:
        self.looks += 1
        self._planning.set()
        await self._go_on.wait()
        return await self._plan(snapshot)

    async def look(self) -> None:
        """The auditor's round: nothing has changed."""
        self._planning.clear()
        self._go_on.clear()
        self.line._due = self.line._audit = 0.0
        self.line._stir.set()
        await asyncio.wait_for(self._planning.wait(), 10)

    async def go_on(self) -> None:
        """Let the look end, and wait until the line has settled."""
        settled = self.line.settled
        self._go_on.set()
        await until(lambda: self.line.settled > settled)


async def test_a_press_while_the_line_is_looked_at_is_not_forgotten_by_that_look(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.page("dana")
    tablet = await house.page("tablet")
    await house.desk.line.quiet(10)
    held = Held(house, monkeypatch)
    await held.look()
    session = await house.pressed(tablet)
    assert [one.session_id for one in await rings(house)] == [session]
    await held.go_on()
    known = house.desk.line.first_rings._rest
    assert known is not None
    assert known._rung == {"per_dana": session}
    assert held.looks == 1


async def test_a_press_that_finds_no_rest_is_rung_for_by_the_look_that_is_under_way(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.page("dana")
    tablet = await house.page("tablet")
    await house.desk.line.quiet(10)
    held = Held(house, monkeypatch)
    await held.look()
    house.desk.line.first_rings._rest = None  # as after a start, or a change
    session = await house.pressed(tablet)
    assert await rings(house) == []
    await held.go_on()
    assert [one.session_id for one in await rings(house)] == [session]
    assert held.looks == 1


async def test_rings_that_a_press_could_not_make_after_all_are_not_believed_after_a_look(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.desk.rules = replace(house.desk.rules, ring=policy.Ring.ONE)
    for who in ("dana", "miguel"):
        await house.page(who)
    tablet = await house.page("tablet")
    await house.desk.line.quiet(10)
    held = Held(house, monkeypatch)
    await held.look()

    async def too_late(*_args: object) -> Never:
        monkeypatch.setattr(tablet_commands, "press_and_ring", press_and_ring)
        raise Busy

    monkeypatch.setattr(tablet_commands, "press_and_ring", too_late)
    await house.pressed(tablet)
    await held.go_on()
    await house.desk.line.quiet(10)
    rest = house.desk.line.first_rings._rest
    assert rest is not None
    assert rest._rung == {one.clinician_id: one.session_id for one in await rings(house)}


async def test_a_press_into_a_look_whose_plan_comes_too_late_again_and_again_is_not_left_lying(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.page("dana")
    tablet = await house.page("tablet")
    await house.desk.line.quiet(10)
    monkeypatch.setattr(linekeeper, "MOST_OVERTAKEN", 0)  # as if it had been so often by now
    held = Held(house, monkeypatch)
    await held.look()
    house.desk.line.first_rings._rest = None
    gone = policy.Plan((policy.WithdrawOffer("off_gone", "x"),), None)
    plans = [gone]  # of a ring that somebody else has withdrawn; after it, what is the case
    plan = held._plan

    async def too_late(snapshot: policy.Snapshot) -> policy.Plan:
        return plans.pop() if plans else await plan(snapshot)

    held._plan = too_late
    session = await house.pressed(tablet)
    assert await rings(house) == []
    await held.go_on()
    await house.desk.line.quiet(10)
    assert [one.session_id for one in await rings(house)] == [session]


async def test_a_busy_line_comes_to_rest_although_each_look_is_pressed_into(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.page("dana")
    tablets = [await house.page(who) for who in ("tablet", "elsewhere")]
    await house.desk.line.quiet(10)
    held = Held(house, monkeypatch)
    await held.look()
    house.desk.line.first_rings._rest = None
    first = await house.pressed(tablets[0], "a" * 20)
    await tablets[0].send("session.cancel", session=first)
    second = await house.pressed(tablets[1], "b" * 20)
    await held.go_on()
    await house.desk.line.quiet(10)
    assert [one.session_id for one in await rings(house)] == [second]
    await tablets[1].send("session.cancel", session=second)
    assert house.desk.line.first_rings._rest is not None
    third = await house.pressed(tablets[0], "c" * 20)  # at once again
    assert [one.session_id for one in await rings(house)] == [third]


async def test_a_press_that_nobody_is_free_for_is_looked_at_anew(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.page("dana")
    tablets = [await house.page(who) for who in ("tablet", "elsewhere")]
    first = await house.pressed(tablets[0], "a" * 20)
    await house.desk.line.quiet(10)
    held = Held(house, monkeypatch)
    await held.look()
    house.desk.line.first_rings._rest = None
    second = await house.pressed(tablets[1], "b" * 20)
    await held.go_on()
    await house.desk.line.quiet(10)
    assert held.looks > 1
    assert [one.session_id for one in await rings(house)] == [first]
    told = [e.data for e in await timeline_of(house, second) if e.kind == "queue.nobody"]
    assert told == [{"reason": "all_ringing"}]


async def test_alarms_are_raised_however_often_the_line_is_woken(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions_ = []
    for who, key in (("tablet", "a" * 20), ("elsewhere", "b" * 20)):
        sessions_.append(await house.pressed(await house.page(who), key))
    await house.desk.line.quiet(10)
    line = house.desk.line
    act = line._act

    async def pressed_meanwhile(action: policy.Action) -> bool:
        line.wake()
        return await act(action)

    monkeypatch.setattr(line, "_act", pressed_meanwhile)
    house.clock.advance(61)
    line.wake()

    async def raised(session: str) -> bool:
        told = [e.data for e in await timeline_of(house, session) if e.kind == "escalation.step"]
        return {"step": "nobody_yet"} in told

    for session in sessions_:
        async with asyncio.timeout(10):
            while not await raised(session):
                await line.quiet(0.05)


async def test_a_press_during_a_regular_look_rings_at_once_by_what_the_one_before_has_found(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.page("dana")
    tablet = await house.page("tablet")
    await house.desk.line.quiet(10)
    house.clock.advance(7)
    held = Held(house, monkeypatch)
    await held.look()
    session = await house.pressed(tablet)
    assert [one.session_id for one in await rings(house)] == [session]
    await held.go_on()
    await house.desk.line.quiet(10)
    assert [one.session_id for one in await rings(house)] == [session]
