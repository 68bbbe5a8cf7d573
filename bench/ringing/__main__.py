"""Press to offer as a multiple of the floor, measured before, between and after in the same run.

    make bench-queue                     all cases, on SQLite and on PostgreSQL with Redis
    make bench-queue ARGS="--cases 1 --stacks sqlite"

Cases are how many sessions wait already (1: the one that is pressed), each with 1,000 clinicians
present but for the first. Those who wait have pressed one after another in the last ten minutes, so
that at any moment some alarm is due and is raised. The second stack is two servers: half of all
pages are on either. The last line is for machines: `bench-queue p50_to_floor=… p99_to_floor=…
growth=…`, each of the worst case on the worst stack; growth is the largest case's median over the
smallest's. A floor that moves by more than a fifth during the run is said: then the machine was too
busy for the figures to mean much. What the first presses took, when a thousand consoles have just
come, is told beside the figures and not compared with the floor.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import math
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from bench.ringing import floor
from bench.ringing.hall import Hall, press
from bench.ringing.house import ROOT, Keys, Size, furnish, process, server, until
from bench.ringing.robots import Offer, Robot
from tests.journeys.harness import free_port
from tests.oncall import redis_server
from tests.records import servers

PAIRS = 8
CASES = {"1": Size(0, 0, 1), "100": Size(100, 1000, PAIRS), "1000": Size(1000, 1000, PAIRS)}
STACKS = ("sqlite", "shared")
SETTLE_SECONDS = 300.0
DRIFT = 0.2
EARLY_PRESSES = 40  # when everybody has just come: told, and not compared
IDLE_SECONDS = 15.0  # of a line in which nothing happens, for its rounds

Figures = dict[str, Any]


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


@dataclass(frozen=True, slots=True)
class Stack:
    """Where the record is, and what the servers share."""

    name: str
    make: Callable[[], str]  # a fresh database's address
    redis: str | None

    @property
    def nodes(self) -> int:
        return 2 if self.redis else 1


@dataclass(frozen=True, slots=True)
class Running:
    """Servers on one database, and the robots on them."""

    hall: Hall
    http: aiohttp.ClientSession
    urls: list[str]
    servers: list[subprocess.Popen[bytes]]
    keys: Keys


@contextlib.contextmanager
def stacks(names: Sequence[str], folder: Path) -> Iterator[list[Stack]]:
    """The databases that are asked for."""
    with contextlib.ExitStack() as stack:
        made = []
        files = itertools.count()
        for name in names:
            if name == "sqlite":
                made.append(Stack(name, lambda: f"sqlite:///{folder}/{next(files)}.db", None))
                continue
            programs = servers.programs()
            if programs is None:
                raise SystemExit("bench-queue needs PostgreSQL for the shared stack")
            postgres = stack.enter_context(servers.running(programs, durable=True))
            redis = stack.enter_context(redis_server.running())
            made.append(Stack(name, postgres.make, redis.url))
        yield made


@contextlib.asynccontextmanager
async def running(
    stack: Stack, size: Size, folder: Path, **settings: str
) -> AsyncIterator[Running]:
    """The servers, with everybody there."""
    await asyncio.to_thread(folder.mkdir, parents=True)
    url = stack.make()
    keys = await furnish(url, size)
    if stack.redis:
        settings["redis_url"] = stack.redis
    async with contextlib.AsyncExitStack() as nodes:
        ports = [free_port() for _ in range(stack.nodes)]
        started = [
            await nodes.enter_async_context(server(folder, port, url, f"node{n}", **settings))
            for n, port in enumerate(ports)
        ]
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        with crowd(urls, keys.crowd, min(size.waiting, size.clinicians), folder) as log:
            await until(lambda: "ready" in log.read_text(), SETTLE_SECONDS)
            http = await nodes.enter_async_context(
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
            )
            hall = Hall(urls, keys, log)
            await hall.open(http)
            async with asyncio.TaskGroup() as tasks:
                overhears = tasks.create_task(hall.overhear())
                yield Running(hall, http, urls, started, keys)
                overhears.cancel()
            await hall.close()


@contextlib.contextmanager
def crowd(urls: Sequence[str], cookies: Sequence[str], rung: int, folder: Path) -> Iterator[Path]:
    """The clinicians who are there already; where they write that they are, and who rang."""
    log = folder / "crowd.log"
    if not cookies:
        log.write_text("ready\n")
        yield log
        return
    with log.open("wb") as out:
        started = subprocess.Popen(
            [sys.executable, "-m", "bench.ringing.crowd", str(rung), *urls],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
        )
    assert started.stdin is not None
    started.stdin.write("\n".join([*cookies, "", ""]))
    started.stdin.flush()
    try:
        yield log
        started.stdin.close()
        started.wait(20)
    finally:
        started.terminate()
        started.wait(20)
    if lost := re.findall(r"^lost .*", log.read_text(), re.M):
        raise RuntimeError(f"the server closed the sockets of {len(lost)} clinicians")


async def case(
    stack: Stack, size: Size, folder: Path, presses: int, pause: float
) -> tuple[dict[str, float], dict[str, float], float]:
    """One size on one stack, in ms: press to offer, the same at first, when all the consoles have
    just come, and a round of the line that nobody presses into."""
    async with running(stack, size, folder) as run:
        early = await run.hall.press_to_offer(min(presses, EARLY_PRESSES), pause)
        await run.hall.press_to_offer(max(5, presses // 10), pause)  # warm
        times = await run.hall.press_to_offer(presses, pause)
        before = await rounds(run)
        await asyncio.sleep(IDLE_SECONDS)
        after = await rounds(run)
        elsewhere = run.hall.elsewhere
    found = spread(times) | {"rang_in_the_crowd": elsewhere}
    idle = round(1000 * (after[1] - before[1]) / max(1, after[0] - before[0]), 2)
    return found, spread(early), idle


async def rounds(run: Running) -> tuple[float, float]:
    """How often the line was looked at, and how many seconds that took in all."""
    async with run.http.get(f"{run.urls[0]}/metrics") as answer:
        text = await answer.text()
    count, total = (
        float(re.findall(rf"^crisisbridge_line_round_seconds_{part} (\S+)", text, re.M)[0])
        for part in ("count", "sum")
    )
    return count, total


def say(stack: Stack, what: str, value: object) -> None:
    """As it comes: a run takes many minutes."""
    print(f"{stack.name} {what} {json.dumps(value)}", file=sys.stderr, flush=True)


async def others(stack: Stack, folder: Path, tries: int) -> Figures:
    """What follows an answer, an expiry, a disconnection and a dead server."""
    found: Figures = {}
    async with running(stack, Size(0, 0, 1, racers=2), folder / "race") as run:
        found["accept_to_loser_told_ms"] = spread(await run.hall.accept_to_loser(tries))
    async with running(stack, Size(0, 0, 2), folder / "short", ring_seconds="5") as run:
        found["expiry_to_next_offer_ms"] = spread(await run.hall.end_to_next(5, expiry))
    async with running(stack, Size(0, 0, 2), folder / "gone") as run:

        async def disconnect(first: Robot, _offer: Offer) -> float:
            began = time.perf_counter()
            await first.close()
            return began

        times = []
        for _ in range(tries):
            times += await run.hall.end_to_next(1, disconnect)
            for console in run.hall.consoles:
                await console.close()
                await console.open(run.http)
        found["disconnect_to_next_offer_ms"] = spread(times)
    if stack.nodes > 1:
        found["killed_node_to_next_offer_seconds"] = await killed(stack, folder / "killed")
    return found


async def expiry(_first: Robot, offer: Offer) -> float:
    """When the offer runs out, as perf_counter tells the time."""
    return time.perf_counter() + offer.expires_at - time.time()


async def killed(stack: Stack, folder: Path) -> float:
    """From the death of a session's server, with all its pages, to the ring elsewhere."""
    async with running(stack, Size(0, 0, 2), folder) as run:
        here, there = run.hall.consoles  # one on each server
        tablet = run.hall.tablets[0]  # on the first one
        await there.close()
        session = await press(tablet)
        rung, _ = await run.hall.rings_at(session)
        assert rung is here
        await there.open(run.http)
        next_one = run.hall.ears.listen(
            there, lambda told: any(o.session == session for o in told.offers)
        )
        began = time.perf_counter()
        run.servers[0].kill()
        async with asyncio.timeout(60):
            return round(await next_one - began, 2)


