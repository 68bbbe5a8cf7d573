"""Overdoses for ODMAP: which wait for a human, what was decided, the files that left.

A session has one decision, so no row leaves twice; the database sees to it. What was released is
sealed with the session's own key. Everything is limited by a Scope that the caller's rights gave.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import ColumnElement, delete, insert, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records import sessions
from records.crypto import Vault
from records.errors import BadInput, Conflict
from records.ids import new_id
from records.log import Scope, within
from records.odmap_rules import FLAG, HELD, TILE, OdmapRow
from records.refusals import already_there
from records.schema import session
from records.schema_odmap import odmap_release as releases
from records.schema_odmap import odmap_row as table
from records.sessions import SessionRow, row_of

MOST = 40  # on one page, and in one file


@dataclass(frozen=True, slots=True)
class Held:
    """A session that was held back."""

    row: SessionRow
    reason: str
    by: str
    at: float


@dataclass(frozen=True, slots=True)
class Release:
    """One file."""

    id: str
    program_id: str
    by: str
    at: float
    count: int


async def waiting(
    conn: AsyncConnection,
    scope: Scope,
    since: float,
    until: float,
    agency_id: str | None = None,
    limit: int = MOST,
) -> tuple[list[SessionRow], bool]:
    """Sessions of a span that wait for a decision, the oldest first; whether there are more."""
    decided = select(table.c.session_id).where(table.c.session_id == session.c.id)
    conditions = [*_overdoses(scope, since, until), ~decided.exists()]
    if agency_id is not None:
        conditions.append(session.c.agency_id == agency_id)
    found = await conn.execute(
        select(session)
        .where(*conditions)
        .order_by(session.c.pressed_at, session.c.id)
        .limit(limit + 1)
    )
    rows = [row_of(row) for row in found]
    return rows[:limit], len(rows) > limit


async def held(conn: AsyncConnection, scope: Scope, since: float, until: float) -> list[Held]:
    """What was held back of a span, the oldest first."""
    found = await conn.execute(
        select(session, table.c.held_reason, table.c.decided_by, table.c.decided_at)
        .join(table, table.c.session_id == session.c.id)
        .where(*_overdoses(scope, since, until), table.c.release_id.is_(None))
        .order_by(session.c.pressed_at, session.c.id)
        .limit(MOST)
    )
    extra = ("held_reason", "decided_by", "decided_at")
    rows = []
    for row in found.mappings():
        plain = {name: value for name, value in row.items() if name not in extra}
        plain["intake"] = tuple(json.loads(plain["intake"]))
        said = [row[name] for name in extra]
        rows.append(Held(SessionRow(**plain), *said))
    return rows


def _overdoses(scope: Scope, since: float, until: float) -> list[ColumnElement[bool]]:
    return [
        within(scope),
        session.c.wellness.is_(False),
        session.c.test.is_(False),
        session.c.state == "closed",
        session.c.pressed_at >= since,
        session.c.pressed_at < until,
        or_(session.c.intake.like(f'%"{TILE}"%'), session.c.flags.bitwise_and(FLAG) != 0),
    ]


async def release(
    conn: AsyncConnection,
    vault: Vault,
    program_id: str,
    rows: Mapping[str, OdmapRow],
    by: str,
    now: float,
) -> str:
    """Keep what leaves in one file; its id. `rows` by session.

    Raises BadInput for none or too many, Conflict when somebody decided about one of them before.
    """
    if not 0 < len(rows) <= MOST:
        raise BadInput
    release_id = new_id("odf")
    await conn.execute(
        insert(releases).values(
            id=release_id, program_id=program_id, released_by=by, released_at=now,
            row_count=len(rows),
        )
    )  # fmt: skip
    for session_id, one in sorted(rows.items()):
        plain = json.dumps(asdict(one), separators=(",", ":")).encode()
        sealed = await vault.seal(conn, session_id, "odmap_row", "row_enc", session_id, plain)
        await _decide(
            conn, session_id, by, now, release_id=release_id, held_reason=None, row_enc=sealed
        )
    return release_id


async def hold(conn: AsyncConnection, session_id: str, reason: str, by: str, now: float) -> None:
    """Keep one back. Raises BadInput, Conflict when somebody decided about it before."""
    if reason not in HELD:
        raise BadInput
    await _decide(conn, session_id, by, now, release_id=None, held_reason=reason, row_enc=None)


async def _decide(
    conn: AsyncConnection, session_id: str, by: str, now: float, **values: object
) -> None:
    await sessions.lock(conn, session_id)
    try:
        await conn.execute(
            insert(table).values(
                session_id=session_id, reference=new_id("odm"), decided_by=by, decided_at=now,
                **values,
            )
        )  # fmt: skip
    except IntegrityError as error:
        raise (Conflict({}) if already_there(error) else BadInput()) from error


async def put_back(conn: AsyncConnection, session_id: str) -> bool:
    """It was held back by mistake; False for one that was not. What left cannot be put back."""
    mine = (table.c.session_id == session_id) & table.c.release_id.is_(None)
    return (await conn.execute(delete(table).where(mine))).rowcount == 1


async def releases_of(conn: AsyncConnection, program_id: str, limit: int = 20) -> list[Release]:
    """The files of a program, the newest first."""
    found = await conn.execute(
        select(releases)
        .where(releases.c.program_id == program_id)
        .order_by(releases.c.released_at.desc(), releases.c.id)
        .limit(limit)
    )
    return [Release(*row) for row in found]


async def one_release(conn: AsyncConnection, release_id: str) -> Release | None:
    """A file by its id."""
    row = (await conn.execute(select(releases).where(releases.c.id == release_id))).first()
    return Release(*row) if row is not None else None


async def rows_of(
    conn: AsyncConnection, vault: Vault, release_id: str
) -> Sequence[tuple[str, str, OdmapRow]]:
    """What left in a file: (reference, agency, row), by time."""
    columns = (table.c.session_id, table.c.reference, table.c.row_enc, session.c.agency_id)
    found = await conn.execute(
        select(*columns)
        .join(session, session.c.id == table.c.session_id)
        .where(table.c.release_id == release_id)
        .order_by(session.c.pressed_at, session.c.id)
    )
    opened = []
    for row in found.all():
        text = await vault.open(
            conn, row.session_id, "odmap_row", "row_enc", row.session_id, row.row_enc
        )
        opened.append((row.reference, row.agency_id, OdmapRow(**json.loads(text))))
    return opened
