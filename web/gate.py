"""The gate in front of the HTTP server: how many may come in, and how long they may dawdle.

It stands between a connection and aiohttp and passes everything on. It closes a connection that
comes on top of too many, that takes longer than HEAD_SECONDS from the first byte of a request to
the end of its head, or that does not take what it asked for. Bodies are timed by `web.routes`, idle
connections by the server's own keep-alive, WebSockets by their conversation.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections import Counter
from collections.abc import Callable
from typing import Final, cast

from aiohttp import web

from signaling import wire

log = logging.getLogger(__name__)

HEAD_SECONDS = 10.0
# a conversation's bytes: two of the largest messages at once, half of one each second after that
TALK_BURST: Final = 2 * wire.MAX_MESSAGE
TALK_RATE: Final = wire.MAX_MESSAGE / 2
TAKE_SECONDS = 60.0  # with a full buffer, for the other side to take something
HANDSHAKE_SECONDS = 10.0
KEEP_ALIVE: Final = 30.0
KEEP_ALIVE_PROXY: Final = 150.0  # longer than a proxy's own, or it would write to a closed line


class Crowd:
    """How many there are, by place and in all."""

    def __init__(self, most: int, most_each: int | None) -> None:
        self._most = most
        self._most_each = most_each
        self._each: Counter[str] = Counter()
        self.all = 0

    def enter(self, place: str) -> bool:
        """Count one in; False when there is no room, and then nothing is counted."""
        if self.all >= self._most:
            return False
        if self._most_each is not None and self._each[place] >= self._most_each:
            return False
        self.all += 1
        self._each[place] += 1
        return True

    def leave(self, place: str) -> None:
        """Count one out that had been let in."""
        self.all -= 1
        self._each[place] -= 1
        if self._each[place] <= 0:
            del self._each[place]


def neighbourhood(address: str) -> str:
    """What counts as one place: an IPv4 address, or an IPv6 network of 64 bits, as one line gets.

    Anything else stands for itself: it is what a proxy says, and was cut to length before.
    """
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return str(known)
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(ipaddress.ip_network((known, 64), strict=False))


class Gated(asyncio.Protocol):
    """One connection. `inner` is aiohttp's half of it."""

    def __init__(self, inner: asyncio.Protocol, crowd: Crowd) -> None:
        self._inner = inner
        self._crowd = crowd
        self._place: str | None = None  # once it was let in
        self._transport: asyncio.Transport | None = None
        self._head: asyncio.TimerHandle | None = None
        self._taking: asyncio.TimerHandle | None = None
        self._busy = False  # with a request whose head was read
        self._left: float | None = None  # bytes that a conversation may send at once
        self._left_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        known = cast("asyncio.Transport", transport)
        peer = known.get_extra_info("peername")
        place = neighbourhood(str(peer[0])) if peer else "unknown"
        if not self._crowd.enter(place):
            log.warning("gate.full")
            known.abort()
            return
        self._place, self._transport = place, known
        self._await_head()  # also of a connection that says nothing at all
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._place is None:
            return
        if self._left is not None and not self._allows(len(data)):
            log.info("gate.too_much")
            self._abort_now()
            return
        if not self._busy and self._head is None:
            self._await_head()
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._place is not None else None

    def pause_writing(self) -> None:
        self._taking = asyncio.get_running_loop().call_later(TAKE_SECONDS, self._abort)
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._stop_taking()
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._place is None:
            return
        self._crowd.leave(self._place)
        self._place = None
        self._stop_head()
        self._stop_taking()
        self._inner.connection_lost(exc)

    # --- what the application tells ---------------------------------------------------------------

    def begun(self) -> None:
        """A request's head is complete."""
        self._busy = True
        self._stop_head()

    def ended(self) -> None:
        """Its answer is out; the next request may come."""
        self._busy = False

    def talks(self) -> None:
        """A conversation follows: messages are counted there, but pieces of none only here."""
        self._left, self._left_at = float(TALK_BURST), asyncio.get_running_loop().time()

    def _allows(self, size: int) -> bool:
        now = asyncio.get_running_loop().time()
        left = min(TALK_BURST, (self._left or 0.0) + (now - self._left_at) * TALK_RATE) - size
        self._left, self._left_at = left, now
        return left >= 0

    # --- timers -----------------------------------------------------------------------------------

    def _await_head(self) -> None:
        self._head = asyncio.get_running_loop().call_later(HEAD_SECONDS, self._abort)

    def _stop_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _stop_taking(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def _abort(self) -> None:
        log.info("gate.too_slow")
        self._abort_now()

    def _abort_now(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def of(request: web.Request) -> Gated | None:
    """The gate that a request came through; None in tests without one, or when it has gone."""
    transport = request.transport
    found = transport.get_protocol() if transport is not None else None
    return found if isinstance(found, Gated) else None


def opening(server: Callable[[], asyncio.Protocol], crowd: Crowd) -> Callable[[], Gated]:
    """What makes each connection of a listening socket."""
    return lambda: Gated(server(), crowd)
