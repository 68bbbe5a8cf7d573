"""RTP packets as bytes: whatever comes, and whatever we write."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from media import rtp

SEQ = st.integers(0, 0xFFFF)


@given(st.binary(max_size=200), st.integers(0x80, 0xBF))
def test_any_bytes_are_a_packet_or_a_bad_packet_and_nothing_else(data: bytes, first: int) -> None:
    for each in (data, bytes((first,)) + data):
        try:
            packet = rtp.parse(each)
        except rtp.BadPacket:
            continue
        assert len(packet.payload) <= len(each) - 12
        for value in rtp.elements(packet).values():
            assert len(value) <= len(packet.extension)


@given(
    st.dictionaries(st.integers(1, 14), st.binary(min_size=1, max_size=16), max_size=5),
    st.binary(max_size=100),
    SEQ,
)
def test_what_is_written_is_read_back(parts: dict[int, bytes], payload: bytes, seq: int) -> None:
    block = rtp.one_byte_block(list(parts.items()))
    head = rtp.FIXED.pack(0x90 if block else 0x80, 0x80 | 96, seq, 7, 9)
    packet = rtp.parse(head + block + payload)
    assert (packet.marker, packet.payload_type, packet.seq) == (1, 96, seq)
    assert packet.payload == payload
    assert rtp.elements(packet) == parts


@given(SEQ, st.integers(-0x7FFF, 0x7FFF))
def test_distance_survives_the_wrap(base: int, step: int) -> None:
    assert rtp.distance((base + step) & 0xFFFF, base) == step
    assert rtp.newer((base + step) & 0xFFFF, base) is (step > 0)


def test_padding_is_taken_off() -> None:
    packet = rtp.parse(rtp.FIXED.pack(0xA0, 96, 1, 1, 1) + b"ab" + b"\0\0\x03")
    assert packet.payload == b"ab"


@given(st.binary(max_size=12))
def test_looking_for_a_key_frame_never_fails(payload: bytes) -> None:
    assert rtp.starts_key_frame_vp8(payload) in {True, False}


def test_a_key_frame_is_told_from_others_behind_every_descriptor() -> None:
    for descriptor in (b"\x10", b"\x90\x80\x05", b"\x90\x80\x85\x05", b"\x90\xf0\x85\x05\x01\x02"):
        assert rtp.starts_key_frame_vp8(descriptor + b"\x50\0\0")
        assert not rtp.starts_key_frame_vp8(descriptor + b"\x51\0\0")
        later = bytes((descriptor[0] & ~0x10,)) + descriptor[1:]
        assert not rtp.starts_key_frame_vp8(later + b"\x50\0\0"), "not the frame's first packet"


def test_sending_time_is_seconds_in_six_and_eighteen_bits() -> None:
    assert struct.unpack("!I", b"\0" + rtp.send_time(1.5))[0] == 3 << 17
    assert rtp.send_time(64.0) == rtp.send_time(0.0), "it wraps after 64 seconds"
