"""The least that any bridge in this language does: read, open, seal, send, and nothing else.

Memory, calls of the system, keys and the event loop are the bridge's own. No stream is known: no
number is rewritten, nothing is kept for repairs, nobody is told what came, no clock is read. What
this costs, no code of ours can undercut; the difference to the bridge is what its code costs.
"""

from __future__ import annotations

from typing import Any, cast

import uvloop
from pylibsrtp._binding import lib

from bench.bridge import ours
from media import Bridge, srtp
from media.bridge import Socket
from media.datagrams import HEAD, NAME_SIZE_AT, SIZE_AT, SLOT, STEP_32, STEP_WORD, Inbox
from media.express import Express

Way = tuple[Any, Any, Any, Any, int, int]  # to open with and to seal with; the address, its size


class Nothing(Express):
    """A way for every packet on which nothing happens."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__(bridge)
        self._ways: dict[tuple[bytes, bool], Way] = {}

    def take(self, port: Socket, inbox: Inbox, count: int) -> None:
        ways, view, length, out = self._ways, inbox.view, srtp.length, 0
        pieces, names, sizes = self._out
        places = self.places(inbox, HEAD)
        for i in range(count):
            at = i * SLOT + HEAD
            report = 192 <= view[at + 1] <= 223
            way = ways.get((inbox.name(i), report)) or self._find(port, inbox, i, report)
            if way is None or not 128 <= view[at] < 192:
                port.received(inbox.data(i), inbox.address(i))
                continue
            opens, opening, seals, sealing, to, to_size = way
            length[0] = inbox.sizes[i * STEP_32 + SIZE_AT]
            if opens(opening, places[i], length) or seals(sealing, places[i], length):
                continue
            pieces[2 * out], pieces[2 * out + 1] = inbox.at + at, length[0]
            names[out * STEP_WORD], sizes[out * STEP_32 + NAME_SIZE_AT] = to, to_size
            out += 1
        self._waiting, self._by = out, port
        self.flush()

    def _find(self, port: Socket, inbox: Inbox, i: int, report: bool) -> Way | None:
        """To the other side of the call, once both have their keys."""
        leg = port.legs.get(inbox.address(i))
        if leg is None:
            return None
        others = [seat.leg for seat in leg.call.seats.values() if seat.leg not in (leg, None)]
        other = others[0] if others else None
        if other is None or leg._dtls is None or other._dtls is None or other._path is None:
            return None
        here, there, name = leg._dtls.srtp, other._dtls.srtp, self.name(other._path)
        if here is None or there is None or name is None:
            return None
        opens = lib.srtp_unprotect_rtcp if report else lib.srtp_unprotect
        seals = lib.srtp_protect_rtcp if report else lib.srtp_protect
        way = opens, here.inbound.pointer, seals, there.outbound.pointer, name.at, name.size
        self._ways[inbox.name(i), report] = way
        return way


class Bare(Bridge):
    """A bridge whose media go around all that it knows."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.express = cast("Express", Nothing(self))

    def _tick(self) -> None:
        """Nothing is ever due, once everybody is there: a handshake needs no help on this host."""


if __name__ == "__main__":
    uvloop.run(ours.main(Bare))
