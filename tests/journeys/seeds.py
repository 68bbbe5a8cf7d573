"""What is put into a demo for journeys about lists: sessions straight into its record, without a
call, and files to bring."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from records import care_gaps, identities, near_misses, sessions
from records.care_gaps import NewGap
from records.crypto import Vault
from records.engine import Database
from records.identity_rules import Identity
from records.near_misses import NewMiss
from records.sessions import Event, NewSession, SessionRow
from tests.journeys.harness import Demo
from web.dev import cast

CLOSED: dict[str, Any] = {
    "state": "closed", "close_reason": "completed", "lead_id": cast.DANA.id,
    "recommended_disposition": "remain_in_place", "actual_disposition": "remain_in_place",
}  # fmt: skip
CALENDAR = b"""BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example//Calendar//EN
BEGIN:VEVENT
UID:nights
SUMMARY:Priya Nair (tier 1)
DTSTART;TZID=America/Chicago:20300107T220000
DTEND;TZID=America/Chicago:20300108T060000
RRULE:FREQ=WEEKLY;BYDAY=MO,TU,FR
EXDATE;TZID=America/Chicago:20300111T220000
END:VEVENT
BEGIN:VEVENT
UID:fair
SUMMARY:Dana Whitefeather (tier 2)
DTSTART:20300914T150000Z
DTEND:20300915T030000Z
END:VEVENT
END:VCALENDAR
"""


@asynccontextmanager
async def record_of(demo: Demo) -> AsyncIterator[Database]:
    """The running demo's database, from beside it."""
    db = Database(f"sqlite:///{demo.folder / 'crisisbridge.db'}")
    await db.start()
    try:
        yield db
    finally:
        await db.close()


async def session(
    db: Database, key: str, ago: float, unit: cast.Unit = cast.UNIT_12, **more: Any
) -> SessionRow:
    """A session that was pressed so many seconds ago, closed unless `more` says otherwise."""
    pressed = time.time() - ago
    times = {"accepted_at": pressed + 8, "media_at": pressed + 9, "ended_at": pressed + 600,
             "closed_at": pressed + 700}  # fmt: skip
    changes = {**CLOSED, **times, **more}
    code = changes.pop("code", "482913")

    async def write(conn: AsyncConnection) -> SessionRow:
        new = NewSession(
            code=code, press_key=f"seed-{key}", agency_id=cast.AGENCY_ID,
            provider_id=cast.PROVIDER_ID, program_id=cast.PROGRAM_ID, tablet_id=unit.id,
            shift_id=None, officer_id=cast.SAM.id,
        )  # fmt: skip
        row, _ = await sessions.create(conn, new, pressed)
        event = Event("session.intake", "system", None, {"tiles": []})
        return await sessions.apply(conn, row, changes, [event], pressed)

    return await db.write(write)


async def miss(db: Database, row: SessionRow, kind: str) -> None:
    new = [NewMiss(row.id, kind, row.pressed_at + 60, row.pressed_at)]
    await db.write(lambda conn: near_misses.open_all(conn, new, time.time()))


async def gap(db: Database, row: SessionRow, kind: str) -> None:
    new = [NewGap(row.id, kind)]
    await db.write(lambda conn: care_gaps.open_all(conn, new, time.time()))


async def person(demo: Demo, db: Database, row: SessionRow, name: str, born: str) -> None:
    """Who a session was about, as its clinician wrote it."""
    vault = Vault.from_key_file(demo.folder / "records.key", create=False)
    typed = Identity(name, born)

    async def write(conn: AsyncConnection) -> None:
        await vault.check(conn)
        await identities.save(conn, vault, row, 0, typed, cast.DANA.id, time.time())

    await db.write(write)


async def now(db: Database, row: SessionRow, **changes: Any) -> SessionRow:
    """The session after a change, whatever the demo has done with it meanwhile."""

    async def write(conn: AsyncConnection) -> SessionRow:
        found = await sessions.get(conn, row.id)
        assert found is not None
        return await sessions.apply(
            conn, found, changes, [Event("session.closed", "system", None, {})], time.time()
        )

    return await db.write(write)
