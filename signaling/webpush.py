"""Web Push: a message to a browser that is closed, through its maker's push service.

RFC 8030 (the request), RFC 8291 (encryption to the browser), RFC 8292 (VAPID: who we are). What is
sent can be read by that one browser only. The endpoint comes from a browser, so it may lead
anywhere: only https, only known services, only public addresses, and no redirects.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import jwt
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from records.contacts import NewWay
from records.crypto import make_secret_file
from records.errors import KeyWrong
from signaling.errors import BadWay
from signaling.known_services import PUSH_SERVICES
from signaling.post import GivenUp, Message, Outcome, Taken, TryAgain, is_public

LONGEST_ENDPOINT = 2000
SEND_SECONDS = 10.0
TOKEN_SECONDS = 12 * 3600  # RFC 8292: at most a day
_POINT, _AUTH = 65, 16  # bytes
RECORD = 4096  # bytes; all that a push service must take (RFC 8030, 7.2)
Key = ec.EllipticCurvePrivateKey
_UNREADABLE = "The VAPID key file cannot be read as a key. Restore it from its backup."


class Vapid:
    """The key pair by which push services know this server."""

    def __init__(self, private: ec.EllipticCurvePrivateKey, subject: str) -> None:
        self._private = private
        self._subject = subject
        point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.public = _b64(point)  # what the browser subscribes with

    @classmethod
    def from_file(cls, path: Path, subject: str) -> Vapid:
        """Read the key file; make one (0600) where there is none. Raises KeyWrong.

        `subject` is where a push service can reach us: mailto: or https:.
        """
        try:
            if not path.exists():
                made = ec.generate_private_key(ec.SECP256R1())
                pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
                make_secret_file(path, pem.decode())
            private = load_pem_private_key(path.read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:
            raise KeyWrong(_UNREADABLE) from error
        if not isinstance(private, ec.EllipticCurvePrivateKey) or private.curve.name != "secp256r1":
            raise KeyWrong(_UNREADABLE)
        return cls(private, subject)

    def header(self, endpoint: str, now: float) -> str:
        """The Authorization of one request."""
        parts = urlsplit(endpoint)
        claims = {
            "aud": f"{parts.scheme}://{parts.netloc}",
            "exp": int(now) + TOKEN_SECONDS,
            "sub": self._subject,
        }
        token = jwt.encode(claims, self._private, algorithm="ES256")
        return f"vapid t={token}, k={self.public}"


class PublicOnly(AbstractResolver):
    """Finds addresses of the open internet only: a known name must not lead into our network."""

    def __init__(self) -> None:
        self._resolver = DefaultResolver()

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        public = [one for one in found if is_public(one["host"])]
        if not public:
            raise OSError("no public address")
        return public

    async def close(self) -> None:
        await self._resolver.close()


class WebPush:
    """Sends to subscriptions. `loopback` lets tests and the demo use a service on this machine."""

    def __init__(
        self, vapid: Vapid, services: tuple[str, ...] = PUSH_SERVICES, *, loopback: bool = False
    ) -> None:
        self.vapid = vapid
        self._services = services
        self._loopback = loopback
        self._http: aiohttp.ClientSession | None = None

    def way(self, subscription: Mapping[str, Any]) -> NewWay:
        """A browser's subscription as a way. Raises BadWay."""
        endpoint = subscription.get("endpoint")
        keys = subscription.get("keys")
        if not isinstance(endpoint, str) or not isinstance(keys, Mapping):
            raise BadWay("This is not a push subscription.")
        self._check(endpoint)
        point, auth = _bytes(keys.get("p256dh"), _POINT), _bytes(keys.get("auth"), _AUTH)
        try:
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        except ValueError:
            raise BadWay("The subscription's key is not a key.") from None
        details = {"endpoint": endpoint, "p256dh": _b64(point), "auth": _b64(auth)}
        return NewWay("push", endpoint, details)

    async def send(self, details: Mapping[str, Any], message: Message) -> Outcome:
        """One request to the push service. What it says decides whether we come again."""
        endpoint = str(details["endpoint"])
        try:
            self._check(endpoint)  # the allow-list may have changed since
        except BadWay:
            return GivenUp("not_allowed")
        body = encrypt(
            _payload(message),
            _unb64(str(details["p256dh"])),
            _unb64(str(details["auth"])),
            ec.generate_private_key(ec.SECP256R1()),
            secrets.token_bytes(16),
        )
        headers = {
            "Authorization": self.vapid.header(endpoint, time.time()),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(message.seconds),
            "Urgency": "high" if message.urgent else "normal",
        }
        try:
            async with (
                asyncio.timeout(SEND_SECONDS),
                self._session().post(
                    endpoint, data=body, headers=headers, allow_redirects=False
                ) as answer,
            ):
                return _outcome(answer.status, answer.headers.get("Retry-After"))
        except TimeoutError:
            return TryAgain("timeout")
        except (aiohttp.ClientError, OSError, ValueError):
            return TryAgain("unreachable")

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()
            self._http = None

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            resolver = None if self._loopback else PublicOnly()
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=32, resolver=resolver),
                timeout=aiohttp.ClientTimeout(total=SEND_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                max_line_size=8190,
                max_field_size=8190,
            )
        return self._http

    def _check(self, endpoint: str) -> None:
        wrong = BadWay("This browser's push service is not one that this server may use.")
        try:
            parts = urlsplit(endpoint)
            host, port = (parts.hostname or "").rstrip("."), parts.port
        except ValueError:
            raise wrong from None
        if len(endpoint) > LONGEST_ENDPOINT or parts.username or parts.password or parts.fragment:
            raise wrong
        if self._loopback and host in {"127.0.0.1", "localhost"}:
            return
        known = any(host == one or host.endswith(f".{one}") for one in self._services)
        if parts.scheme != "https" or port not in {None, 443} or not known:
            raise wrong


