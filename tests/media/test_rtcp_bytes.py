"""RTCP as bytes. Feedback is decoded here by other code than that which wrote it."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from aiortc.rtp import RtcpPacket, RtcpRrPacket, RtcpSdesPacket, RtcpSrPacket, unpack_remb_fci
from hypothesis import given
from hypothesis import strategies as st

from media import rtcp

SEQ = st.integers(0, 0xFFFF)


def nacked(packet: bytes) -> list[int]:
    return [s for report in rtcp.read(packet) if isinstance(report, rtcp.Nack) for s in report.lost]


@given(SEQ, st.sets(st.integers(0, 300), min_size=1))
def test_lost_packets_are_asked_for_exactly_even_around_the_wrap(
    start: int, steps: set[int]
) -> None:
    lost = [(start + step) & 0xFFFF for step in sorted(steps)]
    packet = rtcp.nack(1, 2, lost)
    assert nacked(packet) == lost
    assert len(packet) % 4 == 0
    assert struct.unpack_from("!H", packet, 2)[0] == len(packet) // 4 - 1


def test_a_nack_over_the_wrap_needs_one_item() -> None:
    packet = rtcp.nack(1, 2, [65534, 65535, 0, 1])
    assert len(packet) == 16
    assert nacked(packet) == [65534, 65535, 0, 1]


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_failing(data: bytes) -> None:
    list(rtcp.read(data))
    for kind in (rtcp.SR, rtcp.RR, rtcp.SDES, rtcp.BYE, rtcp.RTPFB, rtcp.PSFB):
        for count in (1, 4, 15, 31):
            for padded in (0, 0x20):
                body = data[: len(data) // 4 * 4]
                head = struct.pack("!BBH", 0x80 | padded | count, kind, len(body) // 4)
                list(rtcp.read(head + body))


def decode(packet: bytes) -> tuple[int, dict[int, int]]:
    """A transport feedback's status count, and 16-bit number -> arrival in microseconds."""
    assert packet[1] == rtcp.RTPFB
    if packet[0] & 0x20:
        packet = packet[: -packet[-1]]
    base, count, word = struct.unpack_from("!HHI", packet, 12)
    position = 20
    statuses: list[int] = []
    while len(statuses) < count:
        chunk = struct.unpack_from("!H", packet, position)[0]
        position += 2
        if not chunk & 0x8000:
            statuses += [chunk >> 13 & 3] * (chunk & 0x1FFF)
        elif chunk & 0x4000:
            statuses += [chunk >> shift & 3 for shift in range(12, -1, -2)]
        else:
            statuses += [chunk >> shift & 1 for shift in range(13, -1, -1)]
    at, arrivals = (word >> 8) * 64_000, {}
    for step, status in enumerate(statuses[:count]):
        if status == 1:
            at += packet[position] * 250
            position += 1
        elif status == 2:
            at += struct.unpack_from("!h", packet, position)[0] * 250
            position += 2
        if status:
            arrivals[(base + step) & 0xFFFF] = at
    assert position == len(packet), "no byte is left over"
    return count, arrivals


def shuffled(start: int, steps: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    number, at = start, 5_000_000
    for ahead, micros in steps:
        number, at = number + ahead, at + micros
        yield number & 0xFFFF, at


@given(
    SEQ,
    st.lists(st.tuples(st.integers(1, 40), st.integers(-20_000, 200_000)), min_size=1, max_size=80),
    st.randoms(),
)
def test_every_arrival_is_fed_back_within_a_tick(
    start: int, steps: list[tuple[int, int]], random: object
) -> None:
    arrivals = list(shuffled(start, steps))
    random.shuffle(arrivals)  # type: ignore[attr-defined]
    told: dict[int, int] = {}
    for packet in rtcp.transport_feedback(1, 2, arrivals, 0):
        told |= decode(packet)[1]
    assert told.keys() == dict(arrivals).keys()
    assert all(0 <= at - told[number] < 500 for number, at in arrivals)


def test_a_gap_within_a_feedback_is_told_as_lost() -> None:
    (packet,) = rtcp.transport_feedback(1, 2, [(65534, 0), (3, 1000)], 7)
    assert decode(packet) == (6, {65534: 0, 3: 1000})
    assert packet[19] == 7


def test_a_pause_longer_than_a_delta_begins_another_feedback() -> None:
    packets = rtcp.transport_feedback(1, 2, [(1, 0), (2, 9_000_000)], 255)
    assert [decode(packet)[1] for packet in packets] == [{1: 0}, {2: 8_999_936 + 64}]
    assert [packet[19] for packet in packets] == [255, 0], "the count is a byte"


@given(st.integers(1, 10**9))
def test_a_cap_is_read_by_others_as_written_to_one_part_in_131072(bitrate: int) -> None:
    packet = rtcp.remb(1, bitrate, [5])
    read, ssrcs = unpack_remb_fci(packet[12:])
    assert ssrcs == [5]
    assert 0 <= bitrate - read <= bitrate / (1 << 17)
    assert [r.bitrate for r in rtcp.read(packet) if isinstance(r, rtcp.Remb)] == [read]


def test_reports_are_read_by_others_as_written() -> None:
    block = rtcp.Reception(9, 12, 34, 65_600, 56, 78, 90)
    data = rtcp.sender_report(5, 1 << 40, 77, 3, 400) + rtcp.source_description(5, b"bridge")
    data += rtcp.receiver_report(6, [block]) + rtcp.source_description(6, b"bridge")
    sent, name, received, _ = RtcpPacket.parse(data)
    assert isinstance(sent, RtcpSrPacket)
    assert (sent.ssrc, sent.sender_info.rtp_timestamp, sent.sender_info.packet_count) == (5, 77, 3)
    assert isinstance(name, RtcpSdesPacket)
    assert name.chunks[0].items == [(1, b"bridge")]
    assert isinstance(received, RtcpRrPacket)
    read = received.reports[0]
    assert (read.ssrc, read.fraction_lost, read.packets_lost) == (9, 12, 34)
    assert (read.highest_sequence, read.jitter, read.lsr, read.dlsr) == (65_600, 56, 78, 90)
