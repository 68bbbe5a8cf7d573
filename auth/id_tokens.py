"""An ID token checked: signature, issuer, audience, times and nonce (OpenID Connect Core, 3.1.3.7).

Pure: the keys and the time are given. PyJWT verifies the signature with the one key and the one
algorithm that were chosen here; every claim is checked here, because the clock is the caller's.
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from auth.errors import BadSignOn, SignOnClock

# only signatures by keys that the issuer alone holds: no "none", no HS… that shares a secret
ALGORITHMS = {
    "RS256": "RSA", "RS384": "RSA", "RS512": "RSA",
    "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
    "ES256": "EC", "ES384": "EC", "ES512": "EC",
    "EdDSA": "OKP",
}  # fmt: skip
LEEWAY = 60.0  # seconds that two clocks may differ
OLDEST = 600.0  # an ID token comes straight from the issuer: it was made a moment ago
LONGEST = 65_536
LONGEST_SUBJECT = 255  # OpenID Connect Core, 2
SHORTEST_RSA = 2048

Claims = Mapping[str, Any]
Key = Mapping[str, Any]  # a JWK


class UnknownKey(Exception):
    """No key of this name: the issuer may have a new one, so its keys are to be fetched anew."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a genuine token says."""

    issuer: str
    client_id: str
    nonce: str


def check(token: str, keys: Sequence[Key], wanted: Wanted, now: float) -> Claims:
    """The claims of a genuine token. Raises UnknownKey, BadSignOn, SignOnClock."""
    if len(token) > LONGEST:
        raise BadSignOn
    try:
        head = jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise BadSignOn from error
    algorithm = head.get("alg")
    if algorithm not in ALGORITHMS:
        raise BadSignOn
    try:
        key = jwt.PyJWK(dict(_chosen(keys, head.get("kid"), algorithm)), algorithm=algorithm)
        if isinstance(key.key, RSAPublicKey) and key.key.key_size < SHORTEST_RSA:
            raise BadSignOn
        claims = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            options={"verify_signature": True, "verify_aud": False, "verify_iss": False,
                     "verify_exp": False, "verify_iat": False, "verify_nbf": False,
                     "verify_sub": False, "verify_jti": False},
        )  # fmt: skip
    except jwt.PyJWTError as error:
        raise BadSignOn from error
    _says(claims, wanted)
    _in_time(claims, now)
    return claims


def signed_in_at(claims: Claims) -> float | None:
    """When the person proved to the issuer who they are; None where it does not say."""
    return _time(claims, "auth_time")


def usable(keys: Sequence[Key]) -> int:
    """How many of the issuer's keys a token could be checked with."""
    return sum(any(_fits(key, name) for name in ALGORITHMS) for key in keys)


# --- inside ---------------------------------------------------------------------------------------


def _chosen(keys: Sequence[Key], name: object, algorithm: str) -> Key:
    if name is None:  # allowed where there is only one
        fit = [key for key in keys if _fits(key, algorithm)]
        if len(fit) != 1:
            raise BadSignOn
        return fit[0]
    named = [key for key in keys if key.get("kid") == name]
    if not named:
        raise UnknownKey
    fit = [key for key in named if _fits(key, algorithm)]
    if not fit:
        raise BadSignOn
    return fit[0]


def _fits(key: Key, algorithm: str) -> bool:
    return (
        key.get("kty") == ALGORITHMS[algorithm]
        and key.get("alg", algorithm) == algorithm
        and key.get("use", "sig") == "sig"
    )


def _says(claims: Claims, wanted: Wanted) -> None:
    subject, audience, nonce = claims.get("sub"), claims.get("aud"), claims.get("nonce")
    if claims.get("iss") != wanted.issuer:
        raise BadSignOn
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
        raise BadSignOn
    many = audience if isinstance(audience, list) else [audience]
    party = claims.get("azp")
    if wanted.client_id not in many or (len(many) > 1 and party is None):
        raise BadSignOn
    if party is not None and party != wanted.client_id:
        raise BadSignOn
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), wanted.nonce.encode()):
        raise BadSignOn


def _in_time(claims: Claims, now: float) -> None:
    made, ends, begins = (_time(claims, name) for name in ("iat", "exp", "nbf"))
    if made is None or ends is None:
        raise BadSignOn
    if made > now + LEEWAY or now >= ends + LEEWAY or now - made > OLDEST + LEEWAY:
        raise SignOnClock
    if begins is not None and begins > now + LEEWAY:
        raise SignOnClock


def _time(claims: Claims, name: str) -> float | None:
    """A time that a claim says. Raises BadSignOn for one that is none."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadSignOn
    return float(value)
