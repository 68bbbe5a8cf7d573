"""The pager's driver: real rows, a real push service, a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from oncall.pager import PagerRules
from records import contacts, pages, schema, sessions
from records.contacts import NewWay, Way
from records.pages import PageRow
from signaling import pager, paging
from signaling.errors import NoSuchPage
from signaling.gateways import Gateways, GatewaySettings
from signaling.pager import LEASE_SECONDS, Pager
from signaling.post import Post
from signaling.webpush import Vapid, WebPush
from tests.signaling.conftest import House
from tests.signaling.services import BOUND, PushService, hook, push_service, until
from web.dev.cast import PROVIDER_ID


@pytest.fixture
async def service() -> AsyncIterator[PushService]:
    async with push_service() as made:
        yield made


@pytest.fixture
def post(
    house: House, service: PushService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Post:
    """The pager sends to the played push service; its owner closes it with the desk."""
    vapid = Vapid.from_file(tmp_path / "vapid.key", "mailto:ops@x.test")
    monkeypatch.setattr(pager, "IDLE_SECONDS", 0.05)
    house.desk.pager.post = Post(
        push=WebPush(vapid, loopback=True),
        words=lambda locale, key: f"{locale}:{key}",
        origin="https://bridge.test",
    )
    return house.desk.pager.post


async def add(house: House, new: NewWay, who: str = "per_dana") -> Way:
    made, _ = await house.db.write(
        lambda conn: contacts.add(conn, house.desk.vault, who, new, house.clock.now)
    )
    return made


async def add_push(house: House, service: PushService, who: str = "per_dana") -> Way:
    push = house.desk.pager.post.push
    assert push is not None
    return await add(house, push.way(service.browser(who).subscription()), who)


async def rows(house: House) -> list[PageRow]:
    async with house.db.read() as conn:
        found = await conn.execute(select(schema.page).order_by(schema.page.c.queued_at))
        return [PageRow(**row._mapping) for row in found]


async def events(house: House, session: str) -> list[tuple[str, dict[str, Any]]]:
    async with house.db.read() as conn:
        timeline = await sessions.timeline_of(conn, session)
    return [(e.kind, dict(e.data)) for e in timeline if e.kind.startswith("page.")]


async def eventually(house: House, true: Any) -> None:
    """Wait until a condition on the pages on record holds."""
    async with asyncio.timeout(BOUND):
        while not true(await rows(house)):
            await asyncio.sleep(0.02)


async def test_a_clinician_with_a_closed_console_is_paged_and_comes(
    house: House, service: PushService, post: Post
) -> None:
    way = await add_push(house, service)
    tablet = await house.page("tablet")
    session = await house.pressed(tablet)
    house.clock.advance(15)
    await until(lambda: service.got)
    [got] = service.got
    assert got.body["purpose"] == "call"
    assert got.body["body"] == "en:alert.words.call"
    view = await tablet.until_view(lambda v: v["session"] and v["session"]["alerted"])
    assert view["session"]["alerted"] == [{"name": "Dana", "state": "alerted"}]

    there = await paging.answer(house.desk, got.body["token"], "opened")
    assert (there.purpose, there.state) == ("call", "waiting")
    await tablet.until_view(
        lambda v: v["session"] and v["session"]["alerted"][0]["state"] == "opening"
    )
    console = await house.page("dana")
    await tablet.until_view(
        lambda v: v["session"] and v["session"]["alerted"][0]["state"] == "coming"
    )
    offer = await house.rung(console)
    await console.send("offer.accept", offer=offer["offer"], token=offer["token"])
    there = await paging.answer(house.desk, got.body["token"], "opened")
    assert (there.state, there.by) == ("taken", "Dana")

    [page] = await rows(house)
    assert (page.state, page.step, page.contact_id) == ("acknowledged", "page", way.id)
    told = await events(house, session)
    assert [kind for kind, _ in told] == ["page.sent", "page.opened", "page.acknowledged"]
    assert told[0][1] == {"clinician": "per_dana", "way": "push", "page": page.id}


async def test_who_was_paged_is_told_to_stand_down_when_another_takes_it(
    house: House, service: PushService, post: Post
) -> None:
    await add_push(house, service)
    session = await house.pressed(await house.page("tablet"))
    house.clock.advance(15)
    await until(lambda: service.got)
    miguel = await house.page("miguel")
    offer = await house.rung(miguel)
    await miguel.send("offer.accept", offer=offer["offer"], token=offer["token"])
    await until(lambda: len(service.got) == 2)
    assert service.got[1].body["purpose"] == "stand_down"
    assert service.got[1].headers["Urgency"] == "normal"
    there = await paging.answer(house.desk, service.got[1].body["token"], "opened")
    assert (there.state, there.by) == ("taken", "Miguel")
    house.clock.advance(300)
    house.desk.pager.wake()
    await asyncio.sleep(0)
    await eventually(house, lambda all_pages: all(p.state != "queued" for p in all_pages))
    assert len(service.got) == 2, "nobody is paged for a call that is taken"
    assert [kind for kind, _ in await events(house, session)] == ["page.sent", "page.stand_down"]


async def test_a_cancelled_press_ends_the_paging(
    house: House, service: PushService, post: Post
) -> None:
    await add_push(house, service)
    tablet = await house.page("tablet")
    session = await house.pressed(tablet)
    house.clock.advance(15)
    await until(lambda: service.got)
    await tablet.send("session.cancel", session=session)
    await until(lambda: len(service.got) == 2)
    there = await paging.answer(house.desk, service.got[1].body["token"], "opened")
    assert (there.state, there.by) == ("over", None)


async def test_a_console_that_rings_needs_no_page(
    house: House, service: PushService, post: Post
) -> None:
    await add_push(house, service)
    await add_push(house, service, "per_miguel")
    dana = await house.page("dana")
    await house.pressed(await house.page("tablet"))
    await house.rung(dana)
    house.clock.advance(8)
    await dana.send("beat")
    house.clock.advance(7)
    await until(lambda: service.got)
    assert {page.person_id for page in await rows(house)} == {"per_miguel"}


async def test_an_ended_subscription_is_removed_and_the_next_way_is_tried_at_once(
    house: House, service: PushService, post: Post
) -> None:
    async with hook() as server:
        post.gateways = Gateways(
            GatewaySettings({"sms": f"json://{server.address}/sms/{{to}}"}, loopback=True)
        )
        push = await add_push(house, service)
        sms = await add(house, NewWay("sms", "+16055550199", {"to": "+16055550199"}))
        service.browsers.clear()
        session = await house.pressed(await house.page("tablet"))
        house.clock.advance(15)
        await until(lambda: server.got)
        assert server.got[0][1]["message"].startswith(
            "en:alert.words.call\nhttps://bridge.test/alert#"
        )
        await eventually(house, lambda p: sorted(one.state for one in p) == ["failed", "sent"])
        async with house.db.read() as conn:
            assert [way.id for way in await contacts.ways(conn)] == [sms.id]
            [gone] = await contacts.ended(conn, "per_dana", 0)
        assert (gone.id, gone.removed_reason) == (push.id, "gone")
        assert [(k, d.get("reason")) for k, d in await events(house, session)] == [
            ("page.failed", "gone"),
            ("page.sent", None),
        ]


async def test_a_busy_service_is_asked_again_when_it_wants_to_be(
    house: House, service: PushService, post: Post
) -> None:
    await add_push(house, service)
    service.will(429, **{"Retry-After": "20"})
    await house.pressed(await house.page("tablet"))
    house.clock.advance(15)
    await eventually(house, lambda p: p and p[0].reason == "too_many")
    [page] = await rows(house)
    assert (page.state, page.due_at) == ("queued", house.clock.now + 20)
    house.clock.advance(20)
    await until(lambda: service.got)
    await eventually(house, lambda p: p[0].state == "sent")
    assert (await rows(house))[0].attempt == 2


async def test_a_service_that_never_works_is_given_up_and_said(
    house: House, service: PushService, post: Post
) -> None:
    post.rules = PagerRules(backoff_seconds=(0.01,))
    await add_push(house, service)
    for _ in range(3):
        service.will(503)
    session = await house.pressed(await house.page("tablet"))
    house.clock.advance(15)
    for attempt in (1, 2):
        await eventually(house, partial(tried, attempt))
        house.clock.advance(1)
    await eventually(house, lambda p: p[0].state == "failed")
    assert await events(house, session) == [
        (
            "page.failed",
            {
                "clinician": "per_dana",
                "way": "push",
                "page": (await rows(house))[0].id,
                "reason": "unreachable",
            },
        )
    ]


async def test_a_page_repeats_until_it_is_acknowledged(
    house: House, service: PushService, post: Post
) -> None:
    await add_push(house, service)
    await house.pressed(await house.page("tablet"))
    house.clock.advance(15)
    for number in (1, 2, 3):
        await until(partial(heard, service, number))
        house.clock.advance(60)
    await until(lambda: len(service.got) == 4)
    await eventually(house, lambda p: p[-1].state == "sent")
    await paging.answer(house.desk, service.got[3].body["token"], "acknowledged")
    house.clock.advance(60)
    house.desk.pager.wake()
    await house.desk.screens.picture()
    assert len(service.got) == 4


async def test_a_page_of_a_process_that_died_is_sent_after_its_lease(
    house: House, service: PushService, post: Post
) -> None:
    await add_push(house, service)
    session = await house.pressed(await house.page("tablet"))
    new = pages.NewPage(
        key="call:died", purpose="call", provider_id=PROVIDER_ID, person_id="per_dana",
        contact_id=(await ways_of(house))[0].id, step="page", text_key="alert.words.call",
        session_id=session,
    )  # fmt: skip

    async def die(conn: Any) -> None:
        page = await pages.queue(conn, house.desk.vault, new, house.clock.now)
        assert page is not None
        await pages.claim(conn, page.id, house.clock.now, LEASE_SECONDS)

    await house.db.write(die)
    house.clock.advance(LEASE_SECONDS - 1)
    house.desk.pager.wake()
    await eventually(house, lambda p: any(one.state == "queued" for one in p))
    house.clock.advance(1)
    await until(lambda: service.got)
    await eventually(house, lambda p: any(one.key == "call:died" and one.attempt == 2 for one in p))


async def test_several_processes_send_each_page_once(
    house: House, service: PushService, post: Post
) -> None:
    await add_push(house, service)
    others = [Pager(house.desk) for _ in range(3)]
    tasks = []
    for other in others:
        other.post = post
        tasks.append(asyncio.create_task(other.run()))
    await house.pressed(await house.page("tablet"))
    house.clock.advance(15)
    await until(lambda: service.got)
    for other in others:
        other.wake()
    await eventually(house, lambda p: [one.state for one in p] == ["sent"])
    assert len(service.got) == 1
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_that_nobody_has_any_way_is_on_the_timeline_once(house: House, post: Post) -> None:
    session = await house.pressed(await house.page("tablet"))
    house.clock.advance(15)
    async with asyncio.timeout(BOUND):
        while not await events(house, session):
            await asyncio.sleep(0.02)
    again = Pager(house.desk)
    await again._plan()
    assert await events(house, session) == [("page.nobody", {"reason": "no_contact"})]


async def test_a_test_page_shows_that_the_way_works(
    house: House, service: PushService, post: Post
) -> None:
    way = await add_push(house, service)
    page = await paging.test(house.desk, "per_dana", PROVIDER_ID, way.id)
    assert (await paging.test(house.desk, "per_dana", PROVIDER_ID, way.id)).id == page.id
    await until(lambda: service.got)
    there = await paging.answer(house.desk, service.got[0].body["token"], "delivered")
    assert (there.purpose, there.state) == ("test", "none")
    async with house.db.read() as conn:
        [after] = await contacts.ways(conn)
    assert after.verified_at == after.tested_at == house.clock.now


async def test_a_link_that_is_wrong_or_too_old_opens_nothing(
    house: House, service: PushService, post: Post
) -> None:
    way = await add_push(house, service)
    await paging.test(house.desk, "per_dana", PROVIDER_ID, way.id)
    await until(lambda: service.got)
    house.clock.advance(pages.TOKEN_SECONDS)
    for token in (service.got[0].body["token"], "0" * 30, ""):
        with pytest.raises(NoSuchPage):
            await paging.answer(house.desk, token, "opened")


async def test_an_alarm_goes_to_those_responsible_once(
    house: House, service: PushService, post: Post
) -> None:
    for who in ("per_ada", "per_lena", "per_dana"):
        await add_push(house, service, who)
    for expected in (2, 0):
        made = await house.desk.pager.raise_alarm(
            "uncovered", PROVIDER_ID, "2026-11-24", "alert.words.uncovered"
        )
        assert made == expected
    await until(lambda: len(service.got) == 2)
    assert {got.body["purpose"] for got in service.got} == {"alarm"}
    assert {page.person_id for page in await rows(house)} == {"per_ada", "per_lena"}


async def test_without_senders_the_row_says_so(house: House) -> None:
    await add(house, NewWay("sms", "+16055550199", {"to": "+16055550199"}))
    await house.pressed(await house.page("tablet"))
    house.clock.advance(15)
    await eventually(house, lambda p: p and p[0].state == "failed")
    assert (await rows(house))[0].reason == "no_sender"


def tried(attempt: int, all_pages: list[PageRow]) -> bool:
    """The so-many-eth attempt has failed, and another one is to come."""
    return [(p.attempt, p.lease_until) for p in all_pages] == [(attempt, None)]


def heard(service: PushService, number: int) -> bool:
    return len(service.got) == number


async def ways_of(house: House) -> list[Way]:
    async with house.db.read() as conn:
        return await contacts.ways(conn)
