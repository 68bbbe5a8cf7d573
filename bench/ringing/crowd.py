"""Clinicians who are there and are not measured: `python -m bench.ringing.crowd RUNG URL…`.

A process of its own, so that a thousand consoles that are drawn at once do not hold up the socket
that is timed. Their cookies come on standard input, one a line; each goes to the URLs in turn. Says
`rang SESSION WHEN` for each ring, for a press may ring one of them, `ready` when so many have been
seen, and stays until standard input closes. When: seconds of the clock that all processes of this
machine share. Says `lost N` when the socket of the N-th was closed by the server.
"""

from __future__ import annotations

import asyncio
import sys

import aiohttp
import uvloop

from bench.ringing.robots import Offer, Robot, Told, open_all


def concerns(text: str) -> bool:
    """Whether a robot of the crowd has anything to do with a message: a ring, or an answer."""
    return '"offer":' in text or '"re":' in text


async def stay(wanted: int, urls: list[str], cookies: list[str]) -> None:
    """Come, ring, and stay."""
    rung: set[str] = set()
    all_rung = asyncio.Event()

    def hears(robot: Robot, told: Told, at: float) -> None:
        for offer in [told.offer] if isinstance(told.offer, Offer) else told.offers:
            if offer.offer not in rung:
                rung.add(offer.offer)
                print(f"rang {offer.session} {at}", flush=True)
                robot.tell("offer.delivered", offer=offer.offer)
        if len(rung) >= wanted:
            all_rung.set()

    robots = [
        Robot("console", cookie, urls[n % len(urls)], hears, concerns)
        for n, cookie in enumerate(cookies)
    ]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        await open_all(robots, http)
        if wanted:
            await all_rung.wait()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        for number in (n for n, robot in enumerate(robots) if robot.closed):
            print(f"lost {number}", flush=True)
        await asyncio.gather(*(robot.close() for robot in robots))


if __name__ == "__main__":
    given = []
    for line in sys.stdin:
        if line == "\n":
            break
        given.append(line.strip())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(stay(int(sys.argv[1]), sys.argv[2:], given))
