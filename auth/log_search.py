"""Guarded search of the log: what somebody typed becomes ids, so that no name stands in an address.

A session's spoken code and a unit's label are open to whoever lists sessions. Officers' names and
the numbers of dispatch are searched by those only who may take names out of the log.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from auth.access import audited, scope_of
from auth.actors import Actor
from auth.policy import Action, Target, allows, reach
from records import case_numbers, directory, log
from records.directory import Agency, Directory
from records.engine import Database
from records.log_filters import Found, LogFilter

MOST: Final = 20  # of each kind; whoever finds more has typed too little
LONGEST: Final = 60
_CODE = 6


@dataclass(frozen=True, slots=True)
class Hits:
    """A spoken code, or whatever is called so. Both empty: nothing is."""

    code: str | None = None
    found: Found | None = None


async def find(db: Database, actor: Actor, typed: str, now: float) -> Hits:
    """What is called as somebody typed. Raises Forbidden, AuditFailed."""
    await scope_of(db, actor, Action.LOG_READ, now)
    words = " ".join(typed.split())[:LONGEST].casefold()
    digits = words.replace(" ", "")
    if not words:
        return Hits()
    async with db.read() as conn:
        who = await directory.read(conn)
        named = _agencies(who, actor, Action.LOG_EXPORT_NAMES)
        cases = await _cases(conn, actor, typed) if named else []
    await audited(db, actor, Action.LOG_READ, "log", None, now)
    here = _agencies(who, actor, Action.LOG_READ)
    found = Found(
        tablets=_some(one.id for one in who.tablets.values() if one.agency_id in here
                      and words in one.label.casefold()),
        officers=_some(one.id for one in who.people.values() if one.agency_id in named
                       and "officer" in one.roles
                       and all(word in one.name.casefold() for word in words.split())),
        sessions=_some(cases),
    )  # fmt: skip
    if found == Found():
        is_code = len(digits) == _CODE and digits.isascii() and digits.isdigit()
        return Hits(code=digits) if is_code else Hits()
    return Hits(found=found)


async def _cases(conn: AsyncConnection, actor: Actor, typed: str) -> list[str]:
    """The actor's own sessions that dispatch knows by this number."""
    ids = await case_numbers.sessions_of(conn, typed)
    if not ids:
        return []
    programs, providers = reach(actor, Action.LOG_EXPORT_NAMES)
    wanted = LogFilter(found=Found(sessions=tuple(ids)), tests=True)
    page = await log.page(conn, log.Scope(programs=programs, providers=providers), wanted, None)
    return [row.id for row in page.rows]


def readable(who: Directory, actor: Actor, found: Found) -> bool:
    """Whether all of this is the actor's to search by."""
    named = _agencies(who, actor, Action.LOG_EXPORT_NAMES)
    here = _agencies(who, actor, Action.LOG_READ)
    tablets = [who.tablets.get(one) for one in found.tablets]
    officers = [who.people.get(one) for one in found.officers]
    return (
        all(one is not None and one.agency_id in here for one in tablets)
        and all(one is not None and one.agency_id in named for one in officers)
        and (bool(named) or not found.sessions)
    )


def _agencies(who: Directory, actor: Actor, action: Action) -> set[str]:
    def may(one: Agency) -> bool:
        return allows(actor, action, Target(one.id, one.provider_id, one.program_id))

    return {one.id for one in who.agencies.values() if may(one)}


def _some(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(ids)[:MOST])
