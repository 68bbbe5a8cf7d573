"""The public halves of the keys that sign tokens, and people who stay signed in over a change."""

from __future__ import annotations

import jwt
import pytest

from auth import signing
from auth.signing import Signing
from auth.tokens import Tokens
from records import token_keys
from records.token_keys import PUBLISHED_SECONDS
from tests.web.cast import SECRET, Site
from web.dev import cast as demo

JWKS = "/.well-known/jwks.json"


@pytest.fixture
async def signed(site: Site) -> Signing:
    """A site whose tokens are signed as a real server signs them."""
    services = site.services
    made = Signing(services.vault, services.clock)
    await made.begin(services.db)
    services.tokens.signing = made
    return made


def token_of(site: Site) -> str:
    """The sign-in's token, as the browser keeps it."""
    jar = site.client.session.cookie_jar
    return next(one.value for one in jar if one.key == "cb_login")


async def test_what_is_published_is_public_kept_for_a_while_and_checks_our_tokens(
    site: Site, signed: Signing
) -> None:
    answer = await site.client.get(JWKS)
    assert answer.status == 200
    assert answer.content_type == "application/jwk-set+json"
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert "Set-Cookie" not in answer.headers
    (key,) = (await answer.json(content_type=None))["keys"]
    assert set(key) == {"kty", "crv", "x", "kid", "use", "alg"}
    await site.sign_in(demo.DANA)
    token = token_of(site)
    named = jwt.get_unverified_header(token)
    assert (named["kid"], named["alg"]) == (key["kid"], "EdDSA")
    claims = jwt.decode(
        token, jwt.PyJWK(key), algorithms=["EdDSA"], audience="crisisbridge/login",
        options={"verify_exp": False, "verify_iat": False},
    )  # fmt: skip
    assert claims["sub"] == demo.DANA.id


async def test_a_new_key_is_on_the_list_at_once_and_nobody_is_signed_out(
    site: Site, signed: Signing
) -> None:
    await site.sign_in(demo.DANA)
    before = token_of(site)
    services = site.services
    new = await services.db.write(lambda c: signing.rotate(c, services.vault, services.clock()))
    site.clock[0] += PUBLISHED_SECONDS
    listed = (await (await site.client.get(JWKS)).json(content_type=None))["keys"]
    assert new in {one["kid"] for one in listed}
    assert len(listed) == 2
    assert (await site.client.get("/console", allow_redirects=False)).status == 200
    await site.sign_in(demo.DANA)
    after = token_of(site)
    assert (
        jwt.get_unverified_header(after)["kid"] == new != jwt.get_unverified_header(before)["kid"]
    )


async def test_nothing_private_is_published(site: Site, signed: Signing) -> None:
    async with site.services.db.read() as conn:
        (one,) = await token_keys.listed(conn)
        raw = await token_keys.private(conn, site.services.vault, one.kid)
    assert raw is not None
    body = await (await site.client.get(JWKS)).text()
    assert '"d"' not in body
    assert token_keys._base64(raw) not in body


async def test_a_site_without_such_keys_publishes_an_empty_list(site: Site) -> None:
    assert Tokens(SECRET).signing is None
    assert await (await site.client.get(JWKS)).json(content_type=None) == {"keys": []}
