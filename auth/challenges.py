"""Challenges that a passkey or a directory answers: signed, short-lived, for one purpose and one
holder, once.

A challenge carries its own proof that we made it, so that nothing is written for a stranger who
asks for one; what is written down is that one was answered, until it has run out.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from sqlalchemy import delete, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.tokens import Tokens
from records import schema_signin

SECONDS = 300
_NONCE, _EXPIRES, _MAC = 16, 8, 32


def make(tokens: Tokens, purpose: str, holder: str, now: float, seconds: int = SECONDS) -> bytes:
    """A fresh challenge for whoever holds this form cookie or sign-in."""
    head = secrets.token_bytes(_NONCE) + (int(now) + seconds).to_bytes(_EXPIRES, "big")
    return head + _mac(tokens, purpose, holder, head)


def genuine(tokens: Tokens, purpose: str, holder: str, challenge: bytes, now: float) -> bool:
    """Whether it was made for this purpose and holder, and has not run out."""
    head, mac = challenge[: _NONCE + _EXPIRES], challenge[_NONCE + _EXPIRES :]
    ours = hmac.compare_digest(_mac(tokens, purpose, holder, head), mac)
    return ours and len(mac) == _MAC and now < int.from_bytes(head[_NONCE:], "big")


def ends_at(challenge: bytes) -> float:
    """When a genuine one runs out."""
    return float(int.from_bytes(challenge[_NONCE : _NONCE + _EXPIRES], "big"))


async def spend(
    conn: AsyncConnection, challenge: bytes, now: float, seconds: int = SECONDS
) -> bool:
    """Use it up; False when it was answered before. Forgets the ones that have run out."""
    spent = schema_signin.spent_challenge
    await conn.execute(delete(spent).where(spent.c.expires_at < now - SECONDS))
    digest = hashlib.sha256(challenge).hexdigest()
    try:
        async with conn.begin_nested():
            await conn.execute(insert(spent).values(digest=digest, expires_at=now + seconds))
    except IntegrityError:
        return False
    return True


async def spend_nothing(conn: AsyncConnection, now: float) -> None:
    """Write a row that the next call forgets: for whom nothing is counted it costs as much time as
    a count that is kept, so that a known name is not told from an unknown one.
    """
    await spend(conn, secrets.token_bytes(_NONCE), now, -2 * SECONDS)


def _mac(tokens: Tokens, purpose: str, holder: str, head: bytes) -> bytes:
    return tokens.mac(f"challenge {purpose}\n{holder}\n".encode() + head)
