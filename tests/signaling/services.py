"""Small real servers of other people's protocols: a push service, a mail server, a web hook."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_string
from email.message import Message
from email.policy import default
from typing import Any

import jwt
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

BOUND = 30.0  # beside browsers a test may stand still for a while


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _hkdf(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(secret)


def decrypt(body: bytes, private: ec.EllipticCurvePrivateKey, auth: bytes) -> bytes:
    """RFC 8291 on the browser's side, for one record; written apart from what encrypts."""
    salt, size, length = body[:16], int.from_bytes(body[16:20], "big"), body[20]
    sender, sealed = body[21 : 21 + length], body[21 + length :]
    assert len(sealed) <= size
    own = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
    secret = private.exchange(ec.ECDH(), point)
    key_material = _hkdf(secret, auth, b"WebPush: info\0" + own + sender, 32)
    key = _hkdf(key_material, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _hkdf(key_material, salt, b"Content-Encoding: nonce\0", 12)
    padded = AESGCM(key).decrypt(nonce, sealed, None).rstrip(b"\0")
    assert padded.endswith(b"\x02"), "the last record ends in 2"
    return padded[:-1]


@dataclass
class Browser:
    """A browser's subscription, with the keys that only it has."""

    endpoint: str
    private: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    auth: bytes = bytes(range(16))

    def subscription(self) -> dict[str, Any]:
        """As PushSubscription.toJSON() gives it."""
        point = self.private.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )
        return {
            "endpoint": self.endpoint,
            "expirationTime": None,
            "keys": {"p256dh": b64(point), "auth": b64(self.auth)},
        }


@dataclass
class Got:
    """One message, as the browser reads it."""

    body: dict[str, Any]
    headers: dict[str, str]


class PushService:
    """Takes pushes for its browsers as RFC 8030 says, checks who sends them, and decrypts them."""

    def __init__(self) -> None:
        self.browsers: dict[str, Browser] = {}
        self.got: list[Got] = []
        self.subscribed_key = ""  # the VAPID key that browsers subscribed with
        self.answers: list[Callable[[], web.StreamResponse]] = []  # instead of 201, one each
        self.asked = 0
        self.url = ""

    def browser(self, name: str = "one") -> Browser:
        """A new subscription."""
        made = Browser(f"{self.url}/push/{name}")
        self.browsers[name] = made
        return made

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        if self.answers:
            return self.answers.pop(0)()
        browser = self.browsers.get(request.match_info["name"])
        if browser is None:
            return web.Response(status=410)
        kind, _, fields = request.headers["Authorization"].partition(" ")
        assert kind == "vapid"
        token, key = (part.strip().partition("=")[2] for part in fields.split(","))
        if self.subscribed_key and key != self.subscribed_key:
            return web.Response(status=403)
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unb64(key))
        claims = jwt.decode(token, public, algorithms=["ES256"], audience=self.url)
        assert claims["sub"].startswith(("mailto:", "https:"))
        assert request.headers["Content-Encoding"] == "aes128gcm"
        assert int(request.headers["TTL"]) >= 0
        plain = decrypt(await request.read(), browser.private, browser.auth)
        self.got.append(Got(json.loads(plain), dict(request.headers)))
        return web.Response(status=201, headers={"Location": f"{self.url}/receipt"})

    def will(self, status: int, **headers: str) -> None:
        """The next request gets this answer."""
        self.answers.append(lambda: web.Response(status=status, headers=headers))


@asynccontextmanager
async def push_service() -> AsyncIterator[PushService]:
    service = PushService()
    app = web.Application()
    app.router.add_post("/push/{name}", service.handle)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    service.url = str(server.make_url("")).rstrip("/")
    yield service
    await server.close()


class Hook:
    """A web hook: keeps what it is sent, answers as it is told."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.statuses: list[int] = []
        self.address = ""

    async def handle(self, request: web.Request) -> web.Response:
        if self.statuses:
            return web.Response(status=self.statuses.pop(0))
        self.got.append((request.path, await request.json()))
        return web.Response()


@asynccontextmanager
async def hook() -> AsyncIterator[Hook]:
    made = Hook()
    app = web.Application()
    app.router.add_post("/{path:.*}", made.handle)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    made.address = f"127.0.0.1:{server.port}"
    yield made
    await server.close()


class MailServer:
    """As much of RFC 5321 as a sender of pages needs."""

    def __init__(self) -> None:
        self.got: list[tuple[list[str], Message]] = []
        self.refuse = False
        self.address = ""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(text: str) -> None:
            writer.write(f"{text}\r\n".encode())

        to: list[str] = []
        say("220 mail.test ESMTP")
        while line := (await reader.readline()).decode().strip():
            verb = line.split(":")[0].upper()
            if verb.startswith("EHLO"):
                say("250 mail.test")
            elif verb.startswith("RCPT TO"):
                to.append(line.partition("<")[2].partition(">")[0])
                say("550 no such person" if self.refuse else "250 fine")
            elif verb == "DATA":
                say("354 go on")
                text = (await reader.readuntil(b"\r\n.\r\n")).decode()
                self.got.append((to, message_from_string(text[:-5], policy=default)))
                to = []
                say("250 taken")
            elif verb == "QUIT":
                say("221 bye")
                break
            else:
                say("250 fine")
        writer.close()


@asynccontextmanager
async def mail_server() -> AsyncIterator[MailServer]:
    made = MailServer()
    server = await asyncio.start_server(made.talk, "127.0.0.1", 0)
    made.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield made


@asynccontextmanager
async def babbler(says: bytes | None) -> AsyncIterator[str]:
    """A server that answers with these bytes whatever it is asked; None: with nothing, for ever."""
    done = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        if says is None:
            await done.wait()
        else:
            writer.write(says)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        done.set()


async def until(true: Callable[[], Any]) -> None:
    """Wait for a condition, with a bound."""
    async with asyncio.timeout(BOUND):
        while not true():
            await asyncio.sleep(0.01)
