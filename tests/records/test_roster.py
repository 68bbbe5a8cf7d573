"""The roster's rows: kept when taken out, counted, decided once, and impossible ones refused."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from records import roster, schema
from records.engine import Database
from records.errors import NotFound, SwapDecided, SwapOpen
from records.roster import AlarmRow
from tests.records.cast import NOW, put

HOUR = 3600.0


def weekly(**more: Any) -> dict[str, Any]:
    return {
        "provider_id": "prv_1", "person_id": "per_miguel", "tier": 2, "days": 127,
        "starts_minute": 0, "ends_minute": 0, "timezone": "America/Chicago", **more,
    }  # fmt: skip


def exception(**more: Any) -> dict[str, Any]:
    return {
        "provider_id": "prv_1", "person_id": "per_miguel", "instead_of_id": "per_dana",
        "starts_at": NOW, "ends_at": NOW + HOUR, "tier": None, "made_at": NOW,
        "made_by": "per_dana", **more,
    }  # fmt: skip


def offered(**more: Any) -> dict[str, Any]:
    return {
        "provider_id": "prv_1", "from_id": "per_dana", "to_id": None, "starts_at": NOW,
        "ends_at": NOW + HOUR, "made_at": NOW, **more,
    }  # fmt: skip


async def versions(db: Database) -> int:
    async with db.read() as conn:
        return await roster.version(conn)


async def test_each_change_of_the_plan_counts_its_version_up(db: Database) -> None:
    seen = [await versions(db)]
    entry = await db.write(lambda conn: roster.add_entry(conn, **weekly()))
    seen.append(await versions(db))
    special = await db.write(lambda conn: roster.add_override(conn, **exception()))
    seen.append(await versions(db))
    await db.write(lambda conn: roster.end_override(conn, "prv_1", special, NOW))
    seen.append(await versions(db))
    await db.write(lambda conn: roster.end_entry(conn, "prv_1", entry, NOW))
    seen.append(await versions(db))
    assert seen == sorted(set(seen))


async def test_what_is_taken_out_of_the_plan_is_gone_from_it_but_kept(db: Database) -> None:
    entry = await db.write(lambda conn: roster.add_entry(conn, **weekly()))
    await db.write(lambda conn: roster.end_entry(conn, "prv_1", entry, NOW + 5))
    async with db.read() as conn:
        assert entry not in {one.id for one in await roster.entries(conn)}
        kept = await conn.execute(
            select(schema.roster_entry.c.ended_at).where(schema.roster_entry.c.id == entry)
        )
    assert kept.scalar_one() == NOW + 5
    with pytest.raises(NotFound):
        await db.write(lambda conn: roster.end_entry(conn, "prv_1", entry, NOW + 6))


async def test_another_providers_rows_cannot_be_taken_out(db: Database) -> None:
    special = await db.write(lambda conn: roster.add_override(conn, **exception()))
    with pytest.raises(NotFound):
        await db.write(lambda conn: roster.end_entry(conn, "prv_other", "ros_1", NOW))
    with pytest.raises(NotFound):
        await db.write(lambda conn: roster.end_override(conn, "prv_other", special, NOW))


async def test_exceptions_come_in_the_order_in_which_they_were_made(db: Database) -> None:
    for number, made in enumerate((30.0, 10.0, 20.0)):
        values = exception(made_at=NOW + made, starts_at=NOW + number)
        await db.write(partial(roster.add_override, **values))
    async with db.read() as conn:
        found = await roster.overrides(conn, NOW, "prv_1")
        over = await roster.overrides(conn, NOW + HOUR, "prv_1")
    assert [one.made_at - NOW for one in found] == [10.0, 20.0, 30.0]
    assert over == []


@pytest.mark.parametrize(
    "bad",
    [
        {"person_id": None, "instead_of_id": None},
        {"person_id": "per_dana"},
        {"ends_at": NOW},
        {"tier": 1},
        {"instead_of_id": None},
        {"instead_of_id": None, "tier": 0},
    ],
)
async def test_an_exception_that_says_nothing_cannot_be_stored(
    db: Database, bad: dict[str, Any]
) -> None:
    with pytest.raises(IntegrityError):
        await put(db, schema.roster_override, id="ovr_bad", **exception(**bad))


@pytest.mark.parametrize(
    "bad",
    [
        {"state": "lost"},
        {"to_id": "per_dana"},
        {"ends_at": NOW},
        {"state": "accepted", "decided_at": NOW},
        {"state": "accepted", "taken_by": "per_dana", "decided_at": NOW},
        {"taken_by": "per_miguel"},
        {"state": "refused"},
        {"back_starts_at": NOW},
        {"back_starts_at": NOW, "back_ends_at": NOW + 1},
    ],
)
async def test_an_offered_turn_in_an_impossible_state_cannot_be_stored(
    db: Database, bad: dict[str, Any]
) -> None:
    with pytest.raises(IntegrityError):
        await put(db, schema.roster_swap, id="swp_bad", **{**offered(state="proposed"), **bad})


async def test_a_turn_is_offered_once_at_a_time(db: Database) -> None:
    first = await db.write(lambda conn: roster.propose(conn, **offered()))
    with pytest.raises(SwapOpen):
        await db.write(lambda conn: roster.propose(conn, **offered(to_id="per_miguel")))
    await db.write(lambda conn: roster.decide(conn, first, "withdrawn", NOW, by="per_dana"))
    await db.write(lambda conn: roster.propose(conn, **offered()))


async def test_of_many_who_decide_at_once_exactly_one_does(db: Database) -> None:
    swap = await db.write(lambda conn: roster.propose(conn, **offered()))

    async def decide(state: str) -> str:
        taken = "per_miguel" if state == "accepted" else None
        await db.write(
            lambda conn: roster.decide(conn, swap, state, NOW, by="per_miguel", taken_by=taken)
        )
        return state

    states = ["accepted", "refused", "withdrawn", "accepted"]
    done = await asyncio.gather(*(decide(one) for one in states), return_exceptions=True)
    won = [one for one in done if isinstance(one, str)]
    assert len(won) == 1
    assert sum(isinstance(one, SwapDecided) for one in done) == 3
    async with db.read() as conn:
        assert (await roster.swap(conn, "prv_1", swap)).state == won[0]


async def test_an_offer_lapses_when_its_turn_is_over_and_not_before(db: Database) -> None:
    swap = await db.write(lambda conn: roster.propose(conn, **offered()))
    assert await db.write(lambda conn: roster.lapse(conn, NOW + HOUR - 1)) == 0
    assert await db.write(lambda conn: roster.lapse(conn, NOW + HOUR)) == 1
    async with db.read() as conn:
        assert (await roster.swap(conn, "prv_1", swap)).state == "lapsed"
        with pytest.raises(NotFound):
            await roster.swap(conn, "prv_other", swap)


@pytest.mark.parametrize("gone", ["per_dana", "per_miguel"])
async def test_an_offer_lapses_when_one_of_the_two_is_shut_out(db: Database, gone: str) -> None:
    swap = await db.write(lambda conn: roster.propose(conn, **offered(to_id="per_miguel")))
    out = update(schema.person).where(schema.person.c.id == gone).values(active=False)
    await db.write(lambda conn: conn.execute(out))
    assert await db.write(lambda conn: roster.lapse(conn, NOW)) == 1
    async with db.read() as conn:
        assert (await roster.swap(conn, "prv_1", swap)).state == "lapsed"


async def test_a_feed_is_found_by_its_token_which_is_not_kept(db: Database) -> None:
    values = {"provider_id": "prv_1", "person_id": None, "owner_id": "per_dana", "made_at": NOW}
    feed = await db.write(lambda conn: roster.add_feed(conn, "a secret", **values))
    async with db.read() as conn:
        found = await roster.feed_by_token(conn, "a secret")
        assert found is not None
        assert found.id == feed
        assert await roster.feed_by_token(conn, "another") is None
        row = (await conn.execute(select(schema.roster_feed))).one()
    assert "a secret" not in str(row)
    with pytest.raises(NotFound):
        await db.write(lambda conn: roster.revoke_feed(conn, "per_miguel", feed, NOW))
    await db.write(lambda conn: roster.revoke_feed(conn, "per_dana", feed, NOW))
    async with db.read() as conn:
        assert await roster.feed_by_token(conn, "a secret") is None
        assert await roster.feeds(conn, "per_dana", "prv_1") == []


async def test_an_alarm_is_remembered_by_one_process_and_again_when_the_gap_grows(
    db: Database,
) -> None:
    alarm = AlarmRow("prv_1", "nobody", NOW, NOW + HOUR)
    assert await db.write(lambda conn: roster.remember_alarm(conn, alarm, NOW))
    assert not await db.write(lambda conn: roster.remember_alarm(conn, alarm, NOW))
    grown = AlarmRow("prv_1", "nobody", NOW, NOW + 2 * HOUR)
    assert await db.write(lambda conn: roster.remember_alarm(conn, grown, NOW))
    async with db.read() as conn:
        assert await roster.alarms_told(conn, "prv_1") == [grown]
    await db.write(lambda conn: roster.forget_alarms(conn, [grown]))
    async with db.read() as conn:
        assert await roster.alarms_told(conn, "prv_1") == []
