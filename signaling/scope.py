"""Whose session is this? The checks that every command on a session goes through."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from auth.actors import Actor
from auth.policy import Action, Target, allows
from records import parties
from records.sessions import SessionRow
from signaling.errors import NoSuchSession, StaleEpoch


def target(row: SessionRow) -> Target:
    """The session as the policy sees it."""
    return Target(
        agency_id=row.agency_id,
        provider_id=row.provider_id,
        program_id=row.program_id,
        lead_id=row.lead_id,
        tablet_id=row.tablet_id,
        session_id=row.id,
        wellness=row.wellness,
    )


def tablet_owns(actor: Actor, row: SessionRow) -> None:
    """Raises NoSuchSession unless this tablet opened the session."""
    if row.tablet_id != actor.id or not allows(actor, Action.SESSION_OPEN, target(row)):
        raise NoSuchSession


def leads(actor: Actor, row: SessionRow, epoch: int) -> None:
    """Raises NoSuchSession for another provider's session, StaleEpoch when it is not mine now."""
    if row.provider_id != actor.provider_id:
        raise NoSuchSession
    if row.lead_id != actor.id or row.epoch != epoch:
        raise StaleEpoch
    if not allows(actor, Action.SESSION_LEAD, target(row)):
        raise NoSuchSession


def takes_part(actor: Actor, row: SessionRow, epoch: int | None = None) -> str:
    """The seat of this actor in the session; raises when there is none."""
    if actor.kind == "tablet":
        tablet_owns(actor, row)
        if epoch is not None and epoch != row.epoch:
            raise StaleEpoch
        return "tablet"
    leads(actor, row, row.epoch if epoch is None else epoch)
    return "clinician"


def visits(actor: Actor, row: SessionRow) -> None:
    """Raises NoSuchSession unless this guest's link is for this call."""
    if not allows(actor, Action.SESSION_VISIT, target(row)):
        raise NoSuchSession


async def seat_of(
    conn: AsyncConnection, actor: Actor, row: SessionRow, epoch: int | None = None
) -> str:
    """The seat of this actor, also at the side of the call; asked anew at every join.

    Raises as `takes_part` for everybody who has none, or has lost it.
    """
    if actor.kind == "guest":
        visits(actor, row)
        place = await parties.by_link(conn, actor.id)
        if place is None or place.session_id != row.id:
            raise NoSuchSession
        return place.seat
    if actor.kind == "person" and row.lead_id != actor.id:
        for one in await parties.sitting(conn, actor.id):
            if one.session_id == row.id and row.provider_id == actor.provider_id:
                return one.seat
    return takes_part(actor, row, epoch)


def by(actor: Actor) -> tuple[str, str | None]:
    """The actor as the timeline names them: a tablet's deeds are its officer's."""
    if actor.kind == "tablet":
        return ("officer", actor.officer_id)
    if actor.kind == "guest":
        return ("guest", None)
    return ("clinician", actor.id)
