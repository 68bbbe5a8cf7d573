"""Guarded exports of the log as CSV: a row a session, a row a follow-up."""

from __future__ import annotations

from collections.abc import AsyncIterator

from auth.access import audited, scope_of
from auth.actors import Actor
from auth.policy import Action
from records import directory, exports
from records.directory import Directory
from records.engine import Database
from records.export_columns import FOLLOWUPS, SESSIONS, Label, Names
from records.log import LogFilter, Scope


async def export_log(
    db: Database,
    actor: Actor,
    chosen: LogFilter,
    now: float,
    *,
    label: Label,
    names: bool = False,
    table: str = SESSIONS.name,
) -> AsyncIterator[str]:
    """The log as CSV, in pieces; with `names` of people, and dispatch's numbers, only by right.

    `label` gives the words for a column's code. Permission is asked and the export is on record
    before the first piece. Await this, then iterate over what it gives. Raises Forbidden,
    AuditFailed.
    """
    action = Action.LOG_EXPORT_NAMES if names else Action.LOG_EXPORT
    scope = await scope_of(db, actor, action, now)
    await audited(db, actor, action, "followup" if table == FOLLOWUPS.name else "log", None, now)
    return _pieces(db, scope, chosen, now, label, names=names, table=table)


async def _pieces(
    db: Database,
    scope: Scope,
    chosen: LogFilter,
    now: float,
    label: Label,
    *,
    names: bool,
    table: str,
) -> AsyncIterator[str]:
    async with db.read() as conn:
        known = _names(await directory.read(conn), people=names)
        rows = (
            exports.followups_csv(conn, scope, chosen, known, label, now)
            if table == FOLLOWUPS.name
            else exports.sessions_csv(conn, scope, chosen, known, label)
        )
        async for piece in rows:
            yield piece


def _names(who: Directory, *, people: bool) -> Names:
    return Names(
        agencies={one.id: one.name for one in who.agencies.values()},
        providers={one.id: one.name for one in who.providers.values()},
        people={one.id: one.name for one in who.people.values()} if people else {},
        homes={one.id: (one.county, one.state) for one in who.agencies.values()},
        units={one.id: one.label for one in who.tablets.values()},
    )
