"""The keys that sign tokens, shared by all servers: public halves, and sealed private ones.

A new key is published before it signs, so that every server and whoever has fetched the list knows
it by then. The one before goes on verifying until the last token that it can have signed has run
out; its private half is destroyed as soon as it signs no more.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from records.crypto import Vault
from records.schema_keys import token_key as table

DAY: Final = 86_400.0
PUBLISHED_SECONDS: Final = 600.0  # from being on the list to the first signature
LONGEST_SECONDS: Final = 400 * DAY  # no token lives longer: a tablet's lives for a year
OLD_SECONDS: Final = 90 * DAY  # then there is another one


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key without its private half."""

    kid: str
    public: bytes
    made_at: float
    signs_from: float
    verifies_until: float | None  # None: nothing has come after it yet


async def listed(conn: AsyncConnection) -> list[TokenKey]:
    """All of them, the oldest first."""
    columns = [table.c[name] for name in TokenKey.__dataclass_fields__]
    rows = await conn.execute(select(*columns).order_by(table.c.signs_from, table.c.kid))
    return [TokenKey(**row._mapping) for row in rows]


async def hold(conn: AsyncConnection) -> None:
    """Nobody else changes them before the transaction ends."""
    await conn.execute(select(table.c.kid).order_by(table.c.kid).with_for_update())


def signing(keys: Sequence[TokenKey], now: float) -> TokenKey | None:
    """The one that signs now: the newest whose time has come."""
    return next((one for one in reversed(keys) if one.signs_from <= now), None)


async def private(conn: AsyncConnection, vault: Vault, kid: str) -> bytes | None:
    """A private half; None once it is destroyed. Raises KeyWrong."""
    found = select(table.c.private_enc, table.c.kek_id).where(table.c.kid == kid)
    row = (await conn.execute(found)).first()
    if row is None or row.private_enc is None:
        return None
    return await vault.open_own("token_key", "private_enc", kid, row.private_enc, row.kek_id)


async def add(conn: AsyncConnection, vault: Vault, now: float) -> str:
    """Another key, and its id; it signs once it was published for a while, the first one at once.

    Those before it end with their last token.
    """
    await hold(conn)
    known = await listed(conn)
    signs_from = now + PUBLISHED_SECONDS if known else now
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    kid, own = thumbprint(public), await vault.own(conn)
    await conn.execute(
        update(table)
        .where(table.c.verifies_until.is_(None))
        .values(verifies_until=signs_from + LONGEST_SECONDS)
    )
    await conn.execute(
        insert(table).values(
            kid=kid,
            public=public,
            private_enc=own.seal("token_key", "private_enc", kid, key.private_bytes_raw()),
            kek_id=own.id,
            made_at=now,
            signs_from=signs_from,
        )
    )
    return kid


async def tidy(conn: AsyncConnection, now: float) -> None:
    """Destroy private halves that sign no more, and keys whose last token has run out."""
    now_signs = signing(await listed(conn), now)
    if now_signs is not None:
        await conn.execute(
            update(table)
            .where(table.c.signs_from < now_signs.signs_from, table.c.private_enc.is_not(None))
            .values(private_enc=None)
        )
    await conn.execute(delete(table).where(table.c.verifies_until <= now))


def jwk(one: TokenKey) -> dict[str, str]:
    """The public half as RFC 8037 writes it."""
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": _base64(one.public),
        "kid": one.kid,
        "use": "sig",
        "alg": "EdDSA",
    }


def thumbprint(public: bytes) -> str:
    """The key's id: RFC 7638."""
    text = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": _base64(public)}, separators=(",", ":"))
    return _base64(hashlib.sha256(text.encode()).digest())


def _base64(some: bytes) -> str:
    return base64.urlsafe_b64encode(some).rstrip(b"=").decode()
