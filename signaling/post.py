"""What a page is as a message, and how sending it ended: common to all senders."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from oncall.pager import PagerRules

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")

if TYPE_CHECKING:
    from signaling.gateways import Gateways
    from signaling.webpush import WebPush


@dataclass(frozen=True, slots=True)
class Message:
    """Words in the reader's language; they name no person, no place and nothing clinical."""

    purpose: str  # call | stand_down | test | alarm
    title: str
    body: str
    link: str
    token: str  # of this page
    urgent: bool
    seconds: int  # after so long there is no sense in showing it


@dataclass(frozen=True, slots=True)
class Taken:
    """The other side took it."""


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Not now; `after` is what the other side asks us to wait, in seconds."""

    reason: str
    after: float | None = None


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Never like this. `gone`: the way itself does not exist any more."""

    reason: str
    gone: bool = False


Outcome = Taken | TryAgain | GivenUp


class Speaks(Protocol):
    """The texts, by language; made by the composition."""

    def __call__(self, locale: str, key: str, /) -> str: ...


def _bare(_locale: str, key: str, /) -> str:
    return key


@dataclass(slots=True)
class Post:
    """What the pager sends with. Without senders a page fails, and its row says so."""

    push: WebPush | None = None
    gateways: Gateways | None = None
    words: Speaks = _bare
    origin: str = ""
    rules: PagerRules = field(default_factory=PagerRules)


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    inner = _carried(parsed) or parsed
    return inner.is_global and not (parsed.is_multicast or inner.is_multicast)


def _carried(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for: mapped, 6to4, or by a translator (RFC 6052)."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
