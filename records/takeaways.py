"""Links by which a person reads their own safety plan, without an account, for a month at most.

Only the digest of a link's secret is stored. A link may be opened as often as the person wants: it
is theirs. It ends by time, or when the clinician takes it back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from records import sessions
from records.errors import BadInput
from records.ids import new_id
from records.schema import takeaway as table

SECONDS: Final = 30 * 86_400.0
MOST: Final = 20  # of one session; more are forgotten ones


@dataclass(frozen=True, slots=True)
class TakeawayRow:
    id: str
    session_id: str
    made_by: str
    made_at: float
    expires_at: float
    revoked_at: float | None
    opened_at: float | None
    opens: int

    def works(self, now: float) -> bool:
        return self.revoked_at is None and now < self.expires_at


_COLUMNS = (
    table.c.id, table.c.session_id, table.c.made_by, table.c.made_at, table.c.expires_at,
    table.c.revoked_at, table.c.opened_at, table.c.opens,
)  # fmt: skip


async def add(
    conn: AsyncConnection, session_id: str, token_hash: str, made_by: str, now: float
) -> TakeawayRow:
    """A new link. Raises BadInput when this session has too many."""
    await sessions.lock(conn, session_id)
    counted = select(func.count()).where(table.c.session_id == session_id)
    if (await conn.scalar(counted) or 0) >= MOST:
        raise BadInput("This session has too many links. Take one of them back, or send one again.")
    row = TakeawayRow(new_id("tak"), session_id, made_by, now, now + SECONDS, None, None, 0)
    values = {name: getattr(row, name) for name in TakeawayRow.__slots__}
    await conn.execute(insert(table).values(token_hash=token_hash, **values))
    return row


async def by_token(conn: AsyncConnection, token_hash: str, now: float) -> TakeawayRow | None:
    """The link with this secret, while it works."""
    found = await conn.execute(select(*_COLUMNS).where(table.c.token_hash == token_hash))
    link = next((TakeawayRow(**row) for row in found.mappings()), None)
    return link if link is not None and link.works(now) else None


async def opened(conn: AsyncConnection, link_id: str, now: float) -> bool:
    """It was opened; True for the first time."""
    first = await conn.execute(
        update(table)
        .where(table.c.id == link_id, table.c.opened_at.is_(None))
        .values(opened_at=now)
    )
    again = update(table).where(table.c.id == link_id).values(opens=table.c.opens + 1)
    await conn.execute(again)
    return first.rowcount == 1


async def of_session(conn: AsyncConnection, session_id: str) -> list[TakeawayRow]:
    """A session's links, the newest first."""
    rows = await conn.execute(
        select(*_COLUMNS).where(table.c.session_id == session_id).order_by(table.c.made_at.desc())
    )
    return [TakeawayRow(**row) for row in rows.mappings()]


async def revoke(conn: AsyncConnection, session_id: str, link_id: str, now: float) -> bool:
    """Take one back; False when there was nothing to take back."""
    done = await conn.execute(
        update(table)
        .where(
            table.c.id == link_id, table.c.session_id == session_id, table.c.revoked_at.is_(None)
        )
        .values(revoked_at=now)
    )
    return done.rowcount == 1
