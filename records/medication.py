"""Medication for opioid use disorder, counted from sealed answers with the key.

Nothing about one session is written: only numbers that are large enough (`medication_rules`). A
session whose key is destroyed before its number was told is not counted; one whose key is destroyed
afterwards stays in the number, which says nothing about anybody.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records.crypto import Vault
from records.engine import Database
from records.errors import KeyMissing
from records.log import Scope, within
from records.medication_rules import FORM, Count, Place, Told, begins, month_of, told
from records.refusals import already_there
from records.schema import assessment, session
from records.schema_reports import medication_count, medication_month

SETTLE_SECONDS: Final = 3 * 86_400.0  # after a month's end: notes are signed by then
AT_A_TIME: Final = 200
SLACK: Final = 14 * 3600.0  # a month here is UTC's, a report's days are those of its place

_COUNTED = (
    session.c.media_at.is_not(None),
    session.c.test.is_(False),
    session.c.wellness.is_(False),
)
_PLACE = (session.c.program_id, session.c.provider_id, session.c.agency_id)


async def due(conn: AsyncConnection, now: float) -> int | None:
    """The next month to count; None: nothing is over, or nobody ever answered the form."""
    last = await conn.scalar(select(func.max(medication_month.c.month)))
    if last is None:
        first = await conn.scalar(
            select(func.min(session.c.closed_at)).where(
                session.c.id.in_(select(assessment.c.session_id).where(_asked()))
            )
        )
        month = None if first is None else month_of(first)
    else:
        month = last + 1
    over = month is not None and begins(month + 1) + SETTLE_SECONDS <= now
    return month if over else None


async def count(db: Database, vault: Vault, month: int, now: float) -> bool:
    """Tell what may be told of a month; False when another process was faster."""
    async with db.read() as conn:
        last = await _last(conn)
        answered = await _answered(conn, month)
    found: list[Told] = []
    after: tuple[float, str] = (0.0, "")
    while True:
        async with db.read() as conn:  # one for each piece: nobody waits for all of it
            rows = await _piece(conn, month, after)
            for row in rows:
                outcome = await _outcome(conn, vault, row)
                if outcome is not None:
                    place = Place(row.program_id, row.provider_id, row.agency_id)
                    found.append(Told(place, month_of(row.closed_at), outcome))
        if len(rows) < AT_A_TIME:
            break
        after = (rows[-1].closed_at, rows[-1].session_id)
    counts = told(month, found, answered, last)

    async def write(conn: AsyncConnection) -> bool:
        try:
            await conn.execute(insert(medication_month).values(month=month, counted_at=now))
        except IntegrityError as error:
            if already_there(error):
                return False
            raise
        if counts:
            await conn.execute(insert(medication_count), [_values(one) for one in counts])
        return True

    return await db.write(write)


async def total(
    conn: AsyncConnection,
    scope: Scope,
    since: float,
    until: float,
    agencies: Collection[str] | None = None,
) -> dict[str, int]:
    """What was told of the months that lie in a span, by outcome."""
    table = medication_count
    first = month_of(since - SLACK)
    while begins(first) < since - SLACK:
        first += 1
    chosen = [
        within(scope, table),
        table.c.month >= first,
        table.c.month < month_of(until + SLACK),
    ]
    if agencies is not None:
        chosen.append(table.c.agency_id.in_(sorted(agencies)))
    rows = await conn.execute(
        select(table.c.outcome, func.sum(table.c.count)).where(*chosen).group_by(table.c.outcome)
    )
    return {outcome: int(number) for outcome, number in rows}


# --- inside ---------------------------------------------------------------------------------------


def _asked() -> Any:
    return assessment.c.instrument == FORM


async def _last(conn: AsyncConnection) -> dict[tuple[Place, str], int]:
    table = medication_count
    key = (table.c.program_id, table.c.provider_id, table.c.agency_id, table.c.outcome)
    rows = await conn.execute(select(*key, func.max(table.c.month)).group_by(*key))
    return {(Place(*place), outcome): month for *place, outcome, month in rows}


async def _answered(conn: AsyncConnection, month: int) -> dict[Place, int]:
    rows = await conn.execute(
        select(*_PLACE, func.count())
        .where(
            *_COUNTED,
            session.c.closed_at >= begins(month),
            session.c.closed_at < begins(month + 1),
        )
        .group_by(*_PLACE)
    )
    return {Place(*place): number for *place, number in rows}


async def _piece(conn: AsyncConnection, month: int, after: tuple[float, str]) -> Sequence[Any]:
    at, session_id = after
    later = (session.c.closed_at > at) | ((session.c.closed_at == at) & (session.c.id > session_id))
    rows = await conn.execute(
        select(
            assessment.c.id, assessment.c.result_enc, assessment.c.session_id,
            session.c.closed_at, *_PLACE,
        )
        .join(session, session.c.id == assessment.c.session_id)
        .where(_asked(), *_COUNTED, later, session.c.closed_at < begins(month + 1))
        .order_by(session.c.closed_at, session.c.id)
        .limit(AT_A_TIME)
    )  # fmt: skip
    return rows.all()


async def _outcome(conn: AsyncConnection, vault: Vault, row: Any) -> str | None:
    """What the answers say; None where their key is destroyed."""
    try:
        plain = await vault.open(
            conn, row.session_id, "assessment", "result_enc", row.id, row.result_enc
        )
    except KeyMissing:
        return None
    return str(json.loads(plain).get("level"))


def _values(one: Count) -> dict[str, object]:
    return {
        "month": one.month,
        "program_id": one.place.program_id,
        "provider_id": one.place.provider_id,
        "agency_id": one.place.agency_id,
        "outcome": one.outcome,
        "count": one.count,
    }
