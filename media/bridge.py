"""The bridge of one process: sockets, calls, and the time that drives them.

Everything in a datagram's way is synchronous: no task, no queue, no log. A datagram is looked up by
the address it comes from, and an address is only known after a genuine ICE check.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import socket
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import cast

import ifaddr

from media import datagrams, sdp, stun
from media.api import BridgeSettings, BridgeTotals, LegEvent, LegEventKind, LegStats
from media.call import Call, Seat
from media.dtls import Identity
from media.errors import NoSocket, NotStarted, TooManyCalls, TooManyLegs
from media.express import Express
from media.leg import Leg
from media.strangers import Strangers

log = logging.getLogger(__name__)

TICK_SECONDS = 0.02  # of one call that misses nothing
OVERLAP_SECONDS = 1.0  # of a leg that was taken over from: its page closes it about then
TURNS = 4  # a tick's calls take turns, so that no datagram waits for all of them
TRIES_FOR_A_PORT = 20
SOCKET_BUFFER = 4 << 20
ANSWER = b"\x01\x01"  # how a STUN success response begins
READS = 4  # of a socket, before others on this loop get their turn
# when a process with a bridge lets its collector look: rarely, because each packet that is kept for
# repairs is an object until it has looked, and Python's own 700 would have it look all the time
COLLECTING = (20_000, 20, 20)


class Socket:
    """One bound address: datagrams are read in batches and sent at once, without a transport."""

    def __init__(self, bridge: Bridge, address: str, port: int) -> None:
        self.address = address
        self.legs: dict[tuple[str, int], Leg] = {}  # by the address that they come from
        self._bridge = bridge
        self._loop = asyncio.get_running_loop()
        self._sock = socket.socket(
            socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM
        )
        try:
            self._sock.setblocking(False)
            if self._sock.family == socket.AF_INET6:
                self._sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                self._sock.setsockopt(socket.SOL_SOCKET, buffer, SOCKET_BUFFER)
            self._sock.bind((address, port))
        except OSError:
            self._sock.close()
            raise
        self.port: int = self._sock.getsockname()[1]
        self.number = self._sock.fileno()
        self.family = self._sock.family
        self._sendto = self._sock.sendto
        if datagrams.AVAILABLE:
            self._loop.add_reader(self.number, self._many, datagrams.Inbox(self.family))
        else:
            self._loop.add_reader(self.number, self._one_by_one)

    def _many(self, inbox: datagrams.Inbox) -> None:
        """What is there, up to a bound; others on this loop get their turn in between."""
        for _ in range(READS):
            count = inbox.read(self.number)
            if count <= 0:
                if count < 0 and datagrams.failed():
                    self._bridge.count_drop("unreachable")
                return
            self._bridge.express.take(self, inbox, count)

    def _one_by_one(self) -> None:
        """The same, where the system gives one at a time."""
        for _ in range(datagrams.COUNT):
            try:
                data, address = self._sock.recvfrom(datagrams.LARGEST)
            except BlockingIOError:
                return
            except OSError:
                self._bridge.count_drop("unreachable")
                return
            try:
                self.received(data, address[:2])
            except Exception:
                # the supervisor of datagrams: one packet's trouble is nobody else's
                if not self._bridge.count_drop("internal"):
                    log.exception("datagram.failed")

    def received(self, data: bytes, address: tuple[str, int]) -> None:
        """Take a datagram."""
        self._bridge._received(self, data, address)

    def send(self, data: bytes, address: tuple[str, int]) -> None:
        """Send at once. What the system does not take now is dropped, as on any full line."""
        try:
            self._sendto(data, address)
        except OSError:
            self._bridge.count_drop("unreachable")
        else:
            self._bridge.packets_out += 1

    def close(self) -> None:
        """Close the socket; the port is free again afterwards."""
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock.fileno())
            self._sock.close()


class Bridge:
    """Forwards encoded media between the legs of its calls. `start` before use."""

    def __init__(self, settings: BridgeSettings, on_event: Callable[[LegEvent], None]) -> None:
        self.settings = settings
        self.port = 0
        self.packets_in = 0
        self.packets_out = 0
        self._on_event = on_event
        self._identity = Identity()
        self.express = Express(self)
        self._sockets: list[Socket] = []
        self._calls: dict[str, Call] = {}
        self._by_fragment: dict[str, Leg] = {}
        self._strangers = Strangers()
        self._dropped: Counter[str] = Counter()
        self._versions = 0
        self._ticking: asyncio.TimerHandle | None = None
        self._turn = 0

    # --- life -------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Bind one UDP port on every address. Raises NoSocket."""
        if self._sockets:
            return
        addresses = self.settings.addresses or tuple(own_addresses())
        tries = 1 if self.settings.port else TRIES_FOR_A_PORT
        for attempt in range(tries):
            try:
                self._bind(addresses)
            except OSError as error:
                self._unbind()
                # a port that is free on one address may be taken on another
                if error.errno != errno.EADDRINUSE or attempt == tries - 1:
                    raise NoSocket from error
            else:
                break
        self._tick()

    def _bind(self, addresses: Collection[str]) -> None:
        port = self.settings.port
        for address in addresses:
            self._sockets.append(Socket(self, address, port))
            port = self._sockets[-1].port
        self.port = port

    def _unbind(self) -> None:
        for each in self._sockets:
            each.close()
        self._sockets = []

    async def close(self) -> None:
        """Close every call and socket. Safe to call twice."""
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
        for name in list(self._calls):
            self.close_call(name)
        self._unbind()

    # --- calls ------------------------------------------------------------------------------------

    def describe(self, call: str, seat: str, generation: str, description: str) -> str:
        """Answer a browser's offer for its seat.

        The same generation again is a renegotiation or an ICE restart. A new one takes the seat's
        place: at once where nothing is connected there, and else when it is connected itself, so
        that what still carries carries until then. Raises BadDescription, TooManyLegs,
        TooManyCalls, NotStarted; then nothing has changed.
        """
        if not self._sockets:
            raise NotStarted
        sdp.read(description)  # refuse before anything is made
        place = self._place(call, seat)
        leg = next((one for one in place.legs if one.generation == generation), None)
        if leg is not None:
            offered = leg.describe(description)
        else:
            leg = Leg(
                self._calls[call],
                place,
                generation,
                self._identity,
                time.monotonic(),
                self._leg_event,
                self.settings.max_packets_per_second,
            )
            offered = leg.describe(description)
            self._seat(place, leg)
        for fragment in leg.retired():
            self._by_fragment.pop(fragment, None)
        self._by_fragment[leg.newest.fragment] = leg
        if leg is place.leg:
            self._fit(leg)
        self._versions += 1
        return sdp.answer(offered, self._ours(leg))

    def _seat(self, place: Seat, fresh: Leg) -> None:
        """A new connection to a seat: beside the one that carries, or in its place."""
        if place.coming is not None:
            self._forget(place.coming)
            place.coming = None
        if place.leg is not None and place.leg.connected:
            place.coming = fresh
        else:
            self._take_over(fresh)

    def _take_over(self, leg: Leg) -> None:
        """From now on this leg is the seat's: what goes down goes by it, and what comes up is taken
        from the one before for a moment more, until the same comes by this one."""
        place = leg.seat
        self._let_go(place)
        if place.leg is not None and place.leg.connected:
            place.former, place.former_until = place.leg, time.monotonic() + OVERLAP_SECONDS
        elif place.leg is not None:
            self._forget(place.leg)
        place.leg, place.coming = leg, None
        for track in place.down.values():
            track.restart()

    def _let_go(self, place: Seat) -> None:
        """What was taken over from is not known any more."""
        if place.former is not None:
            self._forget(place.former)
            place.former = None

    def _fit(self, leg: Leg) -> None:
        """Send to the seat what its leg has described, as it has described it."""
        sections = leg.offered.sections if leg.offered is not None else {}
        for slot, track in leg.seat.down.items():
            track.shape(sections.get(slot))
        leg.call.sources_changed()
        if leg.connected:
            leg.call.connected(leg.seat)

    async def answer(self, call: str, seat: str, generation: str, description: str) -> str:
        """`describe`, for who need not know in which process the bridge is."""
        return self.describe(call, seat, generation, description)

    def _place(self, call: str, seat: str) -> Seat:
        """The seat, made if there is room for it. Raises TooManyLegs, TooManyCalls."""
        known = self._call(call)
        if seat not in known.seats and len(known.seats) >= self.settings.max_legs_per_call:
            raise TooManyLegs
        return known.seat(seat)

    def _ours(self, leg: Leg) -> sdp.Ours:
        return sdp.Ours(
            fragment=leg.newest.fragment,
            password=leg.newest.password,
            fingerprint=self._identity.fingerprint,
            candidates=self._candidates(),
            ssrcs={slot: (t.ssrc, t.repair_ssrc) for slot, t in leg.seat.down.items()},
            version=self._versions,
        )

    def _candidates(self) -> list[tuple[str, int]]:
        """Where browsers may reach us, the likeliest first and loopback last."""
        addresses = self.settings.public_addresses or tuple(s.address for s in self._sockets)
        ordered = sorted(addresses, key=lambda a: ipaddress.ip_address(a).is_loopback)
        return [(address, self.port) for address in ordered]

    def plan(
        self,
        call: str,
        hears: Mapping[str, Sequence[str | None]],
        sees: Mapping[str, Sequence[str | None]] | None = None,
    ) -> None:
        """Who hears and who sees whom: each sink's source seats by slot, None for an empty one.

        Without `sees`, whoever is heard is seen. Raises TooManyCalls.
        """
        self._call(call).plan(hears, sees)

    def withhold(self, call: str, seat: str, kinds: Collection[str], *, quiet: bool) -> None:
        """A side has said that it sends no sound, no picture, or neither: nobody gets any of it,
        whatever its browser sends all the same. Holds over new legs; () lets everything through.
        `quiet`: nothing at all is sent now, so that it is not missed.

        Nothing happens when there is no such seat.
        """
        known = self._calls.get(call)
        if known is not None and seat in known.seats:
            known.withhold(known.seats[seat], kinds, quiet, time.monotonic())

    def move(self, call: str, seat: str, to: str) -> None:
        """A leg goes on in another seat, without a new description; who sat there is put out.

        Nothing happens when there is no such seat.
        """
        known = self._calls.get(call)
        if known is None or seat not in known.seats or seat == to:
            return
        self.leave(call, to)
        known.move(seat, to)

    def leave(self, call: str, seat: str, generation: str | None = None) -> None:
        """Put a seat's legs out; with `generation`, only that one. Idempotent."""
        known = self._calls.get(call)
        place = known.seats.get(seat) if known is not None else None
        if known is None or place is None:
            return
        gone = [leg for leg in place.legs if generation in (None, leg.generation)]
        for leg in gone:
            self._put_out(leg)
        if gone:
            known.sources_changed()

    def _put_out(self, leg: Leg) -> None:
        self._forget(leg)
        place = leg.seat
        if place.leg is leg:
            place.leg = None
        elif place.coming is leg:
            place.coming = None
        else:
            place.former = None

    def close_call(self, call: str) -> None:
        """End a call and all its legs. Idempotent."""
        known = self._calls.pop(call, None)
        if known is None:
            return
        for place in known.seats.values():
            for leg in place.legs:
                self._put_out(leg)
        known.part()

    def calls(self) -> list[str]:
        """The calls that are carried now."""
        return list(self._calls)

    def stats(self, call: str) -> list[LegStats]:
        """The call's legs at this moment; empty for an unknown call."""
        known = self._calls.get(call)
        now = time.monotonic()
        seats = known.seats.values() if known is not None else ()
        return [place.leg.stats(now) for place in seats if place.leg is not None]

    def totals(self) -> BridgeTotals:
        """This process since its start."""
        legs = set(self._by_fragment.values())
        dropped = sum((leg.dropped for leg in legs), self._dropped)
        return BridgeTotals(
            calls=len(self._calls),
            legs=len(legs),
            packets_in=self.packets_in,
            packets_out=self.packets_out,
            dropped=dict(dropped),
        )

    def _call(self, name: str) -> Call:
        if name not in self._calls:
            if len(self._calls) >= self.settings.max_calls:
                raise TooManyCalls
            self._calls[name] = Call(name)
        return self._calls[name]

    def _forget(self, leg: Leg) -> None:
        self._dropped.update(leg.dropped)
        for fragment in leg.credentials:
            self._by_fragment.pop(fragment, None)
        self._strangers.forget(leg)
        self.express.forget(leg)
        for port in self._sockets:
            for address in [a for a, owner in port.legs.items() if owner is leg]:
                del port.legs[address]

    def _leg_event(
        self, leg: Leg, kind: LegEventKind, medium: str | None, reason: str | None
    ) -> None:
        if kind is LegEventKind.CONNECTED and leg is leg.seat.coming:
            self._take_over(leg)
            self._fit(leg)
        elif kind in (LegEventKind.CONNECTED, LegEventKind.RESUMED):
            leg.call.connected(leg.seat)  # it sees nothing before the next key frame
        self._on_event(LegEvent(leg.call.name, leg.seat.name, leg.generation, kind, medium, reason))

    # --- datagrams --------------------------------------------------------------------------------

    def count_drop(self, reason: str) -> int:
        """Count it; how often that had happened before."""
        self._dropped[reason] += 1
        return self._dropped[reason] - 1

    def sent(self, wanted: int, taken: int) -> None:
        """So many were to be sent in one go, and so many the system took."""
        self.packets_out += taken
        if taken < wanted:
            self._dropped["unreachable"] += wanted - taken

    def _received(self, port: Socket, data: bytes, address: tuple[str, int]) -> None:
        self.packets_in += 1
        if len(data) < 13:
            self._dropped["short"] += 1
            return
        first = data[0]
        if first < 4:
            self._on_stun(port, data, address)
            return
        leg = port.legs.get(address)
        now = time.monotonic()
        if leg is None:
            if not self._asks(port, data, address, now):
                self._dropped["unknown-address"] += 1
            return
        if 128 <= first < 192:
            leg.on_srtp(data, now, (port, address))
        elif 20 <= first < 64:
            leg.on_dtls(data, now)
        else:
            self._dropped["unknown-protocol"] += 1

    def _asks(self, port: Socket, data: bytes, address: tuple[str, int], now: float) -> bool:
        """Whether a stranger's packet is that of somebody we miss, who is asked then."""
        if not 128 <= data[0] < 192 or not self._strangers.worth_a_look(now):
            return False
        ssrc, path = int.from_bytes(data[8:12], "big"), (port, address)
        for leg in set(self._by_fragment.values()):
            if not leg.misses(ssrc, now):
                continue
            if not leg.heard_elsewhere(data, now, path):
                self._strangers.refused()
                continue
            question = self._strangers.question(leg, path, now)
            if question is not None:
                port.send(question, address)
            return True
        return False

    def _on_answer(self, port: Socket, data: bytes, address: tuple[str, int]) -> None:
        now = time.monotonic()
        leg = self._strangers.answered(data, (port, address), now)
        if leg is None:
            self._dropped["stun-unknown"] += 1
            return
        leg.found((port, address), now)
        self._reached(leg, port, address)

    def _reached(self, leg: Leg, port: Socket, address: tuple[str, int]) -> None:
        """A leg's packets come from there; those of too many other places no more."""
        port.legs[address] = leg
        for path in leg.trimmed_paths():
            known = cast("Socket", path[0]).legs
            if known.get(path[1]) is leg:
                del known[path[1]]

    def _on_stun(self, port: Socket, data: bytes, address: tuple[str, int]) -> None:
        if data[:2] == ANSWER:
            self._on_answer(port, data, address)
            return
        fragment = stun.local_fragment(data)
        leg = self._by_fragment.get(fragment) if fragment is not None else None
        if leg is None or fragment is None:
            self._dropped["stun-unknown"] += 1
            return
        check = stun.parse(data, fragment)
        if check is None:
            self._dropped["stun-malformed"] += 1
            return
        if leg.checked(port, address, check, time.monotonic()):
            self._reached(leg, port, address)

    # --- time -------------------------------------------------------------------------------------

    def _tick(self) -> None:
        now, wall = time.monotonic(), time.time()
        self._ticking = asyncio.get_running_loop().call_later(TICK_SECONDS / TURNS, self._tick)
        self._turn = (self._turn + 1) % TURNS
        calls = list(self._calls.values())
        hurried = [call for call in calls if call.hurries]
        for call in {*calls[self._turn :: TURNS], *hurried}:
            call.hurries = False
            for leg in self._due(call, now):
                try:
                    leg.tick(now, wall, self.settings.silence_after)
                except Exception:
                    log.exception("leg.failed seat=%s", leg.seat.name)
                    self._close_leg(leg, "failed")
                    continue
                waited = now - leg.made_at
                if not leg.connected and waited > self.settings.never_connected_after:
                    self._close_leg(leg, "never-connected")

    def _due(self, call: Call, now: float) -> list[Leg]:
        """A call's legs that are to be looked at now."""
        due: list[Leg] = []
        for place in call.seats.values():
            if place.former is not None and now >= place.former_until:
                self._let_go(place)
                call.sources_changed()
            due += [leg for leg in place.legs if leg.due(now)]
        return due

    def _close_leg(self, leg: Leg, reason: str) -> None:
        self.leave(leg.call.name, leg.seat.name, leg.generation)
        self._leg_event(leg, LegEventKind.CLOSED, None, reason)


def own_addresses() -> list[str]:
    """Loopback and every interface's address that another host may use."""
    found: list[str] = []
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            text = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
            address = ipaddress.ip_address(text)
            if not address.is_link_local:
                found.append(str(address))
    return sorted(found, key=lambda a: (ipaddress.ip_address(a).is_loopback, a))
