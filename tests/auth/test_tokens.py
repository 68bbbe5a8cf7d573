"""Tokens: genuine ones of the right kind, and nothing else."""

from __future__ import annotations

import base64
import json
from typing import cast

import jwt
import pytest

from auth.tokens import Kind, Tokens
from tests.auth.cast import HOUR, NOW, SECRET

TOKENS = Tokens(SECRET)


def _issue(kind: Kind = "login") -> str:
    return TOKENS.issue(kind, "per_1", "lgn_1", NOW, NOW + HOUR)


def _encode(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def test_a_token_says_again_what_was_put_in() -> None:
    claims = TOKENS.read("login", _issue())
    assert claims is not None
    assert (claims.kind, claims.subject, claims.token_id) == ("login", "per_1", "lgn_1")
    assert claims.expires_at == NOW + HOUR


@pytest.mark.parametrize(("made", "read"), [("login", "tablet"), ("tablet", "login")])
def test_a_token_of_one_kind_is_never_another_kind(made: str, read: str) -> None:
    assert TOKENS.read(cast(Kind, read), _issue(cast(Kind, made))) is None


def test_a_token_of_another_kind_is_refused_even_when_it_is_signed_with_this_kinds_key() -> None:
    key = TOKENS._keys["login"]
    claims = jwt.decode(_issue(), options={"verify_signature": False})
    forged = jwt.encode({**claims, "typ": "tablet"}, key, algorithm="HS256")
    assert TOKENS.read("login", forged) is None


def test_an_unsigned_token_is_refused() -> None:
    _, body, _ = _issue().split(".")
    for name in ("none", "None", "NONE"):
        assert TOKENS.read("login", f"{_encode({'alg': name, 'typ': 'JWT'})}.{body}.") is None


def test_a_token_with_another_algorithm_is_refused() -> None:
    claims = jwt.decode(_issue(), options={"verify_signature": False})
    forged = jwt.encode(claims, TOKENS._keys["login"] * 2, algorithm="HS512")
    assert TOKENS.read("login", forged) is None


def test_a_token_of_another_server_is_refused() -> None:
    stranger = Tokens("another secret that is also long enough for us")
    assert TOKENS.read("login", stranger.issue("login", "per_1", "lgn_1", NOW, NOW + 1)) is None


def test_a_token_changed_in_any_part_is_refused() -> None:
    header, body, signature = _issue().split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    other = _encode({**claims, "sub": "per_2"})
    flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
    assert TOKENS.read("login", f"{header}.{other}.{signature}") is None
    assert TOKENS.read("login", f"{header}.{body}.{flipped}") is None
    assert TOKENS.read("login", f"{header}.{body}") is None


@pytest.mark.parametrize("left_out", ["iss", "typ", "sub", "jti", "iat", "exp"])
def test_a_token_that_lacks_a_claim_is_refused(left_out: str) -> None:
    claims = jwt.decode(_issue(), options={"verify_signature": False})
    del claims[left_out]
    forged = jwt.encode(claims, TOKENS._keys["login"], algorithm="HS256")
    assert TOKENS.read("login", forged) is None


@pytest.mark.parametrize("exp", ["1800003600", True, None, 1.5e9, [1]])
def test_a_token_whose_expiry_is_not_a_number_of_seconds_is_refused(exp: object) -> None:
    claims = jwt.decode(_issue(), options={"verify_signature": False})
    forged = jwt.encode({**claims, "exp": exp}, TOKENS._keys["login"], algorithm="HS256")
    assert TOKENS.read("login", forged) is None


@pytest.mark.parametrize("noise", ["", "x", "a.b.c", "é.é.é", "." * 5, "A" * 100_000])
def test_noise_is_refused_without_an_exception(noise: str) -> None:
    assert TOKENS.read("login", noise) is None


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32"):
        Tokens("too short")
