"""Signed tokens in cookies: small, typed, checked strictly, and worth nothing without their row.

A token only names a row (`login`, `tablet`, `guest_link`, or the `person` whose password was right
and whose second factor is still to come); the row decides on each use, so that a revoked sign-in
ends at once. A sign-in's own token is short all the same, and renewed (`auth.renewals`). Two ways
to sign, told apart by whether a token names a key, and each with one algorithm: Ed25519 with the
keys that all servers share (`auth.signing`), whose kind is the audience; and, for tokens from
before there were such keys, HMAC-SHA256 with a key for each kind from the servers' secret. A token
of one kind cannot be used as another.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import jwt
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.signing import Signing

if TYPE_CHECKING:
    from jwt.types import Options

Kind = Literal["login", "renewal", "tablet", "guest", "step"]
ISSUER = "crisisbridge"
NAMED = "EdDSA"
UNNAMED = "HS256"
SHORTEST_SECRET = 32
LONGEST_TOKEN = 1024


@dataclass(frozen=True, slots=True)
class Claims:
    """What a genuine token says. `expires_at` is in UTC epoch seconds and not yet checked."""

    kind: Kind
    subject: str
    token_id: str
    expires_at: float


class Tokens:
    """Makes and reads tokens. Without `signing` by the secret alone, of 32 characters or more."""

    def __init__(self, secret: str | bytes, signing: Signing | None = None) -> None:
        material = secret.encode() if isinstance(secret, str) else secret
        if len(material) < SHORTEST_SECRET:
            raise ValueError("The signing secret must have at least 32 characters.")
        self.signing = signing
        self._keys: dict[str, bytes] = {
            kind: hmac.digest(material, f"crisisbridge token {kind}".encode(), hashlib.sha256)
            for kind in ("login", "renewal", "tablet", "guest", "step", "mac")
        }

    def mac(self, message: bytes) -> bytes:
        """32 bytes that only this server's secret can make of a message."""
        return hmac.digest(self._keys["mac"], message, hashlib.sha256)

    def issue(self, kind: Kind, subject: str, token_id: str, now: float, expires_at: float) -> str:
        """A token for `subject` whose row is `token_id`."""
        claims = {
            "iss": ISSUER,
            "typ": kind,
            "sub": subject,
            "jti": token_id,
            "iat": math.floor(now),
            "exp": math.floor(expires_at),
        }
        if self.signing is None:
            return jwt.encode(claims, self._keys[kind], algorithm=UNNAMED)
        kid, key = self.signing.signer(now)
        named = {"kid": kid, "typ": _type(kind)}
        return jwt.encode(claims | {"aud": _audience(kind)}, key, algorithm=NAMED, headers=named)

    async def find(self, conn: AsyncConnection, kind: Kind, token: str) -> Claims | None:
        """As `read`, and with keys that another server made a moment ago."""
        if self.signing is not None:
            header = _header(token)
            kid = header.get("kid") if header is not None else None
            await self.signing.meet(conn, kid if isinstance(kid, str) else None)
        return self.read(kind, token)

    def read(self, kind: Kind, token: str) -> Claims | None:
        """The claims of a genuine token of this kind; None for anything else.

        Time is not checked here, because the clock is the caller's: compare `expires_at`.
        """
        header = _header(token)
        if header is None:
            return None
        try:
            claims = self._genuine(kind, token, header)
        except jwt.PyJWTError:
            return None
        if claims is None:
            return None
        subject, token_id, expires_at = claims["sub"], claims["jti"], claims["exp"]
        if claims["typ"] != kind or not isinstance(subject, str) or not isinstance(token_id, str):
            return None
        if not isinstance(expires_at, int) or isinstance(expires_at, bool):
            return None
        return Claims(kind, subject, token_id, float(expires_at))

    def _genuine(self, kind: Kind, token: str, header: dict[str, Any]) -> dict[str, Any] | None:
        """What is signed, whatever it says. Never looks at the algorithm that the token names."""
        if "kid" not in header:
            if self.signing is not None and not self.signing.takes_unnamed:
                return None
            claims: dict[str, Any] = jwt.decode(
                token, self._keys[kind], algorithms=[UNNAMED], issuer=ISSUER, options=_options()
            )
            return claims
        key = self.signing.verifier(header["kid"]) if self.signing is not None else None
        if key is None or header.get("typ") != _type(kind):
            return None
        claims = jwt.decode(
            token,
            key,
            algorithms=[NAMED],
            issuer=ISSUER,
            audience=_audience(kind),
            options=_options("aud"),
        )
        return claims


def _header(token: str) -> dict[str, Any] | None:
    """What a token says of itself, unproven; None when it is none."""
    if not token or len(token) > LONGEST_TOKEN:
        return None
    try:
        return jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        return None


def _options(*more: str) -> Options:
    return {
        "require": ["iss", "typ", "sub", "jti", "iat", "exp", *more],
        "verify_exp": False,
        "verify_iat": False,
        "verify_nbf": False,
    }


def _type(kind: Kind) -> str:
    return f"{kind}+jwt"


def _audience(kind: Kind) -> str:
    return f"{ISSUER}/{kind}"
