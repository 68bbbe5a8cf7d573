"""The same desk on PostgreSQL, where writers meet: one winner, nothing lost, the chain whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from auth import audit
from records import contacts, pages, sessions
from signaling import pager
from signaling.pager import Pager
from signaling.post import Post
from signaling.webpush import Vapid, WebPush
from tests.records import servers
from tests.signaling.conftest import House, a_house
from tests.signaling.pages import Refused
from tests.signaling.services import push_service, until


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


async def test_of_several_pagers_each_page_is_sent_once(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pager, "IDLE_SECONDS", 0.02)
    vapid = Vapid.from_file(tmp_path / "vapid.key", "mailto:ops@x.test")
    async with push_service() as service, asyncio.TaskGroup() as tasks:
        house.desk.pager.post = Post(push=WebPush(vapid, loopback=True))
        others = [Pager(house.desk) for _ in range(3)]
        running = []
        for other in others:
            other.post = house.desk.pager.post
            running.append(tasks.create_task(other.run()))
        push = house.desk.pager.post.push
        assert push is not None
        people = ("per_dana", "per_miguel")
        for who in people:
            new = push.way(service.browser(who).subscription())
            await house.db.write(
                lambda c, w=who, n=new: contacts.add(c, house.desk.vault, w, n, house.clock.now)  # type: ignore[misc]
            )
        tablets = [await house.page(name) for name in ("tablet", "elsewhere")]
        sent = [await house.pressed(one, f"key-{n:016d}") for n, one in enumerate(tablets)]
        house.clock.advance(15)
        for other in others:
            other.wake()
        await until(lambda: len(service.got) >= len(people))

        async def done() -> list[str]:
            async with house.db.read() as conn:
                return [page.state for page in await pages.of_waiting(conn)]

        async with asyncio.timeout(10):
            while await done() != ["sent"] * len(people):
                await asyncio.sleep(0.02)
        assert len(service.got) == len(people)
        for one, session in zip(tablets, sent, strict=True):
            await one.send("session.cancel", session=session)
        await until(lambda: len(service.got) == 2 * len(people))
        for task in running:
            task.cancel()


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
    await tablet.until_view(lambda v: v["session"] and v["session"]["card"])
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


async def test_answers_saved_while_the_tablet_is_tapped_are_all_kept_and_all_on_record(
    house: House,
) -> None:
    tablet, dana = await house.page("tablet"), await house.page("dana")
    session, epoch = await house.in_call(tablet, dana)
    at = {"session": session, "epoch": epoch, "instrument": "field-safety"}
    rounds, failed = 40, audit.failures

    async def answers() -> None:
        for rev in range(rounds):
            said = {"thoughts": ("yes", "no")[rev % 2]}
            await dana.send("assessment.save", **at, rev=rev, answers=said)

    async def taps() -> None:
        for no in range(rounds):
            camera = ("on", "off")[no % 2]
            await tablet.send("session.body_camera", session=session, camera=camera)

    await asyncio.gather(answers(), taps())
    async with house.db.read() as conn:
        entries = await audit.of_object(conn, "session", session, 1000)
        assert await audit.verify(conn) is None
    done = [entry.action for entry in entries]
    assert [done.count(one) for one in ("assessment.save", "session.body_camera")] == [rounds] * 2
    assert audit.failures == failed
