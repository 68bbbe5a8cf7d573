"""A stream from one browser to another: continuity over sources, repair, key frames."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import sdp
from media.congestion import HIGHEST, LOWEST, Cap
from media.downstream import REPAIRS_AT_ONCE, DownTrack
from media.rtcp import ReportBlock, SenderReport
from media.rtp import Packet, parse
from media.upstream import ASK_EVERY, KEY_FRAME_EVERY, OUTAGE, REPAIR_SECONDS, Kept, UpTrack

KEY = b"\x10\x00" + bytes(20)
DELTA = b"\x10\x01" + bytes(20)
START = st.integers(0, 0xFFFF)
STAMP = st.integers(0, 0xFFFFFFFF)


def section(kind: str = "video", *, repair: int | None = 97) -> sdp.Section:
    return sdp.Section(
        slot=kind,
        kind=kind,
        mid="1",
        direction="sendrecv",
        payload_type=96,
        clock_rate=90000 if kind == "video" else 48000,
        channels=1,
        parameters="",
        retransmission=repair,
        feedback=frozenset({"nack"}),
        extensions={sdp.MID: 4, sdp.SEND_TIME: 2, sdp.TRANSPORT_SEQ: 3},
        ssrcs=(),
        retransmission_ssrcs=(),
    )


def up(kind: str = "video") -> UpTrack:
    rate = 90000 if kind == "video" else 48000
    return UpTrack(kind, 77, rate, repairs=kind == "video")


def packet(seq: int, timestamp: int = 0, payload: bytes = DELTA) -> Kept:
    return seq & 0xFFFF, timestamp & 0xFFFFFFFF, 0, payload


def down(kind: str = "video", source: UpTrack | None = None) -> DownTrack:
    track = DownTrack(kind)
    track.shape(section(kind, repair=97 if kind == "video" else None))
    track.follow(source or up(kind))
    return track


def sent(track: DownTrack, seq: int, timestamp: int, payload: bytes, now: float) -> Packet | None:
    data = track.forward(seq & 0xFFFF, timestamp & 0xFFFFFFFF, 0, payload, None, now)
    return None if data is None else parse(data)


@given(START, STAMP, START, STAMP, st.floats(0.0, 100.0))
def test_another_source_goes_on_with_the_next_number_and_the_time_that_passed(
    first: int, stamp: int, second: int, other: int, pause: float
) -> None:
    track = down()
    before = sent(track, first, stamp, KEY, 10.0)
    track.follow(up())
    after = sent(track, second, other, KEY, 10.0 + pause)
    assert before is not None
    assert after is not None
    assert after.ssrc == before.ssrc
    assert after.seq == (before.seq + 1) & 0xFFFF
    moved = (after.timestamp - before.timestamp) & 0xFFFFFFFF
    assert abs(moved - max(1, pause * 90000)) <= 1.001  # rounding


def test_the_first_number_leaves_room_for_the_roll_over_counter() -> None:
    for _ in range(200):
        first = sent(down("audio"), 65_000, 1, b"x", 0.0)
        assert first is not None
        assert first.seq <= 1 << 15


@given(START, st.permutations(list(range(8))))
def test_order_and_holes_are_passed_on_as_they_are(start: int, order: list[int]) -> None:
    track = down("audio")
    first = sent(track, start, 0, b"x", 0.0)
    assert first is not None
    for step in order:
        got = sent(track, start + 1 + step, 960 * step, b"x", 0.1)
        assert got is not None
        assert (got.seq - first.seq) & 0xFFFF == 1 + step


def test_numbers_survive_several_wraps() -> None:
    track = down("audio")
    last = sent(track, 60_000, 0, b"x", 0.0)
    assert last is not None
    for step in range(1, 150_000, 7):
        got = sent(track, 60_000 + step, step, b"x", step / 50)
        assert got is not None
        assert (got.seq - last.seq) & 0xFFFF == (1 if step == 1 else 7)
        last = got


def test_a_picture_begins_with_a_key_frame_and_older_packets_stay_out() -> None:
    track = down()
    assert sent(track, 10, 0, DELTA, 0.0) is None
    assert sent(track, 12, 0, KEY, 0.1) is not None
    assert sent(track, 11, 0, DELTA, 0.1) is None
    assert sent(track, 13, 0, DELTA, 0.1) is not None


def test_a_picture_that_hides_its_key_frames_is_forwarded_after_a_while() -> None:
    track = down()
    assert sent(track, 10, 0, DELTA, 0.0) is None
    assert sent(track, 11, 0, DELTA, 5.0) is not None


def test_nothing_is_sent_to_a_browser_that_does_not_receive() -> None:
    track = down()
    track.shape(None)
    assert sent(track, 1, 1, KEY, 0.0) is None


def test_what_is_sent_carries_mid_and_sending_time_and_no_transport_wide_number() -> None:
    got = sent(down(), 1, 1, KEY, 0.0)
    assert got is not None
    first, mid, second = got.extension[0], got.extension[1:2], got.extension[2]
    assert (first, mid, second >> 4, second & 15) == (4 << 4, b"1", 2, 2)
    assert len(got.extension) == 8
    assert got.extension[6:] == b"\0\0", "only filling behind them"


def test_a_missed_packet_is_sent_again_as_a_retransmission_once_in_a_while() -> None:
    source = up()
    track = down(source=source)
    out = None
    for seq, payload in ((65535, KEY), (0, DELTA)):
        source.accept(*packet(seq, 900, payload), 0.0)
        out = sent(track, seq, 900, payload, 0.0)
    assert out is not None
    data = track.resend(out.seq, 0.1)
    assert data is not None
    again = parse(data)
    assert (again.payload_type, again.ssrc) == (97, track.repair_ssrc)
    assert again.timestamp == out.timestamp
    assert again.payload == struct.pack("!H", out.seq) + DELTA
    assert track.resend(out.seq, 0.11) is None
    assert track.resend(out.seq, 0.5) is not None
    assert track.resend((out.seq + 9) & 0xFFFF, 0.5) is None


def test_without_retransmission_agreed_the_packet_itself_is_sent_again() -> None:
    source = up()
    track = DownTrack("video")
    track.shape(section(repair=None))
    track.follow(source)
    source.accept(*packet(5, 9, KEY), 0.0)
    out = sent(track, 5, 9, KEY, 0.0)
    assert out is not None
    data = track.resend(out.seq, 0.1)
    assert data is not None
    again = parse(data)
    assert (again.seq, again.ssrc, again.payload) == (out.seq, out.ssrc, KEY)


def test_a_packet_from_before_the_change_of_source_is_not_sent_again() -> None:
    source = up()
    track = down(source=source)
    source.accept(*packet(5, 9, KEY), 0.0)
    out = sent(track, 5, 9, KEY, 0.0)
    assert out is not None
    track.follow(up())
    assert track.resend(out.seq, 1.0) is None


@given(START, st.integers(2, 100))
def test_a_gap_is_asked_for_at_once_then_again_and_not_for_ever(start: int, gap: int) -> None:
    source = up()
    source.accept(*packet(start), 0.0)
    wanted = [(start + step) & 0xFFFF for step in range(1, gap)]
    assert source.accept(*packet(start + gap), 0.0) == wanted
    assert source.due_repairs(ASK_EVERY / 2, None) == []
    assert source.due_repairs(ASK_EVERY, None) == wanted
    source.accept(*packet(wanted[0]), ASK_EVERY)
    assert source.due_repairs(3 * ASK_EVERY, None) == wanted[1:]
    source.due_repairs(REPAIR_SECONDS + 0.1, None)
    assert source.due_repairs(REPAIR_SECONDS + 0.2, None) == []


def test_after_an_outage_a_key_frame_is_asked_for_and_no_packet_of_long_ago() -> None:
    source = up()
    source.accept(*packet(1), 10.0)
    assert source.accept(*packet(90), 10.0 + OUTAGE + 9) == []
    assert source.due_repairs(10.0 + OUTAGE + 9.2, None) == []
    assert source.key_frame_due(10.0 + OUTAGE + 9.2)


def test_on_a_long_way_a_packet_is_asked_for_three_times_a_trip() -> None:
    source = up()
    source.accept(*packet(1), 0.0)
    source.accept(*packet(3), 0.0)
    asked = [n for n in range(1, 100) if source.due_repairs(n / 100, 0.29)]
    assert asked == [10, 20, 30, 40, 50, 60, 70, 80, 90]


def test_who_waits_for_a_packet_gives_up_after_ten_trips_and_asks_for_a_key_frame() -> None:
    source = up()
    source.accept(*packet(1), 0.0)
    source.accept(*packet(3), 0.0)
    assert source.due_repairs(0.59, 0.06) == [2]
    assert not source.key_frame_due(0.59)
    assert source.due_repairs(0.61, 0.06) == []
    assert source.key_frame_due(0.61)
    assert not source.misses


def lossy(share: float) -> tuple[DownTrack, int]:
    """A track whose line loses that share, and the number of a packet that it has sent."""
    source = up()
    track = down(source=source)
    track.loss = share
    source.accept(*packet(1, 900, KEY), 0.0)
    out = sent(track, 1, 900, KEY, 0.0)
    assert out is not None
    return track, out.seq


def test_a_line_that_loses_packets_loses_repairs_too_so_they_go_twice() -> None:
    track, seq = lossy(0.05)
    first = track.resend(seq, 0.1)
    assert first is not None
    assert track.owes
    assert track.second_repairs(0.101) == [], "a moment apart"
    (second,) = track.second_repairs(0.12)
    assert parse(second).payload == parse(first).payload
    assert parse(second).seq == parse(first).seq + 1
    assert not track.owes
    assert track.second_repairs(0.2) == []


def test_on_a_good_line_and_on_a_full_one_a_repair_goes_once() -> None:
    track, seq = lossy(0.01)
    assert track.resend(seq, 0.1) is not None
    assert not track.owes
    track, seq = lossy(0.2)
    track.cap.bitrate = 400_000
    assert track.resend(seq, 0.1) is not None
    assert not track.owes


def test_a_second_repair_of_another_connection_or_source_is_not_sent() -> None:
    track, seq = lossy(0.05)
    assert track.resend(seq, 0.1) is not None
    track.follow(up())
    assert track.second_repairs(0.2) == []
    track, seq = lossy(0.05)
    assert track.resend(seq, 0.1) is not None
    track.restart()
    assert not track.owes


def test_sound_is_not_asked_for_again() -> None:
    source = up("audio")
    source.accept(*packet(1), 0.0)
    assert source.accept(*packet(5), 0.0) == []


def test_key_frames_are_asked_for_at_most_every_half_second_and_a_later_wish_is_kept() -> None:
    source = up()
    source.want_key_frame()
    assert source.key_frame_due(10.0)
    assert not source.key_frame_due(10.1), "nobody asked again"
    source.want_key_frame()
    assert not source.key_frame_due(10.1)
    assert source.key_frame_due(10.0 + KEY_FRAME_EVERY)


def test_a_receiver_report_counts_losses_over_the_wrap() -> None:
    source = up("audio")
    for seq in (65534, 65535, 2, 3):  # 0 and 1 are lost
        source.accept(*packet(seq), 0.0)
    block = source.reception(0.0)
    assert block is not None
    assert (block.lost, block.fraction_lost, block.highest) == (2, 85, 65536 + 3)
    source.accept(*packet(4), 1.0)
    after = source.reception(1.0)
    assert after is not None
    assert (after.lost, after.fraction_lost) == (2, 0)


def test_sound_and_picture_keep_the_relation_their_sender_gave_them() -> None:
    """Lip sync: however late each report reaches us, both streams map to one clock."""
    ntp = 3_900_000_000 << 32
    shown = {}
    for kind, rate, arrived in (("audio", 48000, 100.3), ("video", 90000, 100.02)):
        source = up(kind)
        track = down(kind, source)
        # both were captured at the same moment, 1000 s on the sender's clock
        source.reported(SenderReport(77, ntp, 1000), arrived)
        out = sent(track, 1, 1000, KEY, arrived)
        times = track.sender_times(arrived + 1)
        assert out is not None
        assert times is not None
        passed = ((times[1] - out.timestamp) & 0xFFFFFFFF) / rate
        shown[kind] = (times[0] - ntp) / 2**32 - passed
    assert shown["audio"] == pytest.approx(shown["video"], abs=0.02)


def test_the_round_trip_is_read_from_the_report_that_is_quoted() -> None:
    source = up()
    track = down(source=source)
    source.reported(SenderReport(77, 5 << 32, 0), 10.0)
    sent(track, 1, 1, KEY, 10.0)
    times = track.sender_times(11.0)
    assert times is not None
    track.received(ReportBlock(track.ssrc, 0.0, 0, 0, (times[0] >> 16) & 0xFFFFFFFF, 0.5), 11.58)
    assert track.rtt == pytest.approx(0.08)
    track.received(ReportBlock(track.ssrc, 0.0, 0, 0, 12345, 0.5), 99.0)
    assert track.rtt == pytest.approx(0.08), "a report never sent says nothing"


def test_loss_is_measured_over_a_second_and_not_by_one_reports_handful_of_packets() -> None:
    """A browser's own fraction jumps between 0.5 and 0 on a line that loses a twentieth."""
    track = DownTrack("video")
    lost = 0
    for number in range(1, 101):  # ten reports a second, ten packets each
        lost += number % 2
        track.received(ReportBlock(track.ssrc, 0.5, lost, 10 * number, 0, 0.0), number / 10)
        if number > 20:
            assert track.loss == pytest.approx(0.05, abs=0.011)
    track.received(ReportBlock(track.ssrc, 0.5, 3, 7, 0, 0.0), 10.1)  # numbers began anew
    assert track.loss == 0.0
    track.received(ReportBlock(track.ssrc, 0.5, 13, 107, 0, 0.0), 11.2)
    assert track.loss == pytest.approx(0.1)


