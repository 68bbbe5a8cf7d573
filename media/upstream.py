"""One stream from a browser: continuity, loss, repair, and the reports about it. Pure.

Who waits for a packet gives up after ten round trips, as mediasoup does, but asks more often than
once in each: a browser (libwebrtc's RtpPacketHistory) answers once in a trip whatever it is asked.
So asking three times costs a few bytes, and a request that was lost, or came a moment too early for
the next answer, costs a third of a trip. Jitter and loss by RFC 3550 appendix A.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from media.rtcp import Reception, SenderReport
from media.rtp import distance
from media.sdp import AUDIO_LEVEL, TRANSPORT_SEQ, Section

if TYPE_CHECKING:
    from media.call import Seat
    from media.downstream import DownTrack

CACHE = {"audio": 256, "video": 512}  # packets, 2 s of a full picture; a power of two
LARGEST_GAP = 200  # packets; beyond, a key frame is cheaper than repair
MOST_MISSING = 1_000  # packets that are waited for; nobody loses so many and is repaired
OUTAGE = 0.7  # seconds without a packet; after it a key frame is quicker than repair
REPAIR_TRIPS = 10
REPAIR_SECONDS = 1.0
SHORTEST_TRIP = 0.04  # seconds; there are browsers on this very machine
ASKS_A_TRIP = 3
ASK_EVERY = 0.02  # seconds, at least
KEY_FRAME_EVERY = 0.5  # seconds between requests; a later one waits


_NOTHING: Sequence[int] = ()


# What a repair is made of: sequence number, timestamp, marker, payload. A plain tuple, of which one
# is made for each packet: the collector looks at it once, and at an object of a class for ever.
Kept = tuple[int, int, int, bytes]


@dataclass(slots=True)
class _Missing:
    since: float
    asked: float


class UpTrack:
    """A stream of one kind as it arrives; `now` in monotonic seconds."""

    def __init__(self, kind: str, ssrc: int, clock_rate: int, *, repairs: bool) -> None:
        self.kind = kind
        self.ssrc = ssrc
        self.clock_rate = clock_rate
        self.repairs = repairs  # the browser answers NACKs
        self.packets = 0
        self.octets = 0
        self.heard_at = -1e9
        self.asked = 0
        self.key_frames_asked = 0
        self.report: SenderReport | None = None
        self.report_at = 0.0
        self.loss = 0.0
        self.urgent = False  # something is to be asked for, or to be looked at again soon
        # where its packets go: made by the call when anything changes
        self.routes: tuple[tuple[Seat, DownTrack], ...] = ()
        # ids of the header extensions that are read: the transport-wide number, the audio level
        self.number_id = 0
        self.level_id = 0
        self.flowed = False
        self.room = CACHE[kind]
        self.kept: list[Kept | None] = [None] * self.room
        self._base: int | None = None
        self.highest = 0  # with cycles
        self._missing: dict[int, _Missing] = {}
        self.timestamp = -1  # the last one's; none yet
        self._jitter = 0.0
        self._transit: float | None = None
        self._expected_before = 0
        self._packets_before = 0
        self._key_frame_at = -1e9
        self._key_frame_wanted = False

    def reads(self, section: Section | None) -> None:
        """Use this section's extension numbers."""
        known = section.extensions if section is not None else {}
        self.number_id, self.level_id = known.get(TRANSPORT_SEQ, 0), known.get(AUDIO_LEVEL, 0)

    def accept(
        self, seq: int, timestamp: int, marker: int, payload: bytes, now: float
    ) -> Sequence[int] | None:
        """Take a packet (repaired ones too), and keep it; the numbers to ask for at once.

        None for a repeat, which is not forwarded again.
        """
        place = seq & (self.room - 1)
        before = self.kept[place]
        if before is not None and before[0] == seq:
            return None
        self.kept[place] = (seq, timestamp, marker, payload)
        self.packets += 1
        self.octets += len(payload)
        paused, self.heard_at = now - self.heard_at, now
        lost = _NOTHING
        if self._base is None:
            self._base = self.highest = seq
        else:
            ahead = ((seq - self.highest + 0x8000) & 0xFFFF) - 0x8000
            if ahead > 0:
                if ahead > 1:
                    lost = self._gap(ahead, paused, now)
                self.highest += ahead
                if timestamp != self.timestamp:
                    self.timestamp = timestamp
                    self.measure_jitter(timestamp, now)
            else:
                self._missing.pop(seq, None)
        return lost

    def cached(self, seq: int) -> Kept | None:
        """The packet of that number, if it is still kept."""
        cached = self.kept[seq & (self.room - 1)]
        return cached if cached is not None and cached[0] == seq else None

    def _gap(self, ahead: int, paused: float, now: float) -> list[int]:
        if not self.repairs:
            return []
        self.urgent = True
        full = len(self._missing) + ahead > MOST_MISSING
        if ahead > LARGEST_GAP or paused > OUTAGE or full:
            self._missing.clear()
            self._key_frame_wanted = True
            return []
        lost = [(self.highest + step) & 0xFFFF for step in range(1, ahead)]
        for seq in lost:
            self._missing[seq] = _Missing(now, now)
        self.asked += len(lost)
        return lost

    def took(self, count: int, octets: int, timestamp: int, now: float) -> None:
        """So many have come in their order, and were kept: what `accept` does for each."""
        self.packets += count
        self.octets += octets
        self.highest += count
        self.timestamp = timestamp
        self.heard_at = now

    def measure_jitter(self, timestamp: int, now: float) -> None:
        """Of the first packet of each moment: a picture's packets have all the same timestamp, and
        were sent one after another (libwebrtc counts so, too)."""
        transit = now * self.clock_rate - timestamp
        if self._transit is not None:
            change = abs(transit - self._transit)
            if change < self.clock_rate:  # a wrap or a pause is not jitter
                self._jitter += (change - self._jitter) / 16
        self._transit = transit

    @property
    def misses(self) -> bool:
        """Whether any packet is waited for."""
        return bool(self._missing)

    def due_repairs(self, now: float, rtt: float | None) -> list[int]:
        """What should be asked for again; what is hopeless turns into a key-frame request."""
        again: list[int] = []
        trip = max(SHORTEST_TRIP, rtt or 0.0)
        patience = min(REPAIR_SECONDS, REPAIR_TRIPS * trip)
        every = max(ASK_EVERY, trip / ASKS_A_TRIP)
        for seq, missing in list(self._missing.items()):
            if now - missing.since > patience:
                del self._missing[seq]
                self._key_frame_wanted = True
            elif now - missing.asked >= every:
                missing.asked = now
                again.append(seq)
        self.asked += len(again)
        # in their order around the wrap
        return sorted(again, key=lambda seq: distance(seq, self.highest & 0xFFFF))

    def want_key_frame(self) -> None:
        """Ask for a key frame as soon as the last request is old enough; sound has none."""
        if self.kind == "video":
            self._key_frame_wanted = self.urgent = True

    def looked_after(self) -> None:
        """What was due has been done: whether there is more is seen anew."""
        self.urgent = bool(self._missing) or self._key_frame_wanted

    def key_frame_due(self, now: float) -> bool:
        """Whether to send a request now; then it counts as sent."""
        if not self._key_frame_wanted:
            return False
        if now - self._key_frame_at < KEY_FRAME_EVERY:
            return False
        self._key_frame_wanted = False
        self._key_frame_at = now
        self.key_frames_asked += 1
        return True

    def reported(self, report: SenderReport, now: float) -> None:
        """The browser's own sender report: its clock against its timestamps."""
        self.report = report
        self.report_at = now

    def reception(self, now: float) -> Reception | None:
        """The block for a receiver report, and the loss since the last one."""
        if self._base is None:
            return None
        expected = self.highest - self._base + 1
        lost = max(0, expected - self.packets)
        since = expected - self._expected_before
        got = self.packets - self._packets_before
        self._expected_before, self._packets_before = expected, self.packets
        fraction = max(0, min(255, ((since - got) << 8) // since)) if since > 0 else 0
        self.loss = fraction / 256
        lsr, dlsr = 0, 0
        if self.report is not None:
            lsr = (self.report.ntp >> 16) & 0xFFFFFFFF
            dlsr = int((now - self.report_at) * 65536)
        return Reception(self.ssrc, fraction, lost, self.highest, int(self._jitter), lsr, dlsr)
