"""RTCP as bytes: what we read from browsers and what we write to them. Pure.

RFC 3550 section 6 (SR, RR, SDES), RFC 4585 (NACK, PLI), RFC 5104 (FIR), REMB
(draft-alvestrand-rmcat-remb), transport-wide feedback
(draft-holmer-rmcat-transport-wide-cc-extensions-01).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from operator import sub
from typing import NamedTuple

SR, RR, SDES, BYE, RTPFB, PSFB = 200, 201, 202, 203, 205, 206
NACK_FORMAT, TWCC_FORMAT = 1, 15
PLI_FORMAT, FIR_FORMAT, REMB_FORMAT = 1, 4, 15
MOST_PACKETS = 32  # in one compound; more is an attack or a bug


class SenderReport(NamedTuple):
    ssrc: int
    ntp: int  # 64-bit NTP time
    rtp: int


class ReportBlock(NamedTuple):
    ssrc: int
    fraction_lost: float  # since the report before: of a browser, often about a handful of packets
    lost: int  # since the beginning; duplicates make it smaller
    highest: int  # extended sequence number, 32 bit
    lsr: int
    dlsr: float  # seconds


class Nack(NamedTuple):
    media_ssrc: int
    lost: tuple[int, ...]


class KeyFrameRequest(NamedTuple):
    media_ssrc: int


class Remb(NamedTuple):
    bitrate: int


Report = SenderReport | ReportBlock | Nack | KeyFrameRequest | Remb


def read(data: bytes) -> Iterator[Report]:
    """What a compound packet says; parts that are cut off or unknown are passed over."""
    position, count = 0, 0
    while position + 4 <= len(data) and count < MOST_PACKETS:
        first, kind, words = struct.unpack_from("!BBH", data, position)
        end = position + 4 * (words + 1)
        if first >> 6 != 2 or end > len(data):
            return
        body = data[position + 4 : end]
        if first & 0x20 and body:
            body = body[: max(0, len(body) - body[-1])]
        yield from _one(kind, first & 0x1F, body)
        position, count = end, count + 1


def _one(kind: int, count: int, body: bytes) -> Iterator[Report]:
    if kind == SR and len(body) >= 24:
        ssrc, ntp, rtp = struct.unpack_from("!IQI", body)
        yield SenderReport(ssrc, ntp, rtp)
        yield from _blocks(body[24:], count)
    elif kind == RR and len(body) >= 4:
        yield from _blocks(body[4:], count)
    elif kind == RTPFB and count == NACK_FORMAT and len(body) >= 8:
        yield Nack(struct.unpack_from("!I", body, 4)[0], tuple(_nack_list(body[8:])))
    elif kind == PSFB and count == PLI_FORMAT and len(body) >= 8:
        yield KeyFrameRequest(struct.unpack_from("!I", body, 4)[0])
    elif kind == PSFB and count == FIR_FORMAT:
        for offset in range(8, len(body) - 7, 8):
            yield KeyFrameRequest(struct.unpack_from("!I", body, offset)[0])
    elif kind == PSFB and count == REMB_FORMAT and len(body) >= 16 and body[8:12] == b"REMB":
        exponent = body[13] >> 2
        mantissa = ((body[13] & 0x03) << 16) | (body[14] << 8) | body[15]
        yield Remb(min(mantissa << min(exponent, 40), 10**10))


def _blocks(body: bytes, count: int) -> Iterator[ReportBlock]:
    for offset in range(0, min(24 * count, len(body) - 23), 24):
        ssrc, lost, highest, _jitter, lsr, dlsr = struct.unpack_from("!IIIIII", body, offset)
        total = lost & 0xFFFFFF
        total -= (total & 0x800000) << 1  # 24 bit, signed
        yield ReportBlock(ssrc, (lost >> 24) / 256, total, highest, lsr, dlsr / 65536)


def _nack_list(body: bytes) -> Iterator[int]:
    for offset in range(0, len(body) - 3, 4):
        first, mask = struct.unpack_from("!HH", body, offset)
        yield first
        for bit in range(16):
            if mask & (1 << bit):
                yield (first + bit + 1) & 0xFFFF


# --- writing --------------------------------------------------------------------------------------


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body


def nack(sender: int, media: int, lost: Sequence[int]) -> bytes:
    """A request for these sequence numbers, in their order around the wrap."""
    fields: list[tuple[int, int]] = []
    for seq in lost:
        if fields:
            first, mask = fields[-1]
            gap = (seq - first) & 0xFFFF
            if 0 < gap <= 16:
                fields[-1] = (first, mask | (1 << (gap - 1)))
                continue
        fields.append((seq, 0))
    body = struct.pack("!II", sender, media)
    body += b"".join(struct.pack("!HH", *pair) for pair in fields)
    return _packet(RTPFB, NACK_FORMAT, body)


def pli(sender: int, media: int) -> bytes:
    """A request for a key frame."""
    return _packet(PSFB, PLI_FORMAT, struct.pack("!II", sender, media))


def remb(sender: int, bitrate: int, media: Iterable[int]) -> bytes:
    """A cap on what the browser may send, in bit/s."""
    ssrcs = list(media)
    exponent = max(0, bitrate.bit_length() - 18)
    mantissa = bitrate >> exponent
    body = struct.pack("!II4sBBH", sender, 0, b"REMB", len(ssrcs),
                       (exponent << 2) | (mantissa >> 16), mantissa & 0xFFFF)  # fmt: skip
    body += b"".join(struct.pack("!I", ssrc) for ssrc in ssrcs)
    return _packet(PSFB, REMB_FORMAT, body)


class Reception(NamedTuple):
    """What a receiver report says of one stream."""

    ssrc: int
    fraction_lost: int  # of 256
    lost: int  # since the start, 24 bits
    highest: int  # with cycles, 32 bits
    jitter: int
    lsr: int
    dlsr: int  # 1/65536 s


def _reception(blocks: Sequence[Reception]) -> bytes:
    return b"".join(
        struct.pack(
            "!IIIIII",
            b.ssrc,
            (b.fraction_lost & 0xFF) << 24 | (max(0, min(b.lost, 0x7FFFFF))),
            b.highest & 0xFFFFFFFF,
            b.jitter & 0xFFFFFFFF,
            b.lsr,
            b.dlsr & 0xFFFFFFFF,
        )
        for b in blocks[:31]
    )


def receiver_report(sender: int, blocks: Sequence[Reception]) -> bytes:
    return _packet(RR, len(blocks[:31]), struct.pack("!I", sender) + _reception(blocks))


def sender_report(ssrc: int, ntp: int, rtp: int, packets: int, octets: int) -> bytes:
    body = struct.pack("!IQIII", ssrc, ntp & (2**64 - 1), rtp, packets & 0xFFFFFFFF,
                       octets & 0xFFFFFFFF)  # fmt: skip
    return _packet(SR, 0, body)


def source_description(ssrc: int, cname: bytes) -> bytes:
    """The name that ties a leg's audio and video together for lip sync."""
    item = struct.pack("!IBB", ssrc, 1, len(cname)) + cname + b"\0"
    return _packet(SDES, 1, item + bytes(-len(item) % 4))


