"""Facts of sessions whose answers were saved before there were facts: each is opened once."""

from __future__ import annotations

import json

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from records import facts, library, sessions
from records.crypto import Vault
from records.errors import KeyMissing
from records.fact_rules import RULES, told
from records.schema import assessment
from records.schema_reports import session_fact as table


async def waiting(conn: AsyncConnection, limit: int) -> list[str]:
    """Sessions that are still to be read."""
    wanted = select(table.c.session_id).where(table.c.rules == 0).limit(limit)
    return list((await conn.execute(wanted)).scalars())


async def read(conn: AsyncConnection, vault: Vault, session_id: str) -> None:
    """Open a session's answers and keep what they say. One whose key is gone says nothing."""
    await sessions.lock(conn, session_id)
    rows = await conn.execute(select(assessment).where(assessment.c.session_id == session_id))
    for row in rows.all():
        form = await library.find(conn, row.instrument, row.instrument_version)
        try:
            answers, result = [
                json.loads(await vault.open(conn, session_id, "assessment", column, row.id, sealed))
                for column, sealed in (
                    ("answers_enc", row.answers_enc),
                    ("result_enc", row.result_enc),
                )
            ]
        except KeyMissing:
            return await _done(conn, session_id, rules=-1)
        found = told(form, answers, result)
        if found:
            await facts.keep(conn, session_id, found)
    return await _done(conn, session_id, rules=RULES)


async def _done(conn: AsyncConnection, session_id: str, rules: int) -> None:
    await conn.execute(update(table).where(table.c.session_id == session_id).values(rules=rules))
