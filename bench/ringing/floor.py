"""The floor: one durable commit, one wake-up and one WebSocket hop of the product's own stack.

    python -m bench.ringing.floor DATABASE-URL PORT [REDIS-URL]

A process of its own, like the server that is measured beside it. A text on one socket is committed
(`Database.write`, one row), wakes the sleeper of the live store, and goes out on the other socket.
With a Redis, the wake-up is a word on the bus, and the other socket is another process's.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import time

import aiohttp
import uvloop
from aiohttp import web
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from oncall.live import EmbeddedLiveStore
from records.engine import Database
from signaling import bus
from signaling.cluster import share

TABLE = "CREATE TABLE IF NOT EXISTS bench_floor (id TEXT PRIMARY KEY, at DOUBLE PRECISION)"


async def insert(conn: AsyncConnection) -> None:
    row = {"id": secrets.token_hex(8), "at": time.time()}
    await conn.execute(text("INSERT INTO bench_floor (id, at) VALUES (:id, :at)"), row)


class Hop:
    """From the process that commits to the one whose socket hears of it."""

    def __init__(self, redis: str | None) -> None:
        self.told: asyncio.Queue[str] = asyncio.Queue(1000)
        self._live = EmbeddedLiveStore()
        self._shared = share(redis, "only-for-measuring", time.time) if redis else None

    async def start(self) -> None:
        if self._shared is not None:
            self._shared.bus.hear = self._hear
            await self._shared.live.start()

    async def run(self) -> None:
        if self._shared is not None:
            await self._shared.bus.run()

    async def tell(self, words: str) -> None:
        if self._shared is not None:
            self._shared.bus.post(bus.ForPages("somebody", words))
            return
        self.told.put_nowait(words)
        await self._live.wake()

    async def wait(self) -> str:
        while self._shared is None and self.told.empty():
            await self._live.wait(5.0)
        return await self.told.get()

    def _hear(self, _node: str, _number: str, note: bus.AnyNote) -> None:
        if isinstance(note, bus.ForPages):
            self.told.put_nowait(note.message)


async def serve(url: str, port: int, redis: str | None) -> None:
    """Answer until the process is ended."""
    db = Database(url)
    await db.start()
    await db.write(lambda conn: conn.execute(text(TABLE)))
    hop = Hop(redis)
    await hop.start()
    outlets: set[web.WebSocketResponse] = set()

    async def sleeper() -> None:
        while True:
            words = await hop.wait()
            for outlet in outlets:
                await outlet.send_str(words)

    async def handler(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        if request.query.get("hears"):
            outlets.add(socket)
        async for message in socket:
            await db.write(insert)
            await hop.tell(message.data)
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
        tasks.create_task(hop.run())


async def measure(ports: list[int], samples: int, pause: float) -> list[float]:
    """Seconds from a text on one socket to the same on the other; open loop, every `pause` s.

    The one speaks to the first of the processes, the other listens to the last.
    """
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"http://127.0.0.1:{ports[-1]}/?hears=1") as hears,
        http.ws_connect(f"http://127.0.0.1:{ports[0]}/") as speaks,
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
        runner.run(serve(sys.argv[1], int(sys.argv[2]), sys.argv[3] if sys.argv[3:] else None))
