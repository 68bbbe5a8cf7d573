"""Signed tokens in cookies: small, typed, checked strictly, and worth nothing without their row.

A token only names a row (`login`, `tablet`, `guest_link`, or the `person` whose password was right
and whose second factor is still to come); the row decides on each use, so that a revoked sign-in
ends at once. Each kind has a key of its own, from the server's secret: a token of
one kind cannot even be verified as another.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from dataclasses import dataclass
from typing import Literal

import jwt

Kind = Literal["login", "tablet", "guest", "step"]
ISSUER = "crisisbridge"
ALGORITHM = "HS256"
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
    """Makes and reads tokens with the server's secret (at least 32 characters)."""

    def __init__(self, secret: str | bytes) -> None:
        material = secret.encode() if isinstance(secret, str) else secret
        if len(material) < SHORTEST_SECRET:
            raise ValueError("The signing secret must have at least 32 characters.")
        self._keys: dict[str, bytes] = {
            kind: hmac.digest(material, f"crisisbridge token {kind}".encode(), hashlib.sha256)
            for kind in ("login", "tablet", "guest", "step", "mac")
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
        return jwt.encode(claims, self._keys[kind], algorithm=ALGORITHM)

    def read(self, kind: Kind, token: str) -> Claims | None:
        """The claims of a genuine token of this kind; None for anything else.

        Time is not checked here, because the clock is the caller's: compare `expires_at`.
        """
        if not token or len(token) > LONGEST_TOKEN:
            return None
        try:
            claims = jwt.decode(
                token,
                self._keys[kind],
                algorithms=[ALGORITHM],  # never what the token itself names
                issuer=ISSUER,
                options={
                    "require": ["iss", "typ", "sub", "jti", "iat", "exp"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.PyJWTError:
            return None
        subject, token_id, expires_at = claims["sub"], claims["jti"], claims["exp"]
        if claims["typ"] != kind or not isinstance(subject, str) or not isinstance(token_id, str):
            return None
        if not isinstance(expires_at, int) or isinstance(expires_at, bool):
            return None
        return Claims(kind, subject, token_id, float(expires_at))