def test_repairs_take_at_most_half_of_what_a_full_line_carries_and_a_third_of_loss_is_mended() -> (
    None
):
    large = KEY + bytes(1000)
    for share, all_of_them in ((3, True), (1, False)):
        source = up()
        track = down(source=source)
        asked = got = 0
        for seq in range(1, 2001):
            now = 10.0 + seq / 100
            source.accept(*packet(seq, seq, large), now)
            kept = sent(track, seq, seq, large, now)
            assert kept is not None
            if seq % share == 0:
                asked += 1
                got += track.resend(kept.seq, now) is not None
        assert (got == asked) == all_of_them
        assert got * len(large) <= 0.5 * 2000 * len(large) + REPAIRS_AT_ONCE


def test_a_loss_that_was_measured_once_shrinks_a_cap_once() -> None:
    cap = Cap()
    line = {"rate": 400_000.0, "remb": None, "falling": False, "rtt": 0.05}
    for _ in range(4):
        cap.decide(loss=0.4, **line)  # type: ignore[arg-type]
    capped = cap.bitrate
    assert [cap.decide(loss=None, **line) for _ in range(3)] == [capped] * 3  # type: ignore[arg-type]
    cap.decide(loss=0.4, **line)  # type: ignore[arg-type]
    assert cap.bitrate < capped


