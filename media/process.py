"""A bridge in a process of its own: takes orders on its standard input, reports on its output.

It ends when its input does, so that no media process outlives its server, however that ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import sys
from typing import IO

import uvloop

from media import words
from media.api import LegEvent
from media.bridge import COLLECTING, Bridge
from media.errors import MediaError

FIGURES_SECONDS = 1.0
MOST_WAITING = 8 << 20  # bytes that the server has not read: it is stuck, and nobody hears us


class Reporting(logging.Handler):
    """The log goes to the server, which writes it as its own."""

    def __init__(self, out: asyncio.WriteTransport) -> None:
        super().__init__()
        self._out = out

    def emit(self, record: logging.LogRecord) -> None:
        line = words.Line(record.levelno, record.name, self.format(record))
        self._out.write(words.packed(line))


class Process:
    """One bridge and the two pipes."""

    def __init__(self, reader: asyncio.StreamReader, out: asyncio.WriteTransport) -> None:
        self._reader = reader
        self._out = out

    async def run(self) -> None:
        """Until the server goes."""
        begin = await words.next_order(self._reader)
        if not isinstance(begin, words.Begin):
            raise TypeError("The first order is not to begin.")
        logging.basicConfig(level=begin.level, handlers=[Reporting(self._out)])
        bridge = Bridge(begin.settings, self._told)
        try:
            await bridge.start()
        except MediaError as error:
            self._say(words.Refused(0, error.code, str(error)))
            return
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECTING)
        self._say(words.Began(bridge.port))
        figures = asyncio.create_task(self._figures(bridge), name="figures")
        try:
            with contextlib.suppress(EOFError):
                while True:
                    self._obey(bridge, await words.next_order(self._reader))
        finally:
            figures.cancel()
            await asyncio.gather(figures, return_exceptions=True)
            await bridge.close()

    def _obey(self, bridge: Bridge, order: words.Order) -> None:
        match order:
            case words.Describe():
                self._answer(bridge, order)
            case words.Plan(call, hears, sees):
                with contextlib.suppress(MediaError):  # the server counts the calls as well
                    bridge.plan(call, hears, sees)
            case words.Withhold(call, seat, kinds, quiet):
                bridge.withhold(call, seat, kinds, quiet=quiet)
            case words.Move(call, seat, to):
                bridge.move(call, seat, to)
            case words.Leave(call, seat, generation):
                bridge.leave(call, seat, generation)
            case words.Close(call):
                bridge.close_call(call)
            case words.Begin():
                raise EOFError("Told to begin twice.")

    def _answer(self, bridge: Bridge, asked: words.Describe) -> None:
        try:
            text = bridge.describe(asked.call, asked.seat, asked.generation, asked.description)
        except MediaError as error:
            self._say(words.Refused(asked.no, error.code, str(error)))
        else:
            self._say(words.Answered(asked.no, text))

    def _told(self, event: LegEvent) -> None:
        self._say(words.Told(event))

    async def _figures(self, bridge: Bridge) -> None:
        while True:
            legs = {call: bridge.stats(call) for call in bridge.calls()}
            self._say(words.Figures(legs, bridge.totals()))
            await asyncio.sleep(FIGURES_SECONDS)

    def _say(self, word: words.Report) -> None:
        if self._out.get_write_buffer_size() > MOST_WAITING:
            sys.exit("The server does not read what its media process says.")
        self._out.write(words.packed(word))


async def main(orders: IO[bytes], reports: IO[bytes]) -> None:
    """Connect the pipes, and run."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), orders)
    out, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, reports)
    try:
        await Process(reader, out).run()
    finally:
        out.close()


if __name__ == "__main__":
    own = os.dup(1)
    os.dup2(2, 1)  # whatever prints must not speak in the middle of a word
    uvloop.run(main(os.fdopen(0, "rb", buffering=0), os.fdopen(own, "wb", buffering=0)))