# --- transport-wide feedback ----------------------------------------------------------------------

_TICK = 250  # microseconds, of a delta
_REFERENCE = 64_000  # microseconds, of the reference time
_MOST_STATUSES = 400  # in one feedback, which then fits a datagram
_MOST_UNSEEN = 300  # numbers before the first arrival that are told as lost
_FURTHEST = 8_000_000  # microseconds between two arrivals that one feedback can tell
_SMALL, _LARGE = 1, 2


def transport_feedback(
    sender: int,
    media: int,
    arrivals: Sequence[tuple[int, int]],
    count: int,
    expected: int | None = None,
) -> list[bytes]:
    """Feedback for packets that arrived: (transport sequence number, microseconds) in any order.

    Gives one packet, or several where a gap or a delay does not fit; `count` numbers the first.
    What is missing from `expected` on, the number after the last feedback's, is told as lost.
    """
    if not arrivals:
        return []
    usual = _usual_feedback(sender, media, arrivals, count, expected)
    if usual is not None:
        return [usual]
    base = arrivals[0][0]
    ordered = _ordered(arrivals, base)
    start = ordered[0][0]
    if expected is not None:
        unseen = (base + start - expected) & 0xFFFF
        start -= unseen if unseen <= _MOST_UNSEEN else 0
    times = [at for _, at in ordered]
    if ordered[-1][0] - start < _MOST_STATUSES and max(times) - min(times) < _FURTHEST:
        return [_feedback(sender, media, base, ordered, count, start)]
    packets: list[bytes] = []
    run: list[tuple[int, int]] = []
    for offset, at in ordered:
        if run and (
            offset - start >= _MOST_STATUSES or not -_FURTHEST < at - run[-1][1] < _FURTHEST
        ):
            packets.append(_feedback(sender, media, base, run, count + len(packets), start))
            start = run[-1][0] + 1 if offset - run[-1][0] <= _MOST_UNSEEN else offset
            run = []
        run.append((offset, at))
    packets.append(_feedback(sender, media, base, run, count + len(packets), start))
    return packets


