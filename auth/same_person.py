"""Two sessions side by side, for whoever must say whether they were about one person.

Names are opened of both, so both are on record as read before anything is shown.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit
from auth.access import person_of, record_refusal, target_of
from auth.actors import Actor
from auth.policy import Action, allows
from auth.shapes import PersonRecord
from records import directory, followups, sessions
from records.crypto import Vault
from records.directory import Directory
from records.engine import Database
from records.errors import BadInput, NotFound
from records.sessions import SessionRow


@dataclass(frozen=True, slots=True)
class Side:
    """One session and who it was about."""

    row: SessionRow
    agency: str
    timezone: str
    clinician: str | None
    person: PersonRecord


@dataclass(frozen=True, slots=True)
class Pair:
    ours: Side
    theirs: Side

    @property
    def one_already(self) -> bool:
        return self.ours.person.subject_id == self.theirs.person.subject_id


async def find(db: Database, actor: Actor, session_id: str, code: str, now: float) -> str:
    """The id of the provider's newest other session with this code.

    Raises BadInput where there is none, NoSuchRecord where the actor may not write in both.
    """
    async with db.read() as conn:
        ours = await _mine(conn, actor, session_id)
        theirs = await sessions.by_code(conn, ours.provider_id, code) if ours else None
        allowed = ours is not None and (theirs is None or await _may(conn, actor, theirs))
    if ours is None or not allowed:
        raise await record_refusal(db, actor, Action.PERSON_WRITE, "session", session_id, now)
    if theirs is None or theirs.id == ours.id:
        raise BadInput("No other session of your provider has this code.")
    return theirs.id


async def compare(
    db: Database, vault: Vault, actor: Actor, session_id: str, other_id: str, now: float
) -> Pair:
    """Both, opened. Raises NoSuchRecord, NotFound where nothing is written of one, AuditFailed."""
    async with db.read() as conn:
        who = await directory.read(conn)
        ours, theirs = [await _mine(conn, actor, one) for one in (session_id, other_id)]
        pair = None
        if ours is not None and theirs is not None and ours.id != theirs.id:
            sides = [await _side(conn, vault, actor, one, who) for one in (ours, theirs)]
            pair = Pair(*sides) if ours.provider_id == theirs.provider_id else None
    if pair is None:
        raise await record_refusal(db, actor, Action.PERSON_WRITE, "session", session_id, now)

    async def write(conn: AsyncConnection) -> None:
        for one in (pair.ours, pair.theirs):
            action = Action.RECORD_READ_CLINICAL
            await audit.record(conn, actor, action, "session", one.row.id, "allowed", now)

    await db.write(write)
    return pair


async def _side(
    conn: AsyncConnection, vault: Vault, actor: Actor, row: SessionRow, who: Directory
) -> Side:
    person = await person_of(conn, vault, actor, row, who)
    if person is None:
        raise NotFound
    agency, lead = who.agencies[row.agency_id], who.people.get(row.lead_id or "")
    return Side(row, agency.name, agency.timezone, lead.name if lead else None, person)


async def _mine(conn: AsyncConnection, actor: Actor, session_id: str) -> SessionRow | None:
    row = await sessions.get(conn, session_id) if len(session_id) <= 40 else None
    return row if row is not None and await _may(conn, actor, row) else None


async def _may(conn: AsyncConnection, actor: Actor, row: SessionRow) -> bool:
    target = target_of(row, await followups.owners(conn, row.id))
    return row.erased_at is None and all(
        allows(actor, action, target)
        for action in (Action.PERSON_WRITE, Action.RECORD_READ_CLINICAL)
    )