async def ground(stack: Stack, folder: Path, presses: int, pause: float) -> dict[str, float]:
    """The floor, once."""
    await asyncio.to_thread(folder.mkdir, parents=True)
    url = stack.make()
    ports = [free_port() for _ in range(stack.nodes)]
    more = [stack.redis] if stack.redis else []
    with contextlib.ExitStack() as started:
        for n, port in enumerate(ports):
            log = folder / f"floor{n}.log"
            started.enter_context(process("bench.ringing.floor", url, str(port), *more, log=log))
            await until(lambda log=log: b"ready" in log.read_bytes(), 20)  # type: ignore[misc]
        await floor.measure(ports, max(5, presses // 10), pause)  # warm
        return spread(await floor.measure(ports, presses, pause))


async def measured(stack: Stack, args: argparse.Namespace, folder: Path) -> Figures:
    """Everything on one stack."""
    floors: list[dict[str, float]] = []
    cases: dict[str, dict[str, float]] = {}
    early: dict[str, dict[str, float]] = {}
    idle: dict[str, float] = {}
    for label in args.cases.split(","):
        number = len(floors)
        floors.append(await ground(stack, folder / f"floor{number}", args.presses, args.pause))
        cases[label], early[label], idle[label] = await case(
            stack, CASES[label], folder / label, args.presses, args.pause
        )
        say(stack, f"floor before {label}", floors[-1])
        say(stack, f"case {label}", cases[label])
    floors.append(await ground(stack, folder / "floor", args.presses, args.pause))
    medians = [one["p50"] for one in floors]
    p50 = statistics.median(medians)
    p99 = statistics.median(one["p99"] for one in floors)
    first, last = next(iter(cases.values())), list(cases.values())[-1]
    found: Figures = {
        "floor_ms": floors,
        "press_to_offer_ms": cases,
        "press_to_offer_at_first_ms": early,
        "idle_round_ms": idle,
        "p50_to_floor": {label: round(one["p50"] / p50, 2) for label, one in cases.items()},
        "p99_to_floor": {label: round(one["p99"] / p99, 2) for label, one in cases.items()},
        "growth": round(last["p50"] / first["p50"], 2),
        "quiet": max(medians) <= (1 + DRIFT) * min(medians),
    }
    if args.others:
        found |= await others(stack, folder / "others", args.others)
    return found


def verdict(found: dict[str, Figures]) -> str:
    """The line for machines."""

    def worst(name: str) -> float:
        return max(float(ratio) for one in found.values() for ratio in one[name].values())

    growth = max(one["growth"] for one in found.values())
    return (
        f"bench-queue p50_to_floor={worst('p50_to_floor'):.2f} "
        f"p99_to_floor={worst('p99_to_floor'):.2f} growth={growth:.2f}"
    )


async def main() -> None:
    parser = argparse.ArgumentParser(prog="bench-queue", description="Measure the on-call queue.")
    parser.add_argument("--presses", type=int, default=200)
    parser.add_argument("--pause", type=float, default=0.25, help="seconds between presses")
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--stacks", default=",".join(STACKS))
    parser.add_argument(
        "--others", type=int, default=20, help="tries of the other figures; 0: none"
    )
    args = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as name, stacks(args.stacks.split(","), Path(name)) as made:
        for stack in made:
            found[stack.name] = await measured(stack, args, Path(name) / stack.name)
    print(json.dumps(found, indent=2))
    print(verdict(found))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
