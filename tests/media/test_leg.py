"""One leg against a peer that holds the keys and means harm, or moves about."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aioice import stun as other
from hypothesis import given
from hypothesis import strategies as st
from pylibsrtp import Error as SrtpError

from media import BadDescription, Bridge, BridgeSettings, LegEventKind, rtcp, sdp, stun
from media.call import ASIDE_LEAST, Call
from media.congestion import HIGHEST, LOWEST
from media.downstream import DownTrack
from media.dtls import Identity
from media.leg import QUIET_SILENCE, Leg
from media.strangers import LOOKS, MOST_OPEN, REFUSALS
from media.upstream import CACHE, MOST_MISSING, UpTrack

OFFER = (Path(__file__).parent / "descriptions" / "chromium-156.sdp").read_text()
VIDEO = sdp.read(OFFER).sections["video"]
AUDIO = sdp.read(OFFER).sections["audio"]
SSRC, REPAIR = VIDEO.ssrcs[0], VIDEO.retransmission_ssrcs[0]
KEY, DELTA = b"\x10\x00" + bytes(20), b"\x10\x01" + bytes(20)
HOME, AWAY = ("127.0.0.1", 4001), ("127.0.0.1", 4002)
IDENTITY = Identity()


class ClearSrtp:
    """libsrtp's limits without its cryptography."""

    def _within(self, limit: int) -> Callable[[bytes], bytes]:
        def process(data: bytes) -> bytes:
            if len(data) > limit:
                raise ValueError("packet is too long")
            return data

        return process

    def __getattr__(self, name: str) -> Callable[[bytes], bytes]:
        return self._within(1500 if name.startswith("unprotect") else 1356)


class Shaken:
    """A handshake that is over."""

    closed = False

    def __init__(self) -> None:
        self.srtp = self
        self.inbound = self.outbound = ClearSrtp()


class Port:
    def __init__(self) -> None:
        self.legs: dict[tuple[str, int], Leg] = {}
        self.sent: list[bytes] = []
        self.to: list[tuple[str, int]] = []

    def send(self, data: bytes, address: tuple[str, int]) -> None:
        self.sent.append(data)
        self.to.append(address)


class Side:
    """A leg that is connected from HOME, and what it told."""

    def __init__(self, seat: str = "tablet", call: Call | None = None) -> None:
        self.told: list[tuple[LegEventKind, str | None]] = []
        self._restarts = 0
        self.port = Port()
        call = call or Call("call")
        place = call.seat(seat)
        self.leg = Leg(call, place, "g", IDENTITY, 0.0, self._tell)
        offered = self.leg.describe(OFFER)
        place.leg = self.leg
        shaken: Any = Shaken()
        self.leg._dtls = shaken
        for kind, track in place.down.items():
            track.shape(offered.sections.get(kind))
        call.sources_changed()
        self.check(HOME, 0.0, nominate=True)

    def _tell(self, _leg: Leg, kind: LegEventKind, medium: str | None, _why: str | None) -> None:
        self.told.append((kind, medium))

    def check(
        self,
        address: tuple[str, int],
        now: float,
        *,
        nominate: bool,
        data: bytes = b"",
        by: stun.Credentials | None = None,
    ) -> bytes:
        """`by`: the name and password that the browser has of us; the newest."""
        ours = by or self.leg.newest
        if not data:
            message = other.Message(other.Method.BINDING, other.Class.REQUEST)
            message.attributes["USERNAME"] = f"{ours.fragment}:them"
            if nominate:
                message.attributes["USE-CANDIDATE"] = None
            message.add_message_integrity(ours.password.encode())
            data = bytes(message)
        read = stun.parse(data, ours.fragment)
        assert read is not None
        self.leg.checked(self.port, address, read, now)
        return data

    def rtp(
        self,
        seq: int,
        now: float = 1.0,
        *,
        kind: int = VIDEO.payload_type,
        ssrc: int = SSRC,
        payload: bytes = KEY,
        by: tuple[str, int] = HOME,
        number: int | None = None,
    ) -> None:
        """`number`: over all that this browser sends."""
        first, extension = 0x80, b""
        if number is not None:
            first = 0x90
            told = (VIDEO.extensions[sdp.TRANSPORT_SEQ] << 4) | 1
            extension = struct.pack("!HHBHx", 0xBEDE, 1, told, number)
        data = struct.pack("!BBHII", first, kind, seq & 0xFFFF, 0, ssrc) + extension + payload
        self.leg.on_srtp(data, now, (self.port, by))

    def restart(self) -> stun.Credentials:
        """The browser begins its search anew; what it had of us before."""
        before = self.leg.newest
        self._restarts += 1
        fragment = sdp.read(OFFER).fragment
        self.leg.describe(OFFER.replace(fragment, f"{fragment[:-2]}{self._restarts:02d}"))
        self.leg.retired()
        return before

    def reached_at(self) -> tuple[str, int]:
        self.port.to.clear()
        self.leg.send_rtcp(rtcp.pli(1, 2))
        return self.port.to[0]


