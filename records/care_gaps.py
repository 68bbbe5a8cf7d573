"""Sessions that should have a follow-up, or a reason why not, and have neither.

Every person is somebody's until their last follow-up is closed. Three things can go wrong, and are
looked for when a session closes and every night: a call that was answered left nothing to follow
up; somebody was transported and nobody is to confirm the arrival; the wrap-up was never finished.
(The fourth, an owner who has left, is seen on the follow-ups themselves: `followup_board`.)
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from records.errors import BadInput
from records.followups import ARRIVAL, TRANSPORTS
from records.log import Scope, within
from records.schema import followup, session
from records.schema_misses import care_gap
from records.sessions import SessionRow, row_of
from records.vocabulary import GAP_FILLED, GAP_REASONS

UNFINISHED_SECONDS: Final = 86_400.0  # a wrap-up that is still open after this was forgotten
MOST_ROWS: Final = 200


@dataclass(frozen=True, slots=True)
class GapRow:
    """One session with nobody to follow it up, as a list shows it."""

    session_id: str
    kind: str
    found_at: float
    closed_at: float | None
    code: str
    agency_id: str
    provider_id: str
    program_id: str
    lead_id: str | None
    pressed_at: float
    ended_at: float | None
    wellness: bool


@dataclass(frozen=True, slots=True)
class NewGap:
    session_id: str
    kind: str


def missing(row: SessionRow, kinds: Collection[str], now: float) -> set[str]:
    """What a session should have and does not; `kinds`: its follow-ups', open or closed. Pure."""
    answered = row.media_at is not None
    if row.test or not (answered or row.actual_disposition in TRANSPORTS):
        return set()
    if row.state == "wrap_up":
        late = row.ended_at is not None and now - row.ended_at > UNFINISHED_SECONDS
        return {"no_wrapup"} if late else set()
    if row.state != "closed":
        return set()
    went = row.actual_disposition or row.recommended_disposition
    gaps = set() if kinds else {"no_followup"}
    if went in TRANSPORTS and ARRIVAL not in kinds:
        gaps = {"no_arrival"}  # whoever plans that has followed up, too
    return gaps


# --- finding them ---------------------------------------------------------------------------------


async def of_sessions(
    conn: AsyncConnection, rows: Sequence[SessionRow], now: float
) -> list[NewGap]:
    """The gaps of these sessions, as they are now; known ones too."""
    kinds = await _kinds(conn, [row.id for row in rows])
    return [
        NewGap(row.id, kind)
        for row in rows
        for kind in sorted(missing(row, kinds.get(row.id, set()), now))
    ]


async def unfinished(conn: AsyncConnection) -> list[SessionRow]:
    """Sessions whose wrap-up is open; few at any time."""
    rows = await conn.execute(
        select(session).where(session.c.state == "wrap_up").order_by(session.c.pressed_at)
    )
    return [row_of(row) for row in rows]


async def _kinds(conn: AsyncConnection, ids: Sequence[str]) -> dict[str, set[str]]:
    if not ids:
        return {}
    rows = await conn.execute(
        select(followup.c.session_id, followup.c.kind).where(followup.c.session_id.in_(ids))
    )
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row.session_id, set()).add(row.kind)
    return found


async def unknown(conn: AsyncConnection, new: Sequence[NewGap]) -> list[NewGap]:
    """Those of them that are not on record yet."""
    if not new:
        return []
    rows = await conn.execute(
        select(care_gap.c.session_id, care_gap.c.kind).where(
            care_gap.c.session_id.in_(sorted({one.session_id for one in new}))
        )
    )
    there = {(row.session_id, row.kind) for row in rows}
    return [one for one in new if (one.session_id, one.kind) not in there]


async def open_all(conn: AsyncConnection, new: Sequence[NewGap], now: float) -> None:
    """Put them on record; one that is there already stays as it is, open or closed."""
    if not new:
        return
    dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
    await conn.execute(
        dialect.insert(care_gap).on_conflict_do_nothing(),
        [{"session_id": one.session_id, "kind": one.kind, "found_at": now} for one in new],
    )


