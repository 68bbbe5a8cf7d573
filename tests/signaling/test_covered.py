"""A covered console rings on, and takes nothing before somebody has proven who they are."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from records import schema
from tests.signaling.conftest import ACTORS, START, House
from tests.signaling.pages import Page, Refused

IDLE = 600.0
HOURS = 12 * 3600.0


@pytest.fixture
async def dana(house: House, monkeypatch: pytest.MonkeyPatch) -> Page:
    """Dana's console, signed in as people are."""
    signed_in = replace(ACTORS["dana"], login_id="lgn_dana")
    monkeypatch.setitem(ACTORS, "dana", signed_in)
    house.desk.idle_seconds = IDLE

    async def login(conn: AsyncConnection) -> None:
        await conn.execute(
            insert(schema.login).values(
                id="lgn_dana", person_id=signed_in.id, created_at=START, expires_at=START + HOURS
            )
        )

    await house.db.write(login)
    console = await house.page("dana")
    await console.send("activity.set", activity="available")
    return console


async def change(house: House, **values: float | None) -> None:
    async def write(conn: AsyncConnection) -> None:
        await conn.execute(update(schema.login).values(values))

    await house.db.write(write)


@pytest.mark.parametrize("why", ["said", "quiet", "run out"])
async def test_a_covered_console_rings_and_accepts_only_once_it_is_uncovered(
    house: House, dana: Page, why: str
) -> None:
    tablet = await house.page("tablet")
    values: dict[str, dict[str, float | None]] = {
        "said": {"covered_at": START},
        "quiet": {"created_at": START - IDLE},
        "run out": {"expires_at": START - 1},
    }
    await change(house, **values[why])
    session = await house.pressed(tablet)
    offer = await house.rung(dana)  # shown, delivered, not lost
    with pytest.raises(Refused) as refused:
        await dana.send("offer.accept", offer=offer["offer"], token=offer["token"])
    assert refused.value.code == "pages-covered"
    await change(house, covered_at=None, active_at=START, expires_at=START + HOURS)
    accepted = await dana.send("offer.accept", offer=offer["offer"], token=offer["token"])
    assert accepted["session"] == session


async def test_a_running_call_goes_on_long_after_the_twelve_hours(house: House, dana: Page) -> None:
    tablet = await house.page("tablet")
    session, _ = await house.in_call(tablet, dana)
    await change(house, expires_at=START - 1, covered_at=START - 1)
    await dana.send("chat.send", session=session, text="Still here.")
    view = await dana.until_view(lambda v: v["session"])
    assert view["session"]["state"] == "connected"
