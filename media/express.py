"""The usual packet's way through the bridge: in one piece, where it lies, a run of them at a time.

Nearly every packet is the next one of a stream that flows, for one receiver who is ready for it.
Nothing is to be decided about such a packet, so it is opened, given its new header and sealed in
the memory that it was read into, and what is counted is counted once for all that came together.
Whatever else it may be, it goes the long way (`Leg.on_srtp`), from where it lies untouched: this
here knows no rule of its own, and may say no to any packet.
"""

from __future__ import annotations

import logging
import struct
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from media import datagrams, rtp, srtp
from media.datagrams import (
    COUNT,
    HEAD,
    NAME,
    NAME_SIZE_AT,
    SIZE_AT,
    SLOT,
    STEP_32,
    STEP_WORD,
    Inbox,
    Name,
    Outbox,
)
from media.downstream import FAR, DownTrack, Written
from media.leg import MOST_ARRIVALS, Leg, Path
from media.upstream import UpTrack

if TYPE_CHECKING:
    from media.bridge import Bridge, Socket

log = logging.getLogger(__name__)

LAYOUTS = 3  # of header extensions that are remembered of a stream
MOST_LANES = 4_096
_FIXED = "!BxxxxxxxI"  # of a header, what must be as it was: its first byte, the stream's name

# for whom a lane's packets are: leg, stream, socket, the address and its size; what they need: keys
# to open and to seal, a payload type, how a header is written and where it begins, all the places
Going = tuple[
    Leg, DownTrack, "Socket", int, int, Any, Any, int, Written, int,
    list[srtp.Place], list[srtp.Place],
]  # fmt: skip


class Layout:
    """Where a stream's packets have what the bridge reads, as long as `heads` is what it was."""

    __slots__ = ("at", "heads", "level_at", "numbered", "same", "values")

    def __init__(self, packet: bytes, number: int, level: int) -> None:
        """Of a packet with one-byte extensions, or none. Raises ValueError for any other."""
        first = packet[0]
        if first & 0xEF != 0x80:
            raise ValueError("padded, or with contributing sources")
        heads, number_at, self.level_at, self.at = _FIXED, 0, 0, 12
        if first & 0x10:
            if len(packet) < 16:
                raise ValueError("cut off")
            profile, words = struct.unpack_from("!HH", packet, 12)
            self.at = 16 + 4 * words
            if profile != rtp.ONE_BYTE or self.at > len(packet):
                raise ValueError("another kind of extensions")
            heads += "I"
            at = 16
            while at < self.at:
                head = packet[at]
                ident, size = head >> 4, (head & 0x0F) + 1 if head else 0
                if ident == 15 or at + 1 + size > self.at or (head and not ident):
                    raise ValueError("extensions that end early")
                if ident and ident == number and size == 2:
                    number_at = at + 1
                elif ident and ident == level:
                    self.level_at = at + 1
                heads += f"B{size}x"
                at += 1 + size
        self.heads: Callable[..., tuple[int, ...]] = struct.Struct(heads).unpack_from
        self.same = self.heads(packet)
        self.numbered = number_at > 0
        # the second byte, the sequence number, the timestamp, the transport-wide number
        gap = number_at - 8 if number_at else 0
        self.values: Callable[..., tuple[int, int, int, int]] = struct.Struct(
            f"!xBHI{gap}xH"
        ).unpack_from


class Lane:
    """One stream from one address, and what its next packets need if nothing is to be decided.

    What was found for it holds as long as the very same objects are where they were: a call's
    routes, a leg's streams, its handshake and its path are made anew when anything about them
    changes.
    """

    __slots__ = (
        "_down", "_handshakes", "_layouts", "_path", "_routes", "_streams", "_there", "_to",
        "going", "layout", "leg", "path", "track",
    )  # fmt: skip

    def __init__(self, leg: Leg, track: UpTrack, path: tuple[Socket, tuple[str, int]]) -> None:
        self.leg, self.track, self.path = leg, track, path
        self.layout: Layout | None = None
        self.going: Going | None = None
        self._layouts: list[Layout] = []
        self._streams = leg._streams

    def holds(self) -> bool:
        """Whether what comes from this address under this name still is this stream."""
        port, address = self.path
        return port.legs.get(address) is self.leg and self._streams is self.leg._streams

    def learn(self, packet: bytes) -> None:
        """Remember how this packet is laid out, and make way for it."""
        try:
            layout = Layout(packet, self.track.number_id, self.track.level_id)
        except ValueError:
            return
        self._layouts = [layout, *self._layouts[: LAYOUTS - 1]]

    def lays(self, view: memoryview[int], at: int) -> Layout | None:
        """The layout that fits the packet there; then it is the one in use."""
        for layout in self._layouts:
            if layout.heads(view, at) == layout.same:
                self.layout, self.going = layout, None
                return layout
        return None

    def goes(self, now: float) -> bool:
        """Whether the next packets go on as those before did."""
        leg, track, (port, address) = self.leg, self.track, self.path
        there, down = self._there, self._down
        return (
            self._routes is track.routes
            and self._streams is leg._streams
            and self._handshakes[0] is leg._dtls
            and self._handshakes[1] is there._dtls
            and self._path is there._path
            and port.legs.get(address) is leg
            and not leg.silent
            and now < leg.second_ends
            and leg.left >= COUNT
            and len(leg.arrivals) < MOST_ARRIVALS - COUNT
            and (track.highest - down.first_seq) & 0xFFFF <= FAR
            and down.started
        )

    def prepare(self, layout: Layout, express: Express, inbox: Inbox) -> Going | None:
        """Find for whom its packets are and what they need, if nothing is to be decided."""
        leg, track = self.leg, self.track
        if not self.holds() or len(track.routes) != 1:
            return None
        sink, down = track.routes[0]
        there, section = sink.leg, down.section
        if there is None or section is None or down.source is not track:
            return None
        if leg._dtls is None or there._dtls is None or there._path is None:
            return None
        here, beyond, to = leg._dtls.srtp, there._dtls.srtp, express.name(there._path)
        if here is None or beyond is None or to is None:
            return None
        self._routes, self._there, self._down, self._path = track.routes, there, down, there._path
        self._handshakes, self._to = (leg._dtls, there._dtls), to  # it lies in memory of its own
        written = down.written(None)
        begins = layout.at - written[0].size
        return (
            there, down, cast("Socket", there._path[0]), to.at, to.size,
            here.inbound.pointer, beyond.outbound.pointer, section.payload_type, written, begins,
            express.places(inbox, HEAD), express.places(inbox, HEAD + begins),
        )  # fmt: skip


