"""Who a session was about: written during the call or later, joined to other sessions by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from auth.access import target_of
from auth.audit import record
from auth.policy import Action, allows
from records import followups, identities, sessions
from records.identities import IdentityRow
from records.identity_rules import Identity
from records.sessions import SessionRow
from signaling import wire
from signaling.errors import NoSuchSession
from signaling.scope import by
from signaling.session import Step, TimelineEvent

if TYPE_CHECKING:
    from auth.actors import Actor
    from signaling.desk import Desk
    from signaling.hub import Stream


async def save_by_page(
    desk: Desk, actor: Actor, _s: Stream, m: wire.PersonSave
) -> dict[str, object]:
    """Autosave from the console. A stale revision is refused with what is stored."""
    saved = await save(desk, actor, m.session, m.rev, Identity(m.name, m.born, m.alias))
    return {"rev": saved.rev, "updated_at": saved.updated_at}


async def save(desk: Desk, actor: Actor, session_id: str, rev: int, typed: Identity) -> IdentityRow:
    """Keep what is known. Raises NoSuchSession, BadInput, Conflict."""
    saved: list[IdentityRow] = []

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        await _may(conn, actor, row)
        saved[:] = [await identities.save(conn, desk.vault, row, rev, typed, actor.id, now)]
        await record(conn, actor, Action.PERSON_WRITE, "session", row.id, "allowed", now)
        first = (TimelineEvent("person.told"),) if rev == 0 else ()
        return _same(desk, row, first)

    await desk.change(session_id, decide, by(actor))
    return saved[0]


async def join(
    desk: Desk, actor: Actor, session_id: str, other_id: str, reason: str, revs: tuple[int, int]
) -> None:
    """Join this session's person to that of the other one, as a human who compared them says.

    `revs`: of what was compared. Raises NoSuchSession, NotFound, BadInput, Conflict.
    """

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        await _may(conn, actor, row)
        other = await sessions.get(conn, other_id)
        if other is None or other.id == row.id:
            raise NoSuchSession
        await _may(conn, actor, other)
        await identities.join(conn, row.id, other.id, reason, revs, actor.id, now)
        for one in (row.id, other.id):
            await record(conn, actor, "person.join", "session", one, "allowed", now)
        return _same(desk, row, (TimelineEvent("person.joined"),))

    await desk.change(session_id, decide, by(actor), beside={other_id})


async def take_apart(desk: Desk, actor: Actor, session_id: str, merge_id: str) -> None:
    """Undo a join. Raises NoSuchSession, NotFound."""

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        await _may(conn, actor, row)
        await identities.take_apart(conn, row.id, merge_id, actor.id, now)
        await record(conn, actor, "person.apart", "session", row.id, "allowed", now)
        return _same(desk, row, (TimelineEvent("person.apart"),))

    await desk.change(session_id, decide, by(actor))


def _same(desk: Desk, row: SessionRow, events: tuple[TimelineEvent, ...]) -> Step:
    before = desk.machine(row)
    return Step(before, before, events)


async def _may(conn: AsyncConnection, actor: Actor, row: SessionRow) -> None:
    target = target_of(row, await followups.owners(conn, row.id))
    if not allows(actor, Action.PERSON_WRITE, target):
        raise NoSuchSession