@given(st.binary(min_size=2, max_size=300), st.integers(0x80, 0xBF), st.integers(0, 255))
def test_nothing_that_holds_the_keys_can_make_a_leg_fail(
    data: bytes, first: int, second: int
) -> None:
    side = Side()
    for each in (data, bytes((first, second)) + data):
        side.leg.on_srtp(each, 1.0, (side.port, HOME))
        side.leg.tick(2.0, 2.0, 9.0)


def test_a_leg_that_floods_is_held_to_its_share_and_heard_again_a_second_later() -> None:
    side = Side()
    most = side.leg._most_packets
    for number in range(most + 500):
        side.rtp(number, 5.0)
    taken = side.leg.up["video"].packets
    assert taken <= most
    assert side.leg.dropped["flood"] >= 499
    side.check(AWAY, 5.5, nominate=True)
    assert side.reached_at() == HOME, "a flood of checks is held as well"
    side.rtp(most + 600, 6.1)
    assert side.leg.up["video"].packets == taken + 1


def test_packets_that_are_not_genuine_use_up_nobodys_share() -> None:
    side = Side()
    for _ in range(2 * side.leg._most_packets):
        side.leg.on_srtp(bytes(1501), 5.0, (side.port, HOME))
    side.rtp(1, 5.0)
    assert side.leg.dropped["flood"] == 0
    assert side.leg.up["video"].packets == 1


def test_what_is_waited_for_is_bounded_however_the_numbers_jump() -> None:
    side = Side()
    for number in range(1_900):
        side.rtp(150 * number, 5.0)
    assert len(side.leg.up["video"]._missing) <= MOST_MISSING


def test_a_datagram_that_is_too_long_is_counted_and_dropped() -> None:
    side = Side()
    side.rtp(1, payload=bytes(1600))
    assert side.leg.dropped["malformed"] == 1


def test_a_packet_too_long_to_send_on_harms_neither_side() -> None:
    call = Call("call")
    sink, source = Side("clinician", call), Side("tablet", call)
    source.rtp(1, payload=b"\x10\x00" + bytes(1345))
    assert sink.leg.dropped["protect"] == 1


def test_a_browser_that_moved_without_nominating_is_followed_after_a_while() -> None:
    side = Side()
    for second in range(1, 6):
        side.rtp(second, float(second), by=AWAY)
        side.check(AWAY, float(second), nominate=False)
    assert side.reached_at() == AWAY


def test_a_path_in_use_is_kept_while_another_is_only_checked() -> None:
    side = Side()
    for second in range(1, 10):
        side.rtp(second, float(second))
        side.check(AWAY, float(second), nominate=False)
    assert side.reached_at() == HOME


