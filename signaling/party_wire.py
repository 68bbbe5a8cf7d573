"""The commands about who is in a call; a part of `signaling.wire`, whose rules hold here too."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from signaling.shapes import Code
from signaling.wire_base import ClientMessage, Epoch, Id


class TransferAsk(ClientMessage, frozen=True, tag="transfer.ask"):
    """Hand the session on: ring a colleague, or (`to` null) whoever is free of the nearest tier."""

    audience = ("console",)
    session: Id
    epoch: Epoch
    to: Id | None = None
    note: Annotated[str, Meta(max_length=500)] = ""  # what the receiver should know first


class TransferConfirm(ClientMessage, frozen=True, tag="transfer.confirm"):
    """Ready: once both sides have said so, the receiver leads. `ready` false takes it back."""

    audience = ("console",)
    session: Id
    epoch: Epoch
    ready: bool = True


class TransferCallOff(ClientMessage, frozen=True, tag="transfer.call_off"):
    """Either side calls the transfer off; the lead goes on leading."""

    audience = ("console",)
    session: Id
    epoch: Epoch


class TransferTake(ClientMessage, frozen=True, tag="transfer.take"):
    """The receiver leads at once, because the sender is lost."""

    audience = ("console",)
    session: Id
    epoch: Epoch


class SessionRequeue(ClientMessage, frozen=True, tag="session.requeue"):
    """The clinician hands the session back to the line: it rings for others, at the head."""

    audience = ("console",)
    session: Id
    epoch: Epoch
    reason: Code


class SessionTakeOver(ClientMessage, frozen=True, tag="session.take_over"):
    """A supervisor of the provider leads a running session from now on."""

    audience = ("console",)
    session: Id
    epoch: Epoch


class SessionListen(ClientMessage, frozen=True, tag="session.listen"):
    """A supervisor sits in, heard by nobody; or speaks to the lead alone (`whisper`)."""

    audience = ("console",)
    session: Id
    epoch: Epoch
    mode: Literal["listen", "whisper"] = "listen"


class PartyLeave(ClientMessage, frozen=True, tag="party.leave"):
    """Leave the side of a call."""

    audience = ("console",)
    session: Id


class PartyRemove(ClientMessage, frozen=True, tag="party.remove"):
    """The lead puts somebody out."""

    audience = ("console",)
    session: Id
    epoch: Epoch
    party: Id


class PartyHold(ClientMessage, frozen=True, tag="party.hold"):
    """The lead puts a guest on hold, or takes them off: they hear nobody, and nobody hears them."""

    audience = ("console",)
    session: Id
    epoch: Epoch
    party: Id
    held: bool


PartyCommand = (
    PartyHold
    | PartyLeave
    | PartyRemove
    | SessionListen
    | SessionRequeue
    | SessionTakeOver
    | TransferAsk
    | TransferCallOff
    | TransferConfirm
    | TransferTake
)
