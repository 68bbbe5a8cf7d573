"""On hold: the tablet hears and sees nobody for a while, and the clinician loses no sight of it."""

from __future__ import annotations

import pytest

from records import parties, sessions
from tests.signaling.conftest import House
from tests.signaling.pages import Page, Refused
from tests.signaling.test_guests import Call
from tests.signaling.test_guests import call as call  # the fixture
from tests.signaling.test_ladder import jpeg, stills


def heard(house: House, session: str, sink: str) -> set[str]:
    """Whom a seat hears, by the bridge's newest plan."""
    plan = house.bridge.plans.get(session)
    if plan is None:
        return {"tablet", "clinician"} - {sink}
    return {seat for seat in plan[sink] if seat is not None}


async def kinds(house: House, session: str) -> list[str]:
    async with house.db.read() as conn:
        events = await sessions.timeline_of(conn, session)
    return [e.kind for e in events if e.kind in {"session.held", "session.resumed"}]


async def test_the_lead_holds_the_tablet_and_takes_it_off_again(house: House) -> None:
    tablet, dana = await house.page("tablet"), await house.page("dana")
    session, epoch = await house.in_call(tablet, dana)
    await dana.send("session.hold", session=session, epoch=epoch, held=True)
    since = house.clock()
    for page in (tablet, dana):
        await page.until_view(lambda v: v["session"] and v["session"]["held_at"] == since)
    assert heard(house, session, "tablet") == set()
    assert heard(house, session, "clinician") == {"tablet"}
    house.clock.advance(30)
    await dana.send("session.hold", session=session, epoch=epoch, held=True)  # on another page
    await dana.send("session.hold", session=session, epoch=epoch, held=False)
    for page in (tablet, dana):
        await page.until_view(lambda v: v["session"] and v["session"]["held_at"] is None)
    assert heard(house, session, "tablet") == {"clinician"}
    assert await kinds(house, session) == ["session.held", "session.resumed"]


async def test_nobody_but_the_lead_holds_and_only_in_a_running_call(house: House) -> None:
    tablet, dana = await house.page("tablet"), await house.page("dana")
    miguel = await house.page("miguel")
    session, epoch = await house.in_call(tablet, dana)
    for page, code in ((tablet, "wrong-role"), (miguel, "stale-epoch")):
        with pytest.raises(Refused, match=code):
            await page.send("session.hold", session=session, epoch=epoch, held=True)
    with pytest.raises(Refused, match="stale-epoch"):
        await dana.send("session.hold", session=session, epoch=epoch - 1, held=True)
    assert house.bridge.plans.get(session) is None
    await dana.send("session.end", session=session, epoch=epoch)
    with pytest.raises(Refused, match="illegal-transition"):
        await dana.send("session.hold", session=session, epoch=epoch, held=True)


async def test_whoever_comes_after_the_one_who_held_finds_everybody_together(house: House) -> None:
    tablet, dana = await house.page("tablet"), await house.page("dana")
    session, epoch = await house.in_call(tablet, dana)
    await dana.send("session.hold", session=session, epoch=epoch, held=True)
    await dana.send("session.requeue", session=session, epoch=epoch, reason="end_of_shift")
    await tablet.until_view(lambda v: v["session"] and v["session"]["state"] == "waiting")
    assert tablet.view["session"]["held_at"] is None
    assert heard(house, session, "tablet") == {"clinician"}


async def test_the_end_of_a_call_is_the_end_of_the_hold(house: House) -> None:
    tablet, dana = await house.page("tablet"), await house.page("dana")
    session, epoch = await house.in_call(tablet, dana)
    await dana.send("session.hold", session=session, epoch=epoch, held=True)
    await tablet.send("session.end", session=session, epoch=epoch)
    await dana.until_view(lambda v: v["session"] and v["session"]["state"] == "wrap_up")
    assert dana.view["session"]["held_at"] is None