def test_a_way_that_is_taken_before_the_answer_to_a_restart_comes_is_followed_at_once() -> None:
    side = Side()
    side.rtp(1, 1.0)
    before = side.restart()
    # a new port of the browser's, made for the restart, with the name that it has of us so far
    side.check(AWAY, 1.1, nominate=True, by=before)
    assert side.reached_at() == AWAY
    side.check(("127.0.0.1", 4003), 1.2, nominate=True, by=before)
    assert side.reached_at() == ("127.0.0.1", 4003), "and its router may give it another address"


def test_a_way_of_before_a_restart_does_not_take_over_again_from_one_of_after_it() -> None:
    side = Side()
    before = side.restart()
    side.check(AWAY, 1.0, nominate=True)
    side.rtp(1, 1.0, by=AWAY)
    side.check(HOME, 1.1, nominate=True, by=before)
    assert side.reached_at() == AWAY


def test_the_way_in_use_is_answered_however_often_the_browser_restarts() -> None:
    side = Side()
    first = side.restart()
    for _ in range(4):
        side.restart()
    side.port.sent.clear()
    side.check(HOME, 1.0, nominate=True, by=first)
    assert side.port.sent, "or a browser would give it up before it has another"
    assert len(side.leg.credentials) == 3
    side.check(AWAY, 1.1, nominate=True)
    side.restart()
    assert first.fragment not in side.leg.credentials


class Moved:
    """A bridge with one browser, which its router has given another address without a word."""

    def __init__(self) -> None:
        self.side = Side()
        self.side.rtp(1)
        self.bridge = Bridge(BridgeSettings(), lambda event: None)
        self.bridge._by_fragment[self.side.leg.newest.fragment] = self.side.leg
        self.port: Any = self.side.port
        self.port.legs = {HOME: self.side.leg}
        self.port.sent.clear()
        self.port.to.clear()

    def sends(self, seq: int = 2, ssrc: int = SSRC) -> None:
        data = struct.pack("!BBHII", 0x80, VIDEO.payload_type, seq, 0, ssrc) + KEY
        self.bridge._received(self.port, data, AWAY)

    def answers(self, question: bytes, password: str = "", by: tuple[str, int] = AWAY) -> None:
        theirs = self.side.leg.theirs
        assert theirs is not None
        asked = other.parse_message(question)
        assert asked.check_message_integrity(theirs.password.encode())
        assert asked.attributes["USERNAME"].startswith(f"{theirs.fragment}:")
        said = other.Message(other.Method.BINDING, other.Class.RESPONSE, asked.transaction_id)
        said.attributes["XOR-MAPPED-ADDRESS"] = HOME
        said.add_message_integrity((password or theirs.password).encode())
        self.bridge._received(self.port, bytes(said), by)


def test_who_sends_from_another_address_all_at_once_is_asked_there_and_followed_by_the_answer() -> (
    None
):
    moved = Moved()
    moved.sends()
    assert moved.port.to == [AWAY], "one question, and nothing else before its answer"
    assert moved.side.leg.up["video"].packets == 2, "what is genuine counts wherever it comes from"
    moved.answers(moved.port.sent[0])
    assert moved.side.reached_at() == AWAY
    assert moved.port.legs[AWAY] is moved.side.leg
    assert moved.side.told[-1][0] is LegEventKind.PATH_CHANGED


def test_an_answer_that_is_forged_or_comes_from_elsewhere_or_twice_moves_nothing() -> None:
    moved = Moved()
    moved.sends()
    [question] = moved.port.sent
    moved.answers(question, password="guessed-and-wrong-22-chars")
    moved.answers(question, by=("198.51.100.9", 9))
    assert moved.side.reached_at() == HOME
    moved.answers(question)
    assert moved.side.reached_at() == AWAY
    moved.side.check(HOME, 1e9, nominate=True)
    moved.answers(question)
    assert moved.side.reached_at() == HOME


def test_an_answer_that_comes_too_late_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = Moved()
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    moved.sends()
    monkeypatch.setattr(time, "monotonic", lambda: 103.5)
    moved.answers(moved.port.sent[0])
    assert moved.side.reached_at() == HOME


