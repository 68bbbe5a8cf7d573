"""How much picture a side sends: told to the other side, on the timeline, and by still pictures."""

from __future__ import annotations

import base64
import os
from typing import Any

import pytest

from records import sessions
from signaling.legs import NOTED_EVERY
from signaling.stills import EVERY_SECONDS, MOST_BYTES
from tests.signaling.conftest import House
from tests.signaling.pages import Page, Refused

SAID = {"muted": False, "camera": True, "quality": "good"}


def jpeg(size: int = 2_000) -> str:
    """What looks like a JPEG from outside."""
    return base64.b64encode(b"\xff\xd8\xff\xe0" + os.urandom(size - 6) + b"\xff\xd9").decode()


def stills(page: Page) -> list[dict[str, Any]]:
    return [m for m in page.messages if m["type"] == "still"]


async def steps(house: House, session: str) -> list[tuple[str, str]]:
    async with house.db.read() as conn:
        events = await sessions.timeline_of(conn, session)
    return [(e.data["seat"], e.data["picture"]) for e in events if e.kind == "media.step"]


async def test_the_other_side_reads_how_much_picture_is_sent(house: House) -> None:
    tablet, dana = await house.page("tablet"), await house.page("dana")
    session, _ = await house.in_call(tablet, dana)
    assert dana.view["session"]["peer"]["step"] == "720p"
    await tablet.send("media.state", session=session, **SAID, step="180p")
    await dana.until_view(lambda v: v["session"] and v["session"]["peer"]["step"] == "180p")
    await dana.send("media.state", session=session, **SAID, step="stills")
    await tablet.until_view(lambda v: v["session"] and v["session"]["peer"]["step"] == "stills")
    with pytest.raises(Refused, match="bad-message"):
        await tablet.send("media.state", session=session, **SAID, step="4k")


async def test_every_step_is_on_the_timeline_and_a_page_cannot_flood_it(house: House) -> None:
    tablet, dana = await house.page("tablet"), await house.page("dana")
    session, _ = await house.in_call(tablet, dana)
    for step in ("720p", "360p", "180p", "360p", "180p"):
        await tablet.send("media.state", session=session, **SAID, step=step)
    assert await steps(house, session) == [("tablet", "360p")]
    house.clock.advance(NOTED_EVERY + 1)
    await tablet.send("media.state", session=session, **SAID, step="180p")  # said every 5 s
    await tablet.send("media.state", session=session, **SAID, step="180p")
    await dana.send("media.state", session=session, **SAID, step="voice")
    assert await steps(house, session) == [
        ("tablet", "360p"),
        ("tablet", "180p"),
        ("clinician", "voice"),
    ]


@pytest.mark.parametrize("who", ["tablet", "dana"])
async def test_either_side_saves_data_for_both_and_either_ends_it(house: House, who: str) -> None:
    tablet, dana = await house.page("tablet"), await house.page("dana")
    pages = {"tablet": tablet, "dana": dana}
    session, _ = await house.in_call(tablet, dana)
    await pages.pop(who).send("media.saver", session=session, saver=True)
    for page in (tablet, dana):
        await page.until_view(lambda v: v["session"] and v["session"]["saver"])
    (other,) = pages.values()
    await other.send("media.saver", session=session, saver=True)  # pressed at the same moment
    await other.send("media.saver", session=session, saver=False)
    for page in (tablet, dana):
        await page.until_view(lambda v: v["session"] and not v["session"]["saver"])
    async with house.db.read() as conn:
        events = await sessions.timeline_of(conn, session)
    assert [e.data["saver"] for e in events if e.kind == "session.saver"] == [True, False]


async def test_a_still_goes_to_those_who_see_that_side_large_and_is_kept_nowhere(
    house: House,
) -> None:
    tablet, dana = await house.page("tablet"), await house.page("dana")
    miguel = await house.page("miguel")
    session, _ = await house.in_call(tablet, dana)
    one, two = jpeg(), jpeg()
    await tablet.send("media.still", session=session, picture=one)
    await dana.until(lambda: stills(dana))
    assert stills(dana) == [{"type": "still", "session": session, "seat": "tablet", "picture": one}]
    await dana.send("media.still", session=session, picture=two)
    await tablet.until(lambda: stills(tablet))
    assert stills(tablet)[0]["picture"] == two
    await dana.send("still.got")
    await dana.drop()
    await dana.open()
    await miguel.send("beat")
    assert len(stills(dana)) == 1
    assert stills(miguel) == []


async def test_stills_go_through_before_anything_else_does_and_not_before_somebody_is_there(
    house: House,
) -> None:
    """On a network that lets no sound and picture through, they are what is seen."""
    tablet, dana = await house.page("tablet"), await house.page("dana")
    session = await house.pressed(tablet)
    with pytest.raises(Refused, match="illegal-transition"):
        await tablet.send("media.still", session=session, picture=jpeg())
    offer = await house.rung(dana)
    await dana.send("offer.accept", offer=offer["offer"], token=offer["token"])
    await tablet.send("media.still", session=session, picture=jpeg())
    await dana.until(lambda: stills(dana))


async def test_stills_that_are_too_many_too_large_or_no_pictures_are_refused(house: House) -> None:
    tablet, dana = await house.page("tablet"), await house.page("dana")
    session, _ = await house.in_call(tablet, dana)
    for picture in (
        jpeg(MOST_BYTES + 1),
        base64.b64encode(b"GIF89a" + bytes(100)).decode(),
        jpeg()[:-5] + "====",
    ):
        with pytest.raises(Refused, match="bad-message"):
            await tablet.send("media.still", session=session, picture=picture)
    await tablet.send("media.still", session=session, picture=jpeg(MOST_BYTES))
    with pytest.raises(Refused, match="too-many"):
        await tablet.send("media.still", session=session, picture=jpeg())
    house.clock.advance(EVERY_SECONDS)
    await tablet.send("media.still", session=session, picture=jpeg())
    assert len(stills(dana)) == 1, "the first one was not acknowledged"
    with pytest.raises(Refused, match="bad-message"):
        await tablet.send("media.still", session=session, picture="A" * 30_000)


async def test_nobody_shows_pictures_in_a_call_that_is_not_theirs(house: House) -> None:
    tablet, dana = await house.page("tablet"), await house.page("dana")
    elsewhere, miguel = await house.page("elsewhere"), await house.page("miguel")
    session, _ = await house.in_call(tablet, dana)
    for page in (elsewhere, miguel):
        for kind, fields in (
            ("media.still", {"picture": jpeg()}),
            ("media.saver", {"saver": True}),
        ):
            with pytest.raises(Refused):
                await page.send(kind, session=session, **fields)
    assert not dana.view["session"]["saver"]
    assert stills(dana) == []


async def test_before_somebody_answers_there_is_nobody_to_see_a_still(house: House) -> None:
    tablet = await house.page("tablet")
    session = await house.pressed(tablet)
    for kind, fields in (("media.still", {"picture": jpeg()}), ("media.saver", {"saver": True})):
        with pytest.raises(Refused, match="illegal-transition"):
            await tablet.send(kind, session=session, **fields)
