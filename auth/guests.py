"""Guests: somebody without an account in one call, let in by a link of its lead.

The link's secret stands in the address's fragment and is spent once, for a cookie that names the
link's row; the row decides on each use. A link that has run out never ends a guest's running call,
and one that was taken back ends it at once.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit
from auth.actors import GUEST, Actor
from auth.errors import BadLink, LinkEnded
from auth.tokens import Tokens
from records import guest_links, sessions
from records.crypto import Vault
from records.engine import Database
from records.guest_links import GuestLinkRow

LINK_SECONDS = 1800.0  # long enough to find an interpreter, too short to be found later
GUEST_SECONDS = 12 * 3600.0  # of the cookie: longer than any call, which ends it first
LONGEST_NAME = 40


class LetIn(NamedTuple):
    """A guest who has come in; `token` goes into their cookie and nowhere else."""

    token: str
    actor: Actor

    def __repr__(self) -> str:
        return f"LetIn(actor={self.actor.id!r})"


def fresh_secret() -> str:
    """A link's secret: 192 bits, for an address."""
    return secrets.token_urlsafe(24)


def digest(secret: str) -> str:
    """What is stored of a link's secret."""
    return hashlib.sha256(f"crisisbridge guest {secret}".encode()).hexdigest()


def clean_name(typed: str) -> str:
    """A name on one line, of 1 to LONGEST_NAME printable characters; "" when it is none."""
    name = " ".join(typed.split())
    return name if len(name) <= LONGEST_NAME and name.isprintable() else ""


async def let_in(
    db: Database, vault: Vault, tokens: Tokens, secret: str, name: str, now: float
) -> LetIn:
    """Spend a link. Raises BadLink for one that is unknown, used, taken back, run out or over.

    `name` is checked by `clean_name`. The caller limits the rate by address.
    """

    async def work(conn: AsyncConnection) -> Actor | None:
        spent = await guest_links.use(conn, vault, digest(secret), name, now)
        row = await sessions.get(conn, spent.session_id) if spent is not None else None
        if spent is None or row is None or row.state in {"wrap_up", "closed"}:
            await audit.try_record(conn, None, "guest.enter", "guest_link", None, "refused", now)
            return None
        actor = _actor(spent, row.provider_id, now + GUEST_SECONDS)
        await audit.try_record(conn, actor, "guest.enter", "session", row.id, "allowed", now)
        return actor

    actor = await db.write(work)
    if actor is None:
        raise BadLink
    expires_at = now + GUEST_SECONDS
    return LetIn(tokens.issue("guest", actor.id, actor.id, now, expires_at), actor)


async def actor_for_guest(conn: AsyncConnection, tokens: Tokens, token: str, now: float) -> Actor:
    """Which guest holds this token now. Raises BadLink, LinkEnded."""
    claims = await tokens.find(conn, "guest", token)
    if claims is None or now >= claims.expires_at:
        raise BadLink
    link = await guest_links.get(conn, claims.subject)
    if link is None or link.used_at is None:
        raise BadLink
    row = await sessions.get(conn, link.session_id)
    if link.revoked_at is not None or row is None or row.state in {"wrap_up", "closed"}:
        raise LinkEnded
    return _actor(link, row.provider_id, claims.expires_at)


def _actor(link: GuestLinkRow, provider_id: str | None, expires_at: float) -> Actor:
    """A guest as an actor: without a name, which only the call's own people read."""
    return Actor(
        kind="guest",
        id=link.id,
        name="",
        short_name="",
        roles=frozenset({GUEST}),
        provider_id=provider_id,
        session_id=link.session_id,
        guest_role=link.role,
        expires_at=expires_at,
    )
