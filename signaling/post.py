"""What a page is as a message, and how sending it ended: common to all senders."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from oncall.pager import PagerRules

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
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_global and not parsed.is_multicast
