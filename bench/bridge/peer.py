"""A synthetic browser that is cheap enough to have a hundred of: no tasks, no decoding.

It sends as a browser does (a frame's packets together, 30 frames a second; sound each 20 ms;
reports, REMB, some NACKs) and looks at what comes: numbers of every packet, and of one in eight
when it was sent, which it knows by the payload's end. Arrival is the kernel's time of the datagram,
so that this process's own delays are not counted.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from aioice import stun
from OpenSSL import SSL
from pylibsrtp import Error as SrtpError
from pylibsrtp import Policy, Session

from bench.bridge import description
from bench.bridge.clip import FRAMES_A_SECOND, TAIL, Clip
from media import rtcp, rtp
from media.bridge import own_addresses
from media.dtls import Identity

# Janus offers no loopback address, so everybody uses this host's own
HOST = next((one for one in own_addresses() if ":" not in one), "127.0.0.1")
STAMP = 35  # SO_TIMESTAMPNS of Linux: each datagram with the time at which the kernel had it
SAMPLED = 8  # one packet in so many is opened to know its age
READS = 64  # datagrams in one go
CHECK_SECONDS, CONSENT_SECONDS, REPORT_SECONDS = 0.05, 2.5, 1.0
RATES = {"audio": 48_000, "video": 90_000}
PAYLOADS = {"audio": description.OPUS, "video": description.VP8}
_PROFILES = {
    b"SRTP_AEAD_AES_128_GCM": (Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12),
    b"SRTP_AES128_CM_SHA1_80": (Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14),
}
_HEAD = struct.Struct("!BBHII")
# one-byte extensions: send time, transport-wide number, mid; padded to 12 bytes
_MORE = struct.Struct("!HHB3sBHBcxxx")


def identity() -> Identity:
    """One certificate for all of them; only the profiles that every server here knows."""
    made = Identity()
    made.context.set_tlsext_use_srtp(b":".join(_PROFILES))
    return made


@dataclass(slots=True)
class Received:
    """One stream as it comes in."""

    first: int
    highest: int  # with cycles
    count: int = 0

    @property
    def expected(self) -> int:
        return self.highest - self.first + 1


@dataclass(slots=True)
class Counts:
    """What a browser has sent and got."""

    sent: int = 0  # datagrams
    got: int = 0
    key_frames_asked: int = 0
    asked_again: int = 0  # numbers that the server asked us for
    repairs: int = 0  # retransmissions that came
    ages: list[int] = field(default_factory=list)  # ns from our partner's send to our kernel


class Peer:
    """One browser in a call. `begin` once the server has answered; `connected` when media flows."""

    def __init__(self, clip: Clip, identity: Identity, dice: random.Random, nacks: float) -> None:
        self.clip = clip
        self.counts = Counts()
        self.streams: dict[int, Received] = {}
        self.sent_at: dict[int, int] = {}  # payload's number -> ns
        self.partner: Peer | None = None
        self._nacks = nacks
        self._dice = dice
        self._identity = identity
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self._sock.setsockopt(socket.SOL_SOCKET, option, 1 << 20)
        self._sock.setsockopt(socket.SOL_SOCKET, STAMP, 1)
        self._sock.bind((HOST, 0))
        self._sock.setblocking(False)
        self._local = description.Local(
            secrets.token_hex(4), secrets.token_hex(12), identity.fingerprint,
            self._sock.getsockname(),
            {kind: dice.randrange(1, 1 << 32) for kind in description.MIDS},
            dice.randrange(1, 1 << 32),
        )  # fmt: skip
        self._remote: description.Remote | None = None
        self._dtls: SSL.Connection | None = None
        self._inbound: Session | None = None
        self._outbound: Session | None = None
        self._checked = False
        self._client = False
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._seq = {kind: dice.randrange(1 << 15) for kind in description.MIDS}
        self._packets = dict.fromkeys(description.MIDS, 0)
        self._octets = dict.fromkeys(description.MIDS, 0)
        self._base = {kind: dice.randrange(1 << 31) for kind in description.MIDS}
        self._wide = 0
        self._frame = 0
        self._start_of_clip = 0  # the frame that was its last key frame
        self._sound = 0
        self._missed: list[tuple[int, int]] = []  # (ssrc, seq) that we pretend not to have got
        self._closed = False
        self._began = 0.0

    # --- joining ----------------------------------------------------------------------------------

    def offer(self) -> str:
        return description.write(self._local, "actpass")

    def answer(self, offered: str) -> str:
        """Answer a server's offer; `begin` comes afterwards."""
        self._take(offered)
        return description.write(self._local, "active")

    def accept(self, answered: str) -> None:
        """Take the server's answer to our offer."""
        self._take(answered)

    def _take(self, text: str) -> None:
        self._remote = description.read(text, HOST)

    def begin(self) -> None:
        """Connect to the server and start to send as soon as there are keys."""
        assert self._remote is not None
        self._sock.connect(self._remote.address)
        loop = asyncio.get_running_loop()
        loop.add_reader(self._sock.fileno(), self._readable)
        self._check()

    @property
    def connected(self) -> bool:
        return self._outbound is not None

    def close(self) -> None:
        self._closed = True
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._sock.fileno())
        for timer in self._timers.values():
            timer.cancel()
        self._sock.close()

    def _check(self) -> None:
        """An ICE check, until the first answer quickly, then as consent."""
        if self._closed or self._remote is None:
            return
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        request.attributes["USERNAME"] = f"{self._remote.fragment}:{self._local.fragment}"
        request.attributes["PRIORITY"] = 2130706431
        request.attributes["ICE-CONTROLLING"] = self._local.repair_ssrc
        request.attributes["USE-CANDIDATE"] = None
        request.add_message_integrity(self._remote.password.encode())
        self._send(bytes(request))
        if self._dtls is not None and not self.connected:
            self._dtls.DTLSv1_handle_timeout()
            self._flush()
        self._later(CONSENT_SECONDS if self.connected else CHECK_SECONDS, self._check)

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        self._timers[what.__name__] = asyncio.get_running_loop().call_later(seconds, what)

    def _on_stun(self, data: bytes) -> None:
        assert self._remote is not None
        message = stun.parse_message(data)
        if message.message_class == stun.Class.REQUEST:
            response = stun.Message(
                stun.Method.BINDING, stun.Class.RESPONSE, message.transaction_id
            )
            response.attributes["XOR-MAPPED-ADDRESS"] = self._remote.address
            response.add_message_integrity(self._local.password.encode())
            self._send(bytes(response))
        elif message.message_class == stun.Class.RESPONSE and not self._checked:
            self._checked = True
            if self._dtls is None and self._remote.setup != "active":
                self._begin_dtls(client=True)

    def _begin_dtls(self, *, client: bool) -> None:
        self._dtls = SSL.Connection(self._identity.context)
        if client:
            self._dtls.set_connect_state()
        else:
            self._dtls.set_accept_state()
        self._dtls.set_ciphertext_mtu(1_200)
        self._client = client
        self._shake()

    def _on_dtls(self, data: bytes) -> None:
        if self._dtls is None:
            self._begin_dtls(client=False)
        assert self._dtls is not None
        self._dtls.bio_write(data)
        if not self.connected:
            self._shake()

    def _shake(self) -> None:
        assert self._dtls is not None
        try:
            self._dtls.do_handshake()
        except SSL.WantReadError:
            self._flush()
            return
        self._flush()
        self._keys()
        self._began = asyncio.get_running_loop().time() + self._dice.random() / FRAMES_A_SECOND
        self._show()
        self._speak()
        self._report()

    def _flush(self) -> None:
        """What OpenSSL wants sent; a flight of several records fits into one datagram here."""
        assert self._dtls is not None
        waiting = b""
        while True:
            try:
                waiting += self._dtls.bio_read(65_536)
            except SSL.WantReadError:
                break
        at = 0
        while at + 13 <= len(waiting):
            size = 13 + int.from_bytes(waiting[at + 11 : at + 13], "big")
            self._send(waiting[at : at + size])
            at += size

    def _keys(self) -> None:
        assert self._dtls is not None
        name = self._dtls.get_selected_srtp_profile()
        profile, size, salt = _PROFILES[name]
        material = self._dtls.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (size + salt))
        keys, salts = material[: 2 * size], material[2 * size :]

        def session(side: int, direction: int) -> Session:
            key = keys[side * size : (side + 1) * size] + salts[side * salt : (side + 1) * salt]
            policy = Policy(key=key, ssrc_type=direction, srtp_profile=profile)
            policy.allow_repeat_tx = True
            policy.window_size = 8_192
            return Session(policy)

        ours = 0 if self._client else 1
        self._inbound = session(1 - ours, Policy.SSRC_ANY_INBOUND)
        self._outbound = session(ours, Policy.SSRC_ANY_OUTBOUND)

    # --- sending ----------------------------------------------------------------------------------

    def _send(self, data: bytes) -> None:
        try:
            self._sock.send(data)
        except (BlockingIOError, ConnectionRefusedError):
            return
        self.counts.sent += 1

    def _show(self) -> None:
        """The next frame of the picture, and when the one after it is due."""
        if self._closed:
            return
        now = asyncio.get_running_loop().time()
        due = self._began + self._frame / FRAMES_A_SECOND
        if now >= due:
            self._picture(self._frame)
            self._frame += 1
            due = self._began + self._frame / FRAMES_A_SECOND
        self._later(max(0.0, due - now), self._show)

    def _picture(self, frame: int) -> None:
        number = (frame - self._start_of_clip) % len(self.clip.frames)
        before = self.clip.offsets[number]
        payloads = self.clip.frames[number]
        stamp = (self._base["video"] + frame * (90_000 // FRAMES_A_SECOND)) & 0xFFFFFFFF
        for index, payload in enumerate(payloads):
            last = index == len(payloads) - 1
            self._media("video", payload, stamp, last, before + index)

    def _speak(self) -> None:
        if self._closed:
            return
        now = asyncio.get_running_loop().time()
        due = self._began + self._sound * 0.02
        if now >= due:
            number = self._sound % len(self.clip.sounds)
            stamp = (self._base["audio"] + self._sound * 960) & 0xFFFFFFFF
            place = self.clip.offsets[-1] + number
            self._media("audio", self.clip.sounds[number], stamp, False, place)
            self._sound += 1
            due = self._began + self._sound * 0.02
        self._later(max(0.0, due - now), self._speak)

    def _media(self, kind: str, payload: bytes, stamp: int, last: bool, place: int) -> None:
        assert self._outbound is not None
        self._seq[kind] = seq = (self._seq[kind] + 1) & 0xFFFF
        self._wide = (self._wide + 1) & 0xFFFF
        more = _MORE.pack(
            0xBEDE, 3, (description.TIME_ID << 4) | 2, rtp.send_time(time.time()),
            (description.SEQ_ID << 4) | 1, self._wide, description.MID_ID << 4,
            description.MIDS[kind].encode(),
        )  # fmt: skip
        head = _HEAD.pack(0x90, (last << 7) | PAYLOADS[kind], seq, stamp, self._local.ssrcs[kind])
        sealed = self._outbound.protect(head + more + payload)
        self._packets[kind] += 1
        self._octets[kind] += len(payload)
        self.sent_at[place] = time.time_ns()
        self._send(sealed)

    def _report(self) -> None:
        """Sender reports, receiver reports, REMB; and NACKs for what we pretend to have lost."""
        if self._closed or self._outbound is None:
            return
        wall = time.time()
        ntp = int((wall + 2_208_988_800) * (1 << 32))
        parts = []
        for kind, ssrc in self._local.ssrcs.items():
            passed = asyncio.get_running_loop().time() - self._began
            stamp = (self._base[kind] + int(passed * RATES[kind])) & 0xFFFFFFFF
            parts.append(
                rtcp.sender_report(ssrc, ntp, stamp, self._packets[kind], self._octets[kind])
                + rtcp.source_description(ssrc, b"bench")
            )
        blocks = [
            rtcp.Reception(ssrc, 0, 0, one.highest & 0xFFFFFFFF, 20, 0, 0)
            for ssrc, one in list(self.streams.items())[:2]
        ]
        video = self._local.ssrcs["video"]
        parts.append(rtcp.receiver_report(video, blocks))
        parts.append(rtcp.remb(video, 3_000_000, list(self.streams)[:1]))
        by_stream: dict[int, list[int]] = {}
        for ssrc, seq in self._missed:
            by_stream.setdefault(ssrc, []).append(seq)
        self._missed.clear()
        parts += [rtcp.nack(video, ssrc, sorted(set(seqs))) for ssrc, seqs in by_stream.items()]
        for part in parts:
            self._send(self._outbound.protect_rtcp(part))
        self._later(REPORT_SECONDS / 4, self._report)

    # --- receiving --------------------------------------------------------------------------------

    def _readable(self) -> None:
        for _ in range(READS):
            try:
                data, more, _flags, _address = self._sock.recvmsg(2_048, 64)
            except (BlockingIOError, ConnectionRefusedError):
                return
            self.counts.got += 1
            first = data[0]
            if 128 <= first < 192:
                kind = data[1] & 0x7F
                if 64 <= kind < 96:
                    self._on_rtcp(data)
                else:
                    self._on_rtp(data, kind, more)
            elif first < 4:
                self._on_stun(data)
            elif 20 <= first < 64:
                self._on_dtls(data)

    def _on_rtp(self, data: bytes, kind: int, more: list[tuple[int, int, bytes]]) -> None:
        if kind == description.RTX:
            self.counts.repairs += 1
            return
        _, _, seq, _, ssrc = _HEAD.unpack_from(data)
        stream = self.streams.get(ssrc)
        if stream is None:
            stream = self.streams[ssrc] = Received(seq, seq)
        ahead = rtp.distance(seq, stream.highest & 0xFFFF)
        if ahead > 0:
            stream.highest += ahead
        stream.count += 1
        if kind == description.VP8 and self._dice.random() < self._nacks:
            self._missed.append((ssrc, seq))
        if seq % SAMPLED == 0 and self.partner is not None:
            self._sample(data, more)

    def _sample(self, data: bytes, more: list[tuple[int, int, bytes]]) -> None:
        if self._inbound is None or self.partner is None or not more:
            return
        try:
            plain = self._inbound.unprotect(data)
        except SrtpError:
            return
        place = self.clip.places.get(plain[-TAIL:])
        sent = self.partner.sent_at.get(place) if place is not None else None
        if sent is not None:
            seconds, nanoseconds = struct.unpack("qq", more[0][2][:16])
            self.counts.ages.append(seconds * 1_000_000_000 + nanoseconds - sent)

    def _on_rtcp(self, data: bytes) -> None:
        if self._inbound is None:
            return
        try:
            plain = self._inbound.unprotect_rtcp(data)
        except SrtpError:
            return
        for report in rtcp.read(plain):
            match report:
                case rtcp.KeyFrameRequest():
                    self.counts.key_frames_asked += 1
                    self._start_of_clip = self._frame
                case rtcp.Nack(lost=lost):
                    self.counts.asked_again += len(tuple(lost))


def totals(peers: list[Peer]) -> Counter[str]:
    """Everything that these browsers counted, added up."""
    found: Counter[str] = Counter()
    for peer in peers:
        found["sent"] += peer.counts.sent
        found["got"] += peer.counts.got
        found["repairs"] += peer.counts.repairs
        found["asked_again"] += peer.counts.asked_again
        found["key_frames_asked"] += peer.counts.key_frames_asked
        found["media"] += sum(one.count for one in peer.streams.values())
        found["expected"] += sum(one.expected for one in peer.streams.values())
    return found
