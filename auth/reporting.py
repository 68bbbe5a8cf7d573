"""Guarded reports: counts over many sessions, within the reader's reach, with an audit entry."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from auth.access import audited, scope_of
from auth.actors import Actor
from auth.policy import Action
from records import directory, medication, reports
from records.catchments import Place
from records.engine import Database
from records.identity_rules import SPANS
from records.log import Scope
from records.measures import Rate
from records.reports import Wanted
from records.tally import Tally


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a report is asked of; None: all within reach."""

    since: float
    until: float
    agencies: frozenset[str] | None = None
    place: Place | None = None
    funding: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All counts of one span."""

    tally: Tally
    before: Tally  # of the same length of time before it
    repeats: Mapping[int, Rate]  # by days: persons seen again within them, of all known persons
    scope: Scope
    # by outcome, of months that lie in the span; None: not told by place or by who pays, as those
    # would be more and smaller numbers
    medication: Mapping[str, int] | None = None


async def read(db: Database, actor: Actor, chosen: Chosen, now: float) -> Report:
    """The counts of sessions pressed in [since, until). Raises Forbidden, AuditFailed."""
    scope = await scope_of(db, actor, Action.REPORT_READ, now)
    report = await counted(db, scope, chosen, now)
    await audited(db, actor, Action.REPORT_READ, "report", None, now)
    return report


async def counted(db: Database, scope: Scope, chosen: Chosen, now: float) -> Report:
    """The same for whoever has proved the scope: the server's own loop for a manager's plan."""
    async with db.read() as conn:
        await reports.steady(conn)
        wanted = Wanted(
            scope, chosen.since, chosen.until, chosen.agencies, chosen.place,
            await _at_home(conn, chosen.place), chosen.funding,
        )  # fmt: skip
        earlier = replace(wanted, since=2 * wanted.since - wanted.until, until=wanted.since)
        found = await reports.total(conn, wanted, now)
        before = await reports.total(conn, earlier, now)
        told = (
            await medication.total(conn, scope, chosen.since, chosen.until, chosen.agencies)
            if chosen.place is None and chosen.funding is None
            else None
        )
    again = await asyncio.to_thread(found.repeats, SPANS)
    return Report(tally=found, before=before, repeats=again, scope=scope, medication=told)


async def _at_home(conn: AsyncConnection, place: Place | None) -> frozenset[str]:
    if place is None:
        return frozenset()
    who = await directory.read(conn)
    return frozenset(one.id for one in who.agencies.values() if one.home == place)
