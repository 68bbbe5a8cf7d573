"""RTP packets as bytes: reading headers and extensions, writing them, and arithmetic that wraps.

RFC 3550 section 5.1 (header), RFC 8285 (extensions), RFC 4588 (retransmission). Pure.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

FIXED = struct.Struct("!BBHII")
_BLOCK = struct.Struct("!HH")  # an extension block's profile, and its words
ONE_BYTE = 0xBEDE
HALF = 0x8000


class BadPacket(ValueError):
    """Not an RTP packet that can be forwarded."""


def newer(seq: int, than: int) -> bool:
    """Whether a 16-bit sequence number comes after another one (RFC 1982)."""
    return seq != than and ((seq - than) & 0xFFFF) < HALF


def distance(seq: int, base: int) -> int:
    """The signed distance from `base` to `seq`, within ±32768."""
    return ((seq - base + HALF) & 0xFFFF) - HALF


class Packet(NamedTuple):
    """One packet's parts; `payload` without padding."""

    marker: int
    payload_type: int
    seq: int
    timestamp: int
    ssrc: int
    profile: int  # of the extension block; 0: none
    extension: bytes
    payload: bytes


# what a NamedTuple's own constructor takes is three times as long, and this is made for each packet
_made = tuple.__new__


def parse(data: bytes) -> Packet:
    """Read a packet that libsrtp has authenticated. Raises BadPacket, never anything else."""
    end = len(data)
    if end < 12:
        raise BadPacket
    first, second, seq, timestamp, ssrc = FIXED.unpack_from(data)
    if first & 0xC0 != 0x80:
        raise BadPacket
    offset = 12 + 4 * (first & 0x0F)
    profile, extension = 0, b""
    if first & 0x10:
        if end < offset + 4:
            raise BadPacket
        profile, words = _BLOCK.unpack_from(data, offset)
        begin = offset + 4
        offset = begin + 4 * words
        extension = data[begin:offset]
    if first & 0x20:
        end -= data[-1]
    if offset > end:
        raise BadPacket
    parts = second >> 7, second & 0x7F, seq, timestamp, ssrc, profile, extension, data[offset:end]
    return _made(Packet, parts)


def elements(packet: Packet) -> dict[int, bytes]:
    """The header extension's elements by id; what is cut off is left out."""
    found: dict[int, bytes] = {}
    block = packet.extension
    if not block:
        return found
    one_byte = packet.profile == ONE_BYTE
    if not one_byte and packet.profile & 0xFFF0 != 0x1000:
        return found
    position, end = 0, len(block)
    while position < end:
        head = block[position]
        if head == 0:
            position += 1
            continue
        if one_byte:
            number, size = head >> 4, (head & 0x0F) + 1
            position += 1
            if number == 15:
                break
        else:
            if position + 1 >= end:
                break
            number, size = head, block[position + 1]
            position += 2
        if position + size > end:
            break
        found[number] = block[position : position + size]
        position += size
    return found


def wanted_elements(packet: Packet, number: int, level: int) -> tuple[int | None, int | None]:
    """The two elements that the bridge reads: a 16-bit number, and one byte. By id; 0 for neither.

    What `elements` finds, without making anything of the others.
    """
    if packet.profile != ONE_BYTE:
        found = elements(packet)
        wide, loud = found.get(number, b""), found.get(level, b"")
        return (wide[0] << 8) | wide[1] if len(wide) == 2 else None, loud[0] if loud else None
    block = packet.extension
    position, end = 0, len(block)
    seen = heard = None
    while position < end:
        head = block[position]
        position += 1
        if head == 0:
            continue
        ident = head >> 4
        after = position + (head & 0x0F) + 1
        if ident == 15 or after > end:
            break
        if ident == number:
            seen = (block[position] << 8) | block[position + 1] if head & 0x0F == 1 else None
        elif ident == level:
            heard = block[position]
        position = after
    return seen, heard


def one_byte_block(parts: list[tuple[int, bytes]]) -> bytes:
    """An extension block with its header, padded; empty for no parts."""
    body = b"".join(bytes(((number << 4) | (len(value) - 1),)) + value for number, value in parts)
    if not body:
        return b""
    body += bytes(-len(body) % 4)
    return struct.pack("!HH", ONE_BYTE, len(body) // 4) + body


SEND_TIME_RATE = 1 << 18  # abs-send-time: 24 bits, 6.18 fixed point seconds of any steady clock


def send_time(now: float) -> bytes:
    """abs-send-time of this moment."""
    return (int(now * SEND_TIME_RATE) & 0xFFFFFF).to_bytes(3, "big")


def starts_key_frame_vp8(payload: bytes) -> bool:
    """Whether a VP8 payload begins a key frame (RFC 7741: the descriptor and the clear P bit)."""
    if not payload:
        return False
    first = payload[0]
    if not first & 0x10 or first & 0x07:  # not the start of partition 0
        return False
    offset = 1
    if first & 0x80:
        if len(payload) < 2:
            return False
        flags = payload[1]
        offset = 2
        if flags & 0x80:
            if len(payload) <= offset:
                return False
            offset += 2 if payload[offset] & 0x80 else 1
        if flags & 0x40:
            offset += 1
        if flags & 0x30:
            offset += 1
    return len(payload) > offset and not payload[offset] & 0x01
