"""Mutated datagrams and descriptions against everything in the bridge that reads them.

`python -m tests.media.fuzz SECONDS [SEED]` by hand, for an hour; the tests run it for a moment.
What is found is a `Finding` with the input; nothing may raise but what the callers expect.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from aioice import stun as other
from OpenSSL import SSL
from pylibsrtp import Error as SrtpError

from media import BadDescription, datagrams, rtcp, rtp, sdp, stun
from media.dtls import DtlsServer, HandshakeFailed, Identity
from tests.media.test_express import SEATS, House, Sent, extensions
from tests.media.test_leg import KEY, SSRC, VIDEO, Side

OFFERS = [p.read_text() for p in sorted((Path(__file__).parent / "descriptions").glob("*.sdp"))]
EDGES = (b"\x00", b"\xff", b"\x7f\xff", b"\xff\xff", b"\x00\x00", b"\xff\xff\xff\xff", b"\x80\x00")
SHORTEST = 13  # the bridge drops what is shorter before it looks what it is
IDENTITY = Identity()


@dataclass
class Finding(Exception):
    """An input that made a reader fail."""

    reader: str
    data: bytes
    cause: Exception

    def __str__(self) -> str:
        return f"{self.reader}: {self.cause!r} by {self.data.hex()}"


def mutated(chance: random.Random, data: bytes) -> bytes:
    """The same with a few accidents: bits, lengths, holes, repeats, and cut ends."""
    out = bytearray(data)
    for _ in range(chance.randrange(1, 6)):
        place = chance.randrange(len(out) + 1)
        match chance.randrange(6):
            case 0 if out:
                out[place % len(out)] ^= 1 << chance.randrange(8)
            case 1:
                edge = chance.choice(EDGES)
                out[place : place + len(edge)] = edge
            case 2:
                del out[place : place + chance.randrange(1, 20)]
            case 3:
                out[place:place] = out[place : place + chance.randrange(1, 40)]
            case 4:
                out[place:place] = chance.randbytes(chance.randrange(1, 20))
            case _:
                del out[place:]
    return bytes(out)


# --- readers, each with the inputs that it is fed with --------------------------------------------

Reader = Callable[[bytes], object]


def _stun() -> tuple[Reader, Sequence[bytes]]:
    ours = stun.Credentials("abcdefgh", "p" * 24)
    check = other.Message(other.Method.BINDING, other.Class.REQUEST)
    check.attributes |= {"USERNAME": "abcdefgh:them", "PRIORITY": 1, "USE-CANDIDATE": None}
    check.add_message_integrity(ours.password.encode())

    def read(data: bytes) -> None:
        fragment = stun.local_fragment(data)
        found = stun.parse(data, fragment) if fragment is not None else None
        if found is not None and found.genuine(ours):
            found.answer(ours, ("192.0.2.1", 4000))

    return read, [bytes(check)]


def _rtp() -> tuple[Reader, Sequence[bytes]]:
    plain = b"\x80\x60\x00\x01\x00\x00\x00\x01\x00\x00\x00\x02" + KEY
    extended = b"\xb0" + plain[1:12] + b"\xbe\xde\x00\x02\x10\xff\x32\x00\x01\x02\x00\x00" + KEY

    def read(data: bytes) -> None:
        try:
            packet = rtp.parse(data)
        except ValueError:
            return
        rtp.elements(packet)
        rtp.starts_key_frame_vp8(packet.payload)

    return read, [plain, extended]


def reports() -> list[bytes]:
    """One of each kind of report that browsers send."""
    block = rtcp.Reception(SSRC, 12, 7, 90_000, 33, 5, 6)
    return [
        rtcp.receiver_report(1, [block, block]) + rtcp.source_description(1, b"them"),
        rtcp.sender_report(SSRC, 1 << 40, 5, 6, 7) + rtcp.source_description(SSRC, b"them"),
        rtcp.nack(1, SSRC, [1, 2, 40]),
        rtcp.pli(1, SSRC),
        rtcp.remb(1, 300_000, [SSRC]),
        *rtcp.transport_feedback(1, SSRC, [(1, 10), (2, 900), (9, 40_000)], 0, None),
    ]


def _rtcp() -> tuple[Reader, Sequence[bytes]]:
    return lambda data: list(rtcp.read(data)), reports()


def _description() -> tuple[Reader, Sequence[bytes]]:
    ours = sdp.Ours("f", "p", "AA", [("192.0.2.1", 4000)], dict.fromkeys(sdp.SLOTS, (1, 2)), 1)

    def read(data: bytes) -> None:
        try:
            offered = sdp.read(data.decode("utf-8", "replace"))
        except BadDescription:
            return
        sdp.answer(offered, ours)

    return read, [offer.encode() for offer in OFFERS]


def first_flight() -> bytes:
    """A browser's first datagram of a handshake."""
    client = SSL.Connection(SSL.Context(SSL.DTLS_METHOD), None)
    client.set_connect_state()
    try:
        client.do_handshake()
    except SSL.WantReadError:
        return bytes(client.bio_read(65536))
    raise AssertionError("a handshake needs an answer")


