"""Near misses: opened once for each session and kind, closed with a note, opened again if need be.

What counts as one is `records.near_miss_rules` (pure). Lists are limited by a Scope that the
caller's rights gave. Notes may hold clinical words and are sealed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, func, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from records.crypto import Vault
from records.errors import BadInput, Conflict
from records.ids import new_id
from records.log import Scope, within
from records.near_miss_rules import KINDS, Event, Facts, found
from records.schema import offer, session, timeline
from records.schema_misses import near_miss, near_miss_note
from records.sessions import SessionRow

MOST_ROWS: Final = 200
MOST_COUNTED: Final = 100  # more open ones than this are "99+"
LONGEST_NOTE: Final = 2000
MOST_NOTES: Final = 100  # of one near miss

LastLevel = Callable[[str], int]  # provider -> after so many steps its ladder is used up


@dataclass(frozen=True, slots=True)
class NewMiss:
    session_id: str
    kind: str
    at: float
    pressed_at: float


@dataclass(frozen=True, slots=True)
class MissRow:
    """One near miss with as much of its session as a list shows."""

    id: str
    session_id: str
    kind: str
    at: float
    rev: int
    closed_at: float | None
    closed_by: str | None
    code: str
    agency_id: str
    provider_id: str
    program_id: str
    tablet_id: str
    lead_id: str | None
    wellness: bool


@dataclass(frozen=True, slots=True)
class MissFilter:
    """What to show; None means all."""

    closed: bool | None = False
    kind: str | None = None
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True)
class MissPage:
    rows: tuple[MissRow, ...]
    after: str | None


@dataclass(frozen=True, slots=True)
class Note:
    """What was done about one: closed or opened again. `note` None: not for this reader."""

    no: int
    at: float
    by_id: str
    act: str
    side: str
    note: str | None


# --- finding them ---------------------------------------------------------------------------------


async def of_sessions(
    conn: AsyncConnection, rows: Sequence[SessionRow], last_level: LastLevel
) -> list[NewMiss]:
    """The near misses of closed sessions, by the rules; known ones too. Test calls have none."""
    rows = [row for row in rows if not row.test and row.closed_at is not None]
    events = await _events(conn, [row.id for row in rows])
    relaxed = await _relaxed(conn, [row.id for row in rows])
    return [
        NewMiss(row.id, kind, at, row.pressed_at)
        for row in rows
        for kind, at in found(
            Facts(
                pressed_at=row.pressed_at,
                accepted_at=row.accepted_at,
                media_at=row.media_at,
                ended_at=row.ended_at or row.closed_at or row.pressed_at,
                close_reason=row.close_reason or "",
                level=row.level,
                last_level=last_level(row.provider_id),
                relaxed=relaxed.get(row.id, frozenset()),
                events=events.get(row.id, ()),
            )
        ).items()
    ]


async def _events(conn: AsyncConnection, ids: Sequence[str]) -> Mapping[str, list[Event]]:
    lines: dict[str, list[Event]] = {}
    if not ids:
        return lines
    rows = await conn.execute(
        select(timeline.c.session_id, timeline.c.at, timeline.c.kind, timeline.c.data)
        .where(timeline.c.session_id.in_(ids), timeline.c.kind.in_(sorted(KINDS)))
        .order_by(timeline.c.session_id, timeline.c.no)
    )
    for row in rows:
        lines.setdefault(row.session_id, []).append(Event(row.at, row.kind, json.loads(row.data)))
    return lines


async def _relaxed(conn: AsyncConnection, ids: Sequence[str]) -> Mapping[str, frozenset[str]]:
    """In what those who answered were not what was asked for."""
    if not ids:
        return {}
    rows = await conn.execute(
        select(offer.c.session_id, offer.c.relaxed).where(
            offer.c.session_id.in_(ids), offer.c.state == "accepted", offer.c.purpose == "answer"
        )
    )
    steps: dict[str, frozenset[str]] = {}
    for row in rows:
        here = frozenset(step for step, _ in json.loads(row.relaxed))
        steps[row.session_id] = steps.get(row.session_id, frozenset()) | here
    return steps


async def missing(conn: AsyncConnection, new: Sequence[NewMiss]) -> list[NewMiss]:
    """Those of them that are not on record yet."""
    ids = sorted({one.session_id for one in new})
    if not ids:
        return []
    rows = await conn.execute(
        select(near_miss.c.session_id, near_miss.c.kind).where(near_miss.c.session_id.in_(ids))
    )
    known = {(row.session_id, row.kind) for row in rows}
    return [one for one in new if (one.session_id, one.kind) not in known]


async def open_all(conn: AsyncConnection, new: Sequence[NewMiss], now: float) -> None:
    """Put them on record; one that is there already stays as it is, open or closed."""
    if not new:
        return
    dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
    await conn.execute(
        dialect.insert(near_miss).on_conflict_do_nothing(),
        [
            {
                "id": new_id("nms"), "session_id": one.session_id, "kind": one.kind, "at": one.at,
                "pressed_at": one.pressed_at, "opened_at": now,
            }
            for one in new
        ],
    )  # fmt: skip


# --- reading them ---------------------------------------------------------------------------------

_COLUMNS = (
    near_miss.c.id, near_miss.c.session_id, near_miss.c.kind, near_miss.c.at, near_miss.c.rev,
    near_miss.c.closed_at, near_miss.c.closed_by, session.c.code, session.c.agency_id,
    session.c.provider_id, session.c.program_id, session.c.tablet_id, session.c.lead_id,
    session.c.wellness,
)  # fmt: skip
_JOINED = near_miss.join(session, session.c.id == near_miss.c.session_id)


async def page(
    conn: AsyncConnection, scope: Scope, wanted: MissFilter, after: str | None, limit: int = 50
) -> MissPage:
    """One page, the newest first. Raises BadInput for a page key that we did not make."""
    limit = max(1, min(limit, MOST_ROWS))
    conditions = [within(scope)]
    if wanted.closed is not None:
        its = near_miss.c.closed_at
        conditions.append(its.is_not(None) if wanted.closed else its.is_(None))
    if wanted.kind is not None:
        conditions.append(near_miss.c.kind == wanted.kind)
    if wanted.since is not None:
        conditions.append(near_miss.c.at >= wanted.since)
    if wanted.until is not None:
        conditions.append(near_miss.c.at < wanted.until)
    if after is not None:
        conditions.append(_before(after))
    rows = await conn.execute(
        select(*_COLUMNS)
        .select_from(_JOINED)
        .where(*conditions)
        .order_by(near_miss.c.at.desc(), near_miss.c.id.desc())
        .limit(limit + 1)
    )
    listed = [MissRow(**row) for row in rows.mappings()]
    more, listed = len(listed) > limit, listed[:limit]
    return MissPage(tuple(listed), f"{listed[-1].at!r}~{listed[-1].id}" if more else None)


def _before(key: str) -> ColumnElement[bool]:
    moment, separator, row_id = key.partition("~")
    try:
        at = float(moment)
    except ValueError:
        at = math.nan
    if not separator or not math.isfinite(at):
        raise BadInput("This page link is not valid. Start from the first page.")
    return tuple_(near_miss.c.at, near_miss.c.id) < tuple_(at, row_id)


async def count_open(conn: AsyncConnection, scope: Scope) -> int:
    """How many are open; at most MOST_COUNTED are counted."""
    some = (
        select(near_miss.c.id)
        .select_from(_JOINED)
        .where(within(scope), near_miss.c.closed_at.is_(None))
        .limit(MOST_COUNTED)
        .subquery()
    )
    return await conn.scalar(select(func.count()).select_from(some)) or 0


async def get(conn: AsyncConnection, miss_id: str) -> MissRow | None:
    row = (
        await conn.execute(select(*_COLUMNS).select_from(_JOINED).where(near_miss.c.id == miss_id))
    ).first()
    return MissRow(**row._mapping) if row is not None else None


async def of_session(conn: AsyncConnection, session_id: str) -> list[MissRow]:
    """A session's near misses, in the order in which they happened."""
    rows = await conn.execute(
        select(*_COLUMNS)
        .select_from(_JOINED)
        .where(near_miss.c.session_id == session_id)
        .order_by(near_miss.c.at, near_miss.c.kind)
    )
    return [MissRow(**row) for row in rows.mappings()]


