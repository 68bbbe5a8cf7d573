"""ID tokens: what is genuine passes, and whatever is changed about it does not."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from auth import id_tokens
from auth.errors import AuthError, BadSignOn, SignOnClock
from auth.id_tokens import UnknownKey, Wanted

NOW = 1_800_000_000.0
WANTED = Wanted("https://login.example.org/", "crisisbridge", "n-0S6_WzA2Mj")
CLAIMS: dict[str, Any] = {
    "iss": WANTED.issuer,
    "sub": "248289761001",
    "aud": WANTED.client_id,
    "exp": int(NOW) + 300,
    "iat": int(NOW),
    "nonce": WANTED.nonce,
}
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
P256 = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
_FORMS: dict[str, Any] = {
    "RS": jwt.algorithms.RSAAlgorithm.to_jwk,
    "ES": jwt.algorithms.ECAlgorithm.to_jwk,
    "Ed": jwt.algorithms.OKPAlgorithm.to_jwk,
}


def jwk(private: Any, kid: str | None = "one", **more: Any) -> dict[str, Any]:
    form = {rsa.RSAPrivateKey: "RS", ec.EllipticCurvePrivateKey: "ES"}
    name = next((short for kind, short in form.items() if isinstance(private, kind)), "Ed")
    key: dict[str, Any] = _FORMS[name](private.public_key(), as_dict=True)
    key.pop("key_ops", None)
    return {**key, **({} if kid is None else {"kid": kid}), **more}


def signed(
    claims: dict[str, Any], key: Any = RSA, algorithm: str = "RS256", kid: str | None = "one"
) -> str:
    head = {} if kid is None else {"kid": kid}
    return jwt.encode(claims, key, algorithm=algorithm, headers=head)


KEYS = [jwk(RSA)]


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(RSA, "RS256"), (RSA, "RS512"), (RSA, "PS256"), (P256, "ES256"), (ED, "EdDSA")],
)
def test_a_genuine_token_says_who_it_is(key: Any, algorithm: str) -> None:
    token = signed(CLAIMS, key, algorithm)
    assert id_tokens.check(token, [jwk(key)], WANTED, NOW)["sub"] == CLAIMS["sub"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://login.example.org"},  # letter by letter: without the slash it is another
        {"iss": None},
        {"sub": ""},
        {"sub": None},
        {"sub": "x" * 256},
        {"sub": 7},
        {"aud": "another"},
        {"aud": []},
        {"aud": [WANTED.client_id, "another"]},  # and nobody says for whom it was made
        {"aud": [WANTED.client_id, "another"], "azp": "another"},
        {"azp": "another"},
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": 1},
        {"exp": None},
        {"iat": None},
        {"exp": "soon"},
        {"exp": True},
        {"iat": math.inf},
    ],
)
def test_a_wrong_claim_is_refused(wrong: dict[str, Any]) -> None:
    claims = {name: value for name, value in {**CLAIMS, **wrong}.items() if value is not None}
    with pytest.raises(BadSignOn):
        id_tokens.check(raw(claims), KEYS, WANTED, NOW)


def raw(claims: dict[str, Any]) -> str:
    """Signed as it is: the library would not write some of these."""
    body = b".".join(_part(one) for one in ({"alg": "RS256", "kid": "one"}, claims))
    signature = jwt.get_algorithm_by_name("RS256").sign(body, RSA)
    return (body + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


def _part(value: object) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")


def test_several_audiences_pass_when_it_was_made_for_us() -> None:
    claims = {**CLAIMS, "aud": ["another", WANTED.client_id], "azp": WANTED.client_id}
    assert id_tokens.check(signed(claims), KEYS, WANTED, NOW)


@pytest.mark.parametrize(
    ("times", "fits"),
    [
        ({"exp": NOW - 59}, True),
        ({"exp": NOW - 60}, False),
        ({"iat": NOW + 60}, True),
        ({"iat": NOW + 61}, False),
        ({"iat": NOW - 660}, True),
        ({"iat": NOW - 661}, False),
        ({"nbf": NOW + 60}, True),
        ({"nbf": NOW + 61}, False),
    ],
)
def test_a_minute_between_the_clocks_is_forgiven_and_no_more(
    times: dict[str, float], fits: bool
) -> None:
    token = signed({**CLAIMS, **times})
    if fits:
        assert id_tokens.check(token, KEYS, WANTED, NOW)
    else:
        with pytest.raises(SignOnClock):
            id_tokens.check(token, KEYS, WANTED, NOW)


def test_no_signature_and_a_shared_secret_are_no_signature() -> None:
    public = jwt.algorithms.RSAAlgorithm.to_jwk(RSA.public_key())
    unsigned = jwt.encode(CLAIMS, "", algorithm="none", headers={"kid": "one"})
    for token in (unsigned, signed(CLAIMS, public[:64], "HS256"), "", "a.b.c", "." * 10,
                  "x" * 70_000):  # fmt: skip
        with pytest.raises(BadSignOn):
            id_tokens.check(token, KEYS, WANTED, NOW)


def test_the_key_decides_the_algorithm_and_not_the_token() -> None:
    bound = [jwk(RSA, alg="RS256")]
    assert id_tokens.check(signed(CLAIMS), bound, WANTED, NOW)
    for keys, token in (
        (bound, signed(CLAIMS, RSA, "PS256")),
        ([jwk(RSA, use="enc")], signed(CLAIMS)),
        ([jwk(P256)], signed(CLAIMS)),
        ([{"kid": "one", "kty": "RSA"}], signed(CLAIMS)),
        ([{"kid": "one", "kty": "oct", "k": "AAAA"}], signed(CLAIMS)),
        ([jwk(OTHER)], signed(CLAIMS)),
    ):
        with pytest.raises(BadSignOn):
            id_tokens.check(token, keys, WANTED, NOW)


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_a_short_rsa_key_is_no_key() -> None:
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    token = jwt.encode(CLAIMS, short, algorithm="RS256", headers={"kid": "one"})
    with pytest.raises(BadSignOn):
        id_tokens.check(token, [jwk(short)], WANTED, NOW)


def test_an_unknown_key_is_worth_asking_anew_and_a_nameless_one_must_be_the_only_one() -> None:
    with pytest.raises(UnknownKey):
        id_tokens.check(signed(CLAIMS, kid="two"), KEYS, WANTED, NOW)
    nameless = signed(CLAIMS, kid=None)
    assert id_tokens.check(nameless, [jwk(RSA, kid=None), jwk(P256, "two")], WANTED, NOW)
    with pytest.raises(BadSignOn):
        id_tokens.check(nameless, [jwk(RSA), jwk(OTHER, "two")], WANTED, NOW)


def test_keys_that_can_be_used_are_counted() -> None:
    assert id_tokens.usable([jwk(RSA), jwk(ED, "two"), {"kty": "oct"}, jwk(P256, use="enc")]) == 2


@given(st.integers(0, 10_000), st.integers(1, 255))
@settings(max_examples=200, deadline=None)
def test_no_changed_byte_passes(where: int, by: int) -> None:
    token = bytearray(GENUINE.encode())
    at = where % len(token)
    token[at] ^= by
    changed = bytes(token).decode("latin-1")
    try:
        claims = id_tokens.check(changed, KEYS, WANTED, NOW)
    except (AuthError, UnknownKey):
        return
    # base64 has spare bits at the end of a part: the same token in other letters
    assert _meaning(changed) == _meaning(GENUINE)
    assert claims == CLAIMS


def _meaning(token: str) -> list[bytes]:
    return [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".")]


@given(
    st.dictionaries(
        st.sampled_from(["iss", "sub", "aud", "azp", "exp", "iat", "nbf", "nonce"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2)
            ),
            max_leaves=5,
        ),
    )
)
@settings(max_examples=300, deadline=None)
def test_whatever_a_signed_token_says_it_is_judged_and_nothing_breaks(odd: dict[str, Any]) -> None:
    try:
        claims = id_tokens.check(raw({**CLAIMS, **odd}), KEYS, WANTED, NOW)
    except AuthError:
        return
    assert claims["iss"] == WANTED.issuer
    assert claims["nonce"] == WANTED.nonce
    assert WANTED.client_id in claims["aud"]
    assert abs(claims["iat"] - NOW) <= id_tokens.OLDEST + id_tokens.LEEWAY


GENUINE = signed(CLAIMS)
