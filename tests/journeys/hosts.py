"""Hosts of their own, in network namespaces, and the way between them.

Every packet that such a host sends comes through here, whatever it belongs to: pages, WebSockets,
sound and picture. So what a test does to the way is done to all of them, as it is outside. The
kernel of a test machine often has no netem, and needs none: a host's only device is a TUN device,
whose other end is ours. Nothing of this machine's own network is touched.

Only root may make such things; `possible` says whether they can be made here.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import stat
import struct
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from socket import AF_INET6, inet_aton, inet_pton

from tests.media.impaired import Lane, Network, Post

TUN = Path("/dev/net/tun")
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
LONGEST = 65536
TCP, UDP = 6, 17
CHECKSUM_AT = {TCP: 16, UDP: 6}  # in the header after the address's own
SERVER = "server"


def possible() -> bool:
    """Whether this machine lets us make namespaces and TUN devices."""
    if os.geteuid() != 0 or not TUN.exists() or shutil.which("ip") is None:
        return False
    name = f"cbtry{os.getpid()}"
    try:
        _ip("netns", "add", name)
        _ip("netns", "delete", name)
        os.close(_tun(name[:15]))
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=20)


def _tun(name: str) -> int:
    """A TUN device; it is there as long as what is returned is open."""
    fd = os.open(TUN, os.O_RDWR | os.O_NONBLOCK)
    try:
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    except OSError:
        os.close(fd)
        raise
    return fd


class Host:
    """One host: a namespace with one device, an IPv4 address, which may change, and one of IPv6."""

    def __init__(self, net: Net, name: str, network: Network) -> None:
        """`network`: what the way from here to the middle is like."""
        self._net, self._number, self._moves = net, len(net.hosts) + 1, 0
        self.namespace = f"{net.name}-{name}"
        self.device = f"{net.name}{self._number}"
        self.address = self._an_address()
        #: what the others see: a router's address, when it has given the host another one
        self.seen = self.address
        self._network = network
        self._up, self._down = Lane(network), Lane(network)
        self._post = Post()
        self._fd = _tun(self.device)
        _ip("netns", "add", self.namespace)
        _ip("link", "set", self.device, "netns", self.namespace)
        self._run("link", "set", "lo", "up")
        self._run("link", "set", self.device, "up")
        self._run("address", "add", f"{self.address}/32", "dev", self.device)
        self._run("route", "add", "default", "dev", self.device)
        self.address_6 = f"fd77::{self._number}:1"
        self._run("address", "add", f"{self.address_6}/128", "dev", self.device, "nodad")
        self._run("-6", "route", "add", "default", "dev", self.device)
        asyncio.get_running_loop().add_reader(self._fd, self._read)

    def _an_address(self) -> str:
        return f"10.77.{self._number}.{1 + self._moves}"

    def _run(self, *words: str) -> None:
        _ip("-n", self.namespace, *words)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                packet = os.read(self._fd, LONGEST)
                # what comes from another address is of a network that is gone, or looks for routers
                if packet[0] >> 4 == 4 and packet[12:16] == inet_aton(self.address):
                    seen = _readdressed(packet, 12, inet_aton(self.seen))
                    self._go(self._up, seen, packet[9], self._net.deliver)
                elif packet[8:24] == inet_pton(AF_INET6, self.address_6):
                    self._go(self._up, packet, packet[6], self._net.deliver)

    def is_at(self, packet: bytes) -> bool:
        """Whether a packet is for this host, as the others see it."""
        if packet[0] >> 4 == 4:
            return packet[16:20] == inet_aton(self.seen)
        return packet[24:40] == inet_pton(AF_INET6, self.address_6)

    def arrives(self, packet: bytes) -> None:
        """A packet for this host has come over all that lies before its own way."""
        if packet[0] >> 4 == 4:
            packet = _readdressed(packet, 16, inet_aton(self.address))
            self._go(self._down, packet, packet[9], self._take)
        else:
            self._go(self._down, packet, packet[6], self._take)

    def _take(self, packet: bytes) -> None:
        with contextlib.suppress(BlockingIOError):  # full, as routers are
            os.write(self._fd, packet)

    def _go(self, lane: Lane, packet: bytes, kind: int, deliver: Callable[[bytes], None]) -> None:
        if kind == UDP and self._network.no_udp:
            self._network.dropped += 1
            return
        at = lane.due(len(packet), asyncio.get_running_loop().time())
        if at is not None:
            self._post.send(at, partial(deliver, packet))

    def rebind(self) -> None:
        """A router on the way forgets it and gives it another address; nobody is told."""
        self._moves += 1
        self.seen = self._an_address()

    def move(self) -> None:
        """Another network, as from the station's to the telephone's: a new address, and the old one
        is gone. Its programs are told so by the system."""
        self._moves += 1
        old, self.address = self.address, self._an_address()
        self.seen = self.address
        self._run("address", "delete", f"{old}/32", "dev", self.device)
        self._run("address", "add", f"{self.address}/32", "dev", self.device)
        self._run("route", "replace", "default", "dev", self.device)

    def program(self, path: str) -> str:
        """A script that starts this program on this host; its path."""
        script = self._net.folder / f"{Path(path).name}-on-{self.namespace}"
        script.write_text(f'#!/bin/sh\nexec ip netns exec {self.namespace} {path} "$@"\n')
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        return str(script)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        self._post.close()
        os.close(self._fd)
        with contextlib.suppress(subprocess.CalledProcessError):
            _ip("netns", "delete", self.namespace)


class Net:
    """The hosts and what lies between them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = f"cb{os.getpid()}x"
        self.network = Network()  # the way of each host to the middle, but for the server's
        self.hosts: dict[str, Host] = {}
        self.server = self._make(SERVER, Network())

    def host(self, name: str, network: Network | None = None) -> Host:
        """The host of this name, made when it is not there; `network`: a way of its own."""
        return self.hosts.get(name) or self._make(name, network or self.network)

    def _make(self, name: str, network: Network) -> Host:
        self.hosts[name] = made = Host(self, name, network)
        return made

    def deliver(self, packet: bytes) -> None:
        """In the middle: on to the host that is seen by this address, if there is one."""
        for one in self.hosts.values():
            if one.is_at(packet):
                one.arrives(packet)

    def close(self) -> None:
        for one in self.hosts.values():
            one.close()


