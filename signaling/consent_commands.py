"""What people agreed to: heard during the call, written down later, revoked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from auth.access import target_of
from auth.audit import record
from auth.policy import Action, allows
from records import consents, followups
from records.consent_rules import GIVEN, PURPOSES, Consent, usual
from records.consents import ConsentRow
from records.errors import Conflict
from records.sessions import SessionRow
from signaling import wire
from signaling.errors import NoSuchSession, UnknownCode
from signaling.scope import by
from signaling.session import Step, TimelineEvent

if TYPE_CHECKING:
    from auth.actors import Actor
    from signaling.desk import Desk
    from signaling.hub import Stream

SAID = TimelineEvent("consent.said")  # by whom, never for what
REVOKED = TimelineEvent("consent.revoked")


async def save_by_page(
    desk: Desk, actor: Actor, _s: Stream, m: wire.ConsentSave
) -> dict[str, object]:
    """Decisions that were just heard, with the usual recipients, scope and end of each purpose."""
    if not {one.purpose for one in m.said} <= set(PURPOSES):
        raise UnknownCode

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        await _may(conn, actor, row)
        before = await consents.of_session(conn, desk.vault, row.id)
        if len(before) != m.rev:
            raise Conflict({"rev": len(before), "said": consents.newest(before, now)})
        for one in m.said:
            giver = m.giver if one.participant == "guardian" else ""
            said = Consent(
                one.participant, one.purpose, one.method, now, language=m.language, giver=giver
            )
            if one.method in GIVEN:
                recipients, scope, ends = usual(one.purpose, now)
                said = replace(said, recipients=recipients, scope=scope, expires_at=ends)
            await consents.add(conn, desk.vault, row.id, said, actor.id, now)
        await record(conn, actor, Action.CONSENT_WRITE, "session", row.id, "allowed", now)
        before_step = desk.machine(row)
        return Step(before_step, before_step, (SAID,))

    await desk.change(m.session, decide, by(actor))
    return {"rev": m.rev + len(m.said), "updated_at": desk.now()}


async def add(desk: Desk, actor: Actor, session_id: str, said: Consent) -> ConsentRow:
    """A decision in full, from the session's page. Raises NoSuchSession, BadInput."""
    added: list[ConsentRow] = []

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        await _may(conn, actor, row)
        added[:] = [await consents.add(conn, desk.vault, row.id, said, actor.id, now)]
        await record(conn, actor, Action.CONSENT_WRITE, "session", row.id, "allowed", now)
        before = desk.machine(row)
        return Step(before, before, (SAID,))

    await desk.change(session_id, decide, by(actor))
    return added[0]


async def revoke(desk: Desk, actor: Actor, session_id: str, consent_id: str) -> None:
    """The person took a consent back. Nothing happens to one that was revoked before.

    Raises NoSuchSession, NotFound.
    """

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step | None:
        await _may(conn, actor, row)
        if not await consents.revoke(conn, row.id, consent_id, actor.id, now):
            return None
        await record(conn, actor, Action.CONSENT_WRITE, "session", row.id, "allowed", now)
        before = desk.machine(row)
        return Step(before, before, (REVOKED,))

    await desk.change(session_id, decide, by(actor))


async def _may(conn: AsyncConnection, actor: Actor, row: SessionRow) -> None:
    target = target_of(row, await followups.owners(conn, row.id))
    if not allows(actor, Action.CONSENT_WRITE, target):
        raise NoSuchSession