def test_a_few_packets_are_not_enough_to_speak_of_loss() -> None:
    track = DownTrack("video")
    for number in range(1, 6):
        track.received(ReportBlock(track.ssrc, 0.5, number, 2 * number, 0, 0.0), float(number))
    assert track.loss == 0.0


def test_an_estimate_alone_is_no_reason_to_cap() -> None:
    cap = Cap()
    free = {"rate": 600_000.0, "loss": 0.0, "rtt": 0.02}
    assert cap.decide(**free, remb=900_000, falling=False) is None
    assert cap.decide(**free, remb=300_000, falling=False) is None
    assert cap.decide(**free, remb=300_000, falling=True) is None, "no trip takes longer"


def test_a_line_that_only_loses_packets_is_not_capped_however_its_estimate_jumps() -> None:
    cap = Cap()
    told = [
        cap.decide(
            rate=600_000, loss=0.05 + 0.04 * (n % 2), remb=400_000, falling=n % 3 == 0, rtt=0.06
        )
        for n in range(120)
    ]
    assert told == [None] * 120


def test_congestion_caps_and_clear_air_lifts_the_cap_again() -> None:
    cap = Cap()
    assert cap.decide(rate=900_000, loss=0.0, remb=None, falling=False, rtt=0.05) is None
    full = {"remb": 500_000, "falling": True, "rtt": 0.25}
    assert cap.decide(rate=900_000, loss=0.05, **full) == 500_000  # type: ignore[arg-type]
    for _ in range(3):
        cap.decide(rate=400_000, loss=0.3, remb=None, falling=False, rtt=0.25)
    assert cap.bitrate < 380_000
    told = [
        cap.decide(rate=300_000, loss=0.0, remb=None, falling=False, rtt=0.05) for _ in range(80)
    ]
    assert HIGHEST in told, "the browser is told that the cap is off"
    assert told[-1] is None


def test_a_cap_grows_while_a_little_is_lost_and_a_longer_way_is_no_queue_for_ever() -> None:
    cap = Cap()
    cap.decide(rate=900_000, loss=0.0, remb=None, falling=False, rtt=0.05)
    cap.decide(rate=900_000, loss=0.0, remb=300_000, falling=True, rtt=0.4)
    assert cap.bitrate == 300_000
    for _ in range(60):  # a satellite from now on, and a twentieth is lost
        cap.decide(rate=500_000, loss=0.05, remb=450_000, falling=False, rtt=0.4)
    assert cap.bitrate > 1_000_000
    cap.decide(rate=500_000, loss=0.05, remb=300_000, falling=True, rtt=0.4)
    assert cap.bitrate > 1_000_000


@given(st.lists(st.tuples(st.floats(0, 5e6), st.floats(0, 1), st.integers(0, 10**7)), max_size=50))
def test_a_cap_stays_within_its_bounds(reports: list[tuple[float, float, int]]) -> None:
    cap = Cap()
    for rate, loss, remb in reports:
        cap.decide(rate=rate, loss=loss, remb=remb, falling=True, rtt=None)
        assert LOWEST <= cap.bitrate <= HIGHEST
