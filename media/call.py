"""One call: its seats, and which seat's packets go to which others."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from media import rtp
from media.congestion import Cap
from media.downstream import DownTrack
from media.rtcp import ReportBlock
from media.upstream import UpTrack

if TYPE_CHECKING:
    from media.leg import Leg


class Seat:
    """A leg's place in the call: what goes down to it outlives the leg."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.leg: Leg | None = None
        self.down = {"audio": DownTrack("audio"), "video": DownTrack("video")}

    @property
    def ssrc(self) -> int:
        """The name under which we send reports and requests to this browser."""
        return self.down["video"].ssrc

    def reported(self, ssrc: int, block: ReportBlock, now: float) -> None:
        for track in self.down.values():
            if track.ssrc == ssrc:
                track.received(block, now)

    def resend(self, leg: Leg, ssrc: int, lost: Collection[int], now: float, wall: float) -> None:
        """Answer a browser's request for what it misses."""
        for track in self.down.values():
            if track.ssrc == ssrc:
                for seq in lost:
                    packet = track.resend(seq, now, wall)
                    if packet is not None:
                        leg.send_rtp(packet)


class Call:
    """The seats of one session and the plan of who hears and sees whom."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seats: dict[str, Seat] = {}
        self._plan: dict[str, tuple[str, ...]] | None = None
        # (source seat, kind) -> where its packets go; made anew when anything changes
        self._routes: dict[tuple[str, str], list[tuple[Seat, DownTrack]]] = {}

    def seat(self, name: str) -> Seat:
        if name not in self.seats:
            self.seats[name] = Seat(name)
        return self.seats[name]

    def plan(self, hears: Mapping[str, Collection[str]] | None) -> None:
        """Who hears and sees whom, by sink; None: everybody everybody else."""
        self._plan = None if hears is None else {k: tuple(v) for k, v in hears.items()}
        self.sources_changed()

    def sources_of(self, sink: str) -> tuple[str, ...]:
        if self._plan is not None:
            return self._plan.get(sink, ())
        return tuple(name for name in self.seats if name != sink)

    def sources_changed(self) -> None:
        """Find each sink's source of each kind anew, and ask new ones for a key frame."""
        self._routes = {}
        for sink in self.seats.values():
            for kind, down in sink.down.items():
                source = self._source(sink.name, kind)
                changed = down.source is not (source[1] if source else None)
                down.follow(source[1] if source else None)
                if source is not None and sink.leg is not None and down.wanted:
                    self._routes.setdefault((source[0], kind), []).append((sink, down))
                    if changed:
                        source[1].want_key_frame()

    def _source(self, sink: str, kind: str) -> tuple[str, UpTrack] | None:
        for name in self.sources_of(sink):
            seat = self.seats.get(name)
            leg = seat.leg if seat is not None else None
            if leg is not None and kind in leg.up:
                return name, leg.up[kind]
        return None

    def forward(
        self,
        seat: Seat,
        track: UpTrack,
        packet: rtp.Packet,
        level: int | None,
        now: float,
        wall: float,
    ) -> None:
        """Send a packet to everybody who hears or sees this seat."""
        for sink, down in self._routes.get((seat.name, track.kind), ()):
            leg = sink.leg
            if leg is None or not leg.connected:
                continue
            out = down.forward(
                packet.seq, packet.timestamp, packet.marker, packet.payload, level, now, wall
            )
            if out is not None:
                leg.send_rtp(out)

    def key_frame_for(self, sink: Seat, ssrc: int) -> None:
        """A browser asks for a key frame of what it receives."""
        track = sink.down["video"]
        if track.ssrc == ssrc and track.source is not None:
            track.source.want_key_frame()

    def connected(self, seat: Seat) -> None:
        """A leg has its keys: what it sees should begin with a key frame."""
        for track in seat.down.values():
            if track.source is not None:
                track.source.want_key_frame()

    def cap_for(self, seat: Seat, cap: Cap) -> int | None:
        """The cap for this seat's picture: the worst of those who receive it."""
        caps = [
            decided
            for sink, down in self._routes.get((seat.name, "video"), ())
            if sink.leg is not None
            and (
                decided := cap.decide(
                    rate=sink.leg.bitrate_down,
                    loss=down.loss,
                    remb=down.remb,
                    falling=down.remb_falling,
                )
            )
            is not None
        ]
        return min(caps, default=None)
