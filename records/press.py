"""A press and its first rings in as few trips to the database as can be: somebody waits for them.

SQLite is asked a statement at a time, all of them in one trip to its thread. PostgreSQL is asked
over a wire: there the session, its first entries and the rings are one statement, and the lock that
puts presses one after another is taken on the way to where the tablet stands. A statement sees what
was committed before it began, so the lock must be taken by an earlier one than the one that counts
places in line.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Insert, Select, Table, bindparam, column, func, insert, select
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records import offers, sessions
from records.offers import OfferRow
from records.one_trip import together
from records.schema import offer, timeline
from records.sessions import Event, NewSession, SessionRow

_TOLD = ("session_id", "no", "at", "kind", "actor_kind", "actor_id", "data")
_RUNG = (
    *("id", "session_id", "clinician_id", "epoch", "token", "state", "sent_at", "deliver_by"),
    *("expires_at", "purpose", "relaxed"),
)


async def press_and_ring(
    conn: AsyncConnection,
    new: NewSession,
    now: float,
    session_id: str,
    also: Sequence[Event],
    rings: Sequence[OfferRow],
) -> SessionRow:
    """A press that is new, what follows it on its timeline, and its rings.

    Raises StaleSession when it is not new after all, or this tablet has an open session; Busy when
    somebody cannot be rung; BadInput for ids that nobody has. On PostgreSQL call
    `directory.post_of_press` before, in the same transaction.
    """
    if conn.dialect.name != "postgresql":
        return await together(conn, partial(_one_by_one, new, now, session_id, also, rings))
    told = sessions.entries(session_id, 0, [sessions.pressed(new), *also], now)
    values = sessions.press_values(new, session_id, also, now)
    values |= {"told": told, "rung": [offers.values(one) for one in rings]}
    try:
        made = (await conn.execute(_ALL_AT_ONCE, values)).one()
    except IntegrityError as error:
        raise offers.refusal(error) from error
    await conn.run_sync(offers.refuse_leaders, [one.clinician_id for one in rings])
    return sessions.row_of(made)


def _one_by_one(
    new: NewSession,
    now: float,
    session_id: str,
    also: Sequence[Event],
    rings: Sequence[OfferRow],
    conn: Connection,
) -> SessionRow:
    row = sessions.insert_new(conn, new, now, session_id, also)
    offers.insert_held(conn, rings)
    return row


def _listed(name: str, table: Table, columns: Sequence[str]) -> Insert:
    """Rows for these columns, bound as one list of objects."""
    typed = [column(one, table.c[one].type) for one in columns]
    rows = func.json_to_recordset(bindparam(name, type_=JSON)).table_valued(*typed)
    return insert(table).from_select(columns, select(rows.render_derived(with_types=True)))


def _all_at_once() -> Select[Any]:
    made = sessions.PRESS.cte("made")
    told = _listed("told", timeline, _TOLD).cte("told")
    rung = _listed("rung", offer, _RUNG).cte("rung")
    return select(made).add_cte(told, rung)


_ALL_AT_ONCE = _all_at_once()  # made once: somebody waits for it
