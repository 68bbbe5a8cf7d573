"""One browser's connection: ICE-lite, DTLS, SRTP, its streams up and the reports about them.

A leg dies by being replaced or put out, never by silence. Whatever a peer sends is counted and
dropped; nothing that happens here raises into another leg.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from pylibsrtp import Error as SrtpError

from media import rtcp, rtp, sdp, stun
from media.api import LegEventKind, LegStats
from media.congestion import HIGHEST
from media.dtls import DtlsServer, HandshakeFailed, Identity
from media.errors import BadDescription
from media.upstream import UpTrack

if TYPE_CHECKING:
    from media.call import Call, Seat

GENERATIONS = 2  # of ICE credentials that stay valid: a restart overlaps with its predecessor
MOST_PATHS = 16
# Seconds without anything at all of a side that says it sends nothing. A browser without a device
# asks for its path each three or six. One that is muted sends silence fifty times a second: where
# that has stopped and no report came after it (each second and a half at the most), all is gone.
QUIET_SILENCE = 12.0
MUTED_SILENCE = 3.0
LAST_WORDS = 1.0  # between the last media and the last of anything, where both stop together
ELSEWHERE = 0.2  # seconds; then what is genuine and comes from another address is asked about
SILENT_PATH = 3.0  # seconds; then a valid check without nomination moves the path too
FEEDBACK_EVERY = 0.1  # seconds; as often as other bridges tell what came
CUT = 0.8  # seconds in which nothing at all came
REPORT_EVERY = 1.0
UNCAPS = 3
MOST_ARRIVALS = 4_000
MOST_CHECKS = 256  # whose transaction ids are remembered
SSRC_SILENCE = 0.5  # seconds; then a stream that nobody described may take over


class Port(Protocol):
    """A socket to send from; the answer goes out where the packet came in."""

    def send(self, data: bytes, address: tuple[str, int]) -> None: ...


Path = tuple[Port, tuple[str, int]]


class Leg:
    """One generation of one seat; `now` is monotonic, `wall` is UTC, both in seconds."""

    def __init__(
        self,
        call: Call,
        seat: Seat,
        generation: str,
        identity: Identity,
        now: float,
        on_event: Callable[[Leg, LegEventKind, str | None, str | None], None],
        most_packets: int = 2_000,
    ) -> None:
        self.call = call
        self.seat = seat
        self.generation = generation
        self.made_at = now
        self.dropped: Counter[str] = Counter()
        self.credentials: OrderedDict[str, stun.Credentials] = OrderedDict()
        self.offered: sdp.Offered | None = None
        self.paths: OrderedDict[tuple[int, tuple[str, int]], Path] = OrderedDict()
        self.up: dict[str, UpTrack] = {}
        self._uncap = 0  # how often it is still to be said that no cap holds any more
        self.silent = False
        self.last_media_at: float | None = None
        self.last_heard_at = now
        self._identity = identity
        self._on_event = on_event
        self._dtls: DtlsServer | None = None
        self._dtls_due: float | None = None
        self._path: Path | None = None
        self._path_fragment: str | None = None
        self._path_heard_at = now
        self._arrived_by: Path | None = None
        self._flowed: set[str] = set()
        self._checks: OrderedDict[bytes, tuple[int, tuple[str, int]]] = OrderedDict()
        self._feedback_next: int | None = None
        self._streams: dict[int, tuple[UpTrack, bool]] = {}  # ssrc -> (track, is repair)
        self.arrivals: list[tuple[int, int]] = []
        self._feedback_count = 0
        self._feedback_at = now
        self._report_at = now
        self._look_at = now
        self._counted = (0, 0, now)
        self._most_packets = most_packets
        self.second_ends = now
        self.left = most_packets  # of this second
        self.bitrate_up = 0.0
        self.bitrate_down = 0.0
        self.packets_down = 0
        self.bytes_down = 0

    # --- description ------------------------------------------------------------------------------

    def describe(self, text: str) -> sdp.Offered:
        """Take the browser's (re)description. Raises BadDescription and changes nothing then."""
        offered = sdp.read(text)
        if self.offered is not None and set(offered.fingerprints) != set(self.offered.fingerprints):
            raise BadDescription("A renegotiation must come from the same browser page.")
        restarted = self.offered is None or offered.fragment != self.offered.fragment
        if restarted:
            fresh = stun.Credentials.fresh()
            self.credentials[fresh.fragment] = fresh
        self.offered = offered
        for kind, section in offered.sections.items():
            self._announce(kind, section)
        self._streams = {s: t for s, t in self._streams.items() if t[0].kind in offered.sections}
        for kind, track in self.up.items():
            track.reads(offered.sections.get(kind))
        return offered

    @property
    def newest(self) -> stun.Credentials:
        return next(reversed(self.credentials.values()))

    def retired(self) -> list[str]:
        """Forget the ICE generations that are too old, but not the path's; their fragments."""
        old = [f for f in list(self.credentials)[:-GENERATIONS] if f != self._path_fragment]
        for fragment in old:
            del self.credentials[fragment]
        return old

    def _age(self, fragment: str | None) -> int:
        """How many ICE generations of ours are newer."""
        known = list(self.credentials)
        return len(known) - known.index(fragment) if fragment in known else len(known) + 1

    def section(self, kind: str) -> sdp.Section | None:
        return self.offered.sections.get(kind) if self.offered is not None else None

    def _announce(self, kind: str, section: sdp.Section) -> None:
        """Streams that the description names; others are learnt from their payload type."""
        if not section.sends:
            return
        for ssrc in section.ssrcs[:1]:
            if ssrc not in self._streams:
                self._begin(kind, section, ssrc)
        for ssrc in section.retransmission_ssrcs[:1]:
            if kind in self.up:
                self._streams[ssrc] = (self.up[kind], True)

    def _begin(self, kind: str, section: sdp.Section, ssrc: int) -> UpTrack:
        repairs = kind == "video" and "nack" in section.feedback
        track = UpTrack(kind, ssrc, section.clock_rate, repairs=repairs)
        track.reads(section)
        self._streams = {s: t for s, t in self._streams.items() if t[0].kind != kind}
        self._streams[ssrc] = (track, False)
        self.up[kind] = track
        self.call.sources_changed()
        return track

    # --- ICE --------------------------------------------------------------------------------------

    def checked(self, port: Port, address: tuple[str, int], check: stun.Check, now: float) -> bool:
        """A binding request for this leg; answered only if it is genuine."""
        credentials = self.credentials.get(check.fragment)
        if credentials is None or not check.genuine(credentials):
            self.dropped["stun-forged"] += 1
            return False
        if self._floods(now):
            return False
        key = (id(port), address)
        if self._checks.setdefault(check.message.transaction_id, key) != key:
            self.dropped["stun-replayed"] += 1
            return False
        while len(self._checks) > MOST_CHECKS:
            self._checks.popitem(last=False)
        path: Path = (port, address)
        self.paths[key] = path
        self.paths.move_to_end(key)
        self.last_heard_at = now
        port.send(check.answer(credentials, address), address)
        self._choose(path, check, now)
        return True

    def _choose(self, path: Path, check: stun.Check, now: float) -> None:
        current = self._path
        if current == path:
            self._path_heard_at = now
            self._path_fragment = check.fragment
            return
        # A browser that restarts may choose a new way with our name of before, as long as it has no
        # answer: from a port of the new search, which keeps that name for good.
        fresh = self._age(check.fragment) <= self._age(self._path_fragment)
        silent = now - self._path_heard_at > SILENT_PATH
        if current is None or (check.nominates and fresh) or silent:
            self._path, self._path_fragment, self._path_heard_at = path, check.fragment, now
            if current is not None:
                self._on_event(self, LegEventKind.PATH_CHANGED, None, None)

    # --- strangers --------------------------------------------------------------------------------

    @property
    def theirs(self) -> stun.Credentials | None:
        """The browser's own name and password."""
        if self.offered is None or not self.offered.password:
            return None
        return stun.Credentials(self.offered.fragment, self.offered.password)

    @property
    def named(self) -> str:
        """Our name, as the browser has it for the path in use."""
        return self._path_fragment or self.newest.fragment

    def misses(self, ssrc: int, now: float) -> bool:
        """Whether this browser sends that stream, and has not been heard where it was."""
        return ssrc in self._streams and now - self._path_heard_at > ELSEWHERE

    def heard_elsewhere(self, data: bytes, now: float, path: Path) -> bool:
        """Take a packet from an address that nobody checked; whether it is genuine."""
        refused = ("srtp", "malformed", "early")
        before = sum(self.dropped[reason] for reason in refused)
        self.on_srtp(data, now, path)
        return sum(self.dropped[reason] for reason in refused) == before

    def found(self, path: Path, now: float) -> None:
        """It has answered there."""
        self.paths[id(path[0]), path[1]] = path
        self.paths.move_to_end((id(path[0]), path[1]))
        self._path, self._path_heard_at = path, now
        self._on_event(self, LegEventKind.PATH_CHANGED, None, None)

    def trimmed_paths(self) -> list[Path]:
        """Drop the oldest addresses above the bound, never the one in use; those dropped."""
        removed = []
        for key in list(self.paths):
            if len(self.paths) <= MOST_PATHS:
                break
            if self.paths[key] != self._path:
                removed.append(self.paths.pop(key))
        return removed

    # --- DTLS -------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        return self._dtls is not None and self._dtls.srtp is not None

    def on_dtls(self, data: bytes, now: float) -> None:
        """A DTLS datagram from a checked address."""
        if self.offered is None:
            return
        if self._dtls is None:
            self._dtls = DtlsServer(self._identity, self.offered.fingerprints)
        was = self._dtls.srtp is not None
        try:
            self._send_all(self._dtls.receive(data))
        except HandshakeFailed:
            self._dtls = None
            self._dtls_due = None
            self.dropped["dtls-failed"] += 1
            return
        self._plan_retransmission(now)
        if not was and self._dtls.srtp is not None:
            self._on_event(self, LegEventKind.CONNECTED, None, None)

    def _plan_retransmission(self, now: float) -> None:
        left = self._dtls.timeout() if self._dtls is not None else None
        self._dtls_due = now + left if left is not None else None

    def _floods(self, now: float) -> bool:
        """Whether this leg has sent more than its share of this second; counts the packet.

        Asked for what is genuine only: nobody else can use a leg's share up.
        """
        if now >= self.second_ends:
            self.second_ends = now + 1.0
            self.left = self._most_packets
        self.left -= 1
        if self.left >= 0:
            return False
        self.dropped["flood"] += 1
        return True

    # --- media in ---------------------------------------------------------------------------------

    def took(self, count: int, path: Path, now: float) -> None:
        """So many packets have come, without anything else to be seen to."""
        self.left -= count
        self.last_media_at = self.last_heard_at = now
        if path == self._path:
            self._path_heard_at = now

    def on_srtp(self, data: bytes, now: float, path: Path | None = None) -> None:
        """An SRTP or SRTCP packet from a checked address."""
        self._arrived_by = path
        srtp = self._dtls.srtp if self._dtls is not None else None
        if srtp is None:
            self.dropped["early"] += 1
            return
        try:
            if 192 <= data[1] <= 223:  # RFC 5761
                report = srtp.inbound.unprotect_rtcp(data)
                if not self._floods(now):
                    self._on_rtcp(report, now)
                return
            clear = srtp.inbound.unprotect(data)
            if self._floods(now):
                return
            packet = rtp.parse(clear)
        except SrtpError:
            self.dropped["srtp"] += 1
            return
        except ValueError:  # BadPacket, or longer than libsrtp's buffer
            self.dropped["malformed"] += 1
            return
        self._on_rtp(packet, now)

    def _on_rtp(self, packet: rtp.Packet, now: float) -> None:
        marker, _, seq, timestamp, ssrc, _, extension, payload = packet
        known = self._streams.get(ssrc) or self._learn(packet, now)
        if known is None:
            self.dropped["unknown-stream"] += 1
            return
        track, repair = known
        level = None
        if extension:
            number, level = rtp.wanted_elements(packet, track.number_id, track.level_id)
            if number is not None and len(self.arrivals) < MOST_ARRIVALS:
                self.arrivals.append((number, int(now * 1_000_000)))
        self.last_media_at = self.last_heard_at = now
        if self._arrived_by == self._path:
            self._path_heard_at = now
        if self.silent:
            self.silent = False
            self._on_event(self, LegEventKind.RESUMED, None, None)
        if repair:
            # RFC 4588; only padding probes the path, and may be of a stream that has not begun
            if len(payload) < 2 or track.packets == 0:
                return
            seq, payload = (payload[0] << 8) | payload[1], payload[2:]
        lost = track.accept(seq, timestamp, marker, payload, now)
        if lost is None:
            return
        if lost:
            self.call.hurries = True
            self.send_rtcp(rtcp.nack(self.seat.ssrc, track.ssrc, lost))
        if not track.flowed:
            self._flows(track)
        for sink, down in track.routes:
            leg = sink.leg
            dtls = leg._dtls if leg is not None else None
            if leg is not None and dtls is not None and dtls.srtp is not None:
                out = down.forward(seq, timestamp, marker, payload, level, now)
                if out is not None:
                    leg.send_rtp(out)

    def _flows(self, track: UpTrack) -> None:
        """The first packet of a stream, but for what only probes the path."""
        track.flowed = True
        if self.seat.former is not None:
            self.call.sources_changed()  # before it is forwarded, or a picture would lack its start
        if track.kind not in self._flowed:
            self._flowed.add(track.kind)
            self._on_event(self, LegEventKind.FLOWING, track.kind, None)

    def _learn(self, packet: rtp.Packet, now: float) -> tuple[UpTrack, bool] | None:
        """A stream that no description named: its payload type says what it is."""
        if self.offered is None:
            return None
        for kind, section in self.offered.sections.items():
            if not section.sends:
                continue
            if packet.payload_type == section.payload_type:
                if self._occupied(kind, section, packet.ssrc, now):
                    return None
                return self._begin(kind, section, packet.ssrc), False
            if packet.payload_type == section.retransmission and kind in self.up:
                self._streams = {
                    s: t for s, t in self._streams.items() if not (t[1] and t[0] is self.up[kind])
                }
                self._streams[packet.ssrc] = (self.up[kind], True)
                return self._streams[packet.ssrc]
        return None

    def _occupied(self, kind: str, section: sdp.Section, ssrc: int, now: float) -> bool:
        """Whether a stream that nobody described would push out one that still flows."""
        track = self.up.get(kind)
        flows = track is not None and now - track.heard_at < SSRC_SILENCE
        return flows and ssrc not in section.ssrcs[:1]

    def _on_rtcp(self, data: bytes, now: float) -> None:
        self.last_heard_at = now
        for report in rtcp.read(data):
            match report:
                case rtcp.SenderReport(ssrc=ssrc):
                    known = self._streams.get(ssrc)
                    if known is not None and not known[1]:
                        known[0].reported(report, now)
                case _ if self.seat.leg is not self:
                    # what goes down goes by another leg, with other numbers: a repair of those
                    # under this one's keys could use a number twice
                    pass
                case rtcp.ReportBlock(ssrc=ssrc):
                    self.seat.reported(ssrc, report, now)
                case rtcp.Nack(media_ssrc=ssrc, lost=lost):
                    self.seat.resend(self, ssrc, lost, now)
                case rtcp.KeyFrameRequest(media_ssrc=ssrc):
                    self.call.key_frame_for(self.seat, ssrc)
                case rtcp.Remb(bitrate=bitrate):
                    self.seat.down["video"].estimated(bitrate)

    # --- out --------------------------------------------------------------------------------------

    def send_rtp(self, packet: bytes) -> None:
        """Protect and send one packet; an own failure is counted, never raised."""
        srtp = self._dtls.srtp if self._dtls is not None else None
        path = self._path
        if srtp is None or path is None:
            return
        try:
            path[0].send(srtp.outbound.protect(packet), path[1])
        except (SrtpError, ValueError):  # ValueError: longer than libsrtp's buffer
            self.dropped["protect"] += 1
            return
        self.gave(1, len(packet))

    def gave(self, count: int, octets: int) -> None:
        """So much has been sent."""
        self.packets_down += count
        self.bytes_down += octets

    def send_rtcp(self, packet: bytes) -> None:
        srtp = self._dtls.srtp if self._dtls is not None else None
        path = self._path
        if srtp is None or path is None:
            return
        try:
            path[0].send(srtp.outbound.protect_rtcp(packet), path[1])
        except (SrtpError, ValueError):
            self.dropped["protect"] += 1

    def _send_all(self, datagrams: Sequence[bytes]) -> None:
        if self._path is not None:
            for datagram in datagrams:
                self._path[0].send(datagram, self._path[1])

    # --- time -------------------------------------------------------------------------------------

    def due(self, now: float) -> bool:
        """Whether a `tick` has anything to do: most have not, and there are fifty in a second."""
        if now >= self._look_at:
            return True
        for track in self.up.values():  # noqa: SIM110 - asked fifty times a second of each leg
            if track.urgent:
                return True
        return False

    def tick(self, now: float, wall: float, silence_after: float) -> None:
        """Everything that is due: retransmissions, repairs, feedback, reports, silence."""
        self._look_at = now
        if self._dtls is not None and self._dtls_due is not None and now >= self._dtls_due:
            try:
                self._send_all(self._dtls.retransmit())
            except HandshakeFailed:
                self._dtls = None
                self.dropped["dtls-failed"] += 1
            self._plan_retransmission(now)
        if not self.connected:
            return
        for track in self.up.values():
            if track.misses:
                again = track.due_repairs(now, self.rtt)
                if again:
                    self.send_rtcp(rtcp.nack(self.seat.ssrc, track.ssrc, again))
            if track.key_frame_due(now):
                self.send_rtcp(rtcp.pli(self.seat.ssrc, track.ssrc))
            track.looked_after()
            if track.misses:
                self.call.hurries = True
        owed = self.seat.leg is self and self.seat.second_repairs(self, now)
        if self.arrivals and now >= self._feedback_at + FEEDBACK_EVERY:
            self._send_feedback(now)
        if now - self._report_at >= REPORT_EVERY:
            self._send_reports(now, wall)
        self._listen(now, silence_after)
        next_feedback = self._feedback_at + FEEDBACK_EVERY
        self._look_at = next_feedback if next_feedback > now else now + FEEDBACK_EVERY
        if owed:
            self.look_soon()

    def look_soon(self) -> None:
        """Something is due before the next feedback."""
        self._look_at = 0.0
        self.call.hurries = True

    def _listen(self, now: float, silence_after: float) -> None:
        """Whether it is still there: by its media, or by anything if its side sends none."""
        if self.seat.quiet:
            media = self.last_media_at
            muted = media is not None and self.last_heard_at - media < LAST_WORDS
            most = MUTED_SILENCE if muted else QUIET_SILENCE
            silent = now - self.last_heard_at > max(silence_after, most)
        else:
            heard = self.last_media_at
            silent = heard is not None and now - heard > silence_after
            if self.silent:
                return  # until media come
        if silent != self.silent:
            self.silent = silent
            kind = LegEventKind.SILENT if silent else LegEventKind.RESUMED
            self._on_event(self, kind, None, None)

    def expected(self, now: float) -> None:
        """What it sends has changed, by its own word: what comes, or not, counts from now on."""
        if self.last_media_at is not None:
            self.last_media_at = now

    @property
    def rtt(self) -> float | None:
        known = [t.rtt for t in self.seat.down.values() if t.rtt is not None]
        return min(known, default=None)

    def _send_feedback(self, now: float) -> None:
        media = next(iter(self.up.values())).ssrc if self.up else 0
        expected = self._feedback_next
        if now - self._feedback_at > CUT:
            expected = None
            self._forgive(now)
        packets = rtcp.transport_feedback(
            self.seat.ssrc, media, self.arrivals, self._feedback_count, expected
        )
        self._feedback_next = rtcp.number_after(self.arrivals, self._feedback_next)
        self.arrivals = []
        self._feedback_at = now
        self._feedback_count = (self._feedback_count + len(packets)) & 0xFF
        for packet in packets:
            self.send_rtcp(packet)

    def _forgive(self, now: float) -> None:
        """What was sent into a cut is no sign of a thin line: a browser that is told so, by our
        feedback or by a cap, sends next to nothing for half a minute."""
        for track in self.up.values():
            for _, down in track.routes:
                down.forgive(now)
        for down in self.seat.down.values():
            down.forgive(now)

    def _send_reports(self, now: float, wall: float) -> None:
        self._count(now)
        self._report_at = now
        blocks = [b for t in self.up.values() if (b := t.reception(now)) is not None]
        for track in self.seat.down.values():
            times = track.sender_times(now)
            if times is not None and track.wanted:
                report = rtcp.sender_report(track.ssrc, *times, track.packets, track.octets)
                self.send_rtcp(report + rtcp.source_description(track.ssrc, b"bridge"))
        name = rtcp.source_description(self.seat.ssrc, b"bridge")
        self.send_rtcp(rtcp.receiver_report(self.seat.ssrc, blocks) + name)
        video = self.up.get("video")
        if video is not None:
            self._send_cap(video.ssrc, now)

    def _send_cap(self, ssrc: int, now: float) -> None:
        """A browser keeps the last cap for ever: when nobody needs it any more, as when who had the
        thin line has left, that is said, and not once, as it may get lost."""
        cap = self.call.cap_for(self.seat, now)
        if cap is not None:
            self._uncap = UNCAPS
        elif self._uncap:
            self._uncap -= 1
            cap = HIGHEST
        if cap is not None:
            self.send_rtcp(rtcp.remb(self.seat.ssrc, cap, [ssrc]))

    def _count(self, now: float) -> None:
        up = sum(track.octets for track in self.up.values())
        before_up, before_down, at = self._counted
        passed = max(0.001, now - at)
        self.bitrate_up = max(0.0, 8 * (up - before_up) / passed)
        self.bitrate_down = max(0.0, 8 * (self.bytes_down - before_down) / passed)
        self._counted = (up, self.bytes_down, now)

    def stats(self, now: float) -> LegStats:
        """This leg at this moment."""
        down = self.seat.down.values()
        return LegStats(
            seat=self.seat.name,
            generation=self.generation,
            connected=self.connected,
            idle_seconds=None if self.last_media_at is None else now - self.last_media_at,
            rtt_seconds=self.rtt,
            loss_up=max((t.loss for t in self.up.values()), default=0.0),
            loss_down=max((t.loss for t in down), default=0.0),
            bitrate_up=self.bitrate_up,
            bitrate_down=self.bitrate_down,
            packets_up=sum(t.packets for t in self.up.values()),
            packets_down=self.packets_down,
            bytes_up=sum(t.octets for t in self.up.values()),
            bytes_down=self.bytes_down,
            nacks_up=sum(t.asked for t in self.up.values()),
            nacks_down=sum(t.asked for t in down),
            retransmitted=sum(t.retransmitted for t in down),
            key_frames_asked=sum(t.key_frames_asked for t in self.up.values()),
            dropped=dict(self.dropped),
        )
