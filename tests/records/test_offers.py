"""Many are rung, one answers."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from records import offers, schema, sessions
from records.engine import Database
from records.errors import BadInput, Busy, StaleSession
from records.ledger import Ledger
from records.sessions import Event, SessionRow
from tests.records.cast import CLINICIANS, NOW, pressed, put, rung


async def _accept(db: Database, offer_id: str) -> SessionRow:
    """As the desk composes it: the offer, the session and the others' offers at one stroke."""

    async def write(conn: AsyncConnection) -> SessionRow:
        offer = await offers.get(conn, offer_id)
        assert offer is not None
        row = await sessions.get(conn, offer.session_id)
        assert row is not None
        if not await offers.end(conn, offer.id, to_state="accepted", reason=None, now=NOW):
            raise StaleSession
        await offers.withdraw_all(conn, row.id, "taken", NOW)
        changes = {"state": "answering", "lead_id": offer.clinician_id, "epoch": row.epoch + 1}
        events = [Event("offer.accepted", "clinician", offer.clinician_id)]
        return await sessions.apply(conn, row, changes, events, NOW)

    return await db.write(write)


@pytest.mark.parametrize("attempt", range(10))
async def test_of_two_accepts_at_once_exactly_one_wins(db: Database, attempt: int) -> None:
    row = await pressed(db)
    rings = [await rung(db, row, who) for who in CLINICIANS]
    if attempt % 2:
        rings.reverse()
    outcomes = await asyncio.gather(*(_accept(db, o) for o in rings), return_exceptions=True)
    won = [o for o in outcomes if isinstance(o, SessionRow)]
    assert len(won) == 1, outcomes
    assert [type(o) for o in outcomes if o not in won] == [StaleSession]
    async with db.read() as conn:
        assert await sessions.get(conn, row.id) == won[0]
        states = [o.state for o in [await offers.get(conn, ring) for ring in rings] if o]
    assert sorted(states) == ["accepted", "withdrawn"]


async def test_an_accept_and_a_cancel_at_once_leave_one_story(db: Database) -> None:
    row = await pressed(db)
    ring = await rung(db, row)

    async def cancel(conn: AsyncConnection) -> SessionRow:
        now = await sessions.get(conn, row.id)
        assert now is not None
        changes = {"state": "closed", "lead_id": None, "close_reason": "cancelled_by_officer"}
        after = await sessions.apply(
            conn, now, changes, [Event("session.closed", "officer", None)], NOW
        )
        await offers.withdraw_all(conn, row.id, "cancelled", NOW)
        return after

    outcomes = await asyncio.gather(_accept(db, ring), db.write(cancel), return_exceptions=True)
    async with db.read() as conn:
        after, offer = await sessions.get(conn, row.id), await offers.get(conn, ring)
    assert after is not None
    assert offer is not None
    assert all(isinstance(o, SessionRow | StaleSession) for o in outcomes), outcomes
    story = (after.state, offer.state)
    assert story in {("closed", "withdrawn"), ("answering", "accepted"), ("closed", "accepted")}
    assert after.version == 1 + sum(isinstance(o, SessionRow) for o in outcomes)


async def test_a_clinician_is_rung_for_one_session_at_a_time(db: Database) -> None:
    first, second = await pressed(db, "tab_1"), await pressed(db, "tab_2")
    await rung(db, first)
    with pytest.raises(Busy):
        await rung(db, second)


async def test_an_assignment_that_was_accepted_is_not_accepted_again(db: Database) -> None:
    row = await pressed(db)
    rings = [await rung(db, row, who) for who in CLINICIANS]

    def accept(ring: str) -> asyncio.Future[bool]:
        return asyncio.ensure_future(
            db.write(lambda conn: offers.end(conn, ring, to_state="accepted", reason=None, now=NOW))
        )

    assert await accept(rings[0])
    with pytest.raises(StaleSession):
        await accept(rings[1])


async def test_an_offer_is_delivered_once_and_ends_once(db: Database) -> None:
    ring = await rung(db, await pressed(db))
    assert await db.write(lambda conn: offers.deliver(conn, ring, NOW + 1))
    assert not await db.write(lambda conn: offers.deliver(conn, ring, NOW + 2))

    async def end(conn: AsyncConnection) -> bool:
        return await offers.end(conn, ring, to_state="expired", reason="time", now=NOW + 20)

    assert await db.write(end)
    assert not await db.write(end)
    assert not await db.write(lambda conn: offers.deliver(conn, ring, NOW + 30))
    async with db.read() as conn:
        offer = await offers.get(conn, ring)
        assert offer is not None
        assert (offer.state, offer.delivered_at, offer.ended_at) == ("expired", NOW + 1, NOW + 20)
        assert await offers.open_offers(conn) == []
        assert await Ledger().ended_offers(conn, NOW + 19) == [offer]
        assert await Ledger().ended_offers(conn, NOW + 20) == []


async def test_an_offer_is_not_made_twice_nor_for_what_does_not_exist(db: Database) -> None:
    row = await pressed(db)
    ring = await rung(db, row)
    await db.write(lambda conn: offers.end(conn, ring, to_state="declined", reason="busy", now=NOW))
    with pytest.raises(StaleSession):
        await rung(db, row)
    with pytest.raises(BadInput):
        await rung(db, row, "per_nobody")
    for state in ("pending", "maybe"):
        with pytest.raises(BadInput):
            await db.write(
                lambda conn, to=state: offers.end(  # type: ignore[misc]
                    conn, ring, to_state=to, reason=None, now=NOW
                )
            )


async def test_withdrawing_stops_what_rings_and_says_what_did(db: Database) -> None:
    row, other = await pressed(db, "tab_1"), await pressed(db, "tab_2")
    ring, kept = await rung(db, row), await rung(db, other, "per_miguel")
    await put(
        db, schema.offer, id="off_old", session_id=row.id, clinician_id="per_dana", epoch=0,
        token="t", state="expired", sent_at=NOW - 60, deliver_by=NOW, expires_at=NOW,
        ended_at=NOW - 40,
    )  # fmt: skip
    gone = await db.write(lambda conn: offers.withdraw_all(conn, row.id, "cancelled", NOW))
    assert [o.id for o in gone] == [ring]
    async with db.read() as conn:
        assert [o.id for o in await offers.open_offers(conn)] == [kept]
