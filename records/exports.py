"""The log as CSV, a piece at a time: memory stays flat however long it is.

Everything is limited by a Scope that the caller's rights gave; nothing here decides about rights.
Tables and their columns are in `records.export_columns`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from records import case_numbers, log
from records.export_columns import (
    FOLLOWUPS,
    SESSIONS,
    FollowupFacts,
    Label,
    Names,
    SessionFacts,
    Tried,
    header,
    writer,
)
from records.log import LogFilter, Scope
from records.schema import followup, followup_attempt, note_signature

BOM = "\ufeff"  # without it spreadsheets take the text for another encoding


async def sessions_csv(
    conn: AsyncConnection, scope: Scope, wanted: LogFilter, names: Names, label: Label
) -> AsyncIterator[str]:
    """A row a session, the newest first."""
    named = bool(names.people)
    cells = writer(SESSIONS, label, named=named)
    yield BOM + lines([header(SESSIONS, named=named)])
    async for page in _pages(conn, scope, wanted, names):
        yield lines(map(cells, page))


async def followups_csv(
    conn: AsyncConnection, scope: Scope, wanted: LogFilter, names: Names, label: Label, now: float
) -> AsyncIterator[str]:
    """A row a follow-up, of the sessions in the log's order."""
    named = bool(names.people)
    cells = writer(FOLLOWUPS, label, named=named)
    yield BOM + lines([header(FOLLOWUPS, named=named)])
    async for page in _pages(conn, scope, wanted, names):
        found = await _followups(conn, page, now)
        if found:
            yield lines(map(cells, found))


def lines(rows: Iterable[Sequence[str]]) -> str:
    """Rows as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


async def _pages(
    conn: AsyncConnection, scope: Scope, wanted: LogFilter, names: Names
) -> AsyncIterator[list[SessionFacts]]:
    """The sessions page by page, with what is read beside them."""
    after: str | None = None
    while True:
        page = await log.page(conn, scope, wanted, after, log.MOST_ROWS)
        ids = [row.id for row in page.rows]
        if ids:
            numbers = await case_numbers.of_sessions(conn, ids) if names.people else {}
            signed = await _signed(conn, ids)
            yield [
                SessionFacts(row, names, numbers.get(row.id), signed.get(row.id))
                for row in page.rows
            ]
        after = page.after
        if after is None:
            return


async def _signed(conn: AsyncConnection, ids: Sequence[str]) -> dict[str, float]:
    columns = (note_signature.c.session_id, note_signature.c.signed_at)
    rows = await conn.execute(select(*columns).where(note_signature.c.session_id.in_(ids)))
    return {row.session_id: row.signed_at for row in rows}


async def _followups(
    conn: AsyncConnection, page: Sequence[SessionFacts], now: float
) -> list[FollowupFacts]:
    by_id = {one.row.id: one for one in page}
    rows = (
        await conn.execute(
            select(
                followup.c.id, followup.c.session_id, followup.c.kind, followup.c.owner_id,
                followup.c.created_at, followup.c.due_at, followup.c.status, followup.c.closed_at,
                followup.c.closed_reason, followup.c.attempts,
            ).where(followup.c.session_id.in_(list(by_id)))
        )
    ).all()  # fmt: skip
    order = {session_id: place for place, session_id in enumerate(by_id)}
    rows = sorted(rows, key=lambda row: (order[row.session_id], row.due_at, row.id))
    tried = await _attempts(conn, [row.id for row in rows if row.attempts])
    return [
        FollowupFacts(
            id=row.id,
            kind=row.kind,
            owner_id=row.owner_id,
            created_at=row.created_at,
            due_at=row.due_at,
            status=row.status,
            closed_at=row.closed_at,
            closed_reason=row.closed_reason,
            attempts=row.attempts,
            session=by_id[row.session_id],
            now=now,
            tried=tried.get(row.id, Tried()),
        )
        for row in rows
    ]


async def _attempts(conn: AsyncConnection, ids: Sequence[str]) -> dict[str, Tried]:
    """What the attempts of each follow-up add up to, by follow-up."""
    table = followup_attempt
    found: dict[str, Tried] = {}
    for start in range(0, len(ids), log.MOST_ROWS):
        some = ids[start : start + log.MOST_ROWS]
        rows = await conn.execute(
            select(table.c.followup_id, table.c.at, table.c.channel, table.c.outcome)
            .where(table.c.followup_id.in_(some))
            .order_by(table.c.followup_id, table.c.no)
        )
        for row in rows:
            known = found.get(row.followup_id, Tried(first_at=row.at))
            reached = row.at if row.outcome == "reached" else None
            found[row.followup_id] = Tried(
                first_at=known.first_at,
                last_at=row.at,
                reached_at=reached if known.reached_at is None else known.reached_at,
                channel=row.channel,
                outcome=row.outcome,
            )
    return found
