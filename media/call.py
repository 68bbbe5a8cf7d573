"""One call: its seats, and which seat's packets go to which others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from media.downstream import DownTrack
from media.rtcp import ReportBlock
from media.sdp import SLOTS
from media.upstream import UpTrack

if TYPE_CHECKING:
    from media.leg import Leg


Plan = Mapping[str, Sequence[str | None]]

# bit/s: who only looks on, while the sender has somebody else before them, has the sound alone when
# their line carries less than this of the picture
ASIDE_LEAST = 200_000


class Seat:
    """A leg's place in the call: what goes down to it outlives the leg."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.leg: Leg | None = None
        self.coming: Leg | None = None  # takes over when it has its keys; until then `leg` carries
        self.former: Leg | None = None  # taken over from: still heard for a moment
        self.former_until = 0.0
        self.withheld: frozenset[str] = frozenset()  # of what comes from here: it goes to nobody
        self.quiet = False  # nothing should come from here now
        # by slot: the first of each kind is the main one, the others carry further parties
        self.down = {slot: DownTrack(kind) for slot, (kind, _) in SLOTS.items()}

    @property
    def legs(self) -> tuple[Leg, ...]:
        """Every connection to this seat: what carries, what will, and what has just done so."""
        if self.leg is not None and self.coming is None and self.former is None:  # as nearly always
            return (self.leg,)
        return tuple(leg for leg in (self.leg, self.coming, self.former) if leg is not None)

    @property
    def ssrc(self) -> int:
        """The name under which we send reports and requests to this browser."""
        return self.down["video"].ssrc

    def reported(self, ssrc: int, block: ReportBlock, now: float) -> None:
        for track in self.down.values():
            if track.ssrc == ssrc:
                track.received(block, now)

    def resend(self, leg: Leg, ssrc: int, lost: Collection[int], now: float) -> None:
        """Answer a browser's request for what it misses."""
        for track in self.down.values():
            if track.ssrc == ssrc:
                for seq in lost:
                    packet = track.resend(seq, now)
                    if packet is not None:
                        leg.send_rtp(packet)
                if track.owes:
                    leg.look_soon()

    def second_repairs(self, leg: Leg, now: float) -> bool:
        """Send by `leg` what goes twice; whether more of it is to come."""
        owed = False
        for track in self.down.values():
            if track.owes:
                for packet in track.second_repairs(now):
                    leg.send_rtp(packet)
                owed = owed or track.owes
        return owed


