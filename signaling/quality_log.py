"""How each leg's line was, every few seconds: for the record, and in numbers for /metrics.

A line that fails is what people complain of afterwards; with this it can be seen which side's it
was. Numbers only: no address, nothing of what was said or shown.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from media import Measured, Window
from records import quality
from records.errors import RecordError
from records.quality import QualityRow
from signaling import metrics

if TYPE_CHECKING:
    from signaling.desk import Desk

log = logging.getLogger(__name__)

READ_SECONDS = 1.0
WRITE_EVERY = 5  # readings


class QualityLog:
    """The windows of one process's legs. `run` reads and writes, for ever."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._windows: dict[tuple[str, str], Window] = {}  # (session, seat)

    async def run(self) -> None:
        reading = 0
        while True:
            await asyncio.sleep(READ_SECONDS)
            self.read()
            reading += 1
            if reading % WRITE_EVERY == 0:
                await self.write()

    def read(self) -> None:
        """Look at every leg of every call that has two sides; a test call has one."""
        desk = self._desk
        for session_id in desk.bridge.calls():
            legs = desk.bridge.stats(session_id)
            for stats in legs if len(legs) > 1 else ():
                key = (session_id, stats.seat)
                window = self._windows.get(key)
                if window is None or window.generation != stats.generation:
                    # a leg that was replaced: what its predecessor measured is not this one's
                    window = self._windows[key] = Window(stats.generation)
                state = desk.legs.known(session_id, stats.seat)
                window.add(stats, sends=state is None or state.sends)

    async def write(self) -> None:
        """Write what was read since the last time. What cannot be written is let go."""
        desk, now = self._desk, self._desk.now()
        closed = {key: window.close() for key, window in self._windows.items()}
        self._windows = {}
        rows = []
        for (session_id, seat), measured in closed.items():
            metrics.observe_leg(measured)
            state = desk.legs.known(session_id, seat)  # None: the call has ended meanwhile
            step = state.step if state is not None else "720p"
            rows.append(_row(session_id, seat, now, step, measured))
        if not rows:
            return
        try:
            await desk.db.write(partial(quality.add, rows=rows))
        except RecordError as error:
            log.warning("quality.not_written rows=%d code=%s", len(rows), error.code)


def _row(session_id: str, seat: str, now: float, step: str, m: Measured) -> QualityRow:
    return QualityRow(
        session_id=session_id,
        seat=seat,
        at=now,
        up=m.up,
        down=m.down,
        step=step,
        loss_up=round(1000 * m.loss_up),
        loss_down=round(1000 * m.loss_down),
        rtt_ms=None if m.rtt is None else round(1000 * m.rtt),
        kbit_up=round(m.bitrate_up / 1000),
        kbit_down=round(m.bitrate_down / 1000),
    )
