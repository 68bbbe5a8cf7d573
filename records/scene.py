"""Who is at a scene right now: sessions that wait or are in a call, the oldest press first.

Limited by a Scope that the caller's rights gave; nothing sealed is opened.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from records.log import Scope, within
from records.schema import session, timeline
from records.states import LIVE, LIVE_STATES, OPEN

MOST = 200  # rows of one table; who reads more than that at a glance?


@dataclass(frozen=True, slots=True)
class AtScene:
    """One session whose officer waits or talks now. `step`: the escalation step taken last."""

    id: str
    code: str
    agency_id: str
    tablet_id: str
    lead_id: str | None
    state: str
    pressed_at: float
    place_county: str | None
    again: bool  # it had a clinician before, and came back to the line
    step: str | None


@dataclass(frozen=True, slots=True)
class Scene:
    rows: tuple[AtScene, ...]
    more: int  # how many there are beside them


async def now(conn: AsyncConnection, scope: Scope) -> Scene:
    """Everybody at a scene but test calls."""
    these = (within(scope), session.c.test.is_(False))
    # state by state, as their index has it: all states at once would be read by the press, which
    # is the whole log when few are open
    each = [_oldest(state, these) for state in LIVE_STATES]
    keys = union_all(*each).subquery("those")
    found = (
        await conn.execute(
            select(session)
            .join(keys, keys.c.id == session.c.id)
            .order_by(session.c.pressed_at, session.c.id)
            .limit(MOST)
        )
    ).all()
    total = len(found)
    if total == MOST:
        total = await conn.scalar(select(func.count()).where(LIVE, OPEN, *these)) or 0
    steps = await _steps(conn, [row.id for row in found if row.level])
    rows = tuple(
        AtScene(
            id=row.id,
            code=row.code,
            agency_id=row.agency_id,
            tablet_id=row.tablet_id,
            lead_id=row.lead_id,
            state=row.state,
            pressed_at=row.pressed_at,
            place_county=row.place_county,
            again=row.requeued_at is not None,
            step=steps.get(row.id),
        )
        for row in found
    )
    return Scene(rows, total - len(rows))


def _oldest(state: str, these: Sequence[ColumnElement[bool]]) -> Select[tuple[str]]:
    inner = (
        select(session.c.id)
        .where(session.c.state == state, OPEN, *these)
        .order_by(session.c.pressed_at, session.c.id)
        .limit(MOST)
        .subquery()
    )
    return select(inner.c.id)


async def _steps(conn: AsyncConnection, ids: Sequence[str]) -> dict[str, str]:
    """The escalation step that each of these took last, as its timeline says."""
    if not ids:
        return {}
    rows = await conn.execute(
        select(timeline.c.session_id, timeline.c.data)
        .where(timeline.c.session_id.in_(ids), timeline.c.kind == "escalation.step")
        .order_by(timeline.c.session_id, timeline.c.no)
    )
    return {row.session_id: str(json.loads(row.data)["step"]) for row in rows}
