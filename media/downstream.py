"""One stream to a browser: it outlives its sources and its connection. Pure.

The outgoing SSRC, sequence numbers and timestamps belong to the seat. When the source changes (a
reload, another clinician), numbers go on where they were and the timestamp moves on by the time
that passed, as Janus and LiveKit do; the browser sees one stream with a short pause.
"""

from __future__ import annotations

import random
import struct
from collections import OrderedDict, deque

from media.congestion import Cap
from media.rtcp import ReportBlock
from media.rtp import FIXED, HALF, SEND_TIME_RATE, distance, one_byte_block, starts_key_frame_vp8
from media.sdp import AUDIO_LEVEL, MID, SEND_TIME, Section
from media.upstream import UpTrack

WAIT_FOR_KEY_FRAME = 1.0  # seconds; then forward what there is, the browser asks by itself
NOT_AGAIN_WITHIN = 0.03  # seconds between two retransmissions of one packet
REPORTS_KEPT = 8
LOSS_WINDOW = 1.0  # seconds, at least
LOSS_PACKETS = 20  # in it, at least
LOSS_FORGOTTEN = 8.0
LOSS_FORGIVEN = 3.0  # seconds after a cut: the reports until then are about it
REPAIRS_AT_ONCE = 40_000.0  # bytes: a key frame's worth, as after a short cut
REPAIR_SHARE = 0.5  # of what has been sent
TWICE_FROM = 0.02  # of loss: a repair that is lost as well costs another trip, or two
SECOND_AFTER = 0.005  # seconds: losses come in bursts
MOST_SECOND = 256
PAUSE, LONGEST_PAUSE = 30.0, 60.0  # seconds
SENDS_KEPT = 2048  # more than a cache holds, or repeated requests would go round it
FAR = 0x1000  # packets after which the first number is moved on
_NTP_FRACTION = 1 << 32

# how a header is written: by what, its first byte, what comes before and after the send time, and
# in the middle the element's own head with room for the time (0: there is none, and b"" is written)
Written = tuple[struct.Struct, int, bytes, int, bytes]

_random = random.SystemRandom()