async def notes(
    conn: AsyncConnection, vault: Vault, row: MissRow, sides: frozenset[str]
) -> list[Note]:
    """What was done about it, in order; words of the sides that the reader belongs to."""
    lines = await conn.execute(
        select(near_miss_note)
        .where(near_miss_note.c.miss_id == row.id)
        .order_by(near_miss_note.c.no)
    )
    return [await _note(conn, vault, row, one, sides) for one in lines.all()]


async def _note(
    conn: AsyncConnection, vault: Vault, row: MissRow, one: Row[Any], sides: frozenset[str]
) -> Note:
    words: str | None = None
    if one.side in sides:
        words = ""
        if one.note_enc is not None:
            place = f"{row.id}/{one.no}"
            plain = await vault.open(
                conn, row.session_id, "near_miss_note", "note_enc", place, one.note_enc
            )
            words = plain.decode()
    return Note(one.no, one.at, one.by_id, one.act, one.side, words)


# --- closing them ---------------------------------------------------------------------------------


async def close(
    conn: AsyncConnection,
    vault: Vault,
    row: MissRow,
    rev: int,
    *,
    by_id: str,
    side: str,
    note: str,
    now: float,
) -> None:
    """Somebody has looked at it; the note says what they found.

    Raises BadInput without a note, Conflict when it was changed or closed meanwhile.
    """
    note = note.strip()
    if not note or len(note) > LONGEST_NOTE:
        raise BadInput("A note of up to 2,000 letters belongs to it. Nothing was changed.")
    if row.closed_at is not None:
        raise Conflict({"rev": row.rev})
    await _change(conn, row, rev, closed_at=now, closed_by=by_id)
    await _add(conn, vault, row, by_id=by_id, act="closed", side=side, note=note, now=now)


