"""Keys that sign tokens: shared, changed without signing anybody out, and never mistaken."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import func, select, text, update

from auth import logins, signin, signing
from auth.errors import LoginExpired, NotSignedIn, Revoked
from auth.signing import Signing
from auth.tokens import Tokens
from records import token_keys
from records.crypto import Vault
from records.engine import Database
from records.schema_keys import token_key
from records.schema_parties import participant
from records.token_keys import LONGEST_SECONDS, PUBLISHED_SECONDS
from tests.auth.cast import HOUR, NOW, PASSWORD, SECRET
from tests.auth.test_factors import sits_in_a_call

EMAIL = "clinician@home.invalid"


class Server:
    """One process: the record is shared, the memory is its own."""

    def __init__(self, db: Database, clock: list[float]) -> None:
        self.db, self.clock = db, clock
        self.vault = Vault(bytes(range(32)))
        self.signing = Signing(self.vault, lambda: clock[0])
        self.tokens = Tokens(SECRET, self.signing)
        self.reads = 0

    async def begin(self) -> Server:
        await self.signing.begin(self.db)
        genuine = self.signing.read

        async def counted(conn: Any) -> None:
            self.reads += 1
            await genuine(conn)

        self.signing.read = counted  # type: ignore[method-assign]
        return self

    async def find(self, token: str) -> bool:
        async with self.db.read() as conn:
            return await self.tokens.find(conn, "login", token) is not None

    async def rotate(self) -> str:
        return await self.db.write(lambda c: signing.rotate(c, self.vault, self.clock[0]))

    def issue(self, seconds: float = HOUR) -> str:
        now = self.clock[0]
        return self.tokens.issue("login", "per_1", "lgn_1", now, now + seconds)


@pytest.fixture
def clock() -> list[float]:
    return [NOW]


@pytest.fixture
async def server(db: Database, clock: list[float]) -> Server:
    return await Server(db, clock).begin()


def kid_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def claims_of(token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


# --- several servers, and time --------------------------------------------------------------------


async def test_what_one_server_signs_another_one_takes(
    server: Server, db: Database, clock: list[float]
) -> None:
    other = await Server(db, clock).begin()
    for here, there in ((server, other), (other, server)):
        token = here.issue()
        assert await there.find(token)
        assert there.tokens.read("tablet", token) is None


async def test_a_new_key_is_published_before_it_signs_and_signs_nobody_out(
    server: Server, db: Database, clock: list[float]
) -> None:
    other = await Server(db, clock).begin()
    before = server.issue(30 * 86400)
    new = await server.rotate()
    async with db.read() as conn:
        await server.signing.read(conn)
    assert kid_of(server.issue()) != new
    assert new in {one.kid for one in server.signing.published()}
    clock[0] += PUBLISHED_SECONDS
    after = server.issue()
    assert kid_of(after) == new
    for each in (server, other, await Server(db, clock).begin()):
        assert await each.find(before)
        assert await each.find(after)


async def test_a_key_that_nobody_told_this_server_of_is_looked_for_at_its_first_token(
    server: Server, db: Database, clock: list[float]
) -> None:
    """Even one that signs at once, as no server of ours makes it."""
    await server.find(server.issue())
    await db.write(lambda c: c.execute(text("DELETE FROM token_key")))
    other = await Server(db, clock).begin()
    clock[0] += 2
    assert await server.find(other.issue())


async def test_the_old_key_verifies_until_its_last_token_has_run_out_and_then_is_gone(
    server: Server, db: Database, clock: list[float]
) -> None:
    old = server.issue(365 * 86400)
    await server.rotate()
    clock[0] += PUBLISHED_SECONDS
    assert await server.find(old)  # servers meet tokens all the time
    last = server.issue(LONGEST_SECONDS)
    assert kid_of(last) != kid_of(old)
    clock[0] = NOW + 365 * 86400 - 1
    assert await server.find(old)
    clock[0] = NOW + PUBLISHED_SECONDS + LONGEST_SECONDS
    assert not await server.find(old)
    assert await server.find(last)
    await signing.tend(db, server.vault, clock[0])
    async with db.read() as conn:
        assert kid_of(old) not in {one.kid for one in await token_keys.listed(conn)}


async def test_a_key_that_signs_no_more_cannot_sign_any_more(
    server: Server, db: Database, clock: list[float]
) -> None:
    kept = select(func.count()).where(token_key.c.private_enc.is_not(None))
    await server.rotate()
    async with db.read() as conn:
        assert await conn.scalar(kept) == 2, "the first one still signs, for ten minutes"
    clock[0] += PUBLISHED_SECONDS
    await signing.tend(db, server.vault, clock[0])
    async with db.read() as conn:
        assert await conn.scalar(kept) == 1


async def test_each_quarter_there_is_another_one_once_whoever_looks(
    server: Server, db: Database, clock: list[float]
) -> None:
    counted = select(func.count()).select_from(token_key)
    for days, expected in ((89, 1), (90, 2), (91, 2), (179, 2), (181, 3)):
        for _server in range(2):
            await signing.tend(db, server.vault, NOW + days * 86400)
        async with db.read() as conn:
            assert await conn.scalar(counted) == expected, days


async def test_private_halves_are_sealed_and_move_with_the_records_key(
    server: Server, db: Database
) -> None:
    raw = server.signing.signer(NOW)[1].private_bytes_raw()
    async with db.read() as conn:
        row = (await conn.execute(select(token_key))).one()
        assert await token_keys.private(conn, server.vault, row.kid) == raw
    assert raw not in row.private_enc
    assert row.kek_id == server.vault.keks.newest.id


async def test_names_that_nobody_has_cost_one_look_in_a_second(
    server: Server, clock: list[float]
) -> None:
    key = Ed25519PrivateKey.generate()
    server.reads = 0
    for number in range(50):
        forged = jwt.encode({}, key, algorithm="EdDSA", headers={"kid": f"{number}"})
        assert not await server.find(forged)
    assert server.reads == 0, "it was read this very second"
    clock[0] += 1
    for number in range(50):
        forged = jwt.encode({}, key, algorithm="EdDSA", headers={"kid": f"{number}"})
        assert not await server.find(forged)
    assert server.reads == 1
    assert await server.find(server.issue())


# --- forgeries ------------------------------------------------------------------------------------


def _hs_by_public(token: str, server: Server) -> str:
    """The public half taken for a shared secret: the classic confusion."""
    key = server.signing.signer(NOW)[1].public_key()
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    head = {"alg": "HS256", "typ": "login+jwt", "kid": kid_of(token)}
    parts = b".".join(_part(one) for one in (head, claims_of(token)))
    signature = hmac.digest(raw, parts, hashlib.sha256)
    return (parts + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


def _part(one: object) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=")


def _signed(token: str, server: Server, head: dict[str, Any], **claims: object) -> str:
    """Genuinely signed, and saying something else."""
    kid, key = server.signing.signer(NOW)
    said = {k: v for k, v in (claims_of(token) | claims).items() if v is not None}
    return jwt.encode(said, key, algorithm="EdDSA", headers={"kid": kid, "typ": "login+jwt"} | head)


def _with_its_own_key(token: str, where: str) -> str:
    """Signed with a key that the token itself tells of."""
    own = Ed25519PrivateKey.generate()
    raw = own.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    public = {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": base64.urlsafe_b64encode(raw).rstrip(b"=").decode(),
    }
    told = {"jwk": public, "jku": "http://127.0.0.1:9/keys.json"}[where]
    head = {"kid": kid_of(token), "typ": "login+jwt", where: told}
    return jwt.encode(claims_of(token), own, algorithm="EdDSA", headers=head)


FORGERIES: dict[str, Callable[[str, Server], str]] = {
    "the public key as a secret": _hs_by_public,
    "another key under that name": lambda token, _: jwt.encode(
        claims_of(token),
        Ed25519PrivateKey.generate(),
        algorithm="EdDSA",
        headers={"kid": kid_of(token), "typ": "login+jwt"},
    ),
    "the secret's signature under a name": lambda token, server: jwt.encode(
        claims_of(token),
        server.tokens._keys["login"],
        algorithm="HS256",
        headers={"kid": kid_of(token), "typ": "login+jwt"},
    ),
    "no name": lambda token, server: jwt.encode(
        claims_of(token),
        server.signing.signer(NOW)[1],
        algorithm="EdDSA",
        headers={"typ": "login+jwt"},
    ),
    "a name that nobody has": lambda token, server: _signed(token, server, {"kid": "none"}),
    "an empty name": lambda token, server: _signed(token, server, {"kid": ""}),
    "a key that it brings along": lambda token, _: _with_its_own_key(token, "jwk"),
    "an address where a key could be": lambda token, _: _with_its_own_key(token, "jku"),
    "another type": lambda token, server: _signed(token, server, {"typ": "tablet+jwt"}),
    "no type": lambda token, server: _signed(token, server, {"typ": "JWT"}),
    "another audience": lambda token, server: _signed(token, server, {}, aud="crisisbridge/tablet"),
    "no audience": lambda token, server: _signed(token, server, {}, aud=None),
    "another issuer": lambda token, server: _signed(token, server, {}, iss="somebody"),
    "another kind": lambda token, server: _signed(token, server, {}, typ="tablet"),
    "no end": lambda token, server: _signed(token, server, {}, exp=None),
    "an unknown part that must be understood": lambda token, server: _signed(
        token, server, {"crit": ["b64"], "b64": False}
    ),
    "unsigned": lambda token, _: (
        b".".join((_part({"alg": "none", "kid": kid_of(token)}), _part(claims_of(token)), b""))
    ).decode(),
}


@pytest.mark.parametrize("forged", FORGERIES.values(), ids=FORGERIES.keys())
async def test_a_forged_token_is_refused(
    server: Server, forged: Callable[[str, Server], str]
) -> None:
    token = server.issue()
    assert await server.find(token)
    assert not await server.find(forged(token, server))


async def test_the_forger_of_these_tests_can_make_a_genuine_one(server: Server) -> None:
    assert await server.find(_signed(server.issue(), server, {}))


async def test_a_token_from_before_there_were_keys_is_taken_for_as_long_as_one_lives(
    server: Server, clock: list[float]
) -> None:
    old = Tokens(SECRET).issue("login", "per_1", "lgn_1", NOW - HOUR, NOW + LONGEST_SECONDS)
    assert await server.find(old)
    clock[0] += LONGEST_SECONDS
    assert not await server.find(old)


# --- the row decides ------------------------------------------------------------------------------


async def _signed_in(server: Server) -> signin.SignedIn:
    return await signin.sign_in(server.db, server.tokens, EMAIL, PASSWORD, server.clock[0])


async def _who(server: Server, token: str) -> str:
    async with server.db.read() as conn:
        now = server.clock[0]
        return (await logins.actor_for_login(conn, server.tokens, token, now)).id


async def test_whoever_was_removed_never_comes_back_whichever_key_signed(
    server: Server, clock: list[float]
) -> None:
    signed = await _signed_in(server)
    await server.rotate()
    clock[0] += PUBLISHED_SECONDS - 1
    assert await _who(server, signed.token) == signed.actor.id
    await server.db.write(
        lambda c: c.execute(text("UPDATE person SET active=false WHERE id='clinician_home'"))
    )
    with pytest.raises(Revoked):
        await _who(server, signed.token)
    # a fresh and genuine token for the row that was taken away opens nothing either
    login = signed.actor.login_id or ""
    again = server.tokens.issue("login", signed.actor.id, login, clock[0], clock[0] + HOUR)
    with pytest.raises(Revoked):
        await _who(server, again)
    other = server.tokens.issue("login", signed.actor.id, "lgn_none", clock[0], clock[0] + HOUR)
    with pytest.raises(NotSignedIn):
        await _who(server, other)


async def test_a_token_that_runs_out_in_a_call_drops_nothing_whichever_key_signed(
    server: Server, clock: list[float]
) -> None:
    signed = await _signed_in(server)
    await server.db.write(sits_in_a_call)
    await server.rotate()
    clock[0] += 13 * HOUR
    assert await _who(server, signed.token) == signed.actor.id
    over = update(participant).values(left_at=clock[0])
    await server.db.write(lambda c: c.execute(over))
    with pytest.raises(NotSignedIn):
        await _who(server, signed.token)
    login = signed.actor.login_id or ""
    fresh = server.tokens.issue("login", signed.actor.id, login, clock[0], clock[0] + HOUR)
    with pytest.raises(LoginExpired):
        await _who(server, fresh)
