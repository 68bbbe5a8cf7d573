"""Ways to reach people, and the pages sent by them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from records import contacts, escalations, pages
from records.contacts import NewWay, Way
from records.crypto import Vault
from records.engine import Database
from records.errors import BadInput, KeyWrong, NotFound
from records.escalations import StepRow
from records.pages import NewPage, PageRow
from records.schema import contact_point
from tests.records.cast import NOW, changed, pressed

PHONE = NewWay("sms", "+16055550199", {"to": "+16055550199"})
PUSH = NewWay("push", "https://push.test/1", {"endpoint": "https://push.test/1"})


async def added(db: Database, vault: Vault, new: NewWay = PHONE, who: str = "per_dana") -> Way:
    made, _ = await db.write(lambda conn: contacts.add(conn, vault, who, new, NOW))
    return made


async def queued(
    db: Database,
    vault: Vault,
    way: Way,
    session: str | None = None,
    key: str = "k1",
    now: float = NOW,
) -> PageRow | None:
    new = NewPage(
        key=key,
        purpose="test" if session is None else "call",
        provider_id="prv_1",
        person_id=way.person_id,
        contact_id=way.id,
        step="page",
        text_key="alert.words.call",
        session_id=session,
    )
    return await db.write(lambda conn: pages.queue(conn, vault, new, now))


async def claimed(db: Database, page: PageRow, now: float = NOW) -> PageRow | None:
    return await db.write(lambda conn: pages.claim(conn, page.id, now, 30))


async def test_what_a_way_needs_is_sealed_and_opens_for_this_vault_only(
    db: Database, vault: Vault
) -> None:
    way = await added(db, vault)
    async with db.read() as conn:
        stored = (await conn.execute(select(contact_point.c.details_enc))).scalar_one()
        assert await contacts.details(conn, vault, way.id) == {"to": "+16055550199"}
        with pytest.raises(KeyWrong):
            await contacts.details(conn, Vault(bytes(32)), way.id)
    assert b"6055550199" not in stored


async def test_the_same_way_is_kept_once_and_takes_newer_details(
    db: Database, vault: Vault
) -> None:
    first = await added(db, vault, PUSH)
    newer = replace(PUSH, details={"endpoint": "https://push.test/1", "auth": "new"})
    again, new = await db.write(lambda conn: contacts.add(conn, vault, "per_dana", newer, NOW + 9))
    assert (again.id, new) == (first.id, False)
    other = await added(db, vault, PUSH, "per_miguel")
    assert other.id != first.id
    async with db.read() as conn:
        assert (await contacts.details(conn, vault, first.id) or {})["auth"] == "new"


async def test_a_removed_way_is_destroyed_and_may_be_added_anew(db: Database, vault: Vault) -> None:
    way = await added(db, vault)

    async def remove(conn: AsyncConnection) -> list[bool]:
        stranger = await contacts.remove(conn, way.id, "by_owner", NOW, owner="per_miguel")
        mine = await contacts.remove(conn, way.id, "by_owner", NOW, owner="per_dana")
        return [stranger, mine, await contacts.remove(conn, way.id, "gone", NOW)]

    assert await db.write(remove) == [False, True, False]
    async with db.read() as conn:
        assert await contacts.ways(conn) == []
        assert await contacts.details(conn, vault, way.id) is None
        assert (await conn.execute(select(contact_point.c.details_enc))).scalar_one() is None
    assert (await added(db, vault)).id != way.id


async def test_a_way_that_ended_by_itself_is_told_for_a_while(db: Database, vault: Vault) -> None:
    way = await added(db, vault, PUSH)
    await db.write(lambda conn: contacts.remove(conn, way.id, "gone", NOW + 5))
    async with db.read() as conn:
        assert [one.id for one in await contacts.ended(conn, "per_dana", NOW)] == [way.id]
        assert await contacts.ended(conn, "per_dana", NOW + 5) == []


async def test_the_owner_puts_the_ways_in_order(db: Database, vault: Vault) -> None:
    sms, push = await added(db, vault), await added(db, vault, PUSH)
    await db.write(lambda conn: contacts.move_up(conn, "per_dana", push.id))
    async with db.read() as conn:
        assert [way.id for way in await contacts.ways(conn, ["per_dana"])] == [push.id, sms.id]
    with pytest.raises(NotFound):
        await db.write(lambda conn: contacts.move_up(conn, "per_miguel", push.id))


async def test_nobody_has_more_than_a_dozen_ways(db: Database, vault: Vault) -> None:
    for number in range(contacts.MOST):
        await added(db, vault, replace(PHONE, subject=f"+1605555010{number}"))
    with pytest.raises(BadInput):
        await added(db, vault)
    with pytest.raises(BadInput):
        await added(db, vault, replace(PHONE, kind="pigeon"), "per_miguel")


async def test_a_page_is_queued_once_and_its_link_is_stored_as_a_hash(
    db: Database, vault: Vault
) -> None:
    way = await added(db, vault)
    page = await queued(db, vault, way)
    assert page is not None
    assert await queued(db, vault, way) is None
    token = pages.token_of(vault, page.id)
    assert token not in str(page)
    async with db.read() as conn:
        assert await pages.by_token(conn, token, NOW) == page
        assert await pages.by_token(conn, token, NOW + pages.TOKEN_SECONDS) is None
        assert await pages.by_token(conn, "0" * 30, NOW) is None


async def test_of_several_processes_one_sends_a_page_and_a_dead_one_is_replaced(
    db: Database, vault: Vault
) -> None:
    page = await queued(db, vault, await added(db, vault))
    assert page is not None
    tries = await asyncio.gather(*[claimed(db, page) for _ in range(4)])
    [first] = [one for one in tries if one is not None]
    async with db.read() as conn:
        assert await pages.due(conn, NOW + 29, 10) == []
        assert await pages.next_due(conn) == NOW + 30
        assert await pages.due(conn, NOW + 30, 10) == [page.id]
    second = await claimed(db, page, NOW + 30)
    assert second is not None
    assert second.attempt == 2
    assert not await db.write(lambda conn: pages.sent(conn, first, NOW + 31)), "too late"
    assert await db.write(lambda conn: pages.sent(conn, second, NOW + 31))


async def test_a_failed_attempt_waits_for_its_next_one(db: Database, vault: Vault) -> None:
    page = await queued(db, vault, await added(db, vault))
    assert page is not None
    first = await claimed(db, page)
    assert first is not None
    assert await db.write(lambda conn: pages.again(conn, first, "timeout", NOW + 3))
    assert await claimed(db, page, NOW + 2) is None
    second = await claimed(db, page, NOW + 3)
    assert second is not None
    assert await db.write(lambda conn: pages.failed(conn, second, "timeout", NOW + 4))
    async with db.read() as conn:
        end = await pages.get(conn, page.id)
    assert end is not None
    assert (end.state, end.reason, end.attempt) == ("failed", "timeout", 2)


async def test_a_page_only_moves_forward_and_one_thought_lost_may_have_arrived(
    db: Database, vault: Vault
) -> None:
    page = await queued(db, vault, await added(db, vault))
    assert page is not None

    async def move(state: str) -> bool:
        return await db.write(lambda c: pages.reached(c, page.id, state, NOW + 9)) is not None

    assert not await move("opened"), "nobody can have seen what was never sent"
    mine = await claimed(db, page)
    assert mine is not None
    await db.write(lambda conn: pages.failed(conn, mine, "timeout", NOW + 4))
    assert await move("opened")
    assert not await move("delivered")
    assert await move("acknowledged")
    assert not await move("acknowledged")


async def test_only_what_nobody_is_sending_is_withdrawn(db: Database, vault: Vault) -> None:
    way = await added(db, vault)
    first, second = await queued(db, vault, way), await queued(db, vault, way, key="k2")
    assert first is not None
    assert second is not None
    await claimed(db, first)
    assert not await db.write(lambda conn: pages.withdraw(conn, first.id, NOW + 1))
    assert await db.write(lambda conn: pages.withdraw(conn, second.id, NOW + 1))
    assert await claimed(db, second) is None


async def test_two_processes_do_not_both_page_one_person(db: Database, vault: Vault) -> None:
    way, one, two = await added(db, vault), await pressed(db), await pressed(db, "tab_2")

    def new(session: str) -> NewPage:
        return NewPage(
            key=session, purpose="call", provider_id="prv_1", person_id="per_dana",
            contact_id=way.id, step="page", text_key="alert.words.call", session_id=session,
        )  # fmt: skip

    async def of(session: str, now: float) -> list[PageRow]:
        return await db.write(
            lambda conn: pages.queue_round(conn, vault, [new(session)], now, gap=30)
        )

    made = await asyncio.gather(of(one.id, NOW), of(two.id, NOW))
    assert sorted(len(rows) for rows in made) == [0, 1]
    assert len(await of(f"{two.id}" if made[0] else one.id, NOW + 30)) == 1


async def test_calls_are_listed_while_their_session_waits(db: Database, vault: Vault) -> None:
    way, row = await added(db, vault), await pressed(db)
    page = await queued(db, vault, way, row.id)
    assert page is not None
    await claimed(db, page)
    async with db.read() as conn:
        assert [p.id for p in await pages.of_waiting(conn)] == [page.id]
        assert [p.id for p in await pages.unanswered(conn, "per_dana", NOW - 1)] == [page.id]
    await changed(db, row, state="answering", lead_id="per_dana", epoch=1)
    async with db.read() as conn:
        assert await pages.of_waiting(conn) == []
        assert await pages.unanswered(conn, "per_dana", NOW - 1) == []
        assert [p.id for p in await pages.for_plan(conn, NOW - 1)] == [page.id]


async def test_a_provider_s_steps_replace_the_ones_before(db: Database) -> None:
    rows = [
        StepRow(10, "page", 1, 30, "acknowledged"),
        StepRow(60, "nobody_yet", None, 60, "answered"),
    ]
    await db.write(lambda conn: escalations.replace(conn, "prv_1", rows))
    async with db.read() as conn:
        assert await escalations.steps(conn) == {"prv_1": rows}
    await db.write(lambda conn: escalations.replace(conn, "prv_1", []))
    async with db.read() as conn:
        assert await escalations.steps(conn) == {}
