"""Which addresses may be told of events: the open internet, and what the operator has named.

A manager types an address, so it may lead anywhere. Names are looked up by a resolver that gives
only what may be reached, and the connection goes to what it gave: a name that changes its address
between a check and the call gains nothing. A number instead of a name is looked at each time.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

from signaling.errors import BadAddress
from signaling.post import is_public

LONGEST = 1000
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Reach:
    """What may be reached. `loopback`: also this machine, and there without TLS (demo, tests)."""

    networks: tuple[Network, ...] = ()
    loopback: bool = False

    @classmethod
    def of(cls, networks: tuple[str, ...], *, loopback: bool) -> Reach:
        return cls(tuple(ipaddress.ip_network(one) for one in networks), loopback)

    def allows(self, address: str) -> bool:
        """Whether a connection to this IP address may be made."""
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        if is_public(address) or (self.loopback and parsed.is_loopback):
            return True
        return any(parsed in network for network in self.networks)


def checked(typed: str, reach: Reach) -> tuple[str, str]:
    """Host and whole address of what somebody typed. Raises BadAddress."""
    url = typed.strip()
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        raise BadAddress from None
    fit = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    if not fit or len(url) > LONGEST or not host:
        raise BadAddress
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise BadAddress("An address with a name, a password or a # in it cannot be used.")
    here = reach.loopback and (host == "localhost" or _is_loopback(host))
    if parts.scheme != "https" and not (here and parts.scheme == "http"):
        raise BadAddress
    if _is_number(host) and not reach.allows(host):
        raise BadAddress("This address is inside a network that may not be reached from here.")
    return host, url


class Resolver(AbstractResolver):
    """Finds only addresses that may be reached."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._resolver = DefaultResolver()

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        fit = [one for one in found if self._reach.allows(one["host"])]
        if not fit:
            raise OSError("no address that may be reached")
        return fit

    async def close(self) -> None:
        await self._resolver.close()


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return _is_number(host) and ipaddress.ip_address(host).is_loopback