class Express:
    """All lanes of a bridge, and what waits to be sent for them."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        # by the address's bytes and the stream's; of the socket where it was heard last
        self._lanes: dict[bytes, Lane] = {}
        self._outbox = Outbox()
        outbox = self._outbox
        self._out = outbox.pieces, outbox.names, outbox.name_sizes
        self._stamp = self._time_24 = 0  # of this batch, as extensions say it
        self._waiting = 0
        self._by: Socket | None = None  # what waits goes by this
        self._addresses: dict[bytes, tuple[str, int]] = {}  # of legs, by their bytes
        self._names: dict[tuple[Socket, tuple[str, int]], Name | None] = {}
        self._places: dict[tuple[int, int], list[srtp.Place]] = {}

    def forget(self, leg: Leg) -> None:
        """It is gone."""
        self._lanes = {key: lane for key, lane in self._lanes.items() if lane.leg is not leg}
        self._names.clear()
        self._addresses.clear()

    def take(self, port: Socket, inbox: Inbox, count: int) -> None:
        """What one socket has read: everything is done with it when this returns."""
        now = time.monotonic()
        self._stamp = int(now * 1_000_000)
        self._time_24 = int(now * rtp.SEND_TIME_RATE) & 0xFFFFFF
        i = 0
        while i < count:
            before, i = i, i + 1  # whatever happens: no packet is looked at twice
            try:
                after = self._ride(port, inbox, before, count, now)
                if after > before:
                    self._bridge.packets_in += after - before
                    i = after
                else:
                    self._walk(port, inbox, before)
            except Exception:
                # the supervisor of datagrams: one packet's trouble is nobody else's
                if not self._bridge.count_drop("internal"):
                    log.exception("datagram.failed")
        self.flush()

    def flush(self) -> None:
        """Send what waits."""
        if self._waiting and self._by is not None:
            count, self._waiting = self._waiting, 0
            self._bridge.sent(count, self._outbox.send(self._by.number, count))

    # --- the long way -----------------------------------------------------------------------------

    def _walk(self, port: Socket, inbox: Inbox, i: int) -> None:
        """Everything that is not usual; afterwards its like may be."""
        self.flush()  # so that nothing overtakes
        data, name = inbox.data(i), inbox.name(i)
        address = self._addresses.get(name) or inbox.address(i)
        port.received(data, address)
        if len(data) >= 12 and 128 <= data[0] < 192 and not 192 <= data[1] <= 223:
            self._learn(port, inbox, i, data, address)

    def _learn(
        self, port: Socket, inbox: Inbox, i: int, data: bytes, address: tuple[str, int]
    ) -> None:
        leg = port.legs.get(address)
        known = None if leg is None else leg._streams.get(int.from_bytes(data[8:12], "big"))
        if leg is None or known is None or known[1]:
            return
        if known[0].highest & 0xFFFF != int.from_bytes(data[2:4], "big"):
            return  # it was not taken as the newest, or not at all
        name = inbox.name(i)
        key = name + data[8:12]
        lane = self._lanes.get(key)
        if lane is None or lane.path[0] is not port or not lane.holds():
            if len(self._lanes) >= MOST_LANES:
                self._lanes.clear()
                self._addresses.clear()
            self._addresses[name] = address
            lane = self._lanes[key] = Lane(leg, known[0], (port, address))
        if lane.lays(inbox.view, i * SLOT + HEAD) is None:
            lane.learn(data)

    # --- the short way ----------------------------------------------------------------------------

    def name(self, path: Path) -> Name | None:
        """A path's address, as the system wants it."""
        port, address = cast("Socket", path[0]), path[1]
        if (port, address) not in self._names:
            if len(self._names) >= MOST_LANES:
                self._names.clear()
            self._names[port, address] = datagrams.name_of(address, port.family)
        return self._names[port, address]

    def places(self, inbox: Inbox, offset: int) -> list[srtp.Place]:
        """So far into what each datagram has of the memory."""
        places = self._places.get((inbox.at, offset))
        if places is None:
            places = [srtp.place(inbox.at + i * SLOT + offset) for i in range(COUNT)]
            self._places[inbox.at, offset] = places
        return places

    def _ride(self, port: Socket, inbox: Inbox, i: int, count: int, now: float) -> int:
        """Send on the packets from `i` that are one stream's next ones; where it ended."""
        at, name = i * SLOT + HEAD, inbox.name(i)
        lane = self._lanes.get(name + inbox.memory[at + 8 : at + 12])
        if lane is None or lane.path[0] is not port:
            return i
        layout = lane.layout
        if layout is None or layout.heads(inbox.view, at) != layout.same:
            layout = lane.lays(inbox.view, at)
        if layout is None:
            return i
        if lane.going is None or not lane.goes(now):
            lane.going = lane.prepare(layout, self, inbox)
            if lane.going is None or not lane.goes(now):
                return i
        return self._carry(lane, layout, lane.going, inbox, i, count, now)

    def _carry(
        self,
        lane: Lane,
        layout: Layout,
        going: Going,
        inbox: Inbox,
        i: int,
        count: int,
        now: float,
    ) -> int:
        """Open, rewrite and seal where they lie the lane's packets from `i`; where they ended.

        One loop without calls of ours, because nothing else here is done as often.
        """
        (
            there, down, by, to, to_size, opening, sealing, payload_type, written, begins,
            lying, starts,
        ) = going  # fmt: skip
        if self._by is not by:
            self.flush()
            self._by = by
        leg, track, name = lane.leg, lane.track, inbox.name(i)
        memory, view, sizes, names = inbox.memory, inbox.view, inbox.sizes, inbox.names
        heads, same, values, head = layout.heads, layout.same, layout.values, layout.at
        level_at, numbered = layout.level_at, layout.numbered
        length, opens, seals = srtp.length, srtp.opens, srtp.seals
        cache, mask, arrived = track.kept, track.room - 1, leg.arrivals.append
        ssrc, seq_offset, timestamp_offset = down.ssrc, down.seq_offset, down.timestamp_offset
        out, pieces, to_names, to_sizes = self._waiting, *self._out
        stamp, time_24 = self._stamp, self._time_24
        writes, first, before, timed, after = written
        base, least, name_end = inbox.at, head + srtp.LONGEST_TAG, len(name)
        most = min(srtp.LONGEST, srtp.LONGEST - srtp.TRAILER + begins)  # as the long way has it
        level: int | None = None
        seq, timestamp = track.highest & 0xFFFF, track.timestamp
        got = octets = sent = octets_sent = refused = 0
        at = i * SLOT + HEAD
        try:
            while True:
                size = sizes[i * STEP_32 + SIZE_AT]
                second, this, stamped, number = values(view, at)
                if (
                    this != (seq + 1) & 0xFFFF
                    or not least <= size <= most
                    or 192 <= second <= 223  # a report (RFC 5761)
                ):
                    break
                length[0] = size
                if opens(opening, lying[i], length):
                    refused += 1
                else:
                    begin, end, seq = at + head, at + length[0], this
                    got += 1
                    octets += end - begin
                    cache[seq & mask] = (seq, stamped, second >> 7, memory[begin:end])
                    if numbered:
                        arrived((number, stamp))
                    if stamped != timestamp:
                        timestamp = stamped
                        track.measure_jitter(timestamp, now)
                    if level_at and view[at + level_at] != level:
                        level = view[at + level_at]
                        writes, first, before, timed, after = down.written(level)
                    start = at + begins
                    writes.pack_into(
                        view, start, first, (second & 0x80) | payload_type,
                        (seq + seq_offset) & 0xFFFF, (timestamp + timestamp_offset) & 0xFFFFFFFF,
                        ssrc, before, timed | time_24 if timed else b"", after,
                    )  # fmt: skip
                    length[0] = end - start
                    if seals(sealing, starts[i], length):
                        there.dropped["protect"] += 1
                    else:
                        sent += 1
                        octets_sent += end - start
                        pieces[2 * out], pieces[2 * out + 1] = base + start, length[0]
                        to_names[out * STEP_WORD] = to
                        to_sizes[out * STEP_32 + NAME_SIZE_AT] = to_size
                        out += 1
                i += 1
                at += SLOT
                if (
                    i == count
                    or heads(view, at) != same
                    or names[i * NAME : i * NAME + name_end] != name
                ):
                    break
        finally:
            self._waiting = out
            if refused:
                leg.dropped["srtp"] += refused
            if got:
                track.took(got, octets, timestamp, now)
                leg.took(got, lane.path, now)
                down.gave(got, octets, seq, timestamp, now)
                there.gave(sent, octets_sent)
        return i
