"""The few people and things that the tests of the record need."""

from __future__ import annotations

import itertools
from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from records import offers, people, schema, sessions
from records.engine import Database
from records.sessions import Event, NewSession, SessionRow

NOW = 1_790_000_000.0
KEYS = itertools.count(1)
CLINICIANS = ("per_dana", "per_miguel")


async def fill(conn: AsyncConnection) -> None:
    """One agency, provider and program; three tablets; an officer, clinicians and a manager."""
    await people.add(
        conn,
        schema.agency,
        id="agy_1",
        name="Prairie County Sheriff",
        county="Prairie",
        state="SD",
        timezone="America/Chicago",
        regional_line="605-555-0142",
        intake_tiles='["adult","juvenile"]',
    )
    await people.add(
        conn,
        schema.provider,
        id="prv_1",
        name="Plains Crisis Care",
        timezone="America/Chicago",
        bridge_line="605-555-0188",
    )
    await people.add(conn, schema.program, id="prg_1", name="Prairie Virtual Crisis Care")
    await people.add(
        conn, schema.coverage, agency_id="agy_1", provider_id="prv_1", program_id="prg_1"
    )
    for tablet in ("tab_1", "tab_2", "tab_3"):
        await people.add(conn, schema.tablet, id=tablet, agency_id="agy_1", label=f"Unit {tablet}")
    for person, role in (
        ("per_sam", "officer"),
        ("per_dana", "clinician"),
        ("per_miguel", "clinician"),
    ):
        await people.add(
            conn,
            schema.person,
            id=person,
            name=f"{person} Whole",
            short_name=person,
            email=f"{person}@demo.invalid",
            agency_id="agy_1" if role == "officer" else None,
            provider_id="prv_1" if role == "clinician" else None,
        )
        await people.add(conn, schema.role_grant, person_id=person, role=role, granted_at=NOW)
    await people.add(
        conn, schema.shift, id="shf_1", tablet_id="tab_1", person_id="per_sam", started_at=NOW
    )
    await people.add(
        conn,
        schema.roster_entry,
        id="ros_1",
        provider_id="prv_1",
        person_id="per_dana",
        tier=1,
        days=127,
        starts_minute=0,
        ends_minute=0,
        timezone="America/Chicago",
    )


def press(tablet: str = "tab_1", key: str | None = None, **more: Any) -> NewSession:
    """What one press knows."""
    return NewSession(
        code="482913",
        press_key=key or f"press-{next(KEYS):012}",
        agency_id="agy_1",
        provider_id="prv_1",
        program_id="prg_1",
        tablet_id=tablet,
        shift_id="shf_1" if tablet == "tab_1" else None,
        officer_id="per_sam",
        **more,
    )


async def pressed(db: Database, tablet: str = "tab_1", now: float = NOW) -> SessionRow:
    """A waiting session."""
    row, _new = await db.write(lambda conn: sessions.create(conn, press(tablet), now))
    return row


async def changed(
    db: Database, row: SessionRow, now: float = NOW, kind: str = "session.answering", **changes: Any
) -> SessionRow:
    """The session after one change with one event."""
    event = Event(kind, "system", None)
    return await db.write(lambda conn: sessions.apply(conn, row, changes, [event], now))


async def finished(db: Database, tablet: str = "tab_1", now: float = NOW) -> SessionRow:
    """A session that was answered, ended and closed."""
    row = await pressed(db, tablet, now)
    row = await changed(
        db, row, state="connected", lead_id="per_dana", epoch=1, accepted_at=now + 5,
        media_at=now + 7,
    )  # fmt: skip
    return await changed(
        db, row, state="closed", close_reason="completed", ended_at=now + 600, closed_at=now + 900
    )


async def rung(
    db: Database, row: SessionRow, clinician: str = "per_dana", now: float = NOW, name: str = ""
) -> str:
    """An offer that waits for its delivery; its id."""
    offer_id = f"off_{clinician}_{row.id}{name}"[:40]

    async def write(conn: AsyncConnection) -> None:
        await offers.add(
            conn,
            id=offer_id,
            session_id=row.id,
            clinician_id=clinician,
            epoch=row.epoch,
            token="t" * 24,
            sent_at=now,
            deliver_by=now + 3,
            expires_at=now + 20,
        )

    await db.write(write)
    return offer_id


async def put(db: Database, table: Any, **values: Any) -> None:
    """A row by plain SQL, past every rule of the code."""

    async def write(conn: AsyncConnection) -> None:
        await conn.execute(insert(table).values(values))

    await db.write(write)
