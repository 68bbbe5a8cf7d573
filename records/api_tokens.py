"""Tokens by which other programs read: only a keyed hash of the secret is kept.

What a token may do is decided by `auth`, from its row and from the rights of whoever made it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from records.crypto import Vault
from records.errors import BadInput
from records.schema_programs import api_token as table

MOST = 50  # of one program at a time
NOTED_SECONDS = 60.0  # "last used" is this exact


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One token, without its secret."""

    id: str
    program_id: str
    agency_id: str | None
    provider_id: str | None
    name: str
    scopes: tuple[str, ...]
    made_by: str
    made_at: float
    expires_at: float
    last_used_at: float | None
    revoked_at: float | None
    revoked_by: str | None

    def alive(self, now: float) -> bool:
        return self.revoked_at is None and now < self.expires_at


@dataclass(frozen=True, slots=True)
class NewToken:
    """What a token is to be; who may make it so is the caller's to check."""

    id: str
    program_id: str
    agency_id: str | None
    provider_id: str | None
    name: str
    scopes: tuple[str, ...]
    expires_at: float


_COLUMNS = [table.c[name] for name in TokenRow.__dataclass_fields__]


def _row(row: Row[Any]) -> TokenRow:
    values = dict(row._mapping)
    return TokenRow(**values | {"scopes": tuple(values["scopes"].split())})


def hash_of(vault: Vault, secret: str) -> str:
    """What is stored of a secret: worth nothing without the key file."""
    return vault.tag("api token", secret).hex()


async def add(
    conn: AsyncConnection, vault: Vault, new: NewToken, secret: str, by: str, now: float
) -> None:
    """Keep a token. Raises BadInput when the program has too many."""
    living = select(func.count()).where(
        table.c.program_id == new.program_id,
        table.c.revoked_at.is_(None),
        table.c.expires_at > now,
    )
    if (await conn.scalar(living) or 0) >= MOST:
        raise BadInput("There are too many tokens. Revoke those that nobody uses.")
    await conn.execute(
        insert(table).values(
            id=new.id,
            program_id=new.program_id,
            agency_id=new.agency_id,
            provider_id=new.provider_id,
            name=new.name,
            scopes=" ".join(new.scopes),
            secret_hash=hash_of(vault, secret),
            made_by=by,
            made_at=now,
            expires_at=new.expires_at,
        )
    )


async def by_secret(conn: AsyncConnection, vault: Vault, secret: str) -> TokenRow | None:
    """The token of this secret, alive or not. The look-up is by a keyed hash: its time tells
    nothing of the secret."""
    found = select(*_COLUMNS).where(table.c.secret_hash == hash_of(vault, secret))
    row = (await conn.execute(found)).first()
    return _row(row) if row is not None else None


async def get(conn: AsyncConnection, token_id: str) -> TokenRow | None:
    row = (await conn.execute(select(*_COLUMNS).where(table.c.id == token_id))).first()
    return _row(row) if row is not None else None


async def listed(conn: AsyncConnection) -> Sequence[TokenRow]:
    """All tokens, the newest first; whose they are is the caller's to look at."""
    rows = await conn.execute(select(*_COLUMNS).order_by(table.c.made_at.desc(), table.c.id))
    return [_row(row) for row in rows]


async def used(conn: AsyncConnection, token_id: str, now: float) -> None:
    """It was used just now."""
    await conn.execute(update(table).where(table.c.id == token_id).values(last_used_at=now))


async def revoke(conn: AsyncConnection, token_id: str, by: str, now: float) -> bool:
    """End a token; False when it was ended before."""
    done = await conn.execute(
        update(table)
        .where(table.c.id == token_id, table.c.revoked_at.is_(None))
        .values(revoked_at=now, revoked_by=by)
    )
    return done.rowcount == 1
