"""The least that any bridge in this language does: read, open, seal, send, and nothing else.

Addresses, keys and the event loop are the bridge's own. No stream is known: no number is rewritten,
nothing is kept for repairs, nobody is told what came, no clock is read. What this costs, no code of
ours can undercut; the difference to the bridge is what its code costs.
"""

from __future__ import annotations

from collections.abc import Callable

import uvloop

from bench.bridge import ours
from media import Bridge
from media.bridge import _Socket

Way = tuple[Callable[[bytes], bytes], Callable[[bytes], bytes], tuple[str, int]]


class Bare(Bridge):
    """A bridge whose media go around all that it knows."""

    _ways: dict[tuple[tuple[str, int], bool], Way] = {}  # noqa: RUF012 - one in this process

    def _received(self, port: _Socket, data: bytes, address: tuple[str, int]) -> None:
        if not 128 <= data[0] < 192:
            super()._received(port, data, address)
            return
        report = 192 <= data[1] <= 223
        way = self._ways.get((address, report)) or self._find(port, address, report)
        if way is not None:
            opened, sealed, to = way
            port.send(sealed(opened(data)), to)

    def _find(self, port: _Socket, address: tuple[str, int], report: bool) -> Way | None:
        """To the other side of the call, once both have their keys."""
        leg = port.legs.get(address)
        if leg is None:
            return None
        others = [seat.leg for seat in leg.call.seats.values() if seat.leg not in (leg, None)]
        other = others[0] if others else None
        if other is None or leg._dtls is None or other._dtls is None or other._path is None:
            return None
        here, there = leg._dtls.srtp, other._dtls.srtp
        if here is None or there is None:
            return None
        opened = here.inbound.unprotect_rtcp if report else here.inbound.unprotect
        sealed = there.outbound.protect_rtcp if report else there.outbound.protect
        self._ways[address, report] = way = (opened, sealed, other._path[1])
        return way

    def _tick(self) -> None:
        """Nothing is ever due, once everybody is there: a handshake needs no help on this host."""


if __name__ == "__main__":
    uvloop.run(ours.main(Bare))
