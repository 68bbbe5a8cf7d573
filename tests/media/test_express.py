"""The short way of the usual packet does what the long way does, to the byte."""

from __future__ import annotations

import ctypes
import random
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from pylibsrtp import Error, Policy

from media import Bridge, BridgeSettings, LegEvent, datagrams, rtcp, sdp, srtp
from media.bridge import TURNS
from media.datagrams import COUNT, HEAD, NAME, SIZE_AT, SLOT, STEP_32, STEP_WORD, Inbox
from media.dtls import Identity, SrtpPair
from media.express import Layout
from media.leg import Leg
from media.srtp import Direction
from media.upstream import ASK_EVERY

pytestmark = pytest.mark.skipif(
    not datagrams.AVAILABLE, reason="this system gives one datagram at a time"
)

OFFER = (Path(__file__).parent / "descriptions" / "chromium-156.sdp").read_text()
SECTIONS = sdp.read(OFFER).sections
IDENTITY = Identity()
SEATS = {
    "tablet": ("192.0.2.1", 4001),
    "clinician": ("192.0.2.2", 4002),
    "guest": ("192.0.2.3", 4003),
}
KEY, DELTA = b"\x10\x00", b"\x10\x01"  # how a picture's packet begins
MOST = 110  # packets a second
Sent = tuple[bytes, tuple[str, int]]


def policy(key: int, kind: int) -> Policy:
    made = Policy(
        key=bytes([key]) * 28, ssrc_type=kind, srtp_profile=Policy.SRTP_PROFILE_AEAD_AES_128_GCM
    )
    made.allow_repeat_tx = True
    made.window_size = 1_024
    return made


class Sealer(Direction):
    """A browser's side: its packets may be as long as a datagram."""

    def __init__(self, key: int) -> None:
        super().__init__(policy(key, Policy.SSRC_ANY_OUTBOUND))

    def protect(self, packet: bytes) -> bytes:
        memory = ctypes.create_string_buffer(packet, len(packet) + 200)
        srtp.length[0] = len(packet)
        if srtp.seals(self.pointer, srtp.place(ctypes.addressof(memory)), srtp.length):
            raise Error("libsrtp seals no such packet")
        return memory.raw[: srtp.length[0]]


class Port:
    """A socket without a system: what is sent by it is kept."""

    number = 7

    def __init__(self, bridge: Bridge, family: int) -> None:
        self.bridge, self.family = bridge, family
        self.legs: dict[tuple[str, int], Leg] = {}
        self.sent: list[Sent] = []

    def received(self, data: bytes, address: tuple[str, int]) -> None:
        self.bridge._received(self, data, address)  # type: ignore[arg-type]

    def send(self, data: bytes, address: tuple[str, int]) -> None:
        self.sent.append((data, address))
        self.bridge.packets_out += 1


