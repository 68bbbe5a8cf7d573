"""When to tell a publisher to send less. Pure.

The browser's own estimator runs on transport feedback; a cap is relayed only on real congestion on
the way to the receiver. Relaying every estimate slows the ramp-up (0.9 Mbit/s after 17 s, once).
The loss rule is Galène's: under 2 % grow by 5 %, over 10 % shrink by half the loss.
"""

from __future__ import annotations

HIGHEST = 2_500_000  # bit/s: more than any picture here; at this the cap is off
LOWEST = 60_000
SETTLED_LOSS = 0.02
HEAVY_LOSS = 0.10


class Cap:
    """The cap towards one publisher's video, re-decided once a second."""

    def __init__(self) -> None:
        self.bitrate = HIGHEST

    @property
    def active(self) -> bool:
        return self.bitrate < HIGHEST

    def decide(self, *, rate: float, loss: float, remb: int | None, falling: bool) -> int | None:
        """The cap to send now, or None for none.

        `rate` is what the receiver gets now (bit/s), `loss` its share lost, `remb` its estimate.
        """
        was_active = self.active
        congested = remb is not None and remb < 1.2 * rate and (falling or loss > SETTLED_LOSS)
        if loss > HEAVY_LOSS and rate > 0:
            self.bitrate = int(min(self.bitrate, rate) * (1 - loss / 2))
        elif congested and remb is not None:
            self.bitrate = min(self.bitrate, remb)
        elif loss < SETTLED_LOSS and was_active:
            self.bitrate = int(self.bitrate * 1.05) + 1000
        self.bitrate = max(LOWEST, min(HIGHEST, self.bitrate))
        # once more at the top, so that the publisher forgets the last cap
        return self.bitrate if self.active or was_active else None
