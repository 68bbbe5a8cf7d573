"""The board of follow-ups: what is open by due time, overdue first; and whom somebody must tell.

Everything is limited by a Scope that the caller's rights gave; nothing here decides about rights,
and nothing sealed is opened.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, insert, or_, select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records.errors import BadInput
from records.log import Scope, within
from records.refusals import already_there
from records.schema import followup, followup_told, person, role_grant, session

MOST_ROWS = 200


@dataclass(frozen=True, slots=True)
class BoardRow:
    """One follow-up, without its note."""

    id: str
    session_id: str
    code: str
    agency_id: str
    provider_id: str
    lead_id: str | None
    kind: str
    owner_id: str
    owner_active: bool  # False: nobody would do it
    due_at: float
    status: str
    closed_reason: str | None
    closed_at: float | None
    attempts: int

    def overdue(self, now: float) -> bool:
        return self.status == "open" and self.due_at <= now


@dataclass(frozen=True, slots=True)
class BoardFilter:
    """What to show; `owner_id` None: everybody's."""

    closed: bool = False
    owner_id: str | None = None


@dataclass(frozen=True, slots=True)
class BoardPage:
    rows: tuple[BoardRow, ...]
    after: str | None  # the key of the next page; None at the end


@dataclass(frozen=True, slots=True)
class Counts:
    open: int
    overdue: int
    without_owner: int  # whose owner has left or works elsewhere: nobody would do them


# An owner who has left, who works for another provider now, or who is no clinician any more: the
# follow-up is out of their reach, and nobody would do it.
_STAFF = (
    select(role_grant.c.person_id)
    .where(
        role_grant.c.person_id == person.c.id, role_grant.c.role.in_(("clinician", "supervisor"))
    )
    .exists()
)
_HAS_OWNER = and_(person.c.active, person.c.provider_id == session.c.provider_id, _STAFF)
_GONE = or_(person.c.provider_id.is_(None), ~_HAS_OWNER)

_COLUMNS = (
    followup.c.id, followup.c.session_id, session.c.code, session.c.agency_id,
    session.c.provider_id, session.c.lead_id, followup.c.kind, followup.c.owner_id,
    (~_GONE).label("owner_active"), followup.c.due_at, followup.c.status,
    followup.c.closed_reason, followup.c.closed_at, followup.c.attempts,
)  # fmt: skip
_JOINED = followup.join(session, session.c.id == followup.c.session_id).join(
    person, person.c.id == followup.c.owner_id
)


async def page(
    conn: AsyncConnection, scope: Scope, wanted: BoardFilter, after: str | None, limit: int = 50
) -> BoardPage:
    """Open ones by due time, so overdue first; closed ones by when, the newest first.

    Raises BadInput for a page key that we did not make.
    """
    limit = max(1, min(limit, MOST_ROWS))
    conditions = [within(scope), session.c.test.is_(False)]
    if wanted.owner_id is not None:
        conditions.append(followup.c.owner_id == wanted.owner_id)
    at = followup.c.closed_at if wanted.closed else followup.c.due_at
    conditions.append(at.is_not(None) if wanted.closed else followup.c.status == "open")
    if after is not None:
        conditions.append(_beyond(at, after, newest_first=wanted.closed))
    order = (at.desc(), followup.c.id.desc()) if wanted.closed else (at, followup.c.id)
    rows = await conn.execute(
        select(*_COLUMNS).select_from(_JOINED).where(*conditions).order_by(*order).limit(limit + 1)
    )
    found = [BoardRow(**row) for row in rows.mappings()]
    more, found = len(found) > limit, found[:limit]
    return BoardPage(tuple(found), _key(found[-1], closed=wanted.closed) if more else None)


def _key(row: BoardRow, *, closed: bool) -> str:
    return f"{row.closed_at if closed else row.due_at!r}~{row.id}"


def _beyond(column: ColumnElement[float], key: str, *, newest_first: bool) -> ColumnElement[bool]:
    moment, separator, row_id = key.partition("~")
    try:
        at = float(moment)
    except ValueError:
        at = math.nan
    if not separator or not math.isfinite(at):
        raise BadInput("This page link is not valid. Start from the first page.")
    here, there = tuple_(column, followup.c.id), tuple_(at, row_id)
    return here < there if newest_first else here > there


async def counts(
    conn: AsyncConnection, scope: Scope, now: float, owner_id: str | None = None
) -> Counts:
    """How many are open, overdue, and whose owner has left."""
    conditions = [within(scope), followup.c.status == "open", session.c.test.is_(False)]
    if owner_id is not None:
        conditions.append(followup.c.owner_id == owner_id)
    row = (
        await conn.execute(
            select(
                func.count(),
                func.count().filter(followup.c.due_at <= now),
                func.count().filter(_GONE),
            )
            .select_from(_JOINED)
            .where(*conditions)
        )
    ).one()
    return Counts(*row)


# --- the look-out ---------------------------------------------------------------------------------


async def to_tell(
    conn: AsyncConnection, step: str, due_before: float, limit: int = MOST_ROWS
) -> Sequence[BoardRow]:
    """Open follow-ups that were due before then and of which this step was not told yet."""
    told = select(followup_told.c.followup_id).where(
        followup_told.c.followup_id == followup.c.id, followup_told.c.step == step
    )
    rows = await conn.execute(
        select(*_COLUMNS)
        .select_from(_JOINED)
        .where(
            followup.c.status == "open",
            followup.c.due_at <= due_before,
            session.c.test.is_(False),
            ~told.exists(),
        )
        .order_by(followup.c.due_at, followup.c.id)
        .limit(limit)
    )
    return [BoardRow(**row) for row in rows.mappings()]


async def orphans(conn: AsyncConnection) -> list[tuple[str, float]]:
    """The sessions of all open follow-ups whose owner has left, each with its press."""
    rows = await conn.execute(
        select(followup.c.session_id, session.c.pressed_at)
        .select_from(_JOINED)
        .where(followup.c.status == "open", session.c.test.is_(False), _GONE)
        .distinct()
        .order_by(session.c.pressed_at, followup.c.session_id)
    )
    return [(row.session_id, row.pressed_at) for row in rows]


async def without_owner(conn: AsyncConnection, limit: int = MOST_ROWS) -> Sequence[BoardRow]:
    """Open follow-ups whose owner has left, and of which nobody was told."""
    told = select(followup_told.c.followup_id).where(
        followup_told.c.followup_id == followup.c.id, followup_told.c.step == "no_owner"
    )
    rows = await conn.execute(
        select(*_COLUMNS)
        .select_from(_JOINED)
        .where(followup.c.status == "open", session.c.test.is_(False), _GONE, ~told.exists())
        .order_by(followup.c.due_at, followup.c.id)
        .limit(limit)
    )
    return [BoardRow(**row) for row in rows.mappings()]


async def remember(conn: AsyncConnection, followup_id: str, step: str, now: float) -> bool:
    """This step was told; False when another process was first."""
    try:
        async with conn.begin_nested():
            await conn.execute(
                insert(followup_told).values(followup_id=followup_id, step=step, told_at=now)
            )
    except IntegrityError as error:
        if already_there(error):
            return False
        raise
    return True
