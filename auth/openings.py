"""Break-glass: a record that is not one's own, opened for an hour with a reason that is typed.

It gives the right to read and no other. Each opening is on record, the provider's supervisors (and
managers) are alerted, and somebody else looks at it afterwards.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit
from auth.access import record_refusal, scope_of, target_of
from auth.actors import Actor
from auth.errors import NoSuchRecord
from auth.policy import Action, Target, allows, reach
from records import followups, openings
from records.crypto import Vault
from records.engine import Database
from records.openings import OpeningRow


class Opened(NamedTuple):
    """A record that may be read now. `opening_id` None: it was open to them anyway."""

    session_id: str
    provider_id: str
    wellness: bool
    opening_id: str | None


async def open_record(
    db: Database, vault: Vault, actor: Actor, code: str, reason: str, now: float
) -> Opened:
    """Open the provider's newest session with this code to the actor.

    Raises BadInput for a reason that says too little, Forbidden, NoSuchRecord, AuditFailed.
    """
    openings.clean(reason)
    action = Action.RECORD_BREAK_GLASS

    async def work(conn: AsyncConnection) -> Opened | None:
        row = await openings.newest_by_code(conn, actor.provider_id or "", code)
        if row is None or not allows(actor, action, target_of(row)):
            return None
        owners = await followups.owners(conn, row.id)
        if allows(actor, Action.RECORD_READ, target_of(row, owners)):
            return Opened(row.id, row.provider_id, row.wellness, None)
        opening_id = await openings.add(conn, vault, row.id, actor.id, reason, now)
        await audit.record(conn, actor, action, "session", row.id, "allowed", now)
        return Opened(row.id, row.provider_id, row.wellness, opening_id)

    opened = await db.write(work)
    if opened is None:
        raise await record_refusal(db, actor, action, "session", "", now)
    return opened


async def listed(db: Database, vault: Vault, actor: Actor, now: float) -> list[OpeningRow]:
    """The openings that the actor may review. Raises Forbidden, AuditFailed."""
    scope = await scope_of(db, actor, Action.OPENING_REVIEW, now)
    _, clinical = reach(actor, Action.RECORD_READ_CLINICAL)

    async def work(conn: AsyncConnection) -> list[OpeningRow]:
        found = await openings.listed(conn, vault, scope, reasons_of=clinical)
        await audit.record(conn, actor, Action.OPENING_REVIEW, "opening", None, "allowed", now)
        return found

    return await db.write(work)


async def review(db: Database, vault: Vault, actor: Actor, opening_id: str, now: float) -> None:
    """Put down that somebody has looked at it. Raises Forbidden, NoSuchRecord, AuditFailed."""
    known = {one.id: one for one in await listed(db, vault, actor, now)}
    one = known.get(opening_id)
    target = (
        Target()
        if one is None
        else Target(one.agency_id, one.provider_id, one.program_id, wellness=one.wellness)
    )
    if one is None or not allows(actor, Action.OPENING_REVIEW, target):
        raise NoSuchRecord

    async def work(conn: AsyncConnection) -> bool:
        done = await openings.review(conn, opening_id, actor.id, now)
        outcome: audit.Outcome = "allowed" if done else "refused"
        await audit.record(conn, actor, "opening.review", "opening", opening_id, outcome, now)
        return done

    if not await db.write(work):
        raise NoSuchRecord