def _payload(message: Message) -> bytes:
    body = {
        "purpose": message.purpose,
        "title": message.title,
        "body": message.body,
        "token": message.token,
    }
    return json.dumps(body, separators=(",", ":")).encode()


def encrypt(plain: bytes, browser: bytes, auth: bytes, own: Key, salt: bytes) -> bytes:
    """RFC 8291 in one record: to the browser's public key and secret, from a key pair and a salt
    that are made for this message only. At most 3993 bytes."""
    sender = own.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), browser)
    shared = own.exchange(ec.ECDH(), point)
    secret = _derive(shared, auth, b"WebPush: info\0" + browser + sender, 32)  # section 3.4
    key = _derive(secret, salt, b"Content-Encoding: aes128gcm\0", 16)  # RFC 8188, 2.2
    nonce = _derive(secret, salt, b"Content-Encoding: nonce\0", 12)  # 2.3, record 0
    sealed = AESGCM(key).encrypt(nonce, plain + b"\x02", None)  # 2: the last record's delimiter
    return salt + RECORD.to_bytes(4, "big") + bytes([len(sender)]) + sender + sealed


def _derive(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(secret)


def _outcome(status: int, asked: str | None) -> Outcome:
    if 200 <= status < 300:
        return Taken()
    if status in {404, 410}:
        return GivenUp("gone", gone=True)  # RFC 8030, 7.3
    if status == 429 or status >= 500:
        wait = float(asked) if asked is not None and asked.isascii() and asked.isdigit() else None
        return TryAgain("too_many" if status == 429 else "unreachable", wait)
    return GivenUp("redirected" if 300 <= status < 400 else "refused")


def _bytes(value: object, length: int) -> bytes:
    wrong = BadWay("The subscription's keys are incomplete.")
    if not isinstance(value, str) or len(value) > 200:
        raise wrong
    try:
        found = _unb64(value)
    except (binascii.Error, ValueError):
        raise wrong from None
    if len(found) != length:
        raise wrong
    return found


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