async def test_a_tablet_on_hold_is_shown_no_stills_and_shows_its_own(house: House) -> None:
    tablet, dana = await house.page("tablet"), await house.page("dana")
    session, epoch = await house.in_call(tablet, dana)
    await dana.send("session.hold", session=session, epoch=epoch, held=True)
    await dana.send("media.still", session=session, picture=jpeg())
    await tablet.send("media.still", session=session, picture=jpeg())
    await dana.until(lambda: stills(dana))
    await tablet.send("beat")
    assert stills(tablet) == []


# --- guests ---------------------------------------------------------------------------------------


async def interpreter(call: Call) -> tuple[Page, str]:
    """Marta in the call, and her place."""
    marta = await call.guest()
    await marta.send("guest.join", mode="speak")
    seen = await call.dana.until_view(lambda v: v["session"] and v["session"]["company"])
    return marta, str(seen["session"]["company"][0]["party"])


async def hold(call: Call, party: str, *, held: bool, epoch: int | None = None) -> None:
    at = call.epoch if epoch is None else epoch
    await call.dana.send("party.hold", session=call.session, epoch=at, party=party, held=held)


async def test_the_lead_puts_a_guest_on_hold_and_everybody_reads_it(call: Call) -> None:
    marta, party = await interpreter(call)
    house, session = call.house, call.session
    before = dict(house.bridge.plans[session])
    await hold(call, party, held=True)
    await hold(call, party, held=True)  # another page of hers
    since = house.clock()
    view = await marta.until_view(lambda v: v["session"]["held_at"] is not None)
    assert view["session"]["held_at"] == since
    for page in (call.tablet, call.dana):
        await page.until_view(lambda v: v["session"] and v["session"]["company"][0]["held"])
    for sink in ("tablet", "clinician"):
        assert heard(house, session, sink) == {"tablet", "clinician"} - {sink}
    assert heard(house, session, "side1") == set()
    await call.tablet.send("media.still", session=session, picture=jpeg())
    await call.dana.until(lambda: stills(call.dana))
    assert stills(marta) == []
    await hold(call, party, held=False)
    await marta.until_view(lambda v: v["session"]["held_at"] is None)
    assert house.bridge.plans[session] == before
    async with house.db.read() as conn:
        told = [e.kind for e in await sessions.timeline_of(conn, session)]
    assert [k for k in told if k in {"party.held", "party.resumed"}] == [
        "party.held",
        "party.resumed",
    ]


async def test_only_guests_are_held_and_only_by_the_lead_of_this_assignment(call: Call) -> None:
    _, party = await interpreter(call)
    house, session, epoch = call.house, call.session, call.epoch
    with pytest.raises(Refused, match="stale-epoch"):
        await hold(call, party, held=True, epoch=epoch - 1)
    with pytest.raises(Refused, match="no-such-session"):
        await hold(call, "par_nobody", held=True)
    ada = await house.page("ada")
    await ada.send("session.listen", session=session, epoch=epoch, mode="listen")
    company = (
        await call.dana.until_view(lambda v: v["session"] and len(v["session"]["company"]) == 2)
    )["session"]["company"]
    hers = next(one["party"] for one in company if one["link"] is None)
    with pytest.raises(Refused, match="not-yours"):
        await hold(call, hers, held=True)
    with pytest.raises(Refused, match="stale-epoch"):
        await ada.send("party.hold", session=session, epoch=epoch, party=party, held=True)
    async with house.db.read() as conn:
        assert [one.held_at for one in await parties.present(conn, [session])] == [None] * 3


async def test_whoever_leads_next_finds_the_guest_in_the_call(call: Call) -> None:
    marta, party = await interpreter(call)
    await hold(call, party, held=True)
    await marta.until_view(lambda v: v["session"]["held_at"] is not None)
    ada = await call.house.page("ada")
    await ada.send("session.take_over", session=call.session, epoch=call.epoch)
    await marta.until_view(lambda v: v["session"]["held_at"] is None)
    assert "side1" in heard(call.house, call.session, "tablet")
