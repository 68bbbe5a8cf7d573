"""The recommendation: a draft that only the clinician sees, and the card that was sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records import sessions
from records.crypto import Vault
from records.errors import BadInput, Conflict, RecordError
from records.ids import new_id
from records.refusals import already_there
from records.schema import recommendation as table
from records.schema import session
from records.signatures import still_open


@dataclass(frozen=True, slots=True)
class RecommendationRow:
    id: str
    session_id: str
    author_id: str
    rev: int
    card: Mapping[str, Any]  # the newest draft
    updated_at: float
    sent_rev: int | None
    sent_card: Mapping[str, Any] | None  # what the tablet shows
    sent_at: float | None
    acknowledged_rev: int | None
    acknowledged_at: float | None


async def get(conn: AsyncConnection, vault: Vault, session_id: str) -> RecommendationRow | None:
    """A session's recommendation, opened."""
    row = (await conn.execute(select(table).where(table.c.session_id == session_id))).first()
    if row is None:
        return None

    async def opened(column: str, sealed: bytes) -> Mapping[str, Any]:
        plain = await vault.open(conn, session_id, "recommendation", column, row.id, sealed)
        return dict(json.loads(plain))

    return RecommendationRow(
        id=row.id,
        session_id=row.session_id,
        author_id=row.author_id,
        rev=row.rev,
        card=await opened("card_enc", row.card_enc),
        updated_at=row.updated_at,
        sent_rev=row.sent_rev,
        sent_card=(await opened("sent_card_enc", row.sent_card_enc) if row.sent_card_enc else None),
        sent_at=row.sent_at,
        acknowledged_rev=row.acknowledged_rev,
        acknowledged_at=row.acknowledged_at,
    )


async def save(
    conn: AsyncConnection,
    vault: Vault,
    session_id: str,
    expected_rev: int,
    card: Mapping[str, Any],
    author_id: str,
    now: float,
    *,
    send: bool,
) -> RecommendationRow:
    """Save the draft as the revision after `expected_rev`; with `send`, also as the card.

    Raises Conflict, with the stored draft, when somebody saved first.
    """
    await sessions.lock(conn, session_id)  # who saves at the same moment reads what we stored
    await still_open(conn, session_id)
    known = await get(conn, vault, session_id)
    if (known.rev if known else 0) != expected_rev:
        raise Conflict({"rev": known.rev if known else 0, "card": known.card if known else None})
    row_id = known.id if known else new_id("rec")
    plain = json.dumps(card, separators=(",", ":")).encode()
    values: dict[str, object] = {
        "author_id": author_id,
        "rev": expected_rev + 1,
        "updated_at": now,
        "card_enc": await vault.seal(conn, session_id, "recommendation", "card_enc", row_id, plain),
    }
    if send:
        values |= {
            "sent_rev": expected_rev + 1,
            "sent_at": now,
            "sent_card_enc": await vault.seal(
                conn, session_id, "recommendation", "sent_card_enc", row_id, plain
            ),
        }
    await _store(conn, row_id, session_id, expected_rev, values, new=known is None)
    saved = await get(conn, vault, session_id)
    if saved is None:
        raise RecordError
    return saved


async def _store(
    conn: AsyncConnection,
    row_id: str,
    session_id: str,
    expected_rev: int,
    values: Mapping[str, object],
    *,
    new: bool,
) -> None:
    if new:
        try:
            await conn.execute(insert(table).values(id=row_id, session_id=session_id, **values))
        except IntegrityError as error:
            raise (Conflict({}) if already_there(error) else BadInput()) from error
        return
    done = await conn.execute(
        update(table).where(table.c.id == row_id, table.c.rev == expected_rev).values(**values)
    )
    if done.rowcount != 1:
        raise Conflict({})


async def unread_at(conn: AsyncConnection, tablet_id: str, since: float) -> str | None:
    """The session of this tablet that ended after `since` with a card which nobody acknowledged."""
    found = await conn.execute(
        select(session.c.id)
        .join(table, table.c.session_id == session.c.id)
        .where(
            session.c.tablet_id == tablet_id,
            session.c.ended_at > since,
            table.c.sent_rev.is_not(None),
            table.c.sent_rev.is_distinct_from(table.c.acknowledged_rev),
        )
        .order_by(session.c.ended_at.desc())
        .limit(1)
    )
    return found.scalar()


async def acknowledge(conn: AsyncConnection, session_id: str, rev: int, now: float) -> bool:
    """The officer has read revision `rev`; False when that is not the card shown now.

    Told twice, the first time stands.
    """
    first = or_(table.c.acknowledged_rev.is_(None), table.c.acknowledged_rev != rev)
    done = await conn.execute(
        update(table)
        .where(table.c.session_id == session_id, table.c.sent_rev == rev)
        .values(
            acknowledged_rev=rev,
            acknowledged_at=case((first, now), else_=table.c.acknowledged_at),
        )
    )
    return done.rowcount == 1