def test_nobody_is_asked_for_what_is_not_genuine_or_of_no_stream_or_while_the_path_is_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moved = Moved()
    moved.sends(ssrc=12345)
    assert moved.port.to == []
    moved.side.leg._path_heard_at = time.monotonic() + 60
    moved.sends(seq=3)
    assert moved.port.to == []
    moved.side.leg._path_heard_at = 0.0
    dtls: Any = moved.side.leg._dtls

    def refused(_data: bytes) -> bytes:
        raise SrtpError("replayed")

    monkeypatch.setattr(dtls.srtp.inbound, "unprotect", refused)
    moved.sends(seq=4)
    assert moved.port.to == []
    assert moved.side.leg.dropped["srtp"] == 1


def test_what_comes_before_a_side_is_missed_does_not_use_up_the_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A picture is a few hundred packets a second, and two may move at once."""
    moved = Moved()
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    moved.side.leg._path_heard_at = 99.9
    for seq in range(200):
        moved.sends(seq)
    assert moved.port.to == []
    monkeypatch.setattr(time, "monotonic", lambda: 100.2)
    moved.sends(200)
    assert moved.port.to == [AWAY]


def test_a_flood_of_strangers_is_bounded_and_asked_less() -> None:
    moved = Moved()
    strangers = moved.bridge._strangers
    assert sum(strangers.worth_a_look(5.0) for _ in range(2 * LOOKS)) == LOOKS
    assert strangers.worth_a_look(6.1)
    for _ in range(REFUSALS):
        assert strangers.worth_a_look(6.2)
        strangers.refused()
    assert not strangers.worth_a_look(6.3)
    assert strangers.worth_a_look(7.2)
    leg, path = moved.side.leg, (moved.port, AWAY)
    asked = [strangers.question(leg, path, 10.0 + n / 100) is not None for n in range(100)]
    assert 4 <= sum(asked) <= 6
    for number in range(1000):
        strangers.question(leg, (moved.port, ("127.0.0.9", number)), 20.0)
    assert len(strangers._open) == MOST_OPEN
    strangers.forget(leg)
    assert not strangers._open


def test_a_check_that_is_replayed_from_elsewhere_moves_nothing() -> None:
    side = Side()
    genuine = side.check(HOME, 1.0, nominate=True)
    side.port.sent.clear()
    side.check(("198.51.100.9", 9), 1.1, nominate=True, data=genuine)
    assert side.reached_at() == HOME
    assert side.leg.dropped["stun-replayed"] == 1
    side.port.sent.clear()
    side.check(HOME, 1.2, nominate=True, data=genuine)
    assert side.port.sent, "a browser's own repetition is answered"


@pytest.mark.parametrize("device", ["stays", "is pulled out"])
def test_a_muted_side_is_missed_soon_when_its_silence_stops_and_not_when_its_microphone_goes(
    device: str,
) -> None:
    side = Side()
    side.leg.seat.quiet = True
    report = rtcp.receiver_report(1, [])
    for number in range(100):
        side.rtp(number, number / 50)
    for tenths in range(80):
        now = 2.0 + tenths / 10
        if device == "is pulled out" and tenths % 15 == 14:
            side.leg.on_srtp(report, now, (side.port, HOME))
        side.leg.tick(now, now, 2.0)
        if now < 4.9:
            assert not side.leg.silent
    assert side.leg.silent == (device == "stays")
    last = side.leg.last_heard_at
    side.leg.tick(last + QUIET_SILENCE - 0.1, last, 2.0)
    assert side.leg.silent == (device == "stays"), "without a device it has longer"
    side.leg.tick(last + QUIET_SILENCE + 0.1, last, 2.0)
    assert side.leg.silent


def test_probing_is_not_media_and_each_medium_is_told_once() -> None:
    side = Side()
    for seq in range(5):
        side.rtp(seq, kind=VIDEO.retransmission or 0, ssrc=REPAIR, payload=b"")
    assert LegEventKind.FLOWING not in [kind for kind, _ in side.told]
    for seq in range(5):
        side.rtp(seq)
    assert side.told.count((LegEventKind.FLOWING, "video")) == 1


def test_a_stream_nobody_described_takes_over_only_when_the_other_has_stopped() -> None:
    side = Side()
    side.rtp(1, 1.0)
    side.rtp(1, 1.1, ssrc=SSRC ^ 1)
    assert side.leg.up["video"].ssrc == SSRC
    side.rtp(2, 2.0, ssrc=SSRC ^ 1)
    assert side.leg.up["video"].ssrc == SSRC ^ 1


def test_requests_repeated_at_one_moment_are_answered_once() -> None:
    call = Call("call")
    sink, source = Side("clinician", call), Side("tablet", call)
    kept = CACHE["video"]
    for seq in range(kept):
        source.rtp(seq)
    down = sink.leg.seat.down["video"]
    lost = [(down.last_seq - step) & 0xFFFF for step in range(kept - 1, -1, -1)]
    for _ in range(3):
        sink.leg.on_srtp(rtcp.nack(1, down.ssrc, lost), 1.0, (sink.port, HOME))
    assert down.retransmitted == kept


def test_on_a_line_that_loses_packets_a_repair_goes_once_more_at_the_next_look() -> None:
    call = Call("call")
    sink, source = Side("clinician", call), Side("tablet", call)
    for seq in range(10):
        source.rtp(seq)
    down = sink.leg.seat.down["video"]
    down.loss = 0.05
    sink.leg.tick(1.0, 1.0, 2.0)
    assert not sink.leg.due(1.01)
    sink.port.sent.clear()
    sink.leg.on_srtp(rtcp.nack(1, down.ssrc, [down.last_seq]), 1.01, (sink.port, HOME))
    assert len(sink.port.sent) == 1
    assert sink.leg.due(1.011)
    sink.leg.tick(1.011, 1.011, 2.0)
    assert len(sink.port.sent) == 1, "too soon: losses come in bursts"
    assert sink.leg.due(1.03)
    sink.leg.tick(1.03, 1.03, 2.0)
    assert len(sink.port.sent) == 2
    assert not sink.leg.due(1.04)


def test_a_leg_that_was_taken_over_from_is_sent_no_repairs() -> None:
    """They would have the numbers of the leg after it, and might be numbers of its own."""
    call = Call("call")
    sink, source = Side("clinician", call), Side("tablet", call)
    for seq in range(10):
        source.rtp(seq)
    seat = sink.leg.seat
    down = seat.down["video"]
    asks = rtcp.nack(1, down.ssrc, [down.last_seq])
    seat.leg, seat.former = None, sink.leg
    sink.port.sent.clear()
    sink.leg.on_srtp(asks, 1.0, (sink.port, HOME))
    assert sink.port.sent == []
    seat.leg, seat.former = sink.leg, None
    sink.leg.on_srtp(asks, 1.0, (sink.port, HOME))
    assert len(sink.port.sent) == 1


def track(kind: str, **extensions: int) -> DownTrack:
    made = DownTrack(kind)
    made.shape(sdp.read(OFFER).sections[kind])
    made.follow(UpTrack(kind, 7, 90000, repairs=False))
    return made


def test_a_stream_goes_on_after_a_jump_as_long_as_an_outage() -> None:
    made = track("video")
    for seq in range(16_000):
        made.forward(seq, seq, 0, KEY, None, 0.0)
    assert made.forward(36_000, 1, 0, KEY, None, 60.0) is not None


def test_a_new_connection_begins_low_and_inherits_no_estimate() -> None:
    made = track("audio")
    made.last_seq = 65_533
    made.forward(1, 1, 0, b"x", None, 0.0)
    made.estimated(100_000)
    made.restart()
    out = made.forward(2, 2, 0, b"x", None, 1.0)
    assert out is not None
    assert struct.unpack_from("!H", out, 2)[0] <= 1 << 15
    assert made.remb is None


def test_sound_without_a_level_is_not_called_loudest() -> None:
    out = track("audio").forward(1, 1, 0, b"x", None, 0.0)
    assert out is not None
    assert b"\x10\x7f" in out[12:-1]


def packets(side: Side, kind: int, form: int) -> list[bytes]:
    """What the leg has sent of this kind of RTCP, once."""
    found = [one for one in side.port.sent if one[1] == kind and one[0] & 31 == form]
    side.port.sent.clear()
    return found


def test_what_was_sent_into_a_cut_is_not_told_as_lost_for_a_line_that_was_cut_is_not_thin() -> None:
    side = Side()
    now, number = 1.0, 0
    for number in range(50):
        now = 1.0 + number / 50
        if number not in (20, 21):
            side.rtp(number, now, number=number)
        side.leg.tick(now, now, 9.0)
    told = [struct.unpack_from("!HH", one, 12) for one in packets(side, 205, 15)]
    assert sum(count for _, count in told) >= 45, "two of them got lost, and are told"
    for later in range(1, 20):
        side.rtp(number + 200 + later, now + 2 + later / 50, number=number + 200 + later)
        side.leg.tick(now + 2 + later / 50, now, 9.0)
    base, _ = struct.unpack_from("!HH", packets(side, 205, 15)[0], 12)
    assert base == number + 201


@pytest.mark.parametrize("thin", [False, True])
def test_a_cut_is_no_reason_to_cap_who_sends_and_a_thin_line_is(thin: bool) -> None:
    call = Call("call")
    sink, source = Side("clinician", call), Side("tablet", call)
    down = sink.leg.seat.down["video"]
    lost = 0
    for number in range(1000):
        now = 1.0 + number / 50
        cut = 5.0 < now < 7.0
        lost += cut or (thin and number % 2)
        if not cut:
            source.rtp(number, now, number=number)
        if not cut and not number % 25:
            block = rtcp.Reception(down.ssrc, 0, lost, number, 0, 0, 0)
            report = rtcp.receiver_report(1, [block])
            sink.leg.on_srtp(report, now, (sink.port, HOME))
        for one in (source, sink):
            one.leg.tick(now, now, 9.0)
    assert bool(packets(source, 206, 15)) == thin


def caps(side: Side) -> list[int]:
    """The caps that a browser was told, in the order in which it was told them."""
    return [
        one.bitrate
        for packet in packets(side, 206, 15)
        for one in rtcp.read(packet)
        if isinstance(one, rtcp.Remb)
    ]


def test_of_two_who_see_a_picture_the_one_with_the_thin_line_caps_it_for_as_long_as_it_stays() -> (
    None
):
    call = Call("call")
    source, wide = Side("tablet", call), Side("clinician", call)
    thin = Side("interpreter", call)
    lost = 0
    for number in range(1500):
        now = 1.0 + number / 50
        source.rtp(number, now, number=number)
        lost += number % 2
        if not number % 25:
            for sink, gone in ((wide, 0), (thin, lost)):
                down = sink.leg.seat.down["video"]
                block = rtcp.Reception(down.ssrc, 0, gone, number, 0, 0, 0)
                report = rtcp.receiver_report(1, [block])
                sink.leg.on_srtp(report, now, (sink.port, HOME))
        for one in (source, wide, thin):
            one.leg.tick(now, now, 9.0)
    assert caps(source)[-1] == LOWEST
    source.port.sent.clear()
    thin.leg.seat.leg = None
    call.sources_changed()
    for number in range(1500, 2000):
        now = 1.0 + number / 50
        source.rtp(number, now, number=number)
        source.leg.tick(now, now, 9.0)
    assert caps(source) == [HIGHEST] * 3, "a browser keeps the last cap until it is told otherwise"


def test_somebody_at_the_side_with_a_thin_line_hears_on_and_takes_the_picture_from_nobody() -> None:
    call = Call("call")
    source, lead = Side("tablet", call), Side("clinician", call)
    aside = Side("side1", call)
    call.plan(
        {"tablet": ["clinician", "side1"], "clinician": ["tablet"], "side1": ["tablet"]},
        {"tablet": ["clinician", "side1"], "clinician": ["tablet"], "side1": ["tablet"]},
    )
    tracks = aside.leg.seat.down
    lost = {"audio": 0, "video": 0}
    seen: list[int] = []
    for number in range(6000):
        now = 1.0 + number / 50
        thin = now < 30
        payload = KEY if not number % 50 else DELTA
        before = len(aside.port.sent)
        source.rtp(number, now, number=2 * number, payload=payload)
        if len(aside.port.sent) > before:
            seen.append(number)
        source.rtp(number, now, kind=AUDIO.payload_type, ssrc=AUDIO.ssrcs[0], number=2 * number + 1)
        for kind, down in tracks.items():
            if kind in lost and thin and not down.paused and number % 3:
                lost[kind] += not tracks["video"].paused
            if kind in lost and not number % 25:
                sent = (down.last_seq - 1) & 0xFFFF
                block = rtcp.Reception(down.ssrc, 0, lost[kind], sent, 0, 0, 0)
                report = rtcp.receiver_report(1, [block])
                aside.leg.on_srtp(report, now, (aside.port, HOME))
        for one in (source, lead, aside):
            one.leg.tick(now, now, 9.0)
    assert all(cap >= ASIDE_LEAST for cap in caps(source))
    assert lead.leg.seat.down["video"].packets == 6000
    assert tracks["audio"].packets == 6000
    gaps = [(one, then) for one, then in pairwise(seen) if then - one > 50]
    assert gaps, "the picture was never paused"
    assert all(then % 50 == 0 for _, then in gaps), "it comes back with a key frame"
    assert seen[-1] > 5900
    assert tracks["video"].packets == len(seen)


def test_a_pause_of_a_picture_is_longer_each_time_that_it_was_soon_needed_again() -> None:
    down = DownTrack("video")
    now, waits = 100.0, []
    for _ in range(5):
        down.pause(now)
        since = now
        while not down.resumes(now):
            now += 1
        waits.append(now - since)
        now += 5
    assert waits == [30, 60, 60, 60, 60]
    now += 500
    down.pause(now)
    assert not down.resumes(now + 29)
    assert down.resumes(now + 30)


def test_losses_between_two_feedbacks_are_told() -> None:
    first = [(65_533, 1000), (65_534, 1000)]
    after = rtcp.number_after(first, None)
    (packet,) = rtcp.transport_feedback(1, 2, [(2, 2000)], 1, after)
    assert struct.unpack_from("!HH", packet, 12) == (65_535, 4)
    assert rtcp.number_after([(65_530, 0)], after) == after, "a late one moves nothing back"


def test_feedback_about_very_many_packets_fits_datagrams() -> None:
    packets = rtcp.transport_feedback(1, 2, [(i, i * 20) for i in range(4000)], 0)
    assert max(map(len, packets)) < 1200


@pytest.mark.parametrize(
    "lines", ["a=rtcp-fb:* nack\r\n" * 1500, "a=ssrc:1 cname:x\r\n" * 200, "b=AS:1\r\n" * 1200]
)
def test_an_endless_description_is_refused_before_it_is_parsed(lines: str) -> None:
    with pytest.raises(BadDescription):
        sdp.read(OFFER + lines)


def test_a_section_without_a_usable_name_is_not_taken() -> None:
    for name in ("", "x" * 17, "a b"):
        changed = OFFER.replace("a=mid:1\n", f"a=mid:{name}\n")
        assert sdp.read(changed).sections.keys() == {"audio"}
