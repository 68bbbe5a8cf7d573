"""Web Push against a service that decrypts and checks like a browser's own."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from records.errors import KeyWrong
from signaling import webpush
from signaling.errors import BadWay
from signaling.post import GivenUp, Message, Taken, TryAgain, is_public
from signaling.webpush import PublicOnly, Vapid, WebPush, encrypt
from tests.signaling.services import (
    Browser,
    PushService,
    b64,
    babbler,
    decrypt,
    push_service,
    unb64,
)

CALL = Message("call", "CrisisBridge", "A call is waiting.", "http://x/alert#t", "tok", True, 60)


@pytest.fixture
async def service() -> AsyncIterator[PushService]:
    async with push_service() as made:
        yield made


@pytest.fixture
async def push(tmp_path: Path, service: PushService) -> AsyncIterator[WebPush]:
    sender = WebPush(Vapid.from_file(tmp_path / "vapid.key", "mailto:ops@x.test"), loopback=True)
    service.subscribed_key = sender.vapid.public
    yield sender
    await sender.close()


def production(tmp_path: Path, *services: str) -> WebPush:
    vapid = Vapid.from_file(tmp_path / "v.key", "mailto:ops@x.test")
    return WebPush(vapid, services or ("push.example.com",))


# RFC 8291, section 5
EXAMPLE = {
    "plain": b"When I grow up, I want to be a watermelon",
    "auth": "BTBZMqHH6r4Tts7J_aSIgg",
    "browser": "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94",
    "sender": "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw",
    "salt": "DGv6ra1nlYgDCS1FRnbzlw",
}
SEALED = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6Tlz"
    "AC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def private(name: str) -> ec.EllipticCurvePrivateKey:
    number = int.from_bytes(unb64(str(EXAMPLE[name])), "big")
    return ec.derive_private_key(number, ec.SECP256R1())


def test_the_example_of_the_standard_is_sealed_and_opened_to_the_byte() -> None:
    plain, auth = bytes(EXAMPLE["plain"]), unb64(str(EXAMPLE["auth"]))  # type: ignore[arg-type]
    browser = private("browser")
    point = browser.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    salt = unb64(str(EXAMPLE["salt"]))
    assert b64(encrypt(plain, point, auth, private("sender"), salt)) == SEALED
    assert decrypt(unb64(SEALED), browser, auth) == plain


async def test_a_browser_reads_what_was_sent_to_it_and_nobody_else_can(
    push: WebPush, service: PushService
) -> None:
    way = push.way(service.browser().subscription())
    assert (way.kind, way.subject) == ("push", f"{service.url}/push/one")
    assert await push.send(way.details, CALL) == Taken()
    [got] = service.got
    assert got.body == {
        "purpose": "call",
        "title": "CrisisBridge",
        "body": "A call is waiting.",
        "token": "tok",
    }
    assert (got.headers["TTL"], got.headers["Urgency"]) == ("60", "high")


@pytest.mark.parametrize("status", [404, 410])
async def test_a_subscription_that_ended_is_gone_for_good(
    push: WebPush, service: PushService, status: int
) -> None:
    service.will(status)
    way = push.way(service.browser().subscription())
    assert await push.send(way.details, CALL) == GivenUp("gone", gone=True)


@pytest.mark.parametrize(
    ("status", "headers", "outcome"),
    [
        (429, {"Retry-After": "17"}, TryAgain("too_many", 17)),
        (429, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, TryAgain("too_many")),
        (429, {"Retry-After": "-1"}, TryAgain("too_many")),
        (503, {}, TryAgain("unreachable")),
        (400, {}, GivenUp("refused")),
        (413, {}, GivenUp("refused")),
    ],
)
async def test_what_the_service_says_decides_whether_we_come_again(
    push: WebPush, service: PushService, status: int, headers: dict[str, str], outcome: object
) -> None:
    service.will(status, **headers)
    way = push.way(service.browser().subscription())
    assert await push.send(way.details, CALL) == outcome


async def test_a_redirect_is_not_followed(push: WebPush, service: PushService) -> None:
    service.will(307, Location=f"{service.url}/push/one")
    way = push.way(service.browser().subscription())
    assert await push.send(way.details, CALL) == GivenUp("redirected")
    assert service.asked == 1


async def test_a_service_that_is_silent_or_babbles_is_tried_again(
    push: WebPush, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webpush, "SEND_SECONDS", 0.2)
    async with babbler(None) as address:
        way = push.way(Browser(f"http://{address}/p").subscription())
        assert await push.send(way.details, CALL) == TryAgain("timeout")
    monkeypatch.setattr(webpush, "SEND_SECONDS", 10)
    async with babbler(b"\x00\xffwhat?\r\n\r\n") as address:
        way = push.way(Browser(f"http://{address}/p").subscription())
        assert await push.send(way.details, CALL) == TryAgain("unreachable")
    assert await push.send(way.details, CALL) == TryAgain("unreachable"), "nobody listens there"


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://push.example.com/x",
        "https://push.example.com:8443/x",
        "https://push.example.com.evil.test/x",
        "https://evilpush.example.com/x",
        "https://user:pw@push.example.com/x",
        "https://push.example.com/x#y",
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://[::1]/x",
        "https://169.254.169.254/latest",
        "file:///etc/passwd",
        "https://push.example.com:99999/x",
        "https://push.example.com/" + "x" * 2000,
        "",
    ],
)
def test_an_endpoint_that_is_no_known_public_push_service_is_refused(
    tmp_path: Path, endpoint: str
) -> None:
    with pytest.raises(BadWay) as refused:
        production(tmp_path).way(Browser(endpoint).subscription())
    assert (refused.value.code, refused.value.status) == ("bad-way", 422)


def test_a_known_service_and_its_hosts_are_taken(tmp_path: Path) -> None:
    for host in ("push.example.com", "eu.push.example.com", "PUSH.example.com."):
        assert production(tmp_path).way(Browser(f"https://{host}/x").subscription())


@pytest.mark.parametrize(
    "keys",
    [
        None,
        {},
        {"p256dh": b64(bytes(65)), "auth": b64(bytes(16))},
        {"p256dh": "!!", "auth": b64(bytes(16))},
        {"p256dh": b64(b"\x04" + bytes(64)), "auth": b64(bytes(16))},
        {"p256dh": 7, "auth": b64(bytes(16))},
    ],
)
def test_a_subscription_without_good_keys_is_refused(push: WebPush, keys: object) -> None:
    with pytest.raises(BadWay):
        push.way({"endpoint": "http://127.0.0.1/x", "keys": keys})


async def test_a_service_that_is_not_allowed_any_more_is_not_asked(tmp_path: Path) -> None:
    way = production(tmp_path).way(Browser("https://push.example.com/x").subscription())
    later = production(tmp_path, "other.example.com")
    assert await later.send(way.details, CALL) == GivenUp("not_allowed")


async def test_a_name_that_leads_into_our_own_network_is_not_followed() -> None:
    resolver = PublicOnly()
    with pytest.raises(OSError, match="no public address"):
        await resolver.resolve("localhost", 443)
    await resolver.close()


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fd00::1", False),
        ("fe80::1%eth0", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("nonsense", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_the_key_is_made_once_for_its_owner_only_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "vapid.key"
    first = Vapid.from_file(path, "mailto:ops@x.test")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Vapid.from_file(path, "mailto:ops@x.test").public == first.public
    assert len(unb64(first.public)) == 65


def test_a_broken_key_is_said_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "vapid.key"
    path.write_text("not a key")
    with pytest.raises(KeyWrong):
        Vapid.from_file(path, "mailto:ops@x.test")
    assert path.read_text() == "not a key"
