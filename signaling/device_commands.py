"""What a tablet says and asks as a device, apart from any session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auth.shifts import officers_of_agency

if TYPE_CHECKING:
    from auth.actors import Actor
    from signaling import wire
    from signaling.desk import Desk
    from signaling.hub import Stream


async def list_officers(
    desk: Desk, actor: Actor, _s: Stream, _m: wire.ShiftOfficers
) -> dict[str, object]:
    """Who may check this tablet out: names that only a proven device of the agency reads."""
    async with desk.db.read() as conn:
        officers = await officers_of_agency(conn, actor.agency_id or "")
    return {"officers": [{"id": one.id, "name": one.name} for one in officers]}
