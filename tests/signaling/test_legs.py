"""What is known of legs: one that is built beside another, and who may take whose place."""

from __future__ import annotations

from media import LegEvent, LegEventKind
from signaling.legs import Legs
from tests.signaling.conftest import House
from tests.signaling.pages import Page

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
