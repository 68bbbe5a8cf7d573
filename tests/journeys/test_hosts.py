"""Hosts of their own: what a test does to the way happens to all that goes over it."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from tests.journeys import hosts, namespaces
from tests.journeys.hosts import Host, Net

pytestmark = [
    pytest.mark.journey,
    pytest.mark.skipif(not hosts.possible(), reason="only root may make hosts, with TUN devices"),
]

SECONDS = 20.0
# Says something each 50 ms to the server, and prints what comes back, once each.
TALKS = """
import socket, sys
kind, address, port = sys.argv[1:]
way = socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM
with socket.socket(socket.AF_INET, way) as line:
    line.settimeout(0.05)
    line.connect((address, int(port)))
    last = None
    while True:
        line.send(b"?")
        try:
            said = line.recv(100).decode().strip("|").split("|")[-1]
        except TimeoutError:
            continue
        if said != last:
            print(said, flush=True)
        last = said
"""


class Echo(asyncio.DatagramProtocol):
    """Tells each who speaks how it is seen."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(addr[0].encode(), addr)


async def _tells(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(1):
        writer.write(f"{writer.get_extra_info('peername')[0]}|".encode())


@pytest.fixture
async def net(tmp_path: Path) -> AsyncIterator[Net]:
    async with hosts.network(tmp_path) as made:
        yield made


def _socket(net: Net, kind: socket.SocketKind) -> socket.socket:
    """A socket of the server's host, at any port of it."""
    made = namespaces.inside(net.server.namespace, lambda: socket.socket(socket.AF_INET, kind))
    made.bind((net.server.address, 0))
    made.setblocking(False)
    return made


async def _drops_some(net: Net) -> None:
    dropped = net.network.dropped
    async with asyncio.timeout(SECONDS):
        while net.network.dropped < dropped + 3:
            await asyncio.sleep(0.01)


class Talk:
    """A process on a host that talks to this machine."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def hears(self) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(SECONDS):
            return (await self.process.stdout.readline()).decode().strip()

    async def end(self) -> None:
        self.process.kill()
        await self.process.wait()


async def _talk(host: Host, net: Net, kind: str, port: int) -> Talk:
    program = host.program(sys.executable)
    return Talk(
        await asyncio.create_subprocess_exec(
            program, "-c", TALKS, kind, net.server.address, str(port), stdout=-1
        )
    )


async def test_a_host_is_seen_by_its_address_and_by_another_one_when_a_router_forgot_it(
    net: Net,
) -> None:
    way = _socket(net, socket.SOCK_DGRAM)
    echo, _ = await asyncio.get_running_loop().create_datagram_endpoint(Echo, sock=way)
    host = net.host("tablet")
    talk = await _talk(host, net, "udp", echo.get_extra_info("sockname")[1])
    try:
        first = await talk.hears()
        assert first == host.address
        host.rebind()
        second = await talk.hears()
        assert second == host.seen != first
        net.network.no_udp = True
        await _drops_some(net)
        net.network.no_udp = False
        host.rebind()
        assert await talk.hears() not in {first, second}
    finally:
        await talk.end()
        echo.close()


async def test_a_cut_takes_connections_along_with_datagrams_and_gives_them_back(net: Net) -> None:
    server = await asyncio.start_server(_tells, sock=_socket(net, socket.SOCK_STREAM))
    host = net.host("tablet")
    talk = await _talk(host, net, "tcp", server.sockets[0].getsockname()[1])
    try:
        assert await talk.hears() == host.address
        net.network.down = True
        await _drops_some(net)
        net.network.down = False
        host.move()
        assert host.address == host.seen
        again = await _talk(host, net, "tcp", server.sockets[0].getsockname()[1])
        assert await again.hears() == host.address
        await again.end()
    finally:
        await talk.end()
        server.close()
