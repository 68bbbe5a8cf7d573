"""The manager's session log: pages by key, and the four numbers.

Everything is limited by a Scope that the caller's rights gave; nothing here decides about rights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, Table, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from records import log_filters
from records.errors import BadInput
from records.log_filters import Key, LogFilter
from records.schema import session
from records.sessions import SessionRow, row_of
from records.states import OPEN

__all__ = ["LogFilter", "LogPage", "Scope", "board", "page", "within"]

MOST_ROWS = 200


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose sessions: those of any of these programs, agencies or providers; or `everything`.

    Of these, `only_agency` and `only_provider` leave the sessions of one.
    """

    programs: frozenset[str] = frozenset()
    agencies: frozenset[str] = frozenset()
    providers: frozenset[str] = frozenset()
    everything: bool = False
    only_agency: str | None = None
    only_provider: str | None = None


@dataclass(frozen=True, slots=True)
class LogPage:
    rows: tuple[SessionRow, ...]
    after: str | None  # the key of the next page; None at the end


@dataclass(frozen=True, slots=True)
class Board:
    """The numbers of now."""

    waiting: int
    oldest_pressed_at: float | None
    in_call: int
    wrap_up: int


def within(scope: Scope, table: Table = session) -> ColumnElement[bool]:
    """The sessions of a scope, or what is summed up of them in another table. Those in which an
    officer called for themselves are their provider's alone: a program and an agency are the
    officer's employer, or work for it."""
    columns = table.c
    if scope.everything:
        return columns.program_id.is_not(None)
    employers = or_(columns.program_id.in_(scope.programs), columns.agency_id.in_(scope.agencies))
    if "wellness" in columns:  # elsewhere they are not counted at all
        employers = and_(employers, columns.wellness.is_(False))
    reached = or_(
        employers,
        columns.provider_id.in_(scope.providers),
    )
    for column, only in (
        (columns.agency_id, scope.only_agency),
        (columns.provider_id, scope.only_provider),
    ):
        if only is not None:
            reached = and_(reached, column == only)
    return reached


def _key(row: SessionRow) -> str:
    return f"{row.pressed_at!r}~{row.id}"


def _after(key: str) -> Key:
    pressed, separator, session_id = key.partition("~")
    try:
        at = float(pressed)
    except ValueError:
        at = math.nan
    if not separator or not math.isfinite(at):
        raise BadInput("This page link is not valid. Start from the first page.")
    return at, session_id


def statement(
    scope: Scope, wanted: LogFilter, after: Key | None, limit: int
) -> Select[tuple[object, ...]]:
    """The newest sessions of a scope and filter, older than `after`."""
    found = log_filters.keys(wanted, within(scope), after, limit)
    query = select(session).order_by(session.c.pressed_at.desc(), session.c.id.desc()).limit(limit)
    if found is None:
        return query.where(
            within(scope), *log_filters.conditions(wanted), *log_filters.beyond(after)
        )
    those = found.subquery("those")
    return query.join(those, those.c.id == session.c.id)


async def page(
    conn: AsyncConnection, scope: Scope, wanted: LogFilter, after: str | None, limit: int = 50
) -> LogPage:
    """One page of the log, newest first. Raises BadInput for a page key that we did not make."""
    limit = max(1, min(limit, MOST_ROWS))
    key = None if after is None else _after(after)
    found = await conn.execute(statement(scope, wanted, key, limit + 1))
    rows = [row_of(row) for row in found]
    more = len(rows) > limit
    rows = rows[:limit]
    return LogPage(rows=tuple(rows), after=_key(rows[-1]) if more else None)


async def board(conn: AsyncConnection, scope: Scope) -> Board:
    """Waiting now and the longest, in call, in wrap-up."""
    counted = {
        row.state: (int(row.total), row.oldest)
        for row in await conn.execute(
            select(
                session.c.state,
                func.count().label("total"),
                func.min(session.c.pressed_at).label("oldest"),
            )
            .where(within(scope), OPEN, session.c.test.is_(False))
            .group_by(session.c.state)
        )
    }

    def count(*states: str) -> int:
        return sum(counted[state][0] for state in states if state in counted)

    return Board(
        waiting=count("waiting"),
        oldest_pressed_at=counted["waiting"][1] if "waiting" in counted else None,
        in_call=count("answering", "connected", "recovering"),
        wrap_up=count("wrap_up"),
    )
