"""Guarded reports: counts over many sessions, within the reader's reach, with an audit entry."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from auth.access import audited, scope_of
from auth.actors import Actor
from auth.policy import Action
from records import reports
from records.engine import Database
from records.identity_rules import SPANS, repeats
from records.measures import Outcome, Rate
from records.reports import Marks, Rings, Waits, Wanted


@dataclass(frozen=True, slots=True)
class Report:
    """All counts of one span."""

    outcomes: tuple[Outcome, ...]
    waits: Waits
    arrivals: dict[int, int]  # presses by whole hours since the epoch, UTC
    rings: Rings
    marks: Marks
    repeats: dict[int, Rate]  # by days: persons seen again within them, of all known persons
    followups: Rate
    signed: Rate


async def read(
    db: Database, actor: Actor, since: float, until: float, agency_id: str | None, now: float
) -> Report:
    """The counts of sessions pressed in [since, until). Raises Forbidden, AuditFailed."""
    scope = await scope_of(db, actor, Action.REPORT_READ, now)
    wanted = Wanted(scope, since, until, agency_id)
    async with db.read() as conn:
        report = Report(
            outcomes=tuple(await reports.outcomes(conn, wanted)),
            waits=await reports.waits(conn, wanted),
            arrivals=await reports.arrivals(conn, wanted),
            rings=await reports.rings(conn, wanted),
            marks=await reports.marks(conn, wanted),
            repeats=await _repeats(conn, wanted),
            followups=await reports.done_on_time(conn, wanted, now),
            signed=await reports.signed_in_a_day(conn, wanted, now),
        )
    await audited(db, actor, Action.REPORT_READ, "report", None, now)
    return report


async def _repeats(conn: AsyncConnection, wanted: Wanted) -> dict[int, Rate]:
    visits = await reports.visits(conn, wanted)
    return {days: Rate(*repeats(visits, days)) for days in SPANS}