def _usual_feedback(
    sender: int,
    media: int,
    arrivals: Sequence[tuple[int, int]],
    count: int,
    expected: int | None,
) -> bytes | None:
    """For packets that came in their order, none missing and none late; None for any others."""
    numbers, times = zip(*arrivals, strict=True)
    first, many = numbers[0], len(numbers)
    if expected not in (None, first) or many > _MOST_STATUSES:
        return None
    if numbers != tuple(range(first, first + many)):
        return None
    reference = times[0] // _REFERENCE
    ticks = [at // _TICK for at in times]
    try:
        deltas = bytes(map(sub, ticks, [reference * (_REFERENCE // _TICK), *ticks[:-1]]))
    except ValueError:  # longer than a small delta tells, or back in time
        return None
    return _told(sender, media, first, many, reference, count,
                 struct.pack("!H", (_SMALL << 13) | many) + deltas)  # fmt: skip


def _told(
    sender: int, media: int, first: int, many: int, reference: int, count: int, rest: bytes
) -> bytes:
    """A feedback packet: `rest` are its chunks and deltas."""
    body = struct.pack("!IIHHI", sender, media, first & 0xFFFF, many,
                       ((reference & 0xFFFFFF) << 8) | (count & 0xFF)) + rest  # fmt: skip
    padding = -len(body) % 4
    if padding:
        body += bytes(padding - 1) + bytes((padding,))
    head = struct.pack("!BBH", 0x80 | (0x20 if padding else 0) | TWCC_FORMAT, RTPFB, len(body) // 4)
    return head + body


def _ordered(arrivals: Sequence[tuple[int, int]], base: int) -> list[tuple[int, int]]:
    """(offset from base, time) by offset; of repeated numbers the first arrival."""
    found = [(((seq - base + 0x8000) & 0xFFFF) - 0x8000, at) for seq, at in arrivals]
    offsets = [offset for offset, _ in found]
    if sorted(set(offsets)) == offsets:  # as nearly always
        return found
    first: dict[int, int] = {}
    for offset, at in found:
        first.setdefault(offset, at)
    return sorted(first.items())


def number_after(arrivals: Sequence[tuple[int, int]], expected: int | None) -> int:
    """The number after the newest that came; `expected` where that is newer still."""
    numbers: tuple[int, ...] = next(zip(*arrivals, strict=True))
    first, last = numbers[0], numbers[-1]
    if expected in (None, first) and numbers == tuple(range(first, last + 1)):
        return (last + 1) & 0xFFFF
    newest = first if expected is None else (expected - 1) & 0xFFFF
    for number in numbers:
        if 0 < (number - newest) & 0xFFFF < 0x8000:
            newest = number
    return (newest + 1) & 0xFFFF


def _feedback(
    sender: int, media: int, base: int, run: list[tuple[int, int]], count: int, first: int
) -> bytes:
    reference = run[0][1] // _REFERENCE
    last = reference * _REFERENCE
    statuses: list[int] = []
    deltas = bytearray()
    expected = first
    for offset, at in run:
        statuses.extend([0] * (offset - expected))
        ticks = (at - last) // _TICK
        last += ticks * _TICK
        if 0 <= ticks <= 255:
            statuses.append(_SMALL)
            deltas.append(ticks)
        else:
            statuses.append(_LARGE)
            deltas += struct.pack("!h", max(-32768, min(32767, ticks)))
        expected = offset + 1
    rest = _chunks(statuses) + bytes(deltas)
    return _told(sender, media, base + first, len(statuses), reference, count, rest)


def _chunks(statuses: list[int]) -> bytes:
    if statuses.count(statuses[0]) == len(statuses) <= 0x1FFF:  # as nearly always
        return struct.pack("!H", (statuses[0] << 13) | len(statuses))
    out = bytearray()
    position = 0
    while position < len(statuses):
        symbol = statuses[position]
        length = 1
        while (
            position + length < len(statuses)
            and statuses[position + length] == symbol
            and length < 0x1FFF
        ):
            length += 1
        if length >= 7 or position + length == len(statuses):
            out += struct.pack("!H", (symbol << 13) | length)
            position += length
        else:
            seven = statuses[position : position + 7]
            word = 0xC000
            for index, each in enumerate(seven):
                word |= each << (12 - 2 * index)
            out += struct.pack("!H", word)
            position += len(seven)
    return bytes(out)
