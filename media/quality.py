"""How well one leg's line carries, over a few seconds, in words. Pure.

The limits are those that the pages use for what they receive (web/static/js/lib/quality.js).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from media.api import LegStats

Word = Literal["good", "fair", "poor", "none"]
WORDS: tuple[Word, ...] = ("good", "fair", "poor", "none")

FAIR_LOSS, POOR_LOSS = 0.025, 0.08
FAIR_TRIP, POOR_TRIP = 0.35, 0.8  # seconds
GONE_SECONDS = 2.5  # without a packet


@dataclass(frozen=True, slots=True)
class Measured:
    """One leg over a window: shares, seconds, bit/s."""

    up: Word
    down: Word
    loss_up: float
    loss_down: float
    rtt: float | None
    bitrate_up: float
    bitrate_down: float


@dataclass(slots=True)
class Window:
    """Readings of one generation of one leg, about one a second."""

    generation: str
    _read: list[LegStats] = field(default_factory=list)
    _gone: int = 0

    def add(self, stats: LegStats, *, sends: bool) -> None:
        """One more reading; `sends`: the page means to send something."""
        self._read.append(stats)
        idle = stats.idle_seconds is None or stats.idle_seconds > GONE_SECONDS
        self._gone += not stats.connected or (sends and idle)

    def close(self) -> Measured:
        """What the readings say together. Raises ValueError for an empty window."""
        count = len(self._read)
        if count == 0:
            raise ValueError("no readings")
        loss_up = sum(one.loss_up for one in self._read) / count
        loss_down = sum(one.loss_down for one in self._read) / count
        trips = [one.rtt_seconds for one in self._read if one.rtt_seconds is not None]
        rtt = sum(trips) / len(trips) if trips else None
        unconnected = sum(not one.connected for one in self._read)
        return Measured(
            up="none" if 2 * self._gone >= count else judge(loss_up, rtt),
            down="none" if 2 * unconnected >= count else judge(loss_down, rtt),
            loss_up=loss_up,
            loss_down=loss_down,
            rtt=rtt,
            bitrate_up=sum(one.bitrate_up for one in self._read) / count,
            bitrate_down=sum(one.bitrate_down for one in self._read) / count,
        )


def judge(loss: float, rtt: float | None) -> Word:
    """One direction of a line that is up."""
    trip = rtt or 0.0
    if loss > POOR_LOSS or trip > POOR_TRIP:
        return "poor"
    return "fair" if loss > FAIR_LOSS or trip > FAIR_TRIP else "good"


def worst(*words: Word) -> Word:
    """The worst of some words."""
    return max(words, key=WORDS.index, default="good")
