"""Links that let somebody without an account into one call, in one role, for a short time.

Only the digest of a link's secret is stored. The secret is exchanged once, by the device that
opens it; whoever holds that device's cookie is the guest until they are put out or the call ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from records.crypto import Vault
from records.ids import new_id
from records.schema_parties import guest_link

OPEN_LINKS = 6  # of one call; more are forgotten ones


@dataclass(frozen=True, slots=True)
class GuestLinkRow:
    """One link, as stored. Times are UTC epoch seconds."""

    id: str
    session_id: str
    role: str  # interpreter | supervisor
    token_hash: str
    created_by: str
    created_at: float
    expires_at: float
    used_at: float | None
    name_enc: bytes | None
    revoked_at: float | None


def _row(row: Row[Any]) -> GuestLinkRow:
    return GuestLinkRow(**row._mapping)


async def add(
    conn: AsyncConnection,
    session_id: str,
    *,
    role: str,
    token_hash: str,
    created_by: str,
    now: float,
    seconds: float,
) -> GuestLinkRow | None:
    """A new link, valid for `seconds`; None when this call has OPEN_LINKS unused ones already."""
    if len(await unused(conn, session_id, now)) >= OPEN_LINKS:
        return None
    row = GuestLinkRow(
        id=new_id("gst"),
        session_id=session_id,
        role=role,
        token_hash=token_hash,
        created_by=created_by,
        created_at=now,
        expires_at=now + seconds,
        used_at=None,
        name_enc=None,
        revoked_at=None,
    )
    await conn.execute(
        insert(guest_link).values({name: getattr(row, name) for name in GuestLinkRow.__slots__})
    )
    return row


async def get(conn: AsyncConnection, link_id: str) -> GuestLinkRow | None:
    row = (await conn.execute(select(guest_link).where(guest_link.c.id == link_id))).first()
    return _row(row) if row is not None else None


async def unused(conn: AsyncConnection, session_id: str, now: float) -> list[GuestLinkRow]:
    """The links of a call that would still let somebody in, the newest first."""
    rows = await conn.execute(
        select(guest_link)
        .where(
            guest_link.c.session_id == session_id,
            guest_link.c.used_at.is_(None),
            guest_link.c.revoked_at.is_(None),
            guest_link.c.expires_at > now,
        )
        .order_by(guest_link.c.created_at.desc(), guest_link.c.id)
    )
    return [_row(row) for row in rows]


async def good(conn: AsyncConnection, session_id: str, now: float) -> list[GuestLinkRow]:
    """The links of a call that let somebody in, or have let them in; the newest first."""
    rows = await conn.execute(
        select(guest_link)
        .where(
            guest_link.c.session_id == session_id,
            guest_link.c.revoked_at.is_(None),
            guest_link.c.used_at.is_not(None) | (guest_link.c.expires_at > now),
        )
        .order_by(guest_link.c.created_at.desc(), guest_link.c.id)
    )
    return [_row(row) for row in rows]


async def use(
    conn: AsyncConnection, vault: Vault, token_hash: str, name: str, now: float
) -> GuestLinkRow | None:
    """Spend a link, in one statement, so that two devices never share it. None: worth nothing.

    `name`: what the guest wants to be called; sealed with the session's key.
    """
    spent = await conn.execute(
        update(guest_link)
        .where(
            guest_link.c.token_hash == token_hash,
            guest_link.c.used_at.is_(None),
            guest_link.c.revoked_at.is_(None),
            guest_link.c.expires_at > now,
        )
        .values(used_at=now)
        .returning(guest_link)
    )
    found = spent.first()
    if found is None:
        return None
    row = _row(found)
    sealed = await vault.seal(conn, row.session_id, "guest_link", "name_enc", row.id, name.encode())
    await conn.execute(update(guest_link).where(guest_link.c.id == row.id).values(name_enc=sealed))
    return row


async def revoke(conn: AsyncConnection, link_id: str, now: float) -> bool:
    """End a link, used or not; False when it has ended already."""
    done = await conn.execute(
        update(guest_link)
        .where(guest_link.c.id == link_id, guest_link.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return done.rowcount == 1


async def names(conn: AsyncConnection, vault: Vault, session_id: str) -> Mapping[str, str]:
    """What the guests of a call are called, by link."""
    rows = await conn.execute(
        select(guest_link.c.id, guest_link.c.name_enc).where(
            guest_link.c.session_id == session_id, guest_link.c.name_enc.is_not(None)
        )
    )
    found = {}
    for row in rows.all():
        plain = await vault.open(conn, session_id, "guest_link", "name_enc", row.id, row.name_enc)
        found[row.id] = plain.decode()
    return found
