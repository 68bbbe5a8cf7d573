"""Decisions that were right when they were made: what another node did since makes them void."""

from __future__ import annotations

from oncall import policy
from records import offers, sessions
from records.errors import Busy
from records.offers import OfferRow
from records.sessions import SessionRow
from signaling.session import SetupFailed
from tests.signaling.conftest import House
from tests.signaling.test_desk import kinds_of, row_of


async def rings(house: House) -> list[OfferRow]:
    async with house.db.read() as conn:
        return await offers.open_offers(conn)


async def answered(house: House) -> SessionRow:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session = await house.pressed(tablet)
    offer = await house.rung(dana)
    await dana.send("offer.accept", offer=offer["offer"], token=offer["token"])
    return await row_of(house, session)


def ring(row: SessionRow, who: str, now: float) -> policy.MakeOffer:
    return policy.MakeOffer(row.id, who, row.epoch, now + 2, now + 20)


async def test_who_leads_a_session_by_now_is_not_rung_for_another_one(house: House) -> None:
    led = await answered(house)
    other = await house.page("elsewhere")
    waits = await row_of(house, await house.pressed(other, "z" * 20))
    assert led.lead_id == "per_dana"
    assert not await house.desk.line._act(ring(waits, "per_dana", house.clock.now))
    assert "per_dana" not in {o.clinician_id for o in await rings(house)}
    assert Busy.code == "busy"


async def test_two_nodes_that_plan_the_same_step_take_it_once(house: House) -> None:
    tablet = await house.page("tablet")
    row = await row_of(house, await house.pressed(tablet))
    step = policy.Escalate(row.id, "page", house.clock.now, row.level)
    assert await house.desk.line._escalate(step)
    assert not await house.desk.line._act(step)
    assert (await row_of(house, row.id)).level == row.level + 1
    assert (await kinds_of(house, row.id)).count("escalation.step") == 1


async def test_a_page_that_rings_at_the_last_moment_is_not_one_that_did_not_answer(
    house: House,
) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    await house.pressed(tablet)
    offer = await house.rung(dana)
    assert not await house.desk.line._act(policy.ExpireOffer(offer["offer"], undelivered=True))
    assert [o.state for o in await rings(house)] == ["delivered"]


async def test_the_end_of_an_offer_and_its_entry_are_one_change(house: House) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session = await house.pressed(tablet)
    offer = await house.rung(dana)
    before = (await row_of(house, session)).version
    assert await house.desk.line._act(policy.WithdrawOffer(offer["offer"], "console_lost"))
    assert not await house.desk.line._act(policy.WithdrawOffer(offer["offer"], "console_lost"))
    async with house.db.read() as conn:
        ended = await offers.get(conn, offer["offer"])
        entries = await sessions.timeline_of(conn, session)
    assert ended is not None
    assert ended.state == "withdrawn"
    told = [e.no for e in entries if e.kind == "offer.withdrawn"]
    assert told == [before + 1]


async def test_a_set_up_that_failed_says_nothing_about_the_next_answer(house: House) -> None:
    seen = await answered(house)
    assert await house.desk._try(seen, SetupFailed("setup_failed"))
    assert not await house.desk._try(seen, SetupFailed("setup_failed"))
    kinds = await kinds_of(house, seen.id)
    assert kinds.count("session.requeued") == 1
