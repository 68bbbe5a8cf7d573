"""The addresses of this machine, for media and for the demo's links. Never logged."""

from __future__ import annotations

import ipaddress

import ifaddr

# Bridges between containers lead nowhere that a browser could come from.
_INSIDE = ("docker", "br-", "veth", "virbr", "podman", "cni", "lxc")


def of_this_machine() -> list[str]:
    """Addresses that another machine may reach: IPv4 where there is any, otherwise IPv6."""
    found: list[ipaddress.IPv4Address | ipaddress.IPv6Address] = []
    for adapter in ifaddr.get_adapters():
        if adapter.nice_name.startswith(_INSIDE):
            continue
        for ip in adapter.ips:
            text = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
            address = ipaddress.ip_address(text)
            if not (address.is_loopback or address.is_link_local):
                found.append(address)
    v4 = [address for address in found if address.version == 4]
    return [str(address) for address in sorted(v4 or found, key=int)]


def for_media(configured: tuple[str, ...]) -> list[str]:
    """Where the bridge listens: as configured, otherwise everywhere and on this machine itself.

    Loopback alone is not enough even for one machine: Firefox offers no loopback candidates.
    """
    return list(configured) or [*of_this_machine(), "127.0.0.1"]
