"""How long clinicians were on the roster, where a report is of all that they do."""

from __future__ import annotations

from auth.reporting import Chosen, Report
from records import directory
from records.engine import Database
from signaling.staffing import staffed_seconds


async def staffed_of(db: Database, report: Report, chosen: Chosen, now: float) -> float | None:
    """Seconds on the roster; None where these are a part only of what its clinicians do."""
    if (chosen.agencies, chosen.place, chosen.funding) != (None, None, None):
        return None
    until = min(chosen.until, now)
    if until <= chosen.since:
        return 0.0
    async with db.read() as conn:
        who = await directory.read(conn)
        scope = report.scope
        providers = {
            one.provider_id
            for one in who.agencies.values()
            if one.program_id in scope.programs or one.provider_id in scope.providers
        } - {None}
        known = [one for one in providers if one is not None]
        return await staffed_seconds(conn, known, chosen.since, until)
