"""The wrap-up's draft: what the clinician has chosen and typed so far, sealed, until it is done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from records import sessions
from records.crypto import Vault
from records.errors import Conflict
from records.schema import wrapup_draft as table


@dataclass(frozen=True, slots=True)
class WrapupRow:
    session_id: str
    author_id: str
    rev: int
    draft: Mapping[str, Any]
    updated_at: float


async def get(conn: AsyncConnection, vault: Vault, session_id: str) -> WrapupRow | None:
    """A session's draft, opened; None before the first save and after the wrap-up."""
    row = (await conn.execute(select(table).where(table.c.session_id == session_id))).first()
    if row is None:
        return None
    plain = await vault.open(
        conn, session_id, "wrapup_draft", "draft_enc", session_id, row.draft_enc
    )
    return WrapupRow(session_id, row.author_id, row.rev, json.loads(plain), row.updated_at)


async def save(
    conn: AsyncConnection,
    vault: Vault,
    session_id: str,
    expected_rev: int,
    draft: Mapping[str, Any],
    author_id: str,
    now: float,
) -> int:
    """Save the draft as the revision after `expected_rev`, and say which that is.

    Raises Conflict, with the stored draft, when somebody saved first.
    """
    await sessions.lock(conn, session_id)  # who saves at the same moment reads what we stored
    known = await get(conn, vault, session_id)
    if (known.rev if known else 0) != expected_rev:
        raise Conflict({"rev": known.rev if known else 0, "draft": known.draft if known else None})
    plain = json.dumps(draft, separators=(",", ":")).encode()
    values = {
        "author_id": author_id,
        "rev": expected_rev + 1,
        "updated_at": now,
        "draft_enc": await vault.seal(
            conn, session_id, "wrapup_draft", "draft_enc", session_id, plain
        ),
    }
    if known is None:
        await conn.execute(insert(table).values(session_id=session_id, **values))
    else:
        await conn.execute(update(table).where(table.c.session_id == session_id).values(**values))
    return expected_rev + 1


async def forget(conn: AsyncConnection, session_id: str) -> None:
    """The wrap-up is finished: what counts stands in the session and its follow-ups."""
    await conn.execute(delete(table).where(table.c.session_id == session_id))
