"""A press and its rings in one go: all of it, or nothing, on both databases alike."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from records import directory, offers, sessions
from records.engine import Database
from records.errors import BadInput, Busy, RecordError, StaleSession
from records.ids import new_id
from records.offers import OfferRow
from records.press import press_and_ring
from records.sessions import Event, NewSession, SessionRow
from tests.records.cast import NOW, changed, press, pressed


def ring(session_id: str, clinician_id: str) -> OfferRow:
    return OfferRow(
        id=new_id("off"), session_id=session_id, clinician_id=clinician_id, epoch=0,
        token="token 'of' \"this\" ring", state="pending", sent_at=NOW + 0.123456,
        deliver_by=NOW + 2, delivered_at=None, expires_at=NOW + 20, ended_at=None, reason=None,
    )  # fmt: skip


async def both(
    db: Database, new: NewSession, *clinicians: str, session_id: str = ""
) -> tuple[SessionRow, Sequence[OfferRow]]:
    """What a press does when it rings at once."""
    session_id = session_id or new_id("ses")
    rings = [ring(session_id, one) for one in clinicians]
    also = [Event("offer.sent", "system", None, {"clinician": one}) for one in clinicians]

    async def write(conn: AsyncConnection) -> SessionRow:
        assert await directory.post_of_press(conn, new.tablet_id) is not None
        return await press_and_ring(conn, new, NOW, session_id, also, rings)

    return await db.write(write), rings


async def test_session_timeline_and_rings_are_there_together(db: Database) -> None:
    row, rings = await both(db, press(), "per_dana", "per_miguel")
    async with db.read() as conn:
        assert await sessions.get(conn, row.id) == row
        assert await offers.open_offers(conn) == sorted(rings, key=lambda one: one.id)
        told = await sessions.timeline_of(conn, row.id)
    assert [(one.no, one.kind, one.actor_kind) for one in told] == [
        (1, "session.pressed", "officer"),
        (2, "offer.sent", "system"),
        (3, "offer.sent", "system"),
    ]
    assert [one.data.get("clinician") for one in told[1:]] == ["per_dana", "per_miguel"]
    assert (row.version, row.state, row.seq) == (3, "waiting", 1)


async def test_presses_at_once_each_get_their_own_place_and_ring(db: Database) -> None:
    done = await asyncio.gather(
        both(db, press("tab_1"), "per_dana"), both(db, press("tab_2"), "per_miguel")
    )
    assert sorted(row.seq for row, _ in done) == [1, 2]


async def refused(db: Database, error: type[RecordError], new: NewSession, *who: str) -> None:
    """It is refused, and nothing of it stays."""
    async with db.read() as conn:
        before = await sessions.open_sessions(conn), await offers.open_offers(conn)
    with pytest.raises(error):
        await both(db, new, *who)
    async with db.read() as conn:
        assert (await sessions.open_sessions(conn), await offers.open_offers(conn)) == before


async def test_a_press_whose_ring_cannot_be_made_leaves_nothing(db: Database) -> None:
    await both(db, press("tab_1"), "per_dana")
    await refused(db, Busy, press("tab_2"), "per_miguel", "per_dana")
    await refused(db, BadInput, press("tab_2"), "per_nobody")


async def test_who_leads_a_session_is_not_rung_with_a_press(db: Database) -> None:
    row = await pressed(db, "tab_1")
    await changed(db, row, state="answering", lead_id="per_dana", epoch=1)
    await refused(db, Busy, press("tab_2"), "per_dana")


async def test_a_press_that_is_not_new_after_all_is_stale(db: Database) -> None:
    new = press("tab_1", key="the-same-press")
    await both(db, new, "per_dana")
    await refused(db, StaleSession, new, "per_miguel")
    await refused(db, StaleSession, press("tab_1"), "per_miguel")
