"""The step between a first factor and a second one: who stands there, by a token in a cookie.

The token remembers by what they came: the password that was right, or the directory's link. When
that is another one now, the step is over.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import factors, issuer_links
from auth.errors import NotSignedIn
from auth.tokens import Tokens
from records import schema
from records.engine import Database

SECONDS = 600.0  # between the first factor and the second
_BY_ISSUER = "issuer"


@dataclass(frozen=True, slots=True)
class Stepping:
    """Whose first factor was right a moment ago, and which second factors they have.

    `issuer_id`: the directory that they came by; None: a password.
    """

    person_id: str
    has: factors.Has
    issuer_id: str | None = None


def of_password(password_hash: str) -> str:
    """The mark of who typed a password."""
    return hashlib.sha256(f"crisisbridge step {password_hash}".encode()).hexdigest()[:32]


def of_link(issuer_id: str, link_id: str) -> str:
    """The mark of who came by a directory."""
    return f"{_BY_ISSUER} {issuer_id} {link_id}"


def token(tokens: Tokens, person_id: str, mark: str, now: float) -> str:
    """What the cookie of the step holds."""
    return tokens.issue("step", person_id, mark, now, now + SECONDS)


async def stepping(db: Database, tokens: Tokens, token: str | None, now: float) -> Stepping:
    """Who stands between the two factors. Raises NotSignedIn."""
    async with db.read() as conn:
        claims = await tokens.find(conn, "step", token or "")
        if claims is None or now >= claims.expires_at:
            raise NotSignedIn
        found = await conn.execute(
            select(schema.person).where(schema.person.c.id == claims.subject)
        )
        row = found.first()
        if row is None or not row.active:
            raise NotSignedIn
        marks = await _marks(conn, row.id, row.password_hash)
        if claims.token_id not in marks:
            raise NotSignedIn  # the password was changed meanwhile, or the link taken away
        has = await factors.has(conn, row.id)
    return Stepping(row.id, has, marks[claims.token_id])


async def _marks(
    conn: AsyncConnection, person_id: str, password_hash: str | None
) -> dict[str, str | None]:
    """What a step of this person may have come by, with the directory's id."""
    links = await issuer_links.of_person(conn, person_id)
    marks: dict[str, str | None] = {
        of_link(link.issuer_id, link.id): link.issuer_id for link in links
    }
    if password_hash is not None and not any(link.alone for link in links):
        marks[of_password(password_hash)] = None
    return marks