async def filled(conn: AsyncConnection, now: float) -> list[NewGap]:
    """Open gaps that are none any more: somebody has planned what was missing."""
    there = (
        await conn.execute(
            select(care_gap.c.session_id, care_gap.c.kind)
            .where(care_gap.c.closed_at.is_(None))
            .order_by(care_gap.c.session_id, care_gap.c.kind)
        )
    ).all()
    found: list[NewGap] = []
    for start in range(0, len(there), MOST_ROWS):
        part = [NewGap(one.session_id, one.kind) for one in there[start : start + MOST_ROWS]]
        ids = sorted({one.session_id for one in part})
        rows = [row_of(r) for r in await conn.execute(select(session).where(session.c.id.in_(ids)))]
        still = set(await of_sessions(conn, rows, now))
        found += [one for one in part if one not in still]
    return found


async def say_none(
    conn: AsyncConnection, session_id: str, reason: str, by_id: str, now: float
) -> None:
    """Whoever closes a session without a follow-up says why: the gap is never open.

    Raises BadInput for a reason that is none.
    """
    if reason not in GAP_REASONS:
        raise BadInput
    dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
    await conn.execute(
        dialect.insert(care_gap)
        .values(
            session_id=session_id, kind="no_followup", found_at=now, closed_at=now, reason=reason,
            closed_by=by_id,
        )
        .on_conflict_do_nothing()
    )  # fmt: skip


async def close(
    conn: AsyncConnection,
    session_id: str,
    kind: str | None,
    reason: str,
    by_id: str | None,
    now: float,
) -> int:
    """Nobody has to follow up, and why; or (GAP_FILLED) somebody does. How many were open.

    Raises BadInput for a reason that is none.
    """
    if reason not in (*GAP_REASONS, GAP_FILLED):
        raise BadInput
    conditions = [care_gap.c.session_id == session_id, care_gap.c.closed_at.is_(None)]
    if kind is not None:
        conditions.append(care_gap.c.kind == kind)
    done = await conn.execute(
        update(care_gap).where(*conditions).values(closed_at=now, reason=reason, closed_by=by_id)
    )
    return done.rowcount


# --- reading them ---------------------------------------------------------------------------------

_COLUMNS = (
    care_gap.c.session_id, care_gap.c.kind, care_gap.c.found_at, care_gap.c.closed_at,
    session.c.code, session.c.agency_id, session.c.provider_id, session.c.program_id,
    session.c.lead_id, session.c.pressed_at, session.c.ended_at, session.c.wellness,
)  # fmt: skip
_JOINED = care_gap.join(session, session.c.id == care_gap.c.session_id)


async def still_open(
    conn: AsyncConnection, scope: Scope, lead_id: str | None = None, limit: int = 50
) -> tuple[list[GapRow], bool]:
    """Open ones, found first first, and whether there are more; `lead_id`: of one clinician."""
    conditions = [within(scope), care_gap.c.closed_at.is_(None)]
    if lead_id is not None:
        conditions.append(session.c.lead_id == lead_id)
    rows = await conn.execute(
        select(*_COLUMNS)
        .select_from(_JOINED)
        .where(*conditions)
        .order_by(care_gap.c.found_at, care_gap.c.session_id)
        .limit(limit + 1)
    )
    found = [GapRow(**row) for row in rows.mappings()]
    return found[:limit], len(found) > limit


async def of_session(conn: AsyncConnection, session_id: str) -> list[GapRow]:
    """A session's open gaps."""
    rows = await conn.execute(
        select(*_COLUMNS)
        .select_from(_JOINED)
        .where(care_gap.c.session_id == session_id, care_gap.c.closed_at.is_(None))
        .order_by(care_gap.c.kind)
    )
    return [GapRow(**row) for row in rows.mappings()]


async def counts(conn: AsyncConnection) -> dict[str, int]:
    """How many are open, by kind."""
    rows = await conn.execute(
        select(care_gap.c.kind, func.count())
        .where(care_gap.c.closed_at.is_(None))
        .group_by(care_gap.c.kind)
    )
    return {row[0]: row[1] for row in rows}
