"""What a tablet says and asks as a device, apart from any session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auth.shifts import officers_of_agency
from records import tablet_reports
from records.tablet_reports import SelfTest, Told
from signaling.errors import TooMany

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


async def keep_report(
    desk: Desk, actor: Actor, _s: Stream, m: wire.TabletReport
) -> dict[str, object]:
    """What the tablet tells of itself; no word of a session, and of no person."""
    told = Told(
        m.browser, m.system, m.build, m.camera, m.microphone, m.storage, m.battery, m.charging
    )
    found = m.test
    test = (
        None
        if found is None
        else SelfTest(found.picture, found.microphone, found.upload, found.heard, found.relay)
    )
    now = desk.now()
    if not await desk.db.write(lambda conn: tablet_reports.save(conn, actor.id, told, test, now)):
        raise TooMany
    return {}