class House:
    """A bridge with two legs that are connected, and their browsers' keys."""

    def __init__(self, *, short: bool, most: int) -> None:
        self.short, self.most = short, most
        self.now = 100.0
        self.clock = SimpleNamespace(monotonic=lambda: self.now)
        self._dice = random.Random(5)
        self.told: list[LegEvent] = []
        self.bridge = Bridge(BridgeSettings(max_packets_per_second=most), self.told.append)
        self.port = Port(self.bridge, socket.AF_INET)
        self.other = Port(self.bridge, socket.AF_INET)
        self.inboxes = Inbox(socket.AF_INET), Inbox(socket.AF_INET)
        self.sealing: dict[str, Sealer] = {}
        self.bridge.express._outbox.send = self._send  # type: ignore[method-assign]
        for seat in ("tablet", "clinician"):
            self.come(seat)
        self.sealing["guest"] = Sealer(7)

    def come(self, seat: str) -> None:
        key = 3 * list(SEATS).index(seat) + 1
        call = self.bridge._call("call")
        with patch("media.downstream._random", self._dice):
            place = call.seat(seat)
        leg = Leg(call, place, "g", IDENTITY, self.now, self.bridge._leg_event, self.most)
        offered = leg.describe(OFFER)
        place.leg = leg
        pair = SrtpPair(
            Direction(policy(key, Policy.SSRC_ANY_INBOUND)),
            Direction(policy(key + 1, Policy.SSRC_ANY_OUTBOUND)),
        )
        shaken: Any = SimpleNamespace(
            srtp=pair, closed=False, timeout=lambda: None, receive=lambda _data: []
        )
        leg._dtls = shaken
        for slot, track in place.down.items():
            track.shape(offered.sections.get(slot))
        leg._path = (self.port, SEATS[seat])
        self.port.legs[SEATS[seat]] = leg
        self.sealing[seat] = Sealer(key)
        call.sources_changed()

    def leg(self, seat: str) -> Leg:
        leg = self.bridge._calls["call"].seats[seat].leg
        assert leg is not None
        return leg

    def _send(self, number: int, count: int) -> int:
        assert number == Port.number
        outbox = self.bridge.express._outbox
        for i in range(count):
            base, size = outbox.pieces[2 * i], outbox.pieces[2 * i + 1]
            name = ctypes.string_at(outbox.names[i * STEP_WORD], 16)
            address = socket.inet_ntoa(name[4:8]), int.from_bytes(name[2:4], "big")
            self.port.sent.append((ctypes.string_at(base, size), address))
        return count

    def read(self, batch: Sequence[Sent], *, by_other: bool = False) -> None:
        """Datagrams that come together, by the first of the sockets or by the other one."""
        at = 1 if by_other else 0
        port, inbox = (self.port, self.other)[at], self.inboxes[at]
        if not self.short:
            for data, address in batch:
                port.received(data, address)
            return
        for i, (data, (host, number)) in enumerate(batch):
            raw = int(socket.AF_INET).to_bytes(2, "little") + number.to_bytes(2, "big")
            inbox.names[i * NAME : i * NAME + 16] = raw + socket.inet_aton(host) + bytes(8)
            inbox.memory[i * SLOT + HEAD : i * SLOT + HEAD + len(data)] = data
            inbox.sizes[i * STEP_32 + SIZE_AT] = len(data)
        self.bridge.express.take(port, inbox, len(batch))  # type: ignore[arg-type]

    def known(self) -> Any:
        """Everything that is counted or remembered of what came and went."""
        found: list[Any] = [self.bridge.packets_in, self.bridge.packets_out, self.told]
        for name, seat in self.bridge._calls["call"].seats.items():
            leg = self.leg(name)
            found += [name, leg.stats(self.now), leg.arrivals, leg.left, leg.last_heard_at]
            found += [leg._path_heard_at, leg.last_media_at, dict(leg.dropped)]
            for track in leg.up.values():
                found += [
                    track.kind, track.packets, track.octets, track.highest, track.heard_at,
                    sorted(track._missing), track.kept, track.urgent, track._jitter,
                ]  # fmt: skip
            for down in seat.down.values():
                found += [down.packets, down.octets, down.last_seq, down._last_timestamp]
                found += [down._last_at]
        return found


@contextmanager
def houses(most: int = MOST) -> Iterator[tuple[House, House]]:
    """Two that know the same and draw the same numbers; one of them knows no short way."""
    both = House(short=True, most=most), House(short=False, most=most)
    clock = both[0].clock
    with patch("media.bridge.time", clock), patch("media.express.time", clock):
        yield both[0], both[1]


