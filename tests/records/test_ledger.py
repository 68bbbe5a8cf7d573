"""What is kept between readings is what a whole reading would give, after every kind of change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from records import nodes, offers, sessions
from records.engine import Database
from records.errors import BadInput
from records.ledger import Ledger
from records.sessions import Event, SessionRow
from tests.records.cast import CLINICIANS, NOW, pressed, rung


async def agree(db: Database, ledger: Ledger) -> None:
    async with db.read() as conn:
        assert await ledger.open_sessions(conn) == await sessions.open_sessions(conn)
        assert await ledger.open_offers(conn) == await offers.open_offers(conn)


async def change(
    db: Database,
    row: SessionRow,
    changes: Mapping[str, object],
    kinds: Sequence[str] = ("session.noted",),
) -> None:
    events = [Event(kind, "system", None) for kind in kinds]

    async def write(conn: AsyncConnection) -> None:
        before = await sessions.get(conn, row.id)
        assert before is not None
        await sessions.apply(conn, before, changes, events, NOW)

    await db.write(write)


async def test_whatever_happens_to_a_session_the_next_reading_has_it(db: Database) -> None:
    ledger = Ledger()
    await agree(db, ledger)
    row = await pressed(db)
    other = await pressed(db, "tab_2")
    await agree(db, ledger)
    for changes, kinds in (
        ({"priority": 2}, ("session.noted",)),
        ({}, ("session.noted", "session.noted")),
        ({"deadline_at": NOW + 20}, ()),
        ({"deadline_at": None}, ()),
        ({"state": "answering", "lead_id": "per_dana", "epoch": 1}, ("offer.accepted",)),
    ):
        await change(db, row, changes, kinds)
        await agree(db, ledger)
    await db.write(partial(nodes.beat, node_id="nod_2", now=NOW))
    await db.write(partial(nodes.claim, node_id="nod_2", session_ids=[other.id]))
    await agree(db, ledger)
    await change(db, row, {"state": "closed", "lead_id": None, "close_reason": "resolved"})
    await agree(db, ledger)


async def test_whatever_happens_to_a_ring_the_next_reading_has_it(db: Database) -> None:
    ledger = Ledger()
    row = await pressed(db)
    rings = [await rung(db, row, who) for who in CLINICIANS]
    await agree(db, ledger)
    await db.write(partial(offers.deliver, offer_id=rings[0], now=NOW + 1))
    await agree(db, ledger)
    for ring, state in zip(rings, ("declined", "expired"), strict=True):
        await db.write(partial(offers.end, offer_id=ring, to_state=state, reason=None, now=NOW + 9))
        await agree(db, ledger)
    async with db.read() as conn:
        assert await ledger.ended_offers(conn, NOW + 9) == []
        ended = await ledger.ended_offers(conn, NOW + 8)
        assert {one.id: one.state for one in ended} == dict(
            zip(rings, ("declined", "expired"), strict=True)
        )
        again = await ledger.ended_offers(conn, NOW + 8)
    assert all(one is before for one, before in zip(again, ended, strict=True))


async def test_what_did_not_change_is_not_read_again(db: Database) -> None:
    ledger = Ledger()
    row, other = await pressed(db), await pressed(db, "tab_2")
    async with db.read() as conn:
        first = await ledger.open_sessions(conn)
    await change(db, row, {"priority": 1})
    async with db.read() as conn:
        second = await ledger.open_sessions(conn)
    assert [one.id for one in second] == [row.id, other.id]
    assert second[0].priority == 1
    assert second[1] is first[1]


async def test_nothing_but_the_deadline_changes_without_a_word_on_the_timeline(
    db: Database,
) -> None:
    row = await pressed(db)
    with pytest.raises(BadInput, match="timeline"):
        await change(db, row, {"saver": True}, ())
