"""Press to offer, and what follows it, as multiples of the floor measured in the same run."""

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
from bench.ringing.house import Keys, Size, furnish, process, server
from bench.ringing.robots import Robot, Told
from tests.journeys.harness import free_port

PAIRS = 8
CASES = {"1": Size(0, 0, 1), "100": Size(100, 1000, PAIRS), "1000": Size(1000, 1000, PAIRS)}
SETTLE_SECONDS = 120.0


def spread(times: Sequence[float]) -> dict[str, float]:
    """Milliseconds."""
    ordered = sorted(times)

    def at(share: float) -> float:
        return round(1000 * ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)], 3)

    return {
        "p50": at(0.5),
        "p90": at(0.9),
        "p99": at(0.99),
        "max": round(1000 * ordered[-1], 3),
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
            Robot("console", cookie, urls[n % len(urls)], self._console, n)
            for n, cookie in enumerate(keys.clinicians)
        ]
        self.tablets = [
            Robot("tablet", cookie, urls[(n + 1) % len(urls)], self._tablet, n)
            for n, cookie in enumerate(keys.tablets)
        ]

    def _tablet(self, robot: Robot, told: Told, at: float) -> None:
        """A tablet's pictures are not looked at."""

    def _console(self, robot: Robot, told: Told, at: float) -> None:
        offers = told.offers
        if told.type == "offer" and not isinstance(told.offer, str | None):
            offers = [told.offer]
        for offer in offers:
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
        async with asyncio.timeout(SETTLE_SECONDS):
            while len(self.offered) < min(self._size.waiting, len(self.consoles)):
                await asyncio.sleep(0.1)
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
            session = answer["session"]
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


async def case(
    url: str, size: Size, folder: Path, presses: int, pause: float
) -> dict[str, Any]:
    """One size on one database."""
    keys = await furnish(url, size)
    port = free_port()
    async with server(folder, port, url, "node") as _node, aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0)
    ) as http:
        hall = Hall([f"http://127.0.0.1:{port}"], keys, size)
        await hall.open(http)
        await hall.press_to_offer(max(5, presses // 10), pause)  # warm
        times = await hall.press_to_offer(presses, pause)
        await hall.close()
    return {"press_to_offer_ms": spread(times)}


async def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the on-call queue.")
    parser.add_argument("--presses", type=int, default=200)
    parser.add_argument("--pause", type=float, default=0.1, help="seconds between presses")
    parser.add_argument("--cases", default="1,100,1000")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found: dict[str, Any] = {"floor_ms": [], "cases": {}}
        for number, label in enumerate([*args.cases.split(","), ""]):
            port = free_port()
            url = f"sqlite:///{folder / f'floor{number}.db'}"
            with process(
                "bench.ringing.floor", url, str(port), log=folder / "floor.log"
            ):
                async with asyncio.timeout(20):
                    while b"ready" not in (folder / "floor.log").read_bytes():
                        await asyncio.sleep(0.05)
                found["floor_ms"].append(spread(await floor.measure(port, args.presses, args.pause)))
            (folder / "floor.log").unlink()
            if label:
                url = f"sqlite:///{folder / f'case{number}.db'}"
                found["cases"][label] = await case(
                    url, CASES[label], folder / label, args.presses, args.pause
                ) if (folder / label).mkdir() is None else {}
        print(json.dumps(found, indent=2))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
