"""The commands about guests, and what a guest's page is shown; a part of `signaling.wire`."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from signaling.shapes import PartyView, PeerView
from signaling.wire_base import ClientMessage, Epoch, Id, ServerMessage

GuestRole = Literal["interpreter", "supervisor"]


class GuestInvite(ClientMessage, frozen=True, tag="guest.invite"):
    """The lead makes a link for one guest; the `ack` carries it, once: `path`, `expires_at`."""

    audience = ("console",)
    session: Id
    epoch: Epoch
    role: GuestRole


class GuestRevoke(ClientMessage, frozen=True, tag="guest.revoke"):
    """The lead takes a link back; whoever came by it is put out."""

    audience = ("console",)
    session: Id
    epoch: Epoch
    link: Id


class GuestJoin(ClientMessage, frozen=True, tag="guest.join"):
    """Take a seat at the side of the call, or change how: only a supervisor's guest may not speak.

    An interpreter speaks to everybody. A supervisor listens, or speaks to the lead alone.
    """

    audience = ("guest",)
    mode: Literal["speak", "listen", "whisper"]


class GuestLeave(ClientMessage, frozen=True, tag="guest.leave"):
    """Leave the call; the same device may come back while the call goes on."""

    audience = ("guest",)


GuestCommand = GuestInvite | GuestRevoke | GuestJoin | GuestLeave


class GuestSession(Struct, frozen=True):
    """The one call of a guest: who is in it, and nothing of what is written about it."""

    id: str
    epoch: int
    state: str
    phase: str
    agency: str
    unit: str
    lead: str
    voice_only: bool
    saver: bool  # at most still pictures
    seat: str | None  # None: not in the call (yet)
    party: str | None
    mode: str | None
    held_at: float | None  # on hold since then: nobody is heard or seen, and nobody hears you
    peer: PeerView
    company: list[PartyView]


class GuestView(ServerMessage, frozen=True, tag="guest"):
    """All that a guest's page shows."""

    role: GuestRole
    name: str
    session: GuestSession
