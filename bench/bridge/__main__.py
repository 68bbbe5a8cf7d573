"""What the bridge costs beside Janus, a relay that decodes, and the least that one can do.

    make bench-media                                    1, 5, 20 and 50 calls, three rounds
    make bench-media ARGS="--calls 20 --rounds 5"

Servers take turns in every round, each on one core, the synthetic browsers on another. A call is
two browsers with VP8 of 1.2 Mbit/s and Opus both ways; NACKs, REMB, reports and transport-wide
feedback are on. Figures are medians of the rounds, with the spread. The last line is for machines.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import random
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import uvloop

from bench.bridge.clip import Clip, make
from bench.bridge.contestants import Server, contestants, pin
from bench.bridge.peer import Peer, identity, totals

BITRATE = 1_200_000
SETTLED_SECONDS = 3.0
QUIET = 0.06  # of a core, used by others: more than that and the run is said not to be quiet
# more that decode do not fit on a core; what a bridge can't leave out is asked where the target is
ONLY = {"decoding": 1, "bare": 20}
TICKS = os.sysconf("SC_CLK_TCK")
Figures = dict[str, Any]


def used(pid: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident(pid: int) -> int:
    """Bytes."""
    return int(psutil.Process(pid).memory_info().rss)


def share(values: Sequence[int], part: float) -> float:
    """A percentile in milliseconds."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(part * len(ordered)) - 1)] / 1e6


async def measure(server: Server, clip: Clip, calls: int, seconds: float, nacks: float) -> Figures:
    """One server with so many calls, for so long after they have settled."""
    empty = resident(server.pid)
    who = identity()
    peers: list[Peer] = []
    try:
        for number in range(calls):
            pair = [Peer(clip, who, random.Random(2 * number + i), nacks) for i in (0, 1)]
            pair[0].partner, pair[1].partner = pair[1], pair[0]
            peers += pair
            await server.join(f"call{number}", *pair)
        async with asyncio.timeout(30):
            while not all(peer.connected and peer.streams for peer in peers):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await asyncio.sleep(SETTLED_SECONDS)
        for peer in peers:
            peer.counts.ages.clear()
        before, at = totals(peers), asyncio.get_running_loop().time()
        cpu, own, machine = used(server.pid), used(os.getpid()), psutil.cpu_times()
        await asyncio.sleep(seconds)
        passed = asyncio.get_running_loop().time() - at
        after, cpu = totals(peers), used(server.pid) - cpu
        own, later = used(os.getpid()) - own, psutil.cpu_times()
        busy = sum(later) - later.idle - later.iowait - sum(machine) + machine.idle + machine.iowait
        counted = {name: after[name] - before[name] for name in after}
        ages = [age for peer in peers for age in peer.counts.ages]
        entered = counted["sent"]
        return {
            "us_per_packet": 1e6 * cpu / entered,
            "core": cpu / passed,
            "calls_per_core": calls * passed / cpu if cpu else math.inf,
            "packets_per_second": entered / passed,
            "p50_ms": share(ages, 0.5), "p95_ms": share(ages, 0.95), "p99_ms": share(ages, 0.99),
            "lost": (counted["expected"] - counted["media"]) / max(1, counted["expected"]),
            "mb_per_call": (resident(server.pid) - empty) / calls / 1e6,
            "repairs": counted["repairs"], "asked_again": counted["asked_again"],
            "browsers_core": own / passed,
            "others_core": max(0.0, busy - cpu - own) / passed,
            "dropped": await server.dropped(),
        }  # fmt: skip
    finally:
        for peer in peers:
            peer.close()


def summary(rounds: Sequence[Figures]) -> Figures:
    """Medians, and the spread of what is compared."""
    found: Figures = {}
    for name, value in rounds[0].items():
        values = [one[name] for one in rounds]
        if isinstance(value, dict):
            found[name] = values
            continue
        found[name] = round(statistics.median(values), 4)
        if name in ("us_per_packet", "p99_ms"):
            found[f"{name}_spread"] = [round(min(values), 4), round(max(values), 4)]
    return found


async def run(args: argparse.Namespace) -> Figures:
    """Every server with every number of calls, in turns."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("This needs two cores: one for the server, one for the browsers.")
    pin(os.getpid(), cores[1])
    clip = make(BITRATE)
    found: dict[tuple[str, int], list[Figures]] = {}
    known = contestants()
    if "janus" not in known:
        print("Janus is not installed (Debian: apt-get install janus): no ratios.")
    for number in range(args.rounds):
        for calls in args.calls:
            names = [n for n in known if ONLY.get(n, calls) == calls]
            for name in names if number % 2 == 0 else reversed(names):
                with tempfile.TemporaryDirectory() as folder:
                    async with known[name](Path(folder), cores[0]) as server:
                        one = await measure(server, clip, calls, args.seconds, args.nacks)
                found.setdefault((name, calls), []).append(one)
                print(line(name, calls, one), flush=True)
    return {
        "bitrate": BITRATE,
        "rounds": args.rounds,
        "seconds": args.seconds,
        "quiet": all(one["others_core"] < QUIET for many in found.values() for one in many),
        "results": {
            name: {str(calls): summary(many) for (n, calls), many in found.items() if n == name}
            for name in known
        },
    }


def line(name: str, calls: int, one: Figures) -> str:
    """One measurement, for whoever watches."""
    return (
        f"{name:9} {calls:3} calls  {one['us_per_packet']:7.1f} us/packet  "
        f"{100 * one['core']:5.1f} % of a core  p50 {one['p50_ms']:6.3f}  "
        f"p95 {one['p95_ms']:6.3f}  p99 {one['p99_ms']:7.3f} ms  lost {100 * one['lost']:6.3f} %  "
        f"{one['mb_per_call']:5.2f} MB a call  others {100 * one['others_core']:4.1f} %"
    )


def verdict(figures: Figures, calls: int) -> str:
    """The last line."""
    ours = figures["results"]["bridge"][str(calls)]
    theirs = figures["results"].get("janus", {}).get(str(calls))
    ratios = {
        "ratio_to_janus": "us_per_packet",
        "p99_to_janus": "p99_ms",
    }
    said = [
        f"{name}={ours[figure] / theirs[figure]:.2f}" if theirs else f"{name}=unknown"
        for name, figure in ratios.items()
    ]
    return f"bench-media {' '.join(said)} mb_per_call={ours['mb_per_call']:.2f}"


def floor(figures: Figures) -> str | None:
    """What reading, opening, sealing and sending alone cost beside Janus, where both were asked."""
    bare, theirs = (figures["results"].get(n, {}).get(str(ONLY["bare"])) for n in ("bare", "janus"))
    if not bare or not theirs:
        return None
    ratio = bare["us_per_packet"] / theirs["us_per_packet"]
    return f"To read, open, seal and send each packet, and nothing else: {ratio:.2f} of Janus."


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description="Measure the bridge beside Janus.")
    parser.add_argument("--calls", type=int, nargs="+", default=[1, 5, 20, 50])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--nacks", type=float, default=0.005, help="of the packets, asked again")
    args = parser.parse_args()
    figures = uvloop.run(run(args))
    print(json.dumps(figures, indent=1))
    if least := floor(figures):
        print(least)
    print(verdict(figures, 20 if 20 in args.calls else max(args.calls)))


if __name__ == "__main__":
    main()
