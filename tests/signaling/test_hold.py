"""On hold: the tablet hears and sees nobody for a while, and the clinician loses no sight of it."""

from __future__ import annotations

import pytest

from records import sessions
from tests.signaling.conftest import House
from tests.signaling.pages import Refused
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
