"""Genuine packets from an address that nobody has checked.

A router on the way that forgets a browser, or a system that gives it another address, moves its
packets without a word. A browser checks its path each two and a half seconds; until then nothing
would reach it there. So it is asked at once: by a check of our own, to where a packet came from
that nobody else can have made. Nothing else goes to an address before its answer. Without I/O.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from media import stun

if TYPE_CHECKING:
    from media.leg import Leg, Path

# a second, of a process
LOOKS = 1000  # at whose stream it is: all that several who moved at once may send meanwhile
REFUSALS = 50  # of what is not genuine: who knows no more than a stream's number costs us no more
AGAIN_AFTER = 0.2  # seconds without an answer
TOO_LATE = 3.0  # seconds; until then it may have gone on, or back
MOST_OPEN = 64


class _Open(NamedTuple):
    leg: Leg
    path: Path
    theirs: stun.Credentials
    at: float


class Strangers:
    """The questions that are open in one process."""

    def __init__(self) -> None:
        self._open: OrderedDict[bytes, _Open] = OrderedDict()
        self._left, self._refusals_left = LOOKS, REFUSALS
        self._second_ends = 0.0

    def worth_a_look(self, now: float) -> bool:
        """Whether a stranger's packet is looked at; counts it."""
        if now >= self._second_ends:
            self._second_ends = now + 1.0
            self._left, self._refusals_left = LOOKS, REFUSALS
        self._left -= 1
        return self._left >= 0 and self._refusals_left > 0

    def refused(self) -> None:
        """What was looked at was not genuine."""
        self._refusals_left -= 1

    def question(self, leg: Leg, path: Path, now: float) -> bytes | None:
        """What to ask there, unless that was done just now."""
        theirs = leg.theirs
        asked = (one for one in self._open.values() if one.leg is leg and one.path == path)
        if theirs is None or any(now - one.at < AGAIN_AFTER for one in asked):
            return None
        number, datagram = stun.question(leg.named, theirs)
        self._open[number] = _Open(leg, path, theirs, now)
        while len(self._open) > MOST_OPEN:
            self._open.popitem(last=False)
        return datagram

    def answered(self, data: bytes, path: Path, now: float) -> Leg | None:
        """Whose answer this is, from where it was asked for."""
        number = stun.answered(data)
        known = self._open.get(number) if number is not None else None
        if known is None or known.path != path or now - known.at > TOO_LATE:
            return None
        if not stun.genuine_answer(data, known.theirs):
            return None
        self.forget(known.leg)
        return known.leg

    def forget(self, leg: Leg) -> None:
        """A leg that is gone, or was found."""
        for number in [n for n, one in self._open.items() if one.leg is leg]:
            del self._open[number]
