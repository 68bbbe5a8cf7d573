"""Facts of sessions outside the seal, for counting: kept when answers are saved and calls end.

Answers that were saved before there were facts are read later (`records.fact_reading`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from records.fact_rules import KINDS, RULES, Moment, losses, told
from records.instruments.questionnaire import Instrument
from records.schema import assessment, timeline
from records.schema_reports import session_fact as table


async def answered(
    conn: AsyncConnection,
    session_id: str,
    form: Instrument,
    answers: Mapping[str, object],
    result: Mapping[str, object],
) -> None:
    """Keep what a form says that was just saved. Hold the session's lock."""
    facts = told(form, answers, result)
    if facts:
        await _made(conn, session_id, read=1)
        await keep(conn, session_id, facts)


async def closed(conn: AsyncConnection, session_id: str) -> None:
    """The session is over: keep how its call held."""
    rows = await conn.execute(
        select(timeline.c.at, timeline.c.kind, timeline.c.data)
        .where(timeline.c.session_id == session_id, timeline.c.kind.in_(KINDS))
        .order_by(timeline.c.no)
    )
    held = losses(Moment(row.at, row.kind, json.loads(row.data)) for row in rows)
    await _made(conn, session_id, read=0)
    await keep(
        conn,
        session_id,
        {
            "loss_seconds": held.seconds,
            "lost_at_end": held.at_end,
            "failed_setups": held.failed_setups,
        },
    )


async def _made(conn: AsyncConnection, session_id: str, read: int) -> None:
    """The session's row. If it has more forms than are `read`, those are still to be read."""
    known = select(table.c.session_id).where(table.c.session_id == session_id)
    if (await conn.execute(known)).first() is not None:
        return
    forms = select(assessment.c.id).where(assessment.c.session_id == session_id).limit(2)
    rules = RULES if len((await conn.execute(forms)).all()) <= read else 0
    await conn.execute(insert(table).values(session_id=session_id, rules=rules))


async def keep(conn: AsyncConnection, session_id: str, facts: Mapping[str, object]) -> None:
    """Store facts of a session that has its row; of a pair (bit, set) that one bit."""
    values: dict[str, object] = {}
    for name, value in facts.items():
        if isinstance(value, tuple):
            bit, is_set = value
            cleared = table.c[name].bitwise_and(0x7FFF & ~bit)
            values[name] = cleared.bitwise_or(bit) if is_set else cleared
        else:
            values[name] = value
    await conn.execute(update(table).where(table.c.session_id == session_id).values(values))
