"""How often one place, one tablet or one token may ask for what. Pure; `now` in seconds.

Every address has a limit: its own, or that of its kind (`web.routes.Route.limited`). Accounts lock
by themselves after five failures (auth.locks); this only slows one address that goes through many
names, codes or pages. Generous, because a whole department may share one address.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from web.errors import TooOften

PLACES = 50_000  # kinds at places remembered at once; the longest unseen is forgotten first


@dataclass(frozen=True, slots=True)
class Rate:
    """So many tries at once, and so many a second after that."""

    burst: float
    refill: float


RATES = {
    "sign-in": Rate(burst=60, refill=1.0),
    "enrol": Rate(burst=40, refill=0.5),
    "shift": Rate(burst=60, refill=1.0),
    # wrong PINs of one tablet, whoever's: an officer locks after five, and a thief has all of them
    "pin": Rate(burst=12, refill=1 / 300),
    "proof": Rate(burst=120, refill=2.0),
    "alert": Rate(burst=120, refill=2.0),
    "feed": Rate(burst=120, refill=1.0),
    "way": Rate(burst=30, refill=0.2),
    "refusal": Rate(burst=20, refill=1 / 3),  # of one asker that are written down: enough to tell
    # of whatever has no own
    "page": Rate(burst=1_000, refill=30.0),
    "change": Rate(burst=300, refill=10.0),
    "stray": Rate(burst=200, refill=2.0),  # addresses that do not exist
    # of machines; a server that comes back meets all pages of a department at once
    "socket": Rate(burst=5_000, refill=100.0),
    "poll": Rate(burst=10_000, refill=1_000.0),
    "file": Rate(burst=10_000, refill=500.0),
    "probe": Rate(burst=300, refill=10.0),
    "api-door": Rate(burst=300, refill=10.0),  # of one place, whatever its tokens
    "api": Rate(burst=120, refill=4.0),  # of one token
    "api-report": Rate(burst=20, refill=0.2),
    "api-export": Rate(burst=5, refill=1 / 60),
}


class Limits:
    """Token buckets by kind and place, bounded in number."""

    def __init__(self, most: int = PLACES) -> None:
        self._most = most
        self._levels: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def take(self, kind: str, place: str, now: float) -> None:
        """Count one try. Raises TooOften, which says how long to wait."""
        rate = RATES[kind]
        level, at = self._levels.get((kind, place), (rate.burst, now))
        level = min(rate.burst, level + max(0.0, now - at) * rate.refill)
        allowed = level >= 1
        self._levels[kind, place] = (level - 1 if allowed else level, now)
        self._levels.move_to_end((kind, place))
        while len(self._levels) > self._most:
            self._levels.popitem(last=False)
        if not allowed:
            raise TooOften((1 - level) / rate.refill)

    def give_back(self, kind: str, place: str) -> None:
        """Uncount one try: it was right, and only wrong ones count."""
        if (kind, place) in self._levels:
            level, at = self._levels[kind, place]
            self._levels[kind, place] = (min(RATES[kind].burst, level + 1), at)
