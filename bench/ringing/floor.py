"""The floor: one durable commit, one wake-up and one WebSocket hop of the product's own stack.

    python -m bench.ringing.floor DATABASE-URL PORT

A process of its own, like the server that is measured beside it. A text on one socket is committed
(`Database.write`, one row), wakes the sleeper of the live store, and goes out on the other socket.
"""

from __future__ import annotations

import asyncio
import sys
import time
from functools import partial

import aiohttp
import uvloop
from aiohttp import web
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from oncall.live import EmbeddedLiveStore
from records.engine import Database

TABLE = "CREATE TABLE IF NOT EXISTS bench_floor (no INTEGER PRIMARY KEY, at DOUBLE PRECISION)"


async def insert(number: int, conn: AsyncConnection) -> None:
    row = {"no": number, "at": time.time()}
    await conn.execute(text("INSERT INTO bench_floor (no, at) VALUES (:no, :at)"), row)


async def serve(url: str, port: int) -> None:
    """Answer until the process is ended."""
    db = Database(url)
    await db.start()
    await db.write(lambda conn: conn.execute(text(TABLE)))
    await db.write(lambda conn: conn.execute(text("DELETE FROM bench_floor")))
    live = EmbeddedLiveStore()
    told: asyncio.Queue[str] = asyncio.Queue(1000)
    outlets: set[web.WebSocketResponse] = set()
    number = 0

    async def sleeper() -> None:
        while True:
            await live.wait(5.0)
            while not told.empty():
                words = told.get_nowait()
                for outlet in outlets:
                    await outlet.send_str(words)

    async def handler(request: web.Request) -> web.WebSocketResponse:
        nonlocal number
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        if request.query.get("hears"):
            outlets.add(socket)
        async for message in socket:
            number += 1
            await db.write(partial(insert, number))
            told.put_nowait(message.data)
            await live.wake()
        outlets.discard(socket)
        return socket

    app = web.Application()
    app.router.add_get("/", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print("ready", flush=True)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(sleeper())


async def measure(port: int, samples: int, pause: float) -> list[float]:
    """Seconds from a text on one socket to the same on the other; open loop, every `pause` s."""
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"http://127.0.0.1:{port}/?hears=1") as hears,
        http.ws_connect(f"http://127.0.0.1:{port}/") as speaks,
    ):
        due: dict[str, float] = {}
        times: list[float] = []

        async def listen() -> None:
            while len(times) < samples:
                words = await hears.receive_str()
                times.append(time.perf_counter() - due[words])

        async with asyncio.timeout(60 + 2 * samples * pause), asyncio.TaskGroup() as tasks:
            tasks.create_task(listen())
            start = time.perf_counter()
            for number in range(samples):
                at = start + number * pause
                await asyncio.sleep(at - time.perf_counter())
                due[str(number)] = at
                await speaks.send_str(str(number))
        return times


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(sys.argv[1], int(sys.argv[2])))