@asynccontextmanager
async def network(folder: Path) -> AsyncIterator[Net]:
    """A net with a server's host alone; `folder`: for the scripts that start programs there."""
    net = Net(folder)
    try:
        yield net
    finally:
        net.close()


# --- another address in a packet ------------------------------------------------------------------


def _readdressed(packet: bytes, at: int, new: bytes) -> bytes:
    """The packet with another address at `at`, its checksums set right."""
    old = packet[at : at + 4]
    if old == new:
        return packet
    changed = bytearray(packet)
    changed[at : at + 4] = new
    _adjust(changed, 10, old, new)
    where = CHECKSUM_AT.get(packet[9])
    first = not struct.unpack_from("!H", packet, 6)[0] & 0x1FFF  # of a datagram in pieces
    if where is not None and first:
        where += (packet[0] & 15) * 4
        if packet[9] != UDP or packet[where : where + 2] != b"\0\0":
            _adjust(changed, where, old, new)
    return bytes(changed)


def _adjust(packet: bytearray, at: int, old: bytes, new: bytes) -> None:
    """RFC 1624: the checksum at `at`, when `old` has become `new`."""
    total = ~struct.unpack_from("!H", packet, at)[0] & 0xFFFF
    for was, now in zip(struct.unpack("!2H", old), struct.unpack("!2H", new), strict=True):
        total += (~was & 0xFFFF) + now
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    struct.pack_into("!H", packet, at, ~total & 0xFFFF)
