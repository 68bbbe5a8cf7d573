"""A consent that the clinician has put on the tablet, until it is signed, refused or called off.

One at a time for a session: one thing on the page of somebody in a crisis. It holds codes only.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from records.consent_rules import DECIDE, PURPOSES, VERSION
from records.errors import BadInput
from records.ids import new_id
from records.schema_consents import consent_ask as table

LANGUAGES = ("en", "es")


@dataclass(frozen=True, slots=True)
class Ask:
    """What waits for a signature; `epoch`: it is over with the assignment it was asked in."""

    id: str
    epoch: int
    participant: str
    purpose: str
    language: str
    wording: str
    asked_by: str
    asked_at: float


async def of_session(conn: AsyncConnection, session_id: str, epoch: int) -> Ask | None:
    """What waits in this assignment."""
    columns = [one for one in table.c if one.name != "session_id"]
    found = await conn.execute(
        select(*columns).where(table.c.session_id == session_id, table.c.epoch == epoch)
    )
    row = found.one_or_none()
    return Ask(**row._mapping) if row is not None else None


async def put(
    conn: AsyncConnection,
    session_id: str,
    epoch: int,
    participant: str,
    purpose: str,
    language: str,
    by: str,
    now: float,
) -> Ask:
    """Put it there, in place of what waited before. Raises BadInput for codes that are unknown."""
    if participant not in DECIDE or purpose not in PURPOSES or language not in LANGUAGES:
        raise BadInput
    one = Ask(new_id("ask"), epoch, participant, purpose, language, VERSION, by, now)
    await drop(conn, session_id)
    await conn.execute(
        insert(table).values(
            session_id=session_id, id=one.id, epoch=epoch, participant=participant,
            purpose=purpose, language=language, wording=one.wording, asked_by=by, asked_at=now,
        )
    )  # fmt: skip
    return one


async def drop(conn: AsyncConnection, session_id: str) -> bool:
    """Take it away; False when nothing was there."""
    done = await conn.execute(delete(table).where(table.c.session_id == session_id))
    return bool(done.rowcount)
