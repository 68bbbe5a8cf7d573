"""What is known of legs: one that is built beside another, and who may take whose place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from media import LegEvent, LegEventKind
from signaling.legs import ALIVE_SECONDS, Legs, Window
from tests.signaling.conftest import House
from tests.signaling.pages import Page, Refused

CALL, SEAT = "ses_1", "tablet"


def event(kind: LegEventKind, generation: str, medium: str | None = None) -> LegEvent:
    return LegEvent(CALL, SEAT, generation, kind, medium)


def carrying() -> Legs:
    legs = Legs()
    legs.described(CALL, SEAT, "g1", "tab_1")
    legs.told(event(LegEventKind.CONNECTED, "g1"), 1.0)
    legs.told(event(LegEventKind.FLOWING, "g1", "audio"), 1.0)
    return legs


def test_a_leg_that_carries_is_up_while_another_one_is_built_beside_it() -> None:
    legs = carrying()
    legs.described(CALL, SEAT, "g2", "tab_1")
    assert legs.seat(CALL, SEAT).up
    legs.told(event(LegEventKind.SILENT, "g1"), 2.0)
    assert legs.seat(CALL, SEAT).silent_since == 2.0
    legs.told(event(LegEventKind.CONNECTED, "g2"), 3.0)
    state = legs.seat(CALL, SEAT)
    assert (state.generation, state.coming) == ("g2", None)
    assert state.connected
    assert not state.up, "nothing has come by it yet"
    legs.told(event(LegEventKind.FLOWING, "g2", "audio"), 3.1)
    assert legs.seat(CALL, SEAT).up
    legs.told(event(LegEventKind.CLOSED, "g1"), 3.2)
    assert legs.seat(CALL, SEAT).up, "what the older one does is nobody's business any more"


def test_one_that_never_came_up_takes_nothing_with_it() -> None:
    legs = carrying()
    legs.described(CALL, SEAT, "g2", "tab_1")
    legs.told(event(LegEventKind.CLOSED, "g2"), 2.0)
    state = legs.seat(CALL, SEAT)
    assert state.up
    assert state.coming is None


def test_when_both_end_the_seat_has_no_connection() -> None:
    legs = carrying()
    legs.described(CALL, SEAT, "g2", "tab_1")
    legs.told(event(LegEventKind.CLOSED, "g1"), 2.0)
    legs.told(event(LegEventKind.CLOSED, "g2"), 2.0)
    assert not legs.seat(CALL, SEAT).connected
    legs.described(CALL, SEAT, "g3", "tab_1")
    assert legs.seat(CALL, SEAT).generation == "g3", "nothing carries: it is the seat's at once"


def in_windows() -> Legs:
    """The desk's window carries; then the laptop's was opened, and carries."""
    legs = Legs()
    for at, page in enumerate(("desk", "laptop"), start=1):
        window = Window(page, take=True)
        assert not legs.elsewhere(CALL, SEAT, f"g-{page}", window, float(at))
        legs.described(CALL, SEAT, f"g-{page}", "per_dana", window, float(at))
        legs.told(event(LegEventKind.CONNECTED, f"g-{page}"), float(at))
    return legs


def test_the_window_that_came_last_on_purpose_has_the_call_once_it_is_connected() -> None:
    legs = Legs()
    legs.described(CALL, SEAT, "g1", "per_dana", Window("desk", take=True), 1.0)
    assert legs.carrier(CALL, SEAT, 1.0) == "desk", "at once where nobody carries"
    legs.told(event(LegEventKind.CONNECTED, "g1"), 1.5)
    legs.described(CALL, SEAT, "g2", "per_dana", Window("laptop", take=True), 2.0)
    assert legs.carrier(CALL, SEAT, 2.0) == "desk", "until the new one is connected"
    assert not legs.elsewhere(CALL, SEAT, "g3", Window("laptop"), 2.5), "it may try again"
    assert not legs.elsewhere(CALL, SEAT, "g3", Window("desk"), 2.5), "and so may who carries"
    legs.told(event(LegEventKind.CONNECTED, "g2"), 3.0)
    assert legs.carrier(CALL, SEAT, 3.0) == "laptop"


def test_a_window_that_only_reconnects_does_not_win_against_one_that_lives() -> None:
    legs = in_windows()
    assert legs.elsewhere(CALL, SEAT, "g3", Window("desk"), 60.0)
    assert not legs.elsewhere(CALL, SEAT, "g3", Window("desk", take=True), 60.0), "by a press"
    assert not legs.elsewhere(CALL, SEAT, "g-laptop", Window("laptop"), 60.0)
    assert not legs.elsewhere(CALL, SEAT, "g3", Window(), 60.0), "a page of before has no name"


def test_a_window_that_is_gone_keeps_nobody_out() -> None:
    legs = in_windows()
    legs.told(event(LegEventKind.SILENT, "g-laptop"), 60.0)
    assert legs.elsewhere(CALL, SEAT, "g3", Window("desk"), 60.0 + ALIVE_SECONDS - 1)
    assert not legs.elsewhere(CALL, SEAT, "g3", Window("desk"), 60.0 + ALIVE_SECONDS)
    legs.told(event(LegEventKind.RESUMED, "g-laptop"), 61.0)
    assert legs.carrier(CALL, SEAT, 80.0) == "laptop"
    legs.told(event(LegEventKind.CLOSED, "g-laptop"), 81.0)
    assert legs.carrier(CALL, SEAT, 81.0) is None
    assert not legs.elsewhere(CALL, SEAT, "g3", Window("desk"), 81.0)


async def test_all_windows_of_a_person_read_which_of_them_has_the_call(house: House) -> None:
    desk, laptop, tablet = [await house.page(who) for who in ("dana", "dana", "tablet")]
    session, epoch = await house.in_call(tablet, desk)

    async def describes(window: Page, name: str, **more: object) -> None:
        described = {"generation": f"g-{name}", "description": "v=0", "page": name, **more}
        await window.send("media.describe", session=session, epoch=epoch, **described)

    def carried(name: str) -> Callable[[dict[str, Any]], bool]:
        return lambda view: view["session"]["page"] == name

    await describes(desk, "desk")
    house.bridge.flow(session, "clinician")
    await laptop.until_view(carried("desk"))
    await describes(laptop, "laptop", take=True)
    house.bridge.flow(session, "clinician")
    for window in (desk, laptop):
        await window.until_view(carried("laptop"))
    with pytest.raises(Refused) as refused:
        await describes(desk, "desk", generation="g-again")
    assert refused.value.code == "carried-elsewhere"
    assert house.bridge.legs[session, "clinician"] == "g-laptop", "nothing was touched"
    await describes(desk, "desk", generation="g-again", take=True)
    house.bridge.flow(session, "clinician")
    await laptop.until_view(carried("desk"))


async def test_the_picture_of_a_camera_that_is_off_is_withheld_also_by_a_leg_built_anew(
    house: House,
) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session, epoch = await house.in_call(tablet, dana)

    async def says(page: Page, **sent: object) -> None:
        await page.send("media.state", session=session, **{"muted": False, "camera": True, **sent})

    async def describes(generation: str, **sent: object) -> None:
        leg = {"session": session, "epoch": epoch, "generation": generation, "description": "v=0"}
        await tablet.send("media.describe", **leg, **sent)

    def withheld(seat: str = "tablet") -> set[str]:
        return house.bridge.withheld[session, seat]

    await says(dana)
    for sent, off, quiet in (
        ({"camera": False}, {"video"}, False),
        ({"muted": True}, set(), False),  # the first words after it may be quicker than "unmuted"
        ({"muted": True, "camera": False}, {"video"}, True),
        ({"step": "stills"}, set(), False),  # a thin line: the picture has to find its way back
        ({"step": "stills", "muted": True}, set(), True),
        ({"camera": False}, {"video"}, False),
    ):
        await says(tablet, **sent)
        assert withheld() == off
        assert withheld("clinician") == set()
        assert house.bridge.quiet[session, "tablet"] == quiet
    await describes("g2")
    assert withheld() == {"video"}, "an older page does not say it with its description"
    house.desk.legs.forget(session)  # as after a restart of the server
    await describes("g3", camera=False, muted=True)
    assert withheld() == {"video"}, "before anything comes by it"
    assert house.bridge.quiet[session, "tablet"]


async def test_somebody_elses_leg_is_put_out_before_mine_is_built(
    house: House,
) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session, epoch = await house.in_call(tablet, dana)

    async def describes(page: Page, generation: str) -> None:
        await page.send(
            "media.describe", session=session, epoch=epoch, generation=generation, description="v=0"
        )

    await describes(dana, "g2")
    assert (session, "clinician") not in house.bridge.left
    house.desk.legs.seat(session, "clinician").holder = "per_miguel"  # as if it had been his
    await describes(dana, "g3")
    assert (session, "clinician") in house.bridge.left
