"""The relay for networks that block UDP: credentials that expire, and the proof by a packet.

The scheme is the one of coturn's `use-auth-secret` (draft-uberti-behave-turn-rest): the name is
`expiry:id`, the password the HMAC-SHA1 of the name in base64. The server and the relay share one
secret and nothing else.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aioice.stun import TransactionError
from aioice.turn import TurnTransport, create_turn_endpoint

from media.errors import RelayRefused

AGAIN_SECONDS = 0.3  # a datagram may be lost
CREDENTIAL_SECONDS = 6 * 3600  # longer than any call
PLAIN_PORT, TLS_PORT = 3478, 5349


@dataclass(frozen=True, slots=True)
class Credential:
    """A name and a password for one page; `expires_at` in UTC seconds."""

    username: str
    password: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class Relay:
    """Where the relay is, and the secret shared with it; without addresses there is none."""

    urls: tuple[str, ...] = ()
    secret: str = ""

    def credential(self, now: float) -> Credential:
        """A new one, which nobody else has."""
        expires = int(now) + CREDENTIAL_SECONDS
        name = f"{expires}:{secrets.token_hex(8)}"
        signed = hmac.digest(self.secret.encode(), name.encode(), hashlib.sha1)
        return Credential(name, base64.b64encode(signed).decode(), float(expires))

    def for_page(self, now: float) -> dict[str, object]:
        """What a page needs for its connections: `servers` as RTCIceServer, and until when."""
        if not self.urls:
            return {"servers": [], "expires_at": None}
        new = self.credential(now)
        server: Mapping[str, object] = {
            "urls": list(self.urls),
            "username": new.username,
            "credential": new.password,
        }
        return {"servers": [server], "expires_at": new.expires_at}


@dataclass(frozen=True, slots=True)
class TurnUrl:
    """A `turn:` or `turns:` address (RFC 7065), taken apart."""

    host: str
    port: int
    tcp: bool
    tls: bool

    @classmethod
    def parse(cls, url: str) -> TurnUrl:
        """Raises ValueError for anything else."""
        scheme, _, rest = url.partition(":")
        if scheme not in ("turn", "turns") or not rest:
            raise ValueError(url)
        parts = urlsplit(f"//{rest}")
        tls = scheme == "turns"
        transport = parse_qs(parts.query).get("transport", ["tcp" if tls else "udp"])[0]
        if not parts.hostname or transport not in ("udp", "tcp") or (tls and transport == "udp"):
            raise ValueError(url)
        port = parts.port or (TLS_PORT if tls else PLAIN_PORT)
        return cls(parts.hostname, port, transport == "tcp", tls)


class _Inbox(asyncio.DatagramProtocol):
    """Keeps what arrives, and the error when the relay lets nothing through."""

    def __init__(self) -> None:
        self._got: asyncio.Queue[tuple[bytes, tuple[str, int]] | Exception] = asyncio.Queue(16)
        self.fellow: _Inbox | None = None  # who waits for what is sent from here

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self._put((data, (addr[0], addr[1])))

    def error_received(self, exc: Exception) -> None:
        self._put(exc)
        if self.fellow is not None:
            self.fellow._put(exc)

    def _put(self, one: tuple[bytes, tuple[str, int]] | Exception) -> None:
        if not self._got.full():
            self._got.put_nowait(one)

    async def wait_for(self, wanted: bytes, send: Callable[[], None]) -> tuple[str, int]:
        """Send again and again until it is here; from where it came."""
        while True:
            send()
            try:
                async with asyncio.timeout(AGAIN_SECONDS):
                    while True:
                        one = await self._got.get()
                        if isinstance(one, Exception):
                            raise RelayRefused(str(one)) from one
                        if one[0] == wanted:
                            return one[1]
            except TimeoutError:
                continue


async def there_and_back(
    url: TurnUrl,
    credential: Credential,
    address: str,
    port: int = 0,
    *,
    public: str | None = None,
    tls: ssl.SSLContext | None = None,
) -> None:
    """Send a datagram through the relay to an own socket on `address`, and one back through it.

    `address`: an IP of this machine; `port` 0 takes any; `public`: at which the relay reaches it,
    where a router translates. Goes on until both have arrived: put a timeout around it. Raises
    RelayRefused (credential, quota, a peer that it does not allow), ssl.SSLError, OSError.
    """
    loop = asyncio.get_running_loop()
    here, arrived = await loop.create_datagram_endpoint(_Inbox, local_addr=(address, port))
    try:
        there, returned = await _allocated(url, credential, tls)
        returned.fellow = arrived
        try:
            ping, pong = secrets.token_bytes(16), secrets.token_bytes(16)
            own = (public or address, here.get_extra_info("sockname")[1])
            relayed = await arrived.wait_for(ping, lambda: there.sendto(ping, own))
            await returned.wait_for(pong, lambda: here.sendto(pong, relayed))
        finally:
            there.close()
    finally:
        here.close()


async def _allocated(
    url: TurnUrl, credential: Credential, tls: ssl.SSLContext | None
) -> tuple[TurnTransport, _Inbox]:
    try:
        return await create_turn_endpoint(
            _Inbox,
            (url.host, url.port),
            credential.username,
            credential.password,
            ssl=(tls or ssl.create_default_context()) if url.tls else None,
            transport="tcp" if url.tcp else "udp",
        )
    except TransactionError as error:
        raise RelayRefused(str(error)) from error
