"""Hours of calls whose sides keep coming back: does anything grow?

    make soak                                     ten calls, one hour
    make soak ARGS="--calls 20 --minutes 480"     a night

Every few seconds one side of one call connects anew with another key, as after a reload, and every
so often a whole call ends and another begins. Each minute the server's memory, its open files and
the delay that it adds are looked at. It passes when, after a first quarter to warm up, memory grows
by less than 1 MB an hour, no file stays open, and nothing failed inside. The last line is for
machines.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, median

import psutil
import uvloop

from bench.bridge.__main__ import BITRATE, share
from bench.bridge.clip import Clip, make
from bench.bridge.contestants import Lines, contestants, pin
from bench.bridge.peer import Peer, identity

CONNECT_SECONDS = 20.0
CALLS_END_EVERY = 5  # of so many reconnections, one is a whole call's
MOST_MB_AN_HOUR = 1.0


@dataclass(frozen=True, slots=True)
class Look:
    """The server at one moment. `mb`: resident memory; `p95_ms`: added since the look before."""

    minute: float
    mb: float
    files: int
    p95_ms: float
    failed: int  # inside the server, so far


class Town:
    """Calls that always have two sides."""

    def __init__(self, server: Lines, clip: Clip, calls: int) -> None:
        self._server = server
        self._clip = clip
        self._who = identity()
        self._dice = random.Random(7)
        self._made = 0
        self._names = [self._fresh() for _ in range(calls)]
        self.sides: dict[tuple[str, str], Peer] = {}
        self.reconnections = 0

    def _fresh(self) -> str:
        self._made += 1
        return f"call{self._made}"

    async def fill(self) -> None:
        for name in self._names:
            await self._both(name)

    async def _both(self, name: str) -> None:
        for seat in ("a", "b"):
            await self._come(name, seat)

    async def _come(self, name: str, seat: str) -> None:
        """A side connects (again): a new generation of its seat, with a key of its own."""
        self._made += 1
        peer = Peer(self._clip, self._who, random.Random(self._made), 0.005)
        before = self.sides.pop((name, seat), None)
        if before is not None:
            before.close()
        other = self.sides.get((name, "b" if seat == "a" else "a"))
        self.sides[name, seat] = peer
        if other is not None:
            peer.partner, other.partner = other, peer
        await self._server.seat(name, seat, peer, generation=f"g{self._made}")
        async with asyncio.timeout(CONNECT_SECONDS):
            while not peer.connected:  # noqa: ASYNC110 - a peer has no event of its own
                await asyncio.sleep(0.02)

    async def live(self, every: float) -> None:
        """For ever: somebody comes back, or a call ends and another begins."""
        while True:
            await asyncio.sleep(every)
            self.reconnections += 1
            number = self._dice.randrange(len(self._names))
            if self.reconnections % CALLS_END_EVERY:
                await self._come(self._names[number], self._dice.choice("ab"))
                continue
            over, self._names[number] = self._names[number], self._fresh()
            for seat in ("a", "b"):
                self.sides.pop((over, seat)).close()
            await self._server.end(over)
            await self._both(self._names[number])

    def close(self) -> None:
        for peer in self.sides.values():
            peer.close()


async def look(server: Lines, town: Town, minute: float) -> Look:
    """And begin to count delays anew."""
    process = psutil.Process(server.pid)
    ages = [age for peer in town.sides.values() for age in peer.counts.ages]
    for peer in town.sides.values():
        peer.counts.ages.clear()
    return Look(
        minute=round(minute, 2),
        mb=round(process.memory_info().rss / 1e6, 2),
        files=process.num_fds(),
        p95_ms=round(share(ages, 0.95), 3),
        failed=(await server.dropped()).get("internal", 0),
    )


def an_hour(looks: Sequence[Look]) -> float:
    """How much memory grows, in MB an hour: the slope of a straight line through the looks."""
    at, mb = fmean(one.minute for one in looks), fmean(one.mb for one in looks)
    spread = sum((one.minute - at) ** 2 for one in looks)
    return 60 * sum((one.minute - at) * (one.mb - mb) for one in looks) / spread if spread else 0.0


async def run(args: argparse.Namespace) -> bool:
    """Whether it passed."""
    cores = sorted(os.sched_getaffinity(0))
    pin(os.getpid(), cores[-1])
    looks: list[Look] = []
    with tempfile.TemporaryDirectory() as folder:
        async with contestants()["bridge"](Path(folder), cores[0]) as server:
            assert isinstance(server, Lines)
            town = Town(server, make(BITRATE), args.calls)
            await town.fill()
            began = asyncio.get_running_loop().time()
            async with asyncio.TaskGroup() as tasks:
                lives = tasks.create_task(town.live(args.every))
                while looks == [] or looks[-1].minute < args.minutes:
                    await asyncio.sleep(min(60.0, 60 * args.minutes / 8))
                    minute = (asyncio.get_running_loop().time() - began) / 60
                    looks.append(await look(server, town, minute))
                    print(json.dumps(asdict(looks[-1])), flush=True)
                lives.cancel()
            town.close()
    warm = looks[len(looks) // 4 :]
    grows, files = an_hour(warm), warm[-1].files - warm[0].files
    half = len(warm) // 2
    slower = median(one.p95_ms for one in warm[half:]) / median(one.p95_ms for one in warm[:half])
    print(
        f"soak minutes={looks[-1].minute:.0f} reconnections={town.reconnections} "
        f"mb_per_hour={grows:.2f} files={files} p95_later_to_earlier={slower:.2f} "
        f"failed={looks[-1].failed}"
    )
    return grows < MOST_MB_AN_HOUR and files <= 0 and looks[-1].failed == 0


def main() -> None:
    """Read the arguments, live, judge."""
    parser = argparse.ArgumentParser(description="Hours of calls: does anything grow?")
    parser.add_argument("--calls", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--every", type=float, default=5.0, help="seconds between reconnections")
    if not uvloop.run(run(parser.parse_args())):
        sys.exit("soak: something grows, or failed")


if __name__ == "__main__":
    main()
