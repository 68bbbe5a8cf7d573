"""Notices beside the timeline: queued in the event's transaction, claimed once, never for whom they
must not be."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from records import deliveries, followups, people, schema, sessions, webhooks
from records.crypto import Vault
from records.deliveries import DeliveryRow
from records.engine import Database
from records.errors import BadInput, KeyWrong, StaleSession
from records.followups import NewFollowup
from records.schema_programs import webhook_delivery
from records.sessions import Event
from records.webhooks import EVENTS, OVERDUE, NewWebhook
from tests.records.cast import NOW, changed, finished, press, pressed

DAY = 86_400.0
URL = "https://records.example.org/in"


async def hook(
    db: Database, vault: Vault, *events: str, program: str = "prg_1", at: float = NOW - 60
) -> str:
    new = NewWebhook(program, "Records", "records.example.org", URL, b"s" * 32, events)
    return await db.write(lambda conn: webhooks.add(conn, vault, new, "per_dana", at))


async def queued(db: Database, webhook_id: str | None = None) -> list[DeliveryRow]:
    table = webhook_delivery
    async with db.read() as conn:
        ids = await conn.execute(select(table.c.id).order_by(table.c.at, table.c.no, table.c.id))
        rows = [await deliveries.get(conn, one) for one in ids.scalars().all()]
    return [one for one in rows if one is not None and webhook_id in (None, one.webhook_id)]


async def test_each_event_that_somebody_asked_for_is_queued_beside_it_and_no_other(
    db: Database, vault: Vault
) -> None:
    all_of_it = await hook(db, vault, *EVENTS)
    closed = await hook(db, vault, "session.closed")
    row = await pressed(db)
    row = await changed(db, row, kind="offer.accepted", state="answering", lead_id="per_dana")
    row = await changed(db, row, now=NOW + 2, kind="session.intake", intake=("adult",))
    await changed(
        db, row, now=NOW + 9, kind="session.closed", state="closed", close_reason="duplicate",
        closed_at=NOW + 9, ended_at=NOW + 9,
    )  # fmt: skip
    rows = await queued(db, all_of_it)
    assert [(one.kind, one.no, one.at, one.state) for one in rows] == [
        ("session.pressed", 1, NOW, "queued"),
        ("offer.accepted", 2, NOW, "queued"),
        ("session.closed", 4, NOW + 9, "queued"),
    ]
    assert [one.id for one in await queued(db, closed)] == [f"{closed}.{row.id}.4"]


async def test_what_was_undone_is_told_to_nobody(db: Database, vault: Vault) -> None:
    await hook(db, vault, "session.opened", "session.closed")
    row = await pressed(db)

    async def half(conn: AsyncConnection) -> None:
        told = [Event("session.closed", "system", None)]
        await sessions.apply(conn, row, {"level": 1}, told, NOW)
        raise LookupError

    with pytest.raises(LookupError):
        await db.write(half)
    stale = Event("session.closed", "system", None)
    older = replace(row, version=row.version - 1)
    with pytest.raises(StaleSession):
        await db.write(lambda conn: sessions.apply(conn, older, {"level": 1}, [stale], NOW))
    assert [one.kind for one in await queued(db)] == ["session.pressed"]


@pytest.mark.parametrize("why", ["test", "wellness", "program", "paused", "removed", "later"])
async def test_nothing_is_queued_of_what_must_not_be_told(
    db: Database, vault: Vault, why: str
) -> None:
    program = "prg_1"
    if why == "program":
        program = "prg_2"
        await db.write(lambda conn: people.add(conn, schema.program, id="prg_2", name="Other"))
    one = await hook(db, vault, "session.opened", "session.closed", program=program,
                     at=NOW + DAY if why == "later" else NOW - 60)  # fmt: skip
    if why == "paused":
        assert await db.write(lambda conn: webhooks.pause(conn, one, "by_hand", NOW))
    if why == "removed":
        assert await db.write(lambda conn: webhooks.remove(conn, one, NOW))
    new = press(test=why == "test")
    row, _ = await db.write(lambda conn: sessions.create(conn, new, NOW))
    if why == "wellness":  # it is known only when the session closes
        assert len(await queued(db)) == 1
    over: dict[str, Any] = {
        "state": "closed",
        "close_reason": "duplicate",
        "wellness": why == "wellness",
    }
    await changed(db, row, kind="session.closed", closed_at=NOW, ended_at=NOW, **over)
    assert [one.kind for one in await queued(db)] == (
        ["session.pressed"] if why == "wellness" else []
    )


async def test_of_two_senders_one_gets_a_notice_and_a_dead_ones_lease_runs_out(
    db: Database, vault: Vault
) -> None:
    one = await hook(db, vault, "session.opened")
    await pressed(db)
    (notice,) = await queued(db)

    async def claim(now: float = NOW) -> DeliveryRow | None:
        return await db.write(lambda conn: deliveries.claim(conn, notice.id, now, 45.0))

    both = await asyncio.gather(claim(), claim())
    assert sorted(found is None for found in both) == [False, True]
    first = next(found for found in both if found is not None)
    async with db.read() as conn:
        assert await deliveries.due(conn, one, NOW + 44, 9) == []
        assert await deliveries.waiting(conn, NOW + 44) == []
        assert await deliveries.due(conn, one, NOW + 46, 9) == [notice.id]
        assert await deliveries.waiting(conn, NOW + 46) == [one]
    again = await claim(NOW + 46)
    assert again is not None
    assert again.attempt == 2
    assert not await db.write(lambda conn: deliveries.sent(conn, first, 200, NOW + 47))
    assert await db.write(lambda conn: deliveries.sent(conn, again, 204, NOW + 48))
    assert await claim(NOW + 1000) is None
    (told,) = await queued(db)
    assert (told.state, told.status, told.sent_at) == ("sent", 204, NOW + 48)


async def test_a_failed_notice_waits_is_given_up_and_is_tried_again_by_hand(
    db: Database, vault: Vault
) -> None:
    one = await hook(db, vault, "session.opened")
    await pressed(db)
    (notice,) = await queued(db)

    async def claim(now: float) -> DeliveryRow:
        found = await db.write(lambda conn: deliveries.claim(conn, notice.id, now, 45.0))
        assert found is not None
        return found

    claimed = await claim(NOW)
    await db.write(lambda conn: deliveries.again(conn, claimed, 500, "refused", NOW + 10))
    async with db.read() as conn:
        assert await deliveries.due(conn, one, NOW + 9, 9) == []
        assert await deliveries.due(conn, one, NOW + 10, 9) == [notice.id]
    claimed = await claim(NOW + 10)
    await db.write(lambda conn: deliveries.failed(conn, claimed, None, "timeout", NOW + 11))
    async with db.read() as conn:
        tally = (await deliveries.tallies(conn, [one]))[one]
    assert (tally.queued, tally.sent, tally.failed, tally.last_status) == (0, 0, 1, None)
    assert await db.write(lambda conn: deliveries.again_by_hand(conn, one, NOW + 12)) == 1
    (again,) = await queued(db)
    assert (again.state, again.attempt, again.due_at) == ("queued", 0, NOW + 12)


async def test_a_follow_up_is_told_once_when_it_is_due_and_again_when_it_was_moved(
    db: Database, vault: Vault
) -> None:
    await hook(db, vault, OVERDUE)
    row = await finished(db)
    tasks = [
        NewFollowup("contact_24h", "per_dana", NOW + DAY),
        NewFollowup("contact_48h", "per_dana", NOW + 2 * DAY),
        NewFollowup("warm_handoff", "per_dana", NOW - DAY),  # before anybody asked
    ]
    await db.write(lambda conn: followups.add_many(conn, vault, row.id, tasks, NOW))

    async def look(now: float) -> int:
        return await db.write(lambda conn: deliveries.queue_overdue(conn, now))

    async with db.read() as conn:
        assert await deliveries.wants_overdue(conn)
    assert await look(NOW + DAY - 1) == 0
    assert await look(NOW + DAY) == 1
    assert await look(NOW + DAY + 60) == 0
    (told,) = await queued(db)
    async with db.read() as conn:
        assert await followups.open_since(conn, str(told.followup_id), told.at)
    due = await db.write(lambda conn: followups.held(conn, vault, str(told.followup_id)))
    await db.write(lambda conn: followups.move(conn, due, due.rev, NOW + 1.5 * DAY))
    async with db.read() as conn:
        assert not await followups.open_since(conn, str(told.followup_id), told.at)
    assert await look(NOW + 1.5 * DAY) == 1
    assert await look(NOW + 20 * DAY) == 0, "long ago is no news"
    assert {one.kind for one in await queued(db)} == {OVERDUE}


async def test_an_address_is_sealed_and_destroyed_when_it_is_removed(
    db: Database, vault: Vault
) -> None:
    one = await hook(db, vault, "session.opened")
    await pressed(db)
    async with db.read() as conn:
        sealed = await webhooks.opened(conn, vault, one)
        assert sealed is not None
        assert (sealed.url, sealed.secret) == (URL, b"s" * 32)
        assert URL not in repr(sealed)
        with pytest.raises(KeyWrong):
            await webhooks.opened(conn, Vault(b"x" * 32), one)
        with pytest.raises(KeyWrong):
            await Vault(b"x" * 32).check(conn)
    assert await db.write(lambda conn: webhooks.remove(conn, one, NOW))
    assert not await db.write(lambda conn: webhooks.remove(conn, one, NOW))
    async with db.read() as conn:
        assert await webhooks.opened(conn, vault, one) is None
        assert await webhooks.listed(conn) == []
    (notice,) = await queued(db)
    assert (notice.state, notice.reason) == ("dropped", "removed")


async def test_what_ended_long_ago_is_forgotten_and_what_waits_is_not(
    db: Database, vault: Vault
) -> None:
    one = await hook(db, vault, "session.opened")
    await pressed(db)
    await db.write(lambda conn: deliveries.queue_test(conn, one, NOW))
    (test, notice) = sorted(await queued(db), key=lambda row: row.kind, reverse=True)
    assert notice.kind == "session.pressed"
    claimed = await db.write(lambda conn: deliveries.claim(conn, notice.id, NOW, 45.0))
    assert claimed is not None
    await db.write(lambda conn: deliveries.sent(conn, claimed, 200, NOW))
    assert await db.write(lambda conn: deliveries.tidy(conn, NOW + 29 * DAY)) == 0
    assert await db.write(lambda conn: deliveries.tidy(conn, NOW + 31 * DAY)) == 1
    assert [row.id for row in await queued(db)] == [test.id]


async def test_nobody_is_told_of_what_cannot_be_told(db: Database, vault: Vault) -> None:
    for events in ((), ("session.everything",), ("session.intake",)):
        with pytest.raises(BadInput):
            await hook(db, vault, *events)
    async with db.read() as conn:
        assert await conn.scalar(select(func.count()).select_from(webhook_delivery)) == 0


async def test_a_session_can_go_though_it_was_told_of(db: Database, vault: Vault) -> None:
    await hook(db, vault, "session.opened")
    row = await pressed(db)
    timeline, session = schema.timeline, schema.session

    async def work(conn: AsyncConnection) -> None:
        await conn.execute(timeline.delete().where(timeline.c.session_id == row.id))
        await conn.execute(session.delete().where(session.c.id == row.id))

    await db.write(work)
    (notice,) = await queued(db)
    assert notice.session_id == row.id
    await db.write(lambda conn: conn.execute(update(webhook_delivery).values(state="dropped")))
