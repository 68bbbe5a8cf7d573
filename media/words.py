"""What a server and its media processes say to each other, over two pipes.

Each word is four bytes of length and a MessagePack text. Both ends are of one installation and one
version; a word that cannot be read ends the process that said it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from media.api import BridgeSettings, BridgeTotals, LegEvent, LegStats

LONGEST = 4 << 20  # bytes of one word: the figures of all legs of a full process are the largest
HEAD = 4


class Word(Struct, frozen=True, tag_field="what"):
    """Anything said."""


# --- to the process -------------------------------------------------------------------------------


class Begin(Word, frozen=True, tag="begin"):
    settings: BridgeSettings
    level: int  # of the log


class Describe(Word, frozen=True, tag="describe"):
    no: int
    call: str
    seat: str
    generation: str
    description: str


class Plan(Word, frozen=True, tag="plan"):
    call: str
    hears: Mapping[str, Sequence[str | None]]
    sees: Mapping[str, Sequence[str | None]] | None


class Withhold(Word, frozen=True, tag="withhold"):
    call: str
    seat: str
    kinds: list[str]
    quiet: bool


class Move(Word, frozen=True, tag="move"):
    call: str
    seat: str
    to: str


class Leave(Word, frozen=True, tag="leave"):
    call: str
    seat: str
    generation: str | None


class Close(Word, frozen=True, tag="close"):
    call: str


Order = Begin | Describe | Plan | Withhold | Move | Leave | Close


# --- from the process -----------------------------------------------------------------------------


class Began(Word, frozen=True, tag="began"):
    port: int


class Answered(Word, frozen=True, tag="answered"):
    no: int
    description: str


class Refused(Word, frozen=True, tag="refused"):
    """What the bridge raised: `no` says to which description; 0: it could not begin."""

    no: int
    code: str
    text: str


class Told(Word, frozen=True, tag="told"):
    event: LegEvent


class Figures(Word, frozen=True, tag="figures"):
    """Once a second, also as the sign that the process is well."""

    legs: dict[str, list[LegStats]]  # by call
    totals: BridgeTotals


class Line(Word, frozen=True, tag="line"):
    """One line of the process's log."""

    level: int
    logger: str
    text: str


Report = Began | Answered | Refused | Told | Figures | Line

_encoder = msgspec.msgpack.Encoder()
_orders: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)
_reports: msgspec.msgpack.Decoder[Report] = msgspec.msgpack.Decoder(Report)


def packed(word: Order | Report) -> bytes:
    """The word with its length before it."""
    body = _encoder.encode(word)
    return len(body).to_bytes(HEAD, "big") + body


async def _read(reader: asyncio.StreamReader) -> bytes:
    size = int.from_bytes(await reader.readexactly(HEAD), "big")
    if size > LONGEST:
        raise EOFError("A word is too long.")
    return await reader.readexactly(size)


async def next_order(reader: asyncio.StreamReader) -> Order:
    """Raises EOFError when the server is gone, msgspec.DecodeError for what is no order."""
    return _orders.decode(await _read(reader))


async def next_report(reader: asyncio.StreamReader) -> Report:
    """Raises EOFError when the process is gone, msgspec.DecodeError for what is no report."""
    return _reports.decode(await _read(reader))
