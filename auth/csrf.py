"""Requests that change something must come from our own page: a token in the form, and the Origin.

Two independent checks; both must hold. The token is tied to the sign-in (or tablet), so that one
person's token is worth nothing in another's form.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from auth.errors import CrossSite

_DEFAULT_PORTS = {"http": 80, "https": 443}


def issue(secret: str | bytes, holder_id: str) -> str:
    """A token for the forms of this sign-in, tablet or (before sign-in) anonymous cookie."""
    nonce = secrets.token_urlsafe(12)
    return f"{nonce}.{_sign(secret, holder_id, nonce)}"


def check(secret: str | bytes, holder_id: str, token: str | None) -> bool:
    """Whether the token was issued to this holder; takes the same time whatever is wrong."""
    nonce, _, signature = (token or "")[:200].partition(".")
    expected = _sign(secret, holder_id, nonce)
    return hmac.compare_digest(signature.encode(), expected.encode())


def require(secret: str | bytes, holder_id: str, token: str | None) -> None:
    """Raises CrossSite unless `check` holds."""
    if not check(secret, holder_id, token):
        raise CrossSite


def same_origin(headers: Mapping[str, str], allowed: Collection[str]) -> bool:
    """Whether a browser sent this from a page of one of the `allowed` origins.

    By the Origin header; where a browser leaves it out, by Sec-Fetch-Site. With neither the answer
    is no. `headers` must be case-insensitive, as aiohttp's are.
    """
    origin = headers.get("Origin")
    if origin is not None:
        known = {_normal(one) for one in allowed} - {None}
        return _normal(origin) in known
    return headers.get("Sec-Fetch-Site") == "same-origin"


def _sign(secret: str | bytes, holder_id: str, nonce: str) -> str:
    key = secret.encode() if isinstance(secret, str) else secret
    message = f"crisisbridge form\n{holder_id}\n{nonce}".encode()
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def _normal(origin: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of an origin; None for "null" and anything that is not one."""
    try:
        parts = urlsplit(origin.strip())
        port = parts.port
    except ValueError:
        return None
    default = _DEFAULT_PORTS.get(parts.scheme)
    if default is None or not parts.hostname or parts.path.strip("/") or parts.query:
        return None
    if parts.fragment or parts.username is not None:
        return None
    return parts.scheme, parts.hostname, port or default
