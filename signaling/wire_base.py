"""What every message of the protocol is made of; `signaling.wire` has the messages."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

Audience = Literal["tablet", "console", "guest"]

Id = Annotated[str, Meta(min_length=1, max_length=40, pattern="^[A-Za-z0-9_-]+$")]
Key = Annotated[str, Meta(min_length=16, max_length=64, pattern="^[A-Za-z0-9_-]+$")]
Base64Url = Annotated[str, Meta(min_length=43, max_length=100, pattern="^[A-Za-z0-9_-]+$")]
ShortText = Annotated[str, Meta(min_length=1, max_length=500)]
Description = Annotated[str, Meta(min_length=1, max_length=65536)]
Number = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Epoch = Number


class ClientMessage(
    Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", kw_only=True
):
    """One message from a browser; `id` numbers it within the stream."""

    audience: ClassVar[tuple[Audience, ...]] = ("tablet", "console")
    id: Annotated[int, Meta(ge=1, le=2**31 - 1)]


class ServerMessage(Struct, frozen=True, tag_field="type", kw_only=True):
    """One message to a browser; `n` is written when it is queued on a stream."""
