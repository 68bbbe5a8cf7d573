"""A bad network of our own: what goes between browsers and bridge is delayed, lost, cut.

The bridge binds one loopback address and tells the browsers another; this stands in between. Each
browser's address gets a socket of its own towards the bridge, as in a router that translates.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import cast

Address = tuple[str, int]


@dataclass
class Network:
    """What a way is like now, in each direction alike; may be changed while it runs."""

    delay: float = 0.0  # seconds, one way
    jitter: float = 0.0  # seconds more, at random; so that packets overtake each other
    loss: float = 0.0  # share of packets
    rate: float | None = None  # bit/s of each flow and direction
    queue: float = 0.3  # seconds of packets that wait at `rate`; the rest is dropped
    down: bool = False
    no_udp: bool = False  # a firewall: among hosts of their own alone
    passed: int = 0
    dropped: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(4))


class Lane:
    """One direction of one flow."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._free_at = 0.0  # when the bottleneck has sent all that waits

    def due(self, size: int, now: float) -> float | None:
        """When a packet of `size` bytes comes out at the other end (loop time); None: never."""
        way = self._network
        if way.down or way.chance.random() < way.loss:
            way.dropped += 1
            return None
        at = now
        if way.rate is not None:
            start = max(now, self._free_at)
            if start - now > way.queue:
                way.dropped += 1
                return None
            at = self._free_at = start + size * 8 / way.rate
        way.passed += 1
        return at + way.delay + way.chance.random() * way.jitter


class Post:
    """Delivers at the right time, by one timer."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    def send(self, at: float, deliver: Callable[[], None]) -> None:
        """Call `deliver` at that loop time."""
        heapq.heappush(self._later, (at, next(self._numbers), deliver))
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._later[0][0], self._deliver) if self._later else None

    def _deliver(self) -> None:
        now = self._loop.time()
        while self._later and self._later[0][0] <= now:
            heapq.heappop(self._later)[2]()
        self._timer = None
        self._arm()

    def close(self) -> None:
        self._later.clear()
        if self._timer is not None:
            self._timer.cancel()


class _Flow:
    """One browser's address and its way to the bridge."""

    def __init__(self, network: Network, front: Front, browser: Address, bridge: Address) -> None:
        self._network, self._front, self._browser, self._bridge = network, front, browser, bridge
        self._up, self._down = Lane(network), Lane(network)
        self._back: asyncio.DatagramTransport | None = None
        self._early: list[bytes] = []
        self._opening: asyncio.Task[None] | None = None
        self.renew()

    def renew(self) -> None:
        """A new socket towards the bridge."""
        old, self._back = self._back, None
        if old is not None:
            old.close()
        self._opening = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        back, _ = await loop.create_datagram_endpoint(
            lambda: _Back(self), remote_addr=self._bridge, local_addr=(self._bridge[0], 0)
        )
        self._back = back
        early, self._early = self._early, []
        for data in early:
            self.from_browser(data)

    def from_browser(self, data: bytes) -> None:
        if self._back is None:
            self._early.append(data)
            return
        at = self._up.due(len(data), asyncio.get_running_loop().time())
        if at is not None:
            self._front.post.send(at, partial(_send, self._back, data, None))

    def from_bridge(self, data: bytes) -> None:
        at = self._down.due(len(data), asyncio.get_running_loop().time())
        if at is not None and self._front.transport is not None:
            self._front.post.send(at, partial(_send, self._front.transport, data, self._browser))

    def close(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
        if self._back is not None:
            self._back.close()


class _Back(asyncio.DatagramProtocol):
    def __init__(self, flow: _Flow) -> None:
        self._flow = flow

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._flow.from_bridge(data)


class Front(asyncio.DatagramProtocol):
    """Where the browsers send to."""

    def __init__(self, bridge: Address) -> None:
        self.network = Network()
        self._bridge = bridge
        self._flows: dict[Address, _Flow] = {}
        self.post = Post()
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if addr not in self._flows:
            self._flows[addr] = _Flow(self.network, self, addr, self._bridge)
        self._flows[addr].from_browser(data)

    def rebind(self) -> None:
        """Every flow reaches the bridge from another port from now on: a router forgot them."""
        for flow in self._flows.values():
            flow.renew()

    def close(self) -> None:
        self.post.close()
        for flow in self._flows.values():
            flow.close()


@asynccontextmanager
async def impaired(here: Address, bridge: Address) -> AsyncIterator[Front]:
    """A network between `here`, which the browsers are told, and the bridge."""
    loop = asyncio.get_running_loop()
    transport, front = await loop.create_datagram_endpoint(lambda: Front(bridge), local_addr=here)
    try:
        yield front
    finally:
        front.close()
        transport.close()


def _send(out: asyncio.DatagramTransport, data: bytes, to: Address | None) -> None:
    if not out.is_closing():
        out.sendto(data, to)
