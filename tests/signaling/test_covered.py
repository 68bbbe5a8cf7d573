"""A covered console rings on, and takes nothing before somebody has proven who they are."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from records import directory, schema, sessions
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


async def test_a_covered_console_is_told_that_it_rings_and_nothing_of_anybody(
    house: House, dana: Page
) -> None:
    tablet = await house.page("tablet")
    await change(house, covered_at=START)
    house.desk.screens.touch_console("per_dana")
    await dana.until_view(lambda v: v["covered"])
    before = len(dana.messages)
    session = await house.pressed(tablet)
    await tablet.send("session.intake", session=session, tiles=["suicidal"])
    await tablet.send("scene.tell", session=session, answers={"safe": "no"})
    offer = await house.rung(dana)
    assert offer["token"], "its ring is heard, and acknowledged"
    await dana.until_view(lambda v: v["covered"] and v["offers"])
    async with house.db.read() as conn:
        row = await sessions.get(conn, session)
        who = await directory.read(conn)
    assert row is not None
    told = json.dumps(dana.messages[before:])
    secret = {one.short_name for one in who.people.values() if one.id != "per_dana"}
    secret |= {one.name for one in who.agencies.values()}
    secret |= {one.label for one in who.tablets.values()}
    for word in (*secret, row.code, "suicidal", "stop", "safe"):
        assert f'"{word}"' not in told, word
    await change(house, covered_at=None, active_at=START)
    house.desk.screens.touch_console("per_dana")
    whole = await dana.until_view(lambda v: not v["covered"] and v["offers"])
    assert whole["offers"][0]["unit"] == "Unit 12"
    assert whole["offers"][0]["intake"] == ["suicidal"]
    assert whole["offers"][0]["stops"] == ["safe"]
    assert whole["waiting"]
    assert whole["colleagues"]


async def test_a_running_call_goes_on_long_after_the_twelve_hours(house: House, dana: Page) -> None:
    tablet = await house.page("tablet")
    session, _ = await house.in_call(tablet, dana)
    await change(house, expires_at=START - 1, covered_at=START - 1)
    await dana.send("chat.send", session=session, text="Still here.")
    view = await dana.until_view(lambda v: v["session"])
    assert view["session"]["state"] == "connected"
