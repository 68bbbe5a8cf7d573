"""Press to offer as a multiple of the floor, measured before, between and after in the same run.

    make bench-queue                     1, 100 and 1,000 waiting sessions on SQLite
    make bench-queue ARGS="--cases 1"

The last line is for machines: `bench-queue p50_to_floor=… p99_to_floor=… growth=…`, of the largest
case; growth is its median over the smallest case's. A floor that moves by more than a fifth during
the run is said: then the machine was too busy for the figures to mean much.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import secrets
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from bench.ringing import floor
from bench.ringing.house import Keys, Size, furnish, process, server, until
from bench.ringing.robots import Offer, Robot, Told
from tests.journeys.harness import free_port

PAIRS = 8
CASES = {"1": Size(0, 0, 1), "100": Size(100, 1000, PAIRS), "1000": Size(1000, 1000, PAIRS)}
SETTLE_SECONDS = 300.0
DRIFT = 0.2


def spread(times: Sequence[float]) -> dict[str, float]:
    """Milliseconds."""
    ordered = sorted(times)

    def at(share: float) -> float:
        return round(1000 * ordered[math.ceil(share * len(ordered)) - 1], 3)

    return {
        "p50": at(0.5),
        "p90": at(0.9),
        "p99": at(0.99),
        "max": at(1.0),
        "mean": round(1000 * statistics.fmean(ordered), 3),
        "samples": len(ordered),
    }


class Hall:
    """All robots of one case, and what they saw first."""

    def __init__(self, urls: Sequence[str], keys: Keys, size: Size) -> None:
        self._size = size
        self.offered: dict[str, float] = {}  # session -> when a console first saw its offer
        self.waiting: dict[str, asyncio.Event] = {}
        self.rung: set[str] = set()
        self.consoles = [
            Robot("console", cookie, urls[n % len(urls)], self._console)
            for n, cookie in enumerate(keys.clinicians)
        ]
        self.tablets = [
            Robot("tablet", cookie, urls[(n + 1) % len(urls)], lambda *_: None)
            for n, cookie in enumerate(keys.tablets)
        ]

    def _console(self, robot: Robot, told: Told, at: float) -> None:
        rung = [told.offer] if isinstance(told.offer, Offer) else told.offers
        for offer in rung:
            if offer.offer in self.rung:
                continue
            self.rung.add(offer.offer)
            self.offered.setdefault(offer.session, at)
            if offer.session in self.waiting:
                self.waiting[offer.session].set()
            robot.tell("offer.delivered", offer=offer.offer)

    async def open(self, http: aiohttp.ClientSession) -> None:
        """Everybody comes; those who wait already are rung first."""
        await self._all(self.consoles, http)
        rung = min(self._size.waiting, len(self.consoles))
        await until(lambda: len(self.offered) >= rung, SETTLE_SECONDS)
        await self._all(self.tablets, http)

    @staticmethod
    async def _all(robots: Sequence[Robot], http: aiohttp.ClientSession) -> None:
        for start in range(0, len(robots), 50):
            await asyncio.gather(*(robot.open(http) for robot in robots[start : start + 50]))

    async def close(self) -> None:
        await asyncio.gather(*(robot.close() for robot in [*self.tablets, *self.consoles]))

    async def press_to_offer(self, presses: int, pause: float) -> list[float]:
        """Open loop: a press every `pause` seconds, however long the ones before took."""
        free: asyncio.Queue[Robot] = asyncio.Queue()
        for tablet in self.tablets:
            free.put_nowait(tablet)
        times: list[float] = []

        async def one(due: float) -> None:
            tablet = await free.get()
            answer = await tablet.send("session.open", key=secrets.token_urlsafe(18))
            session = str(answer["session"])
            seen = self.waiting.setdefault(session, asyncio.Event())
            if session in self.offered:
                seen.set()
            async with asyncio.timeout(60):
                await seen.wait()
            times.append(self.offered[session] - due)
            await tablet.send("session.cancel", session=session)
            free.put_nowait(tablet)

        async with asyncio.TaskGroup() as tasks:
            start = time.perf_counter() + 0.05
            for number in range(presses):
                due = start + number * pause
                await asyncio.sleep(due - time.perf_counter())
                tasks.create_task(one(due))
        return times


async def case(url: str, size: Size, folder: Path, presses: int, pause: float) -> dict[str, float]:
    """One size on one database."""
    await asyncio.to_thread(folder.mkdir)
    keys = await furnish(url, size)
    port = free_port()
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        server(folder, port, url, "node"),
        aiohttp.ClientSession(connector=connector) as http,
    ):
        hall = Hall([f"http://127.0.0.1:{port}"], keys, size)
        await hall.open(http)
        await hall.press_to_offer(max(5, presses // 10), pause)  # warm
        times = await hall.press_to_offer(presses, pause)
        await hall.close()
    return spread(times)


async def ground(folder: Path, number: int, presses: int, pause: float) -> dict[str, float]:
    """The floor, once."""
    port = free_port()
    log = folder / f"floor{number}.log"
    url = f"sqlite:///{folder / f'floor{number}.db'}"
    with process("bench.ringing.floor", url, str(port), log=log):
        await until(lambda: b"ready" in log.read_bytes(), 20)
        return spread(await floor.measure(port, presses, pause))


def verdict(floors: list[dict[str, float]], cases: dict[str, dict[str, float]]) -> str:
    """The line for machines."""
    first, last = next(iter(cases.values())), list(cases.values())[-1]
    p50 = statistics.median(one["p50"] for one in floors)
    p99 = statistics.median(one["p99"] for one in floors)
    return (
        f"bench-queue p50_to_floor={last['p50'] / p50:.2f} "
        f"p99_to_floor={last['p99'] / p99:.2f} growth={last['p50'] / first['p50']:.2f}"
    )


async def main() -> None:
    parser = argparse.ArgumentParser(prog="bench-queue", description="Measure the on-call queue.")
    parser.add_argument("--presses", type=int, default=200)
    parser.add_argument("--pause", type=float, default=0.25, help="seconds between presses")
    parser.add_argument("--cases", default=",".join(CASES))
    args = parser.parse_args()
    floors: list[dict[str, float]] = []
    cases: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, label in enumerate(args.cases.split(",")):
            floors.append(await ground(folder, number, args.presses, args.pause / 5))
            url = f"sqlite:///{folder / f'case{number}.db'}"
            cases[label] = await case(url, CASES[label], folder / label, args.presses, args.pause)
        floors.append(await ground(folder, 99, args.presses, args.pause / 5))
    medians = [one["p50"] for one in floors]
    found: dict[str, Any] = {"floor_ms": floors, "press_to_offer_ms": cases}
    found["quiet"] = max(medians) <= (1 + DRIFT) * min(medians)
    print(json.dumps(found, indent=2))
    print(verdict(floors, cases))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