def extensions(section: sdp.Section, number: int, layout: int, loud: int) -> tuple[int, bytes]:
    """Several ways of browsers to order them, and some of nobody: a first byte, and the block."""
    ids = section.extensions
    wide = bytes([(ids[sdp.TRANSPORT_SEQ] << 4) | 1]) + struct.pack("!H", number)
    time_ = bytes([(ids[sdp.SEND_TIME] << 4) | 2, 1, 2, 3])
    mid = bytes([ids[sdp.MID] << 4]) + section.mid.encode()[:1]
    level = bytes([ids[sdp.AUDIO_LEVEL] << 4, loud]) if sdp.AUDIO_LEVEL in ids else b""
    ways = {
        0: time_ + wide + mid + level,
        1: level + time_ + wide,
        2: b"\x00\x00" + wide,
        3: b"\xf0" + wide,  # behind the end, as its number says
        4: b"\x00\x00\x00" + wide[:1],  # cut off
        5: time_,
    }
    if layout == 6:
        return 0x80, b""
    if layout == 7:  # with headers of two bytes
        body = bytes([ids[sdp.TRANSPORT_SEQ], 2]) + struct.pack("!H", number)
        return 0x90, struct.pack("!HH", 0x1000, 1) + body
    body = ways[layout] + bytes(-len(ways[layout]) % 4)
    return 0x90, struct.pack("!HH", 0xBEDE, len(body) // 4) + body


@dataclass(slots=True)
class Stream:
    seq: int
    stamp: int = 1_000
    held: bytes = b""  # a packet that comes late


class Browsers:
    """What two browsers send: mostly the next packet."""

    def __init__(self, sealing: dict[str, Sealer], first: int) -> None:
        self.sealing = sealing
        self.streams = {
            (seat, kind): Stream(first) for seat in SEATS for kind in ("audio", "video")
        }
        self.wide = dict.fromkeys(SEATS, first)
        self.last: dict[str, bytes] = {}

    def packet(self, seat: str, kind: str, what: str, layout: int, size: int) -> Sent:
        section, stream = SECTIONS[kind], self.streams[seat, kind]
        if what == "report":
            report = rtcp.sender_report(section.ssrcs[0], 1 << 40, 7, 1, 1)
            return self.sealing[seat].protect_rtcp(report), SEATS[seat]
        if what == "late" and stream.held:
            return stream.held, SEATS[seat]
        if what == "again" and seat in self.last:
            return self.last[seat], SEATS[seat]
        stream.seq = (stream.seq + (150 if what == "jump" else 1)) & 0xFFFF
        if kind == "audio" or what in ("frame", "key"):
            stream.stamp = (stream.stamp + 960) & 0xFFFFFFFF
        self.wide[seat] = (self.wide[seat] + 1) & 0xFFFF
        first, block = extensions(section, self.wide[seat], layout, size & 0x7F)
        payload = (KEY if what == "key" else DELTA) + bytes(size)
        if what == "padded":
            first |= 0x20
            payload += b"\x00\x00\x03"
        ssrc = len(kind) + ord(kind[0]) if what == "unknown" else section.ssrcs[0]
        kind_byte = section.payload_type | (0x80 if what == "frame" else 0)
        if what == "muxed":  # a payload type that is a report's, with the marker
            kind_byte = 200
        if what == "repair" and section.retransmission_ssrcs:
            ssrc, kind_byte = section.retransmission_ssrcs[0], section.retransmission or 0
            payload = struct.pack("!H", (stream.seq - 3) & 0xFFFF) + payload
        head = struct.pack("!BBHII", first, kind_byte, stream.seq, stream.stamp, ssrc)
        sealed = self.sealing[seat].protect(head + block + payload)
        if what == "forged":
            sealed = sealed[:-1] + bytes([sealed[-1] ^ 1])
        elif what == "cut":
            sealed = sealed[: max(13, size)]
        self.last[seat] = sealed
        if what == "lost":
            stream.held = sealed
            return b"", SEATS[seat]
        return sealed, SEATS[seat]


WHATS = ("frame", "key", "lost", "late", "again", "jump", "report", "padded", "unknown", "repair",
         "forged", "cut", "muxed")  # fmt: skip
BETWEEN = ("tick", "pause", "plan", "alone", "all", "moved", "comes", "goes", "described")


def between(house: House, what: str) -> None:
    """What happens to a call while packets come."""
    call = house.bridge._calls["call"]
    if what in ("tick", "pause"):
        for seat in list(call.seats):
            house.leg(seat).tick(house.now, 0.0, 2.0)
    elif what == "comes" and "guest" not in call.seats:
        house.come("guest")
    elif what == "goes":
        house.bridge.leave("call", "guest")
        call.seats.pop("guest", None)
        call.sources_changed()
    elif what == "described":
        house.leg("tablet").describe(OFFER)
        call.sources_changed()
    elif what == "plan":
        call.plan({"tablet": ("clinician",), "clinician": ("tablet",)})
    elif what == "alone":  # a hold: nobody hears anybody
        call.plan({})
    elif what == "all":
        call.plan(None)
    elif what == "moved":
        leg = house.leg("clinician")
        leg._path = (house.port, ("192.0.2.9", 4_009))


def some_packets(browsers: Browsers, dice: random.Random, seats: Sequence[str]) -> list[Sent]:
    """What comes together: runs of the usual, and now and then something else."""
    batch: list[Sent] = []
    while len(batch) < 20:
        seat, kind = dice.choice(seats), dice.choice(("video", "video", "audio"))
        what = dice.choice(WHATS) if dice.random() < 0.1 else "next"
        layout = dice.randrange(8) if dice.random() < 0.05 else 0
        size = dice.choice((0, 1, 40, 300, 1_200, dice.randint(1_310, 1_440)))
        run = dice.randint(1, 6) if kind == "video" else 1
        batch += [browsers.packet(seat, kind, what, layout, size) for _ in range(run)]
    return [(data, address) for data, address in batch if data][:COUNT]


@pytest.mark.parametrize("seed", range(24))
def test_whatever_comes_both_ways_send_the_same_bytes_and_count_the_same(seed: int) -> None:
    dice = random.Random(seed)
    with houses() as (short, long):
        browsers = Browsers(short.sealing, dice.choice((5, 65_000, 32_700)))
        for turn in range(80):
            short.now += dice.choice((0.0, 0.01, 0.05, 0.2))
            what = dice.choice(BETWEEN) if dice.random() < 0.2 else ""
            short.now += 3.0 if what == "pause" else 0.0
            long.now = short.now
            between(short, what)
            between(long, what)
            seats = list(short.bridge._calls["call"].seats)
            first = [browsers.packet(s, "video", "key", 0, 9) for s in seats] if turn == 0 else []
            batch = first + some_packets(browsers, dice, seats)
            short.read(batch[:COUNT])
            long.read(batch[:COUNT])
            assert short.port.sent == long.port.sent
            short.port.sent.clear()
            long.port.sent.clear()
            assert short.known() == long.known()


def test_numbers_may_go_round_and_one_that_takes_the_long_way_is_still_sent() -> None:
    with houses(most=100_000) as (short, _):
        browsers = Browsers(short.sealing, 65_000)
        for turn in range(2_300):
            batch = [browsers.packet("tablet", "video", "key", 0, 9) for _ in range(30)]
            if turn in (1_200, 2_290):  # more than half the numbers after the one before
                batch.append(browsers.packet("tablet", "video", "jump", 6, 9))
            short.read(batch)
            short.leg("tablet").arrivals.clear()
        given_on = [one for one in short.port.sent if one[1] == SEATS["clinician"]]
        assert len(given_on) == 2_300 * 30 + 2


def test_packets_that_come_in_their_order_go_the_short_way() -> None:
    with houses() as (short, _):
        browsers = Browsers(short.sealing, 1)
        walked: list[int] = []
        walk = short.port.received

        def watched(data: bytes, address: tuple[str, int]) -> None:
            walked.append(len(data))
            walk(data, address)

        short.port.received = watched  # type: ignore[method-assign]
        for turn in range(40):
            short.now += 0.1
            batch = [
                browsers.packet(seat, kind, "key" if turn == 0 else "next", 0, 300)
                for seat in ("tablet", "clinician")
                for kind in ("audio", "video")
                for _ in range(3)
            ]
            short.read(batch)
        assert len(short.port.sent) == 40 * 12
        assert len(walked) < 20, "only the first of each stream"


@pytest.mark.parametrize("turn", range(TURNS))
async def test_what_is_missing_is_asked_for_again_at_whichever_calls_turn_it_is(turn: int) -> None:
    """Calls take turns to be looked at, and who misses a packet does not wait for its own."""
    with houses() as (short, _):
        browsers = Browsers(short.sealing, 1)
        leg = short.leg("tablet")
        for what in ("key", "next", "lost", "next"):
            short.read([one for one in [browsers.packet("tablet", "video", what, 0, 9)] if one[0]])
        assert leg.up["video"].asked == 1
        leg.tick(short.now, 0.0, 2.0)  # as at its own turn
        short.bridge._turn = turn
        short.now += ASK_EVERY + 0.001
        with patch.object(short.clock, "time", lambda: 0.0, create=True):
            short.bridge._tick()
        assert short.bridge._ticking is not None
        short.bridge._ticking.cancel()
        assert leg.up["video"].asked == 2


def test_what_comes_by_another_socket_is_a_packet_of_that_one() -> None:
    """A host with several addresses has a socket for each, and a browser may try them all."""
    with houses() as (short, long):
        browsers = Browsers(short.sealing, 1)
        for turn, by_other in enumerate((False, False, True, True, False, True, True, False)):
            if turn == 4:  # it has been checked there, too
                for house in (short, long):
                    house.other.legs[SEATS["tablet"]] = house.leg("tablet")
            short.now = long.now = short.now + 0.3
            batch = [browsers.packet("tablet", "video", "key", 0, 9) for _ in range(4)]
            for house in (short, long):
                house.read(batch, by_other=by_other)
            assert short.port.sent == long.port.sent
            assert short.known() == long.known()
        assert short.bridge.totals().dropped["unknown-address"] == 8


def test_a_layout_finds_what_the_long_way_reads() -> None:
    section = SECTIONS["audio"]
    first, block = extensions(section, 0x1234, 0, 77)
    packet = struct.pack("!BBHII", first, 111, 5, 6, 7) + block + b"sound"
    layout = Layout(
        packet, section.extensions[sdp.TRANSPORT_SEQ], section.extensions[sdp.AUDIO_LEVEL]
    )
    assert layout.values(packet, 0) == (111, 5, 6, 0x1234)
    assert packet[layout.level_at] == 77
    assert packet[layout.at :] == b"sound"


def test_one_that_the_system_refuses_is_counted_and_the_others_go() -> None:
    """Port 0 is nobody's: the system refuses to send there."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there,
    ):
        there.bind(("127.0.0.1", 0))
        there.settimeout(10)
        outbox = datagrams.Outbox()
        memory = ctypes.create_string_buffer(b"one two six")
        good = datagrams.name_of(there.getsockname(), socket.AF_INET)
        bad = datagrams.name_of(("127.0.0.1", 0), socket.AF_INET)
        assert good is not None
        assert bad is not None
        for i, name in enumerate((good, bad, good)):
            outbox.pieces[2 * i], outbox.pieces[2 * i + 1] = ctypes.addressof(memory) + 4 * i, 3
            outbox.names[i * STEP_WORD] = name.at
            outbox.name_sizes[i * STEP_32 + datagrams.NAME_SIZE_AT] = name.size
        assert outbox.send(here.fileno(), 3) == 2
        assert [there.recv(9), there.recv(9)] == [b"one", b"six"]


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_what_is_read_together_says_where_each_came_from(family: int, host: str) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as here:
        try:
            here.bind((host, 0))
        except OSError:
            pytest.skip("this machine has no such address")
        ports = []
        for number in range(3):
            with socket.socket(family, socket.SOCK_DGRAM) as other:
                other.bind((host, 0))
                ports.append(other.getsockname()[1])
                other.sendto(b"x" * (number + 1), here.getsockname())
        inbox = Inbox(family)
        assert inbox.read(here.fileno()) == 3
        assert [inbox.data(i) for i in range(3)] == [b"x", b"xx", b"xxx"]
        assert [inbox.address(i) for i in range(3)] == [(host, port) for port in ports]
        assert inbox.read(here.fileno()) == -1
        assert not datagrams.failed(), "there was nothing, which is no failure"
        name = datagrams.name_of((host, ports[1]), family)
        assert name is not None
        assert bytes(name.memory)[: inbox.key] == inbox.name(1)


def test_an_address_with_an_interfaces_name_has_no_short_form() -> None:
    assert datagrams.name_of(("fe80::1%eth0", 9), socket.AF_INET6) is None


def test_a_socket_that_is_closed_has_failed() -> None:
    inbox = Inbox(socket.AF_INET)
    assert inbox.read(-1) == -1
    assert datagrams.failed()