class Call:
    """The seats of one session and the plan of who hears and sees whom."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seats: dict[str, Seat] = {}
        self.hurries = False  # something is missing, or owed: it is looked at at each turn
        self._plan: dict[str, dict[str, tuple[str | None, ...]]] | None = None  # by kind

    def seat(self, name: str) -> Seat:
        if name not in self.seats:
            self.seats[name] = Seat(name)
        return self.seats[name]

    def plan(self, hears: Plan | None, sees: Plan | None = None) -> None:
        """Who hears and who sees whom, by sink; None: everybody everybody else."""
        if hears is None:
            self._plan = None
        else:
            by_kind = {"audio": hears, "video": hears if sees is None else sees}
            self._plan = {
                kind: {sink: tuple(sources) for sink, sources in plan.items()}
                for kind, plan in by_kind.items()
            }
        self.sources_changed()

    def withhold(self, seat: Seat, kinds: Collection[str], quiet: bool, now: float) -> None:
        """Give on nothing of these kinds that comes from this seat, whatever its legs send."""
        withheld = frozenset(kinds)
        if (withheld, quiet) == (seat.withheld, seat.quiet):
            return
        seat.withheld, seat.quiet = withheld, quiet
        for leg in seat.legs:
            leg.expected(now)
        self.sources_changed()

    def move(self, name: str, to: str) -> None:
        """Seat and leg go on under another name; whoever sat there must have been put out."""
        seat = self.seats.pop(name)
        self.seats.pop(to, None)
        seat.name = to
        self.seats[to] = seat
        self.sources_changed()

    def sources_changed(self) -> None:
        """Find each sink's source of each slot anew, and ask new ones for a key frame."""
        routes: dict[UpTrack, list[tuple[Seat, DownTrack]]] = {}
        for seat in self.seats.values():
            for leg in seat.legs:
                routes |= {track: [] for track in leg.up.values()}
        for sink in self.seats.values():
            for slot, down in sink.down.items():
                source = self._source(sink.name, *SLOTS[slot])
                if source is not None and source[1].kind in self.seats[source[0]].withheld:
                    source = None
                changed = down.source is not (source[1] if source else None)
                down.follow(source[1] if source else None)
                if source is not None and sink.leg and down.wanted and not down.paused:
                    routes.setdefault(source[1], []).append((sink, down))
                    if changed:
                        source[1].want_key_frame()
        for track, sinks in routes.items():
            track.routes = tuple(sinks)

    def part(self) -> None:
        """The call is over: nobody follows anybody, so that what was kept for repairs is free now,
        and does not wait for the collector, which looks rarely."""
        for seat in self.seats.values():
            for down in seat.down.values():
                if down.source is not None:
                    down.source.routes = ()
                down.follow(None)

    def _source(self, sink: str, kind: str, number: int) -> tuple[str, UpTrack] | None:
        """What a sink's slot carries: the plan names a seat for each, without one all line up."""
        if self._plan is not None:
            planned = self._plan[kind].get(sink, ())
            name = planned[number] if number < len(planned) else None
            track = self._up(name, kind) if name is not None else None
            return None if name is None or track is None else (name, track)
        found = [
            (name, track)
            for name in self.seats
            if name != sink and (track := self._up(name, kind)) is not None
        ]
        return found[number] if number < len(found) else None

    def _up(self, name: str, kind: str) -> UpTrack | None:
        """A seat's stream: of a leg that has just taken over, as soon as it comes by that."""
        seat = self.seats.get(name)
        legs = () if seat is None else (seat.leg, seat.former)
        found = [leg.up[kind] for leg in legs if leg is not None and kind in leg.up]
        return next((track for track in found if track.flowed), next(iter(found), None))

    def key_frame_for(self, sink: Seat, ssrc: int) -> None:
        """A browser asks for a key frame of what it receives."""
        for track in sink.down.values():
            if track.ssrc == ssrc and track.source is not None:
                track.source.want_key_frame()

    def connected(self, seat: Seat) -> None:
        """A leg has its keys: what it sees should begin with a key frame."""
        for track in seat.down.values():
            if track.source is not None:
                track.source.want_key_frame()

    def cap_for(self, seat: Seat, now: float) -> int | None:
        """The cap for this seat's picture: the worst of those who receive it. Of somebody at the
        side no thin line takes it from the others: below `ASIDE_LEAST` it goes on without them.
        """
        track = self._up(seat.name, "video")
        caps: list[int] = []
        changed = False
        for sink, down in self._receivers(track):
            if down.paused:
                changed |= down.resumes(now)
                continue
            cap = down.decide_cap(sink.leg.bitrate_down if sink.leg else 0)
            if cap is None:
                continue
            if cap < ASIDE_LEAST and self._aside(seat.name, sink.name):
                down.pause(now)
                changed = True
            else:
                caps.append(cap)
        if changed:
            self.sources_changed()
            if track is not None:
                track.want_key_frame()
        return min(caps, default=None)

    def _receivers(self, track: UpTrack | None) -> list[tuple[Seat, DownTrack]]:
        return [
            (sink, down)
            for sink in self.seats.values()
            for down in sink.down.values()
            if down.source is track and track is not None and sink.leg is not None and down.wanted
        ]

    def _aside(self, source: str, sink: str) -> bool:
        """Whether a source has somebody else before it, large: this one only looks on."""
        large = () if self._plan is None else self._plan["video"].get(source, ())
        return bool(large) and large[0] is not None and large[0] != sink