class DownTrack:
    """What one seat receives of one kind; `now` in monotonic seconds."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.ssrc = _random.randrange(1, 1 << 32)
        self.repair_ssrc = _random.randrange(1, 1 << 32)
        self.packets = 0
        self.octets = 0
        self.retransmitted = 0
        self.asked = 0
        self.loss = 0.0
        self.rtt: float | None = None
        self.remb: int | None = None
        self.remb_falling = False
        self.cap = Cap()  # on whatever comes by this line
        self._pause, self._resumed_at = PAUSE, -LONGEST_PAUSE
        self.paused = False  # the line carries sound alone: nothing of this goes by it
        self.source: UpTrack | None = None
        # below 2^15, so that a lost first packet cannot confuse the roll-over counter (RFC 3711)
        self.last_seq = _random.randrange(1 << 15)
        self._last_timestamp = _random.randrange(1 << 32)
        self._last_at: float | None = None
        self.seq_offset = 0
        self.timestamp_offset = 0
        self.first_seq = 0
        self.started = False
        self._waiting_since: float | None = None
        self._repair_seq = _random.randrange(1 << 15)
        self.section: Section | None = None
        self._head = b""
        self._time_at = 0  # places in the head; 0: not there
        self._level_at = 0
        self._written: dict[int | None, Written] = {}  # by level
        self._sent_reports: OrderedDict[int, float] = OrderedDict()
        self._resent_at: OrderedDict[int, float] = OrderedDict()
        self._second: deque[tuple[int, float]] = deque(maxlen=MOST_SECOND)  # repairs, when
        self._loss_base: tuple[int, int, float] | None = None  # lost, highest, when
        self._loss_counts_from = 0.0
        self._loss_is_new = False
        self._repairs_left = REPAIRS_AT_ONCE
        self._octets_at_repair = 0

    # --- how this browser wants its packets -------------------------------------------------------

    def shape(self, section: Section | None) -> None:
        """Use this section's payload types and extension numbers; None: it receives nothing."""
        self.section = section if section is not None and section.receives else None
        if self.section is None:
            return
        parts: list[tuple[int, bytes]] = []
        if MID in self.section.extensions:
            parts.append((self.section.extensions[MID], self.section.mid.encode()[:16]))
        self._time_at = 0
        if SEND_TIME in self.section.extensions:
            self._time_at = 4 + sum(1 + len(value) for _, value in parts) + 1
            parts.append((self.section.extensions[SEND_TIME], bytes(3)))
        level_id = self.section.extensions.get(AUDIO_LEVEL)
        self._level_at = 0
        if self.kind == "audio" and level_id is not None:
            self._level_at = 4 + sum(1 + len(value) for _, value in parts) + 1
            parts.append((level_id, b"\x7f"))  # silence, unless the source says a level
        self._head = one_byte_block(parts)
        self._written.clear()

    def restart(self) -> None:
        """A new connection: other keys, so numbers begin low again; nothing known of its path."""
        self.last_seq = _random.randrange(1 << 15)
        self._repair_seq = _random.randrange(1 << 15)
        self.started = False
        self._waiting_since = None
        self._resent_at.clear()
        self._second.clear()
        self._sent_reports.clear()
        self.packets = self.octets = self._octets_at_repair = 0
        self.loss = 0.0
        self._loss_base = None
        self.rtt = self.remb = None
        self.remb_falling = False
        self.cap = Cap()
        self.paused = False
        self._pause, self._resumed_at = PAUSE, -LONGEST_PAUSE

    @property
    def wanted(self) -> bool:
        return self.section is not None

    # --- forwarding -------------------------------------------------------------------------------

    def follow(self, source: UpTrack | None) -> None:
        """Take packets from this source from now on."""
        if source is self.source:
            return
        self.source = source
        self.started = False
        self._waiting_since = None

    def forward(
        self,
        seq: int,
        timestamp: int,
        marker: int,
        payload: bytes,
        level: int | None,
        now: float,
    ) -> bytes | None:
        """The packet for this browser; None while waiting for a key frame, or for an old one."""
        section, source = self.section, self.source
        if section is None or source is None:
            return None
        if not self.started and not self._start(seq, timestamp, payload, now):
            return None
        since_first = (seq - self.first_seq) & 0xFFFF
        if since_first >= HALF:
            return None  # from before the change of source
        out_seq = (seq + self.seq_offset) & 0xFFFF
        out_timestamp = (timestamp + self.timestamp_offset) & 0xFFFFFFFF
        if 0 < (out_seq - self.last_seq) & 0xFFFF < HALF:
            self.last_seq, self._last_timestamp, self._last_at = out_seq, out_timestamp, now
            # the source's numbers wrap: old ones must not look like new ones
            # it stays close behind, so that a jump after a long outage is still ahead of it
            if since_first > FAR:
                self.first_seq = (seq - 0x0800) & 0xFFFF
        self.packets += 1
        self.octets += len(payload)
        return self._build(
            self.ssrc, section.payload_type, out_seq, out_timestamp, marker, payload, level, now
        )

    def gave(self, count: int, octets: int, seq: int, timestamp: int, now: float) -> None:
        """So many of the source's next packets went on by these offsets; the last one's numbers are
        the source's."""
        self.packets += count
        self.octets += octets
        self.last_seq = (seq + self.seq_offset) & 0xFFFF
        self._last_timestamp = (timestamp + self.timestamp_offset) & 0xFFFFFFFF
        self._last_at = now

    def _start(self, seq: int, timestamp: int, payload: bytes, now: float) -> bool:
        if self.kind == "video":
            if self._waiting_since is None:
                self._waiting_since = now
            patient = now - self._waiting_since < WAIT_FOR_KEY_FRAME
            if patient and not starts_key_frame_vp8(payload):
                return False
        rate = self.source.clock_rate if self.source is not None else 90000
        passed = 0 if self._last_at is None else int((now - self._last_at) * rate)
        self.seq_offset = (self.last_seq + 1 - seq) & 0xFFFF
        self.timestamp_offset = (self._last_timestamp + max(1, passed) - timestamp) & 0xFFFFFFFF
        self.first_seq = seq
        self.started = True
        self._resent_at.clear()
        return True

    def _build(
        self,
        ssrc: int,
        payload_type: int,
        seq: int,
        timestamp: int,
        marker: int,
        payload: bytes,
        level: int | None,
        now: float,
    ) -> bytes:
        writes, first, before, timed, after = self.written(level)
        second = (marker << 7) | payload_type
        middle = timed | int(now * SEND_TIME_RATE) & 0xFFFFFF if timed else b""
        return writes.pack(first, second, seq, timestamp, ssrc, before, middle, after) + payload

    def written(self, level: int | None) -> Written:
        """How a packet with that level gets its header."""
        written = self._written.get(level)
        if written is None:
            written = self._written[level] = self._write(level)
        return written

    def _write(self, level: int | None) -> Written:
        """How to write a header with that level: the send time, if there is one, goes between."""
        head = bytearray(self._head)
        if level is not None and self._level_at:
            head[self._level_at] = level
        first, at = 0x90 if head else 0x80, self._time_at
        if not at:
            return struct.Struct(f"{FIXED.format}{len(head)}s0s0s"), first, bytes(head), 0, b""
        before, after = bytes(head[: at - 1]), bytes(head[at + 3 :])
        format_ = f"{FIXED.format}{len(before)}sI{len(after)}s"
        return struct.Struct(format_), first, before, head[at - 1] << 24, after

    def resend(self, seq: int, now: float) -> bytes | None:
        """A packet that the browser misses, from the source's cache; None when it is not there."""
        self.asked += 1
        if now - self._resent_at.get(seq, -1e9) < NOT_AGAIN_WITHIN:
            return None
        packet = self._repair(seq, now)
        if packet is None:
            return None
        self._resent_at[seq] = now
        while len(self._resent_at) > SENDS_KEPT:
            self._resent_at.popitem(last=False)
        if self.loss > TWICE_FROM and not self.cap.active:  # a full line would only be fuller
            self._second.append((seq, now + SECOND_AFTER))
        return packet

    @property
    def owes(self) -> bool:
        """Whether repairs are to go once more."""
        return bool(self._second)

    def second_repairs(self, now: float) -> list[bytes]:
        """What has been sent again a moment ago, once more: such a line loses repairs, too."""
        due: list[bytes] = []
        while self._second and self._second[0][1] <= now:
            packet = self._repair(self._second.popleft()[0], now)
            if packet is not None:
                due.append(packet)
        return due

    def _repair(self, seq: int, now: float) -> bytes | None:
        section, source = self.section, self.source
        if section is None or source is None or not self.started:
            return None
        cached = source.cached((seq - self.seq_offset) & 0xFFFF)
        if cached is None or distance(cached[0], self.first_seq) < 0:
            return None
        _, stamped, marker, payload = cached
        if not self._affords(len(payload)):
            return None
        self.retransmitted += 1
        timestamp = (stamped + self.timestamp_offset) & 0xFFFFFFFF
        if section.retransmission is None:
            return self._build(
                self.ssrc, section.payload_type, seq, timestamp, marker, payload,
                None, now,
            )  # fmt: skip
        self._repair_seq = (self._repair_seq + 1) & 0xFFFF
        return self._build(
            self.repair_ssrc,
            section.retransmission,
            self._repair_seq,
            timestamp,
            marker,
            struct.pack("!H", seq) + payload,
            None,
            now,
        )

    def _affords(self, size: int) -> bool:
        """Whether a repair of so many bytes may go: a line that loses because it is full loses the
        more the more is repaired. Half of what goes by it is enough for a third of loss."""
        gone = self.octets - self._octets_at_repair
        self._octets_at_repair = self.octets
        self._repairs_left = min(REPAIRS_AT_ONCE, self._repairs_left + REPAIR_SHARE * gone)
        if self._repairs_left < size:
            return False
        self._repairs_left -= size
        return True

    # --- reports ----------------------------------------------------------------------------------

    def sender_times(self, now: float) -> tuple[int, int] | None:
        """(NTP, RTP) for a sender report, on the source's own clock.

        Audio and video of one source keep that source's NTP relation, so lip sync does not depend
        on how late its reports reached us. None before the source has reported.
        """
        source = self.source
        if source is None or source.report is None or not self.started:
            return None
        passed = now - source.report_at
        ntp = source.report.ntp + int(passed * _NTP_FRACTION)
        rtp = source.report.rtp + int(passed * source.clock_rate) + self.timestamp_offset
        self._sent_reports[(ntp >> 16) & 0xFFFFFFFF] = now
        while len(self._sent_reports) > REPORTS_KEPT:
            self._sent_reports.popitem(last=False)
        return ntp & (2**64 - 1), rtp & 0xFFFFFFFF

    def received(self, block: ReportBlock, now: float) -> None:
        """The browser's receiver report about this stream."""
        self._measure_loss(block, now)
        sent = self._sent_reports.get(block.lsr)
        if block.lsr and sent is not None:
            self.rtt = max(0.0, now - sent - block.dlsr)

    def forgive(self, now: float) -> None:
        """Nothing came from the source, or from this browser, for a moment: a line that was cut."""
        self.loss = 0.0
        self._loss_counts_from = now + LOSS_FORGIVEN

    def _measure_loss(self, block: ReportBlock, now: float) -> None:
        """The share lost over a window: browsers report several times a second, and one such
        report's own fraction is about a few packets (0.5, and 0 the next time, at 5 % of loss)."""
        if self._loss_base is None or now < self._loss_counts_from:
            self._loss_base = (block.lost, block.highest, now)
            return
        lost, highest, since = self._loss_base
        expected = (block.highest - highest) & 0xFFFFFFFF
        passed = now - since
        if expected > 1 << 31 or passed > LOSS_FORGOTTEN:  # numbers began anew, or a long silence
            self._loss_base = (block.lost, block.highest, now)
            self.loss = 0.0
        elif passed >= LOSS_WINDOW and expected >= LOSS_PACKETS:
            self.loss = max(0.0, min(1.0, (block.lost - lost) / expected))
            self._loss_is_new = True
            self._loss_base = (block.lost, block.highest, now)

    def decide_cap(self, rate: float) -> int | None:
        """What a source of this may send at most, or None; each second. `rate`: all that goes by
        this line now, bit/s."""
        loss = self.loss if self._loss_is_new else None
        self._loss_is_new = False
        return self.cap.decide(
            rate=rate, loss=loss, remb=self.remb, falling=self.remb_falling, rtt=self.rtt
        )

    def pause(self, now: float) -> None:
        """Send nothing for a while: half a minute, and longer each time that it was soon again."""
        soon = now - self._resumed_at < self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE) if soon else PAUSE
        self.paused = True
        self._resumed_at = now + self._pause
        self.started = False
        self._waiting_since = None

    def resumes(self, now: float) -> bool:
        """Send again what comes, when it is time: from its next key frame on."""
        if now < self._resumed_at:
            return False
        self.paused = False
        self.cap = Cap()
        return True

    def estimated(self, bitrate: int) -> None:
        """The browser's estimate of what it can receive."""
        self.remb_falling = self.remb is not None and bitrate < 0.95 * self.remb
        self.remb = bitrate
