"""When pages are drawn: whom a change is about at once, those who look on when there is time."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable

import pytest

from signaling import screens
from signaling.views import Picture, console_view
from tests.signaling.conftest import House
from tests.signaling.pages import BOUND

Rest = Callable[[House], Awaitable[None]]


@pytest.fixture
def nobody_looks_on(monkeypatch: pytest.MonkeyPatch) -> Rest:
    """From now on consoles are not drawn all together, as after a drawing that took very long."""

    async def rest(house: House) -> None:
        monkeypatch.setattr(screens, "REST", 1e9)  # one that is under way rests as long
        monkeypatch.setattr(screens, "LONGEST_REST_SECONDS", 3600.0)
        drawing, drawn = house.desk.screens, asyncio.Event()
        drawing._rested_at = asyncio.get_running_loop().time() + 3600
        send = drawing._send

        async def told() -> None:
            await send()
            drawn.set()

        monkeypatch.setattr(drawing, "_send", told)
        drawing.touch_console("per_nobody")
        async with asyncio.timeout(BOUND):  # one that was under way has ended before this one
            await drawn.wait()

    return rest


async def test_who_is_rung_sees_it_at_once_while_the_others_are_not_drawn(
    house: House, nobody_looks_on: Rest
) -> None:
    tablet, dana, ada = [await house.page(who) for who in ("tablet", "dana", "ada")]
    await ada.until_view(lambda v: v["me"])
    await nobody_looks_on(house)
    session = await house.pressed(tablet)
    offer = await house.rung(dana)
    assert offer["session"] == session
    assert not ada.view["waiting"]


async def test_who_answers_ends_or_loses_a_ring_sees_it_at_once(
    house: House, nobody_looks_on: Rest
) -> None:
    tablet, dana, miguel = [await house.page(who) for who in ("tablet", "dana", "miguel")]
    for console in (dana, miguel):
        await console.until_view(lambda v: v["me"])
    await nobody_looks_on(house)
    session = await house.pressed(tablet)
    offer = await house.rung(dana)
    await house.rung(miguel)
    taken = await dana.send("offer.accept", offer=offer["offer"], token=offer["token"])
    await dana.until_view(lambda v: v["session"] and v["session"]["state"] == "answering")
    await miguel.until_view(lambda v: not v["offers"])
    await dana.send("session.end", session=session, epoch=taken["epoch"])
    await dana.until_view(lambda v: v["session"] and v["session"]["state"] == "wrap_up")


async def test_a_clinician_s_own_choice_shows_at_once(house: House, nobody_looks_on: Rest) -> None:
    dana = await house.page("dana")
    await dana.until_view(lambda v: v["me"]["activity"] == "available")
    await nobody_looks_on(house)
    await dana.send("activity.set", activity="paused", reason=None)
    await dana.until_view(lambda v: v["me"]["activity"] == "paused")


async def test_those_who_look_on_are_drawn_after_the_rest(house: House) -> None:
    tablet, ada = await house.page("tablet"), await house.page("ada")
    await ada.until_view(lambda v: v["me"])
    house.desk.screens._rested_at = asyncio.get_running_loop().time() + 0.2
    session = await house.pressed(tablet)
    await ada.until_view(lambda v: [s for s in v["waiting"] if s["session"] == session])


async def test_a_line_that_never_stands_still_does_not_stop_the_clocks_of_tablets(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screens, "REFRESH_SECONDS", 0.2)
    tablet = await house.page("tablet")
    await house.pressed(tablet)
    before = len(tablet.seen("tablet"))
    async with asyncio.timeout(10):
        while len(tablet.seen("tablet")) < before + 2:
            house.clock.advance(1)
            house.desk.screens.touch_consoles()  # something changes all the time, elsewhere
            await asyncio.sleep(0.05)


async def test_a_picture_that_was_shown_is_gone_without_a_search_for_garbage(house: House) -> None:
    """One is made with each change, of the whole line: a thousand rows that wait for the collector
    make it stop everything for a tenth of a second, also a press."""
    dana = await house.page("dana")
    await dana.until_view(lambda v: v["me"])
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        picture = await house.desk.screens.picture()
        me = next(one for one in picture.directory.people.values() if one.short_name == "Dana")
        assert console_view(picture, me.id, None).me.id == me.id
        del picture
        gc.collect()
        kept = [one for one in gc.garbage if isinstance(one, Picture)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
    assert kept == []
