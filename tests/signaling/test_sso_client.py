"""What a directory says about itself, and answers that nobody should wait for or believe."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from auth.errors import BadSignOn, SignOnAway
from auth.sso_rules import Issuer
from signaling import sso_client
from signaling.sso_client import SsoClient, described

ISSUER = Issuer("prairie", "Prairie County", "https://login.example.org", "crisisbridge", ())
SAID: dict[str, Any] = {
    "issuer": ISSUER.url,
    "authorization_endpoint": "https://login.example.org/auth?tenant=1",
    "token_endpoint": "https://login.example.org/token",
    "jwks_uri": "https://keys.example.org/jwks",
}
Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


def test_a_description_is_taken_as_it_is() -> None:
    found = described(ISSUER, {**SAID, "end_session_endpoint": "https://login.example.org/out"})
    assert (found.token, found.keys) == (SAID["token_endpoint"], SAID["jwks_uri"])
    assert found.end_session == "https://login.example.org/out"
    assert not found.by_post
    assert not found.names_itself


def test_a_secret_goes_into_the_form_only_where_nothing_else_is_taken() -> None:
    ways = "token_endpoint_auth_methods_supported"
    assert described(ISSUER, {**SAID, ways: ["client_secret_post"]}).by_post
    assert not described(
        ISSUER, {**SAID, ways: ["client_secret_post", "client_secret_basic"]}
    ).by_post


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "https://login.example.org/"},
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"code_challenge_methods_supported": ["plain"]},
        {"token_endpoint": "http://login.example.org/token"},
        {"token_endpoint": "http://127.0.0.1/token"},  # of a directory elsewhere
        {"token_endpoint": None},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "https://me@login.example.org/auth"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": ["https://keys.example.org"]},
        {"end_session_endpoint": "data:text/html,x"},
        {"userinfo_endpoint": "http://login.example.org/me"},
        {"end_session_endpoint": "https://[::1/out"},
    ],
)
def test_a_description_that_leads_elsewhere_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadSignOn):
        described(ISSUER, {**SAID, **wrong})


@pytest.fixture
async def asked() -> AsyncIterator[Callable[[Answering], Awaitable[SsoClient]]]:
    """A client of a directory that answers as it is told to."""
    opened: list[tuple[TestServer, SsoClient]] = []

    async def open_it(answering: Answering) -> SsoClient:
        app = web.Application()
        app.router.add_get("/{path:.*}", answering)
        server = TestServer(app)
        await server.start_server()
        url = str(server.make_url("/")).rstrip("/")
        client = SsoClient(Issuer("prairie", "Prairie", url, "crisisbridge", ()))
        opened.append((server, client))
        return client

    yield open_it
    for server, client in opened:
        await client.close()
        await server.close()


Asked = Callable[[Answering], Awaitable[SsoClient]]


async def test_no_redirect_is_followed(asked: Asked) -> None:
    seen: list[str] = []

    async def lead_on(request: web.Request) -> web.StreamResponse:
        seen.append(request.path)
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    client = await asked(lead_on)
    with pytest.raises(BadSignOn):
        await client.described()
    assert seen == [sso_client.DISCOVERY]


async def test_an_answer_without_end_is_not_read_to_its_end(asked: Asked) -> None:
    sent = 0

    async def go_on(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b" " * 65_536)
                sent += 65_536
        except ConnectionError:
            return response

    client = await asked(go_on)
    async with asyncio.timeout(5):
        with pytest.raises(BadSignOn):
            await client.described()
    assert sent < 64 * sso_client.LARGEST


async def test_silence_is_away(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sso_client, "TOTAL_SECONDS", 0.2)
    never = asyncio.Event()

    async def wait(_request: web.Request) -> web.StreamResponse:
        await never.wait()
        return web.Response()

    client = await asked(wait)
    with pytest.raises(SignOnAway):
        await client.described()
    never.set()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (500, b"{}", SignOnAway),
        (503, b"{}", SignOnAway),
        (429, b"{}", SignOnAway),
        (404, b"{}", BadSignOn),
        (200, b"[]", BadSignOn),
        (200, b"not json", BadSignOn),
        (200, b"\xff\xfe", BadSignOn),
        (200, b"[" * 100_000, BadSignOn),
    ],
)
async def test_what_is_no_description_is_none(
    asked: Asked, status: int, body: bytes, error: type[Exception]
) -> None:
    async def say(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=body)

    client = await asked(say)
    with pytest.raises(error):
        await client.described()


async def test_whoever_asks_while_it_is_asked_waits_once_and_for_the_same_answer(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sso_client, "TOTAL_SECONDS", 0.5)
    never, came = asyncio.Event(), 0

    async def wait(_request: web.Request) -> web.StreamResponse:
        nonlocal came
        came += 1
        await never.wait()
        return web.Response()

    client = await asked(wait)
    begun = time.monotonic()
    one_leaves = asyncio.create_task(client.described(anew=True))
    many = [client.described(anew=True) for _ in range(20)]
    asyncio.get_running_loop().call_later(0.1, one_leaves.cancel)
    found = await asyncio.gather(one_leaves, *many, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert all(isinstance(one, SignOnAway) for one in found[1:])
    assert came == 1
    assert time.monotonic() - begun < 5  # twenty waits one after the other would be ten
    never.set()


async def test_a_description_is_kept_and_one_that_fails_spoils_nothing(asked: Asked) -> None:
    answers: list[int] = []
    well = True

    async def say(request: web.Request) -> web.StreamResponse:
        answers.append(1)
        base = f"http://{request.host}"
        said = {name: f"{base}/{name}" for name in SAID} | {"issuer": base}
        return web.json_response(said) if well else web.Response(status=500)

    client = await asked(say)
    first = await client.described()
    assert await client.described() is first
    assert len(answers) == 1
    well = False
    with pytest.raises(SignOnAway):
        await client.described(anew=True)
    assert await client.described() is first


# --- groups that stand elsewhere ------------------------------------------------------------------

ADA = {"sub": "ada", "name": "Ada"}
GROUPS = ["crisis-clinicians"]


def telling(said: dict[str, Any], seen: list[str]) -> Answering:
    """A directory whose userinfo end point says this."""

    async def answer(request: web.Request) -> web.StreamResponse:
        here = str(request.url.origin())
        if request.path == "/me":
            seen.append(request.headers["Authorization"])
            return web.json_response(said)
        places = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        described = {name: f"{here}/{name}" for name in places}
        return web.json_response({"issuer": here, "userinfo_endpoint": f"{here}/me", **described})

    return answer


async def test_groups_come_from_userinfo_when_the_id_token_has_none(asked: Asked) -> None:
    seen: list[str] = []
    client = await asked(telling({"sub": "ada", "groups": GROUPS, "name": "Other"}, seen))
    assert await client.with_groups(ADA, "opens it") == {**ADA, "groups": GROUPS}
    assert seen == ["Bearer opens it"]


async def test_what_userinfo_says_of_somebody_else_is_refused(asked: Asked) -> None:
    for said in ({"sub": "eve", "groups": GROUPS}, {"groups": GROUPS}):
        client = await asked(telling(said, []))
        with pytest.raises(BadSignOn):
            await client.with_groups(ADA, "opens it")


@pytest.mark.parametrize(
    "told", [{"groups": []}, {"hasgroups": True}, {"_claim_names": {"groups": "src1"}}]
)
async def test_userinfo_is_not_asked_where_the_id_token_speaks_of_groups(
    asked: Asked, told: dict[str, Any]
) -> None:
    seen: list[str] = []
    client = await asked(telling({"sub": "ada", "groups": GROUPS}, seen))
    assert await client.with_groups({**ADA, **told}, "opens it") == {**ADA, **told}
    assert seen == []
