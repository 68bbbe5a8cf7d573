"""The manager's session log: pages by key, and the four numbers.

Everything is limited by a Scope that the caller's rights gave; nothing here decides about rights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Table, and_, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from records.errors import BadInput
from records.schema import OPEN_STATES, session
from records.sessions import SessionRow, row_of

MOST_ROWS = 200


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose sessions: those of any of these programs, agencies or providers; or `everything`."""

    programs: frozenset[str] = frozenset()
    agencies: frozenset[str] = frozenset()
    providers: frozenset[str] = frozenset()
    everything: bool = False


@dataclass(frozen=True, slots=True)
class LogFilter:
    """What to show; None means all."""

    pressed_from: float | None = None
    pressed_until: float | None = None
    agency_id: str | None = None
    state: str | None = None
    recommended: str | None = None
    actual: str | None = None
    code: str | None = None
    tests: bool = False


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
    return or_(
        and_(employers, columns.wellness.is_(False)),
        columns.provider_id.in_(scope.providers),
    )


def _conditions(scope: Scope, wanted: LogFilter) -> list[ColumnElement[bool]]:
    conditions = [within(scope)]
    if not wanted.tests:
        conditions.append(session.c.test.is_(False))
    if wanted.pressed_from is not None:
        conditions.append(session.c.pressed_at >= wanted.pressed_from)
    if wanted.pressed_until is not None:
        conditions.append(session.c.pressed_at < wanted.pressed_until)
    for column, value in (
        (session.c.agency_id, wanted.agency_id),
        (session.c.state, wanted.state),
        (session.c.recommended_disposition, wanted.recommended),
        (session.c.actual_disposition, wanted.actual),
        (session.c.code, wanted.code),
    ):
        if value is not None:
            conditions.append(column == value)
    return conditions


def _key(row: SessionRow) -> str:
    return f"{row.pressed_at!r}~{row.id}"


def _after(key: str) -> ColumnElement[bool]:
    pressed, separator, session_id = key.partition("~")
    try:
        at = float(pressed)
    except ValueError:
        at = math.nan
    if not separator or not math.isfinite(at):
        raise BadInput("This page link is not valid. Start from the first page.")
    return tuple_(session.c.pressed_at, session.c.id) < tuple_(at, session_id)


async def page(
    conn: AsyncConnection, scope: Scope, wanted: LogFilter, after: str | None, limit: int = 50
) -> LogPage:
    """One page of the log, newest first. Raises BadInput for a page key that we did not make."""
    limit = max(1, min(limit, MOST_ROWS))
    conditions = _conditions(scope, wanted)
    if after is not None:
        conditions.append(_after(after))
    found = await conn.execute(
        select(session)
        .where(*conditions)
        .order_by(session.c.pressed_at.desc(), session.c.id.desc())
        .limit(limit + 1)
    )
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
            .where(within(scope), session.c.state.in_(OPEN_STATES), session.c.test.is_(False))
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