async def reopen(
    conn: AsyncConnection,
    vault: Vault,
    row: MissRow,
    rev: int,
    *,
    by_id: str,
    side: str,
    now: float,
) -> None:
    """It needs another look; the notes stay. Raises Conflict."""
    if row.closed_at is None:
        raise Conflict({"rev": row.rev})
    await _change(conn, row, rev, closed_at=None, closed_by=None)
    await _add(conn, vault, row, by_id=by_id, act="reopened", side=side, note="", now=now)


async def _change(conn: AsyncConnection, row: MissRow, rev: int, **values: object) -> None:
    done = await conn.execute(
        update(near_miss)
        .where(near_miss.c.id == row.id, near_miss.c.rev == rev)
        .values(rev=rev + 1, **values)
    )
    if done.rowcount != 1:
        raise Conflict({"rev": row.rev})


async def _add(
    conn: AsyncConnection,
    vault: Vault,
    row: MissRow,
    *,
    by_id: str,
    act: str,
    side: str,
    note: str,
    now: float,
) -> None:
    last = await conn.scalar(
        select(func.max(near_miss_note.c.no)).where(near_miss_note.c.miss_id == row.id)
    )
    no = (last or 0) + 1
    if no > MOST_NOTES:
        raise BadInput("This near miss has too many notes. Nothing was changed.")
    sealed = None
    if note:
        sealed = await vault.seal(
            conn, row.session_id, "near_miss_note", "note_enc", f"{row.id}/{no}", note.encode()
        )
    await conn.execute(
        insert(near_miss_note).values(
            miss_id=row.id, no=no, at=now, by_id=by_id, act=act, side=side, note_enc=sealed
        )
    )
