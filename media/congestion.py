"""When to tell a publisher to send less. Pure.

The browser's own estimator runs on transport feedback; a cap is relayed only on real congestion on
the way to the receiver: its estimate falls, and trips take longer than they did. Relaying every
estimate slows the ramp-up (0.9 Mbit/s after 17 s, once). The loss rule is Galène's: under 2 % grow
by 5 %, over 10 % shrink by half the loss, in between hold; here a cap grows there as well, slowly,
because such a loss is mostly the radio's and is repaired. Loss must be measured over enough
packets: with single reports' fractions, 5 % of loss took Chromium from 627 to 84 kbit/s in 20 s.
"""

from __future__ import annotations

HIGHEST = 2_500_000  # bit/s: more than any picture here; at this the cap is off
LOWEST = 60_000
SETTLED_LOSS = 0.02
HEAVY_LOSS = 0.10
GROWTH, SLOW_GROWTH = 1.05, 1.03  # a second
QUEUE = 0.05  # seconds that a trip takes longer when a line is full
DRIFT = 0.01  # seconds a second: a new path may be longer for good
SMOOTHING = 3.0  # reports; one of a second has few packets on a thin line


class Cap:
    """The cap on what one receiver's line carries of a video, re-decided once a second."""

    def __init__(self) -> None:
        self.bitrate = HIGHEST
        self._loss = 0.0
        self._shortest: float | None = None  # trip, about the way without a queue

    @property
    def active(self) -> bool:
        return self.bitrate < HIGHEST

    def decide(
        self, *, rate: float, loss: float | None, remb: int | None, falling: bool, rtt: float | None
    ) -> int | None:
        """The cap to send now, or None for none.

        `rate` is what the receiver gets now (bit/s), `loss` its share lost (None: not measured
        anew, as of a picture of few packets; each measure counts once), `remb` its estimate,
        `falling`: that has just fallen, `rtt` the seconds there and back to it.
        """
        was_active = self.active
        if loss is not None:
            self._loss += (loss - self._loss) / SMOOTHING
        queued = self._queued(rtt)
        if self._loss > HEAVY_LOSS and rate > 0:
            if loss is not None:
                self.bitrate = int(min(self.bitrate, rate) * (1 - self._loss / 2))
        elif falling and queued and remb is not None and remb < 1.2 * rate:
            self.bitrate = min(self.bitrate, remb)
        elif was_active:
            growth = GROWTH if self._loss < SETTLED_LOSS else SLOW_GROWTH
            self.bitrate = int(self.bitrate * growth) + 1000
        self.bitrate = max(LOWEST, min(HIGHEST, self.bitrate))
        # once more at the top, so that the publisher forgets the last cap
        return self.bitrate if self.active or was_active else None

    def _queued(self, rtt: float | None) -> bool:
        """Whether packets wait in a queue on the way: without one, a line is not full."""
        if rtt is None:
            return True
        shortest = rtt if self._shortest is None else min(rtt, self._shortest + DRIFT)
        self._shortest = shortest
        return rtt - shortest > QUEUE
