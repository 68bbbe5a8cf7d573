"""Pages get fresh credentials for the relay, and read when the other side's network is closed."""

from __future__ import annotations

import pytest

from media import Relay
from tests.signaling.conftest import START, House


@pytest.mark.parametrize("who", ["tablet", "dana"])
async def test_a_page_asks_for_credentials_as_often_as_it_needs(house: House, who: str) -> None:
    page = await house.page(who)
    assert await page.send("media.relay") == {"servers": [], "expires_at": None}
    house.desk.relay = Relay(("turn:relay.example:3478",), "a secret")
    first = await page.send("media.relay")
    house.clock.advance(5 * 3600)
    second = await page.send("media.relay")
    assert first["expires_at"] == START + 6 * 3600
    assert second["expires_at"] == START + 11 * 3600
    names = {one["servers"][0]["username"] for one in (first, second)}
    assert len(names) == 2


async def test_a_clinician_reads_that_the_tablets_network_lets_nothing_through(
    house: House,
) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session = await house.pressed(tablet)
    offer = await house.rung(dana)
    await dana.send("offer.accept", offer=offer["offer"], token=offer["token"])
    said = {"session": session, "muted": False, "camera": True, "quality": "none"}
    await tablet.send("media.state", **said, blocked=True)
    await dana.until_view(lambda v: v["session"] and v["session"]["peer"]["blocked"])
    await tablet.send("media.state", **said)
    await dana.until_view(lambda v: v["session"] and not v["session"]["peer"]["blocked"])
