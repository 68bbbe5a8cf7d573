"""Commands about guests: the lead's link, taking it back, and a guest's coming and going."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from auth import guests
from auth.audit import record
from auth.policy import Action, allows
from records import guest_links, parties
from records.sessions import SessionRow
from signaling import guest_wire
from signaling.errors import (
    CallFull,
    IllegalTransition,
    NoSuchSession,
    NotYours,
    TooManyLinks,
)
from signaling.parties import Mode, Role
from signaling.scope import by, leads, target, visits
from signaling.session import LIVE, Step, TimelineEvent

if TYPE_CHECKING:
    from auth.actors import Actor
    from signaling.desk import Desk
    from signaling.hub import Stream

MODES = {Role.INTERPRETER: {Mode.SPEAK}, Role.SUPERVISOR: {Mode.LISTEN, Mode.WHISPER}}


async def invite(
    desk: Desk, actor: Actor, _s: Stream, m: guest_wire.GuestInvite
) -> dict[str, object]:
    """A link for one guest. Its secret leaves the server in this answer and never again."""
    secret = guests.fresh_secret()
    made: list[guest_links.GuestLinkRow] = []

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step:
        made.clear()
        leads(actor, row, m.epoch)
        if row.state not in LIVE or row.test:
            raise IllegalTransition(row.state, "GuestInvite")
        if not allows(actor, Action.SESSION_INVITE, target(row)):
            raise NoSuchSession
        link = await guest_links.add(
            conn,
            row.id,
            role=m.role,
            token_hash=guests.digest(secret),
            created_by=actor.id,
            now=now,
            seconds=guests.LINK_SECONDS,
        )
        if link is None:
            raise TooManyLinks
        made.append(link)
        await record(conn, actor, "guest.invite", "guest_link", link.id, "allowed", now)
        before = desk.machine(row)
        told: dict[str, object] = {"role": m.role, "link": link.id}
        return Step(before, before, (TimelineEvent("guest.invited", told),))

    await desk.change(m.session, decide, by(actor))
    link = made[0]
    return {"link": link.id, "path": f"/join#{secret}", "expires_at": link.expires_at}


async def revoke(
    desk: Desk, actor: Actor, _s: Stream, m: guest_wire.GuestRevoke
) -> dict[str, object]:
    """The link is worth nothing from now on, and its guest is out."""

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step | None:
        leads(actor, row, m.epoch)
        link = await guest_links.get(conn, m.link)
        if link is None or link.session_id != row.id:
            raise NoSuchSession
        if not await guest_links.revoke(conn, link.id, now):
            return None
        await record(conn, actor, "guest.revoke", "guest_link", link.id, "allowed", now)
        before = desk.machine(row)
        told: dict[str, object] = {"role": link.role, "link": link.id}
        return Step(before, before, (TimelineEvent("guest.revoked", told),))

    await desk.change(m.session, decide, by(actor))
    async with desk.db.read() as conn:
        place = await parties.by_link(conn, m.link)
    if place is not None:
        await desk.company.put_out(m.session, place, "put_out")
    await desk.dismiss_actor(m.link, "revoked")
    return {}


async def join(desk: Desk, actor: Actor, _s: Stream, m: guest_wire.GuestJoin) -> dict[str, object]:
    """The guest sits down at the side of the call; everybody in it reads who has come."""
    role, mode = Role(actor.guest_role or ""), Mode(m.mode)
    if mode not in MODES[role]:
        raise NotYours

    async def decide(conn: AsyncConnection, row: SessionRow, now: float) -> Step | None:
        visits(actor, row)
        link = await guest_links.get(conn, actor.id)
        if row.state not in LIVE:
            raise IllegalTransition(row.state, "GuestJoin")
        if link is None or link.revoked_at is not None:
            raise NoSuchSession
        before = desk.machine(row)
        told: dict[str, object] = {"role": str(role), "mode": str(mode), "link": actor.id}
        place = await parties.by_link(conn, actor.id)
        if place is not None:
            if place.mode == mode or not await parties.set_mode(conn, place.id, mode):
                return None
            return Step(before, before, (TimelineEvent("party.mode", told),))
        made = await parties.join(
            conn,
            row.id,
            role=role,
            mode=mode,
            person_id=None,
            guest_link_id=actor.id,
            epoch=row.epoch,
            now=now,
        )
        if made is None:
            raise CallFull
        await record(conn, actor, "guest.join", "session", row.id, "allowed", now)
        return Step(before, before, (TimelineEvent("party.joined", told),))

    row = await desk.change(_call(actor), decide, by(actor))
    await desk.company.arrange(row)
    return {"session": row.id, "epoch": row.epoch}


async def leave(
    desk: Desk, actor: Actor, _s: Stream, _m: guest_wire.GuestLeave
) -> dict[str, object]:
    """The guest goes; their link still lets this device in while the call goes on."""
    async with desk.db.read() as conn:
        place = await parties.by_link(conn, actor.id)
    if place is not None:
        await desk.company.put_out(place.session_id, place, "left")
    return {}


def _call(actor: Actor) -> str:
    if actor.session_id is None:
        raise NoSuchSession
    return actor.session_id