def _dtls() -> tuple[Reader, Sequence[bytes]]:
    server: list[DtlsServer] = []

    def read(data: bytes) -> None:
        if not server:
            server.append(DtlsServer(IDENTITY, [("sha-256", "AA")]))
        try:
            server[0].receive(data)
            server[0].timeout()
            server[0].retransmit()
        except HandshakeFailed:
            server.clear()

    return read, [first_flight()]


def _leg() -> tuple[Reader, Sequence[bytes]]:
    """A leg with its keys agreed: its peer may send it anything, and time goes on."""
    side, clock = Side(), [1.0]
    media = bytes((0x80, VIDEO.payload_type)) + bytes(6) + SSRC.to_bytes(4, "big") + KEY

    def read(data: bytes) -> None:
        clock[0] += 0.01
        side.leg.on_srtp(data, clock[0], (side.port, ("127.0.0.1", 4001)))
        side.leg.tick(clock[0], clock[0], 2.0)
        side.port.sent.clear()
        side.port.to.clear()

    return read, [media, *reports()]


def _batch() -> tuple[Reader, Sequence[bytes]]:
    """A browser that holds the keys sends what it likes, and among it the usual packets."""
    house = House(short=True, most=1_000_000)
    sections = sdp.read(OFFERS[0]).sections
    seq = 0

    def usual(kind: str) -> bytes:
        nonlocal seq
        seq = (seq + 1) & 0xFFFF
        first, block = extensions(sections[kind], seq, 0, 9)
        head = bytes((first, sections[kind].payload_type)) + seq.to_bytes(2, "big") + bytes(4)
        return head + sections[kind].ssrcs[0].to_bytes(4, "big") + block + KEY

    def read(data: bytes) -> None:
        house.now += 0.01
        batch = [*(usual("video") for _ in range(3)), data, usual("video"), usual("audio")]
        sealed: list[Sent] = []
        for packet in batch:
            try:
                sealed.append((house.sealing["tablet"].protect(packet), SEATS["tablet"]))
            except (SrtpError, ValueError):  # libsrtp seals no such thing: as it is, then
                sealed.append((packet[: datagrams.LARGEST], SEATS["tablet"]))
        with patch("media.express.time", house.clock), patch("media.bridge.time", house.clock):
            house.read(sealed)
        house.leg("tablet").tick(house.now, house.now, 2.0)
        house.port.sent.clear()
        dropped = house.bridge.totals().dropped
        if dropped.get("internal"):
            raise AssertionError(dropped)

    return read, [usual("video"), usual("audio")]


READERS: dict[str, Callable[[], tuple[Reader, Sequence[bytes]]]] = {
    "stun": _stun,
    "rtp": _rtp,
    "rtcp": _rtcp,
    "description": _description,
    "dtls": _dtls,
    "leg": _leg,
    "batch": _batch,
}


def fuzz(name: str, seconds: float, seed: int) -> int:
    """Feed one reader for so long; how many inputs it took. Raises Finding."""
    read, begun_with = READERS[name]()
    chance = random.Random(f"{name} {seed}")
    corpus: list[bytes] = [*begun_with]
    tried, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        data = mutated(chance, chance.choice(corpus))
        if len(data) < SHORTEST and name != "description":
            continue
        try:
            read(data)
        except Exception as error:
            raise Finding(name, data, error) from error
        tried += 1
        if chance.random() < 0.02:  # accidents add up
            corpus.append(data)
            del corpus[len(begun_with) : -200]
    return tried


def main(arguments: Sequence[Any]) -> None:
    seconds = float(arguments[0]) if arguments else 60.0
    seed = int(arguments[1]) if len(arguments) > 1 else random.SystemRandom().randrange(1 << 32)
    tried: Counter[str] = Counter()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for name in READERS:
            tried[name] += fuzz(name, min(5.0, seconds / len(READERS)), seed)
        seed += 1
    print(f"nothing found; last seed {seed - 1}; {dict(tried)}")


if __name__ == "__main__":
    main(sys.argv[1:])
