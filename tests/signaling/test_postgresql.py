"""The same desk on PostgreSQL, where writers meet: one winner, nothing lost, the chain whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from auth import audit
from records import sessions
from tests.records import servers
from tests.signaling.conftest import House, a_house
from tests.signaling.pages import Refused


@pytest.fixture(scope="module")
def postgres() -> Iterator[servers.Server]:
    programs = servers.programs()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed here")
    with servers.running(programs) as server:
        yield server


@pytest.fixture
async def house(postgres: servers.Server, tmp_path: Path) -> AsyncIterator[House]:
    async with a_house(postgres.make(), tmp_path) as made:
        yield made


async def test_two_accepts_at_once_have_one_winner(house: House) -> None:
    dana, miguel, tablet = [await house.page(who) for who in ("dana", "miguel", "tablet")]
    for i in range(20):
        session = await house.pressed(tablet, f"key-{i:016d}")
        offers = [
            (await page.until_view(lambda v: any(o["session"] == session for o in v["offers"])))[  # noqa: B023
                "offers"
            ][0]
            for page in (dana, miguel)
        ]
        results = await asyncio.gather(
            *(
                page.send("offer.accept", offer=offer["offer"], token=offer["token"])
                for page, offer in zip((dana, miguel), offers, strict=True)
            ),
            return_exceptions=True,
        )
        assert sorted(isinstance(result, dict) for result in results) == [False, True]
        assert all(isinstance(r, (dict, Refused)) for r in results)
        await tablet.send("session.cancel", session=session)


async def test_a_whole_call_is_kept_and_its_audit_chain_holds(house: House) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session, epoch = await house.in_call(tablet, dana)
    at = {"session": session, "epoch": epoch}
    await asyncio.gather(
        tablet.send("chat.send", session=session, text="one"),
        dana.send("chat.send", session=session, text="two"),
    )
    await dana.send(
        "assessment.save", **at, instrument="field-safety", rev=0, answers={"thoughts": "yes"}
    )
    card = {"level": "soon", "disposition": "remain_in_place", "actions": [], "words": "Stay."}
    await dana.send("card.save", **at, rev=0, card=card, send=True)
    await tablet.until_view(lambda v: v["session"]["card"])
    await tablet.send("card.acknowledge", session=session, rev=1)
    await tablet.send("session.end", **at)
    await dana.send("wrapup.finish", **at, disposition="remain_in_place", followups=[])
    await tablet.send("disposition.record", session=session, actual="remain_in_place")
    async with house.db.read() as conn:
        row = await sessions.get(conn, session)
        events = await sessions.timeline_of(conn, session)
        assert await audit.verify(conn) is None
    assert row is not None
    assert (row.state, row.close_reason) == ("closed", "completed")
    assert [event.no for event in events] == list(range(1, len(events) + 1))
