"""The manager's session log: pages by key, the four numbers, and the CSV export.

Everything is limited by a Scope that the caller's rights gave; nothing here decides about rights.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

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


# --- export ---------------------------------------------------------------------------------------

_TIMES = (
    "pressed_at",
    "alerted_at",
    "accepted_at",
    "media_at",
    "handed_over_at",
    "handed_back_at",
    "recommended_at",
    "acknowledged_at",
    "ended_at",
    "closed_at",
    "disposition_at",
)
_SECONDS = ("brief_seconds", "handed_over_seconds", "debrief_seconds")
_CODES = (
    "state",
    "close_reason",
    "recommended_disposition",
    "actual_disposition",
    "difference_reason",
)

Label = Callable[[str, str], str]  # (column, code) -> words


@dataclass(frozen=True, slots=True)
class Names:
    """Names by id. People's are empty in a de-identified export."""

    agencies: dict[str, str]
    providers: dict[str, str]
    people: dict[str, str]


def csv_header(names: Names) -> list[str]:
    """The columns, in order."""
    people = ["officer", "clinician"] if names.people else []
    coded = [column for code in _CODES for column in (code, f"{code}_label")]
    return [
        "session",
        "code",
        "agency",
        "provider",
        *people,
        *_TIMES,
        "answer_seconds",
        *_SECONDS,
        *coded,
        "intake",
        "voice_only",
        "requeued",
    ]


def csv_row(row: SessionRow, names: Names, label: Label) -> list[str]:
    """One session's cells; unknown is said, never blank."""
    people = []
    if names.people:
        people = [names.people.get(row.officer_id or ""), names.people.get(row.lead_id or "")]
    answer = None if row.media_at is None else f"{row.media_at - row.pressed_at:.3f}"
    coded: list[str | None] = []
    for column in _CODES:
        code = getattr(row, column)
        coded += [code, label(column, code) if code is not None else None]
    cells: list[str | None] = [
        row.id,
        row.code,
        names.agencies.get(row.agency_id),
        names.providers.get(row.provider_id),
        *people,
        *(_iso(getattr(row, column)) for column in _TIMES),
        answer,
        *(f"{getattr(row, column):.3f}" for column in _SECONDS),
        *coded,
        " ".join(row.intake) or "none",
        "yes" if row.voice_only else "no",
        "yes" if row.requeued_at is not None else "no",
    ]
    return ["unknown" if cell in (None, "") else _harmless(str(cell)) for cell in cells]


def _iso(at: float | None) -> str | None:
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _harmless(cell: str) -> str:
    """A spreadsheet must not take a cell for a formula."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else cell


def _lines(rows: Iterable[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


async def export_csv(
    conn: AsyncConnection, scope: Scope, wanted: LogFilter, names: Names, label: Label
) -> AsyncIterator[str]:
    """The log as CSV, a piece at a time: memory stays flat however long it is."""
    yield "\ufeff" + _lines([csv_header(names)])
    after: str | None = None
    while True:
        found = await page(conn, scope, wanted, after, MOST_ROWS)
        if found.rows:
            yield _lines(csv_row(row, names, label) for row in found.rows)
        after = found.after
        if after is None:
            return
