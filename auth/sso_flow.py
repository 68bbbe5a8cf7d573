"""What is sent along with somebody to their directory, and what must come back with them.

The authorization code flow with PKCE. Nothing is stored for a stranger who only begins: the state
is a signed challenge (auth.challenges) for the cookie that was given at the beginning, and the
nonce and the PKCE verifier follow from the state and the server's secret. An answer counts once,
within ten minutes, in the browser that asked, for the directory that was asked.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy.ext.asyncio import AsyncConnection

from auth import challenges
from auth.errors import BadSignOn, SignOnStale, SignOnUsed
from auth.sso_rules import Issuer
from auth.tokens import Tokens

Purpose = Literal["sign_in", "prove", "change", "connect"]
SECONDS = 600
LONGEST_COOKIE = 400


@dataclass(frozen=True, slots=True)
class Flow:
    """One trip to a directory. `cookie` stays in the browser; all the rest follows from it.

    `login_id`: whose proof it is; empty for a sign-in. `back`: a path of ours to go on to.
    """

    cookie: str
    state: bytes
    purpose: Purpose
    login_id: str
    back: str

    @property
    def begun_at(self) -> float:
        return challenges.ends_at(self.state) - SECONDS

    @property
    def sent_state(self) -> str:
        return _text(self.state)


def begin(
    tokens: Tokens, issuer: Issuer, purpose: Purpose, login_id: str, back: str, now: float
) -> Flow:
    """A fresh trip. `back` is a path of ours, or nothing."""
    cookie = "~".join((secrets.token_urlsafe(18), purpose, login_id, back))
    state = challenges.make(tokens, _for(issuer), cookie, now, SECONDS)
    return Flow(cookie, state, purpose, login_id, back)


def returned(tokens: Tokens, issuer: Issuer, cookie: str | None, state: str, now: float) -> Flow:
    """The trip that somebody comes back from. Raises SignOnStale, BadSignOn."""
    parts = (cookie or "")[:LONGEST_COOKIE].split("~")
    if cookie is None or len(parts) != 4 or parts[1] not in get_args(Purpose):
        raise SignOnStale
    try:
        raw = base64.urlsafe_b64decode(state[:200] + "=" * (-len(state[:200]) % 4))
    except (binascii.Error, ValueError):
        raise BadSignOn from None
    if not challenges.genuine(tokens, _for(issuer), cookie, raw, 0.0):
        raise SignOnStale  # of another window, or made up
    if not challenges.genuine(tokens, _for(issuer), cookie, raw, now):
        raise SignOnStale
    purpose: Purpose = parts[1]  # type: ignore[assignment]  # looked at above
    return Flow(cookie, raw, purpose, parts[2], parts[3])


async def spend(conn: AsyncConnection, flow: Flow, now: float) -> None:
    """An answer counts once. Raises SignOnUsed."""
    if not await challenges.spend(conn, flow.state, now, SECONDS):
        raise SignOnUsed


def nonce(tokens: Tokens, flow: Flow) -> str:
    """What the ID token must say."""
    return _text(tokens.mac(b"sso nonce\n" + flow.state))


def verifier(tokens: Tokens, flow: Flow) -> str:
    """What proves, when the code is redeemed, that it was us who asked (RFC 7636)."""
    return _text(tokens.mac(b"sso verifier\n" + flow.state))


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier."""
    return _text(hashlib.sha256(verifier.encode()).digest())


def _for(issuer: Issuer) -> str:
    return f"sso {issuer.id} {issuer.url}"


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
