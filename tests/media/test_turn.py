"""The relay's credentials, as coturn checks them, and its addresses."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest

from media import Relay, RelayRefused, TurnUrl, there_and_back
from media.turn import CREDENTIAL_SECONDS
from tests.media.coturn import SECRET, Coturn

BOUND = 20.0


@pytest.fixture(scope="module")
def coturn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coturn]:
    with Coturn(tmp_path_factory.mktemp("coturn")).running() as running:
        yield running


def test_credentials_are_fresh_short_lived_and_verifiable() -> None:
    relay = Relay(("turn:relay.example:3478",), "a secret")
    first, second = relay.for_page(1000.0), relay.for_page(1000.0)
    server, other = (cast("list[dict[str, Any]]", one["servers"])[0] for one in (first, second))
    assert server["urls"] == ["turn:relay.example:3478"]
    assert server["username"] != other["username"]
    name = str(server["username"])
    assert name.partition(":")[0] == str(1000 + CREDENTIAL_SECONDS)
    assert first["expires_at"] == 1000 + CREDENTIAL_SECONDS
    expected = hmac.digest(b"a secret", name.encode(), hashlib.sha1)
    assert server["credential"] == base64.b64encode(expected).decode()


def test_without_a_relay_the_list_is_empty_never_a_default() -> None:
    assert Relay().for_page(0.0) == {"servers": [], "expires_at": None}


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("turn:r.example", TurnUrl("r.example", 3478, tcp=False, tls=False)),
        ("turn:r.example:443?transport=tcp", TurnUrl("r.example", 443, tcp=True, tls=False)),
        ("turns:r.example", TurnUrl("r.example", 5349, tcp=True, tls=True)),
        ("turns:[2001:db8::1]:443?transport=tcp", TurnUrl("2001:db8::1", 443, tcp=True, tls=True)),
    ],
)
def test_an_address_is_read_as_browsers_read_it(url: str, found: TurnUrl) -> None:
    assert TurnUrl.parse(url) == found


@pytest.mark.parametrize(
    "url",
    ["", "turn:", "stun:r.example", "turn:r.example?transport=sctp", "turns:r?transport=udp"],
)
def test_an_address_that_no_browser_takes_is_refused(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the address itself is its message
        TurnUrl.parse(url)


@pytest.mark.parametrize("kind", ["udp", "tcp", "tls"])
async def test_a_packet_goes_through_a_real_relay_and_back(coturn: Coturn, kind: str) -> None:
    url = TurnUrl.parse(coturn.urls[kind])
    credential = Relay(("x",), SECRET).credential(time.time())
    async with asyncio.timeout(BOUND):
        await there_and_back(url, credential, "127.0.0.1", tls=coturn.trust)


@pytest.mark.parametrize(
    ("secret", "age"), [("not-the-secret", 0.0), (SECRET, CREDENTIAL_SECONDS + 60.0)]
)
async def test_a_wrong_or_an_old_credential_is_refused(
    coturn: Coturn, secret: str, age: float
) -> None:
    url = TurnUrl.parse(coturn.urls["tcp"])
    credential = Relay(("x",), secret).credential(time.time() - age)
    with pytest.raises(RelayRefused):
        async with asyncio.timeout(BOUND):
            await there_and_back(url, credential, "127.0.0.1")
