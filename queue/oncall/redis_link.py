"""This process's link to Redis: one client that writes, one that waits for news, and the breaker.

Rules of this file:
1. Nothing here is the truth. Whatever was written may be gone; SQL and the next beats rebuild it.
2. A write is tried once: the library's own retries could run it twice. Every write is idempotent by
   what it says, so that whoever failed may simply say it again later.
3. Nobody waits for a Redis that is away: while the link is down every call fails at once.
4. News come by one stream. Each process reads it from its own last entry, so that a broken
   connection misses nothing; when entries were cut off, or Redis came back empty, `on_fresh` says
   so.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from oncall.errors import LiveStoreAway, LiveStoreUnfit

log = logging.getLogger(__name__)

CALL_SECONDS = 1.0  # a Redis beside us answers in a thousandth of that
BLOCK_SECONDS = 2.0  # how long one reading waits for news
AGAIN_SECONDS = (0.1, 0.2, 0.5, 1.0)  # between tries to reach it again; the last one for ever
KEPT_ENTRIES = 20_000  # of the stream; minutes of the busiest night
MOST_AT_ONCE = 500
UNFIT_POLICY = "noeviction"

BROKEN = (RedisError, OSError, TimeoutError)
Entry = Mapping[bytes, bytes]


async def ended(task: asyncio.Task[None]) -> None:
    """Cancel until it is over: the library may swallow one cancellation."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=CALL_SECONDS)
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("task.failed name=%s error=%s", task.get_name(), type(error).__name__)


class RedisLink:
    """One process's link. `start` before use; `close` ends its task."""

    def __init__(self, url: str, prefix: str = "cb") -> None:
        self._url = url
        self._prefix = prefix
        self._stream = self.key("news")
        self._writer = self._client(CALL_SECONDS)
        self._reader = self._client(None)
        self._task: asyncio.Task[None] | None = None
        self._tried = asyncio.Event()
        self._broke = asyncio.Event()
        self._last = b"0-0"
        self._generation: bytes | None = None
        self._unfit = False
        self.up = False
        self.on_entry: list[Callable[[Entry], None]] = []
        self.on_fresh: list[Callable[[], None]] = []  # up (again), empty, or news were missed
        self.on_down: list[Callable[[], None]] = []

    def client(self) -> redis.Redis:
        """A client for somebody who waits; theirs to close."""
        return self._client(None)

    def _client(self, timeout: float | None) -> redis.Redis:
        # a socket of this machine needs no keep-alive, and the library knows none for it
        tcp: dict[str, Any] = {} if self._url.startswith("unix") else {"socket_keepalive": True}
        return redis.Redis.from_url(
            self._url,
            protocol=2,  # the same shapes from every version, and from Valkey
            retry=Retry(NoBackoff(), 0),
            socket_timeout=timeout,
            socket_connect_timeout=CALL_SECONDS,
            health_check_interval=0,
            **tcp,
        )

    def key(self, name: str) -> str:
        return f"{self._prefix}:{name}"

    # --- life ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Try to reach it, once. Away is fine: it is tried again. Raises LiveStoreUnfit."""
        self._task = asyncio.create_task(self._run(), name="redis-link")
        tried = asyncio.create_task(self._tried.wait(), name="redis-tried")
        await asyncio.wait({tried, self._task}, return_when=asyncio.FIRST_COMPLETED)
        tried.cancel()
        if self._task.done():  # a fault of ours, not of the network's: it must not pass in silence
            self._task.result()
        if self._unfit:
            await self.close()
            raise LiveStoreUnfit

    async def close(self) -> None:
        """End the task and the connections. Safe to call twice."""
        if self._task is not None:
            await ended(self._task)
            self._task = None
        self.up = False
        await self._let_go()

    async def _let_go(self) -> None:
        for client in (self._writer, self._reader):
            try:
                await client.aclose()
            except BROKEN:
                log.debug("redis.close_failed")

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                await self._reach()
                failures = 0
                await self._listen()
            except BROKEN as error:
                self._fell(error)
            except LiveStoreUnfit:
                self._unfit = True
                log.error("redis.unfit wanted=%s", UNFIT_POLICY)  # noqa: TRY400 - no stack needed
            self._tried.set()
            await self._let_go()
            self._writer, self._reader = self._client(CALL_SECONDS), self._client(None)
            await asyncio.sleep(AGAIN_SECONDS[min(failures, len(AGAIN_SECONDS) - 1)])
            failures += 1

    async def _reach(self) -> None:
        async with asyncio.timeout(3 * CALL_SECONDS):
            memory = await self._writer.info("memory")
            if memory.get("maxmemory_policy", UNFIT_POLICY) != UNFIT_POLICY:
                raise LiveStoreUnfit
            self._unfit = False
            await self._look_for_generation()
            if not self.up:
                self.up = True
                log.info("redis.up")
            self._broke.clear()
        self._tell_fresh()
        self._tried.set()

    async def _look_for_generation(self) -> bool:
        """Whether this is another Redis than the one we knew: emptied, restarted, failed over."""
        key = self.key("generation")
        await self._writer.set(key, secrets.token_hex(8), nx=True)
        found = cast("bytes | None", await self._writer.get(key))
        if found == self._generation:
            return False
        first, self._generation = self._generation is None, found
        newest = cast("list[Any]", await self._writer.xrevrange(self._stream, count=1))
        # what came before our start is in the hashes; after a loss the stream begins anew
        self._last = newest[0][0] if first and newest else b"0-0"
        return True

    def _fell(self, error: BaseException) -> None:
        if self.up:
            self.up = False
            log.warning("redis.down error=%s", type(error).__name__)
            for told in self.on_down:
                told()

    def _tell_fresh(self) -> None:
        for told in self.on_fresh:
            told()

    # --- news ------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        broke = asyncio.create_task(self._broke.wait(), name="redis-broke")
        reading: asyncio.Task[list[tuple[bytes, Entry]]] | None = None
        try:
            while not self._broke.is_set():
                reading = asyncio.create_task(self._read(), name="redis-read")
                await asyncio.wait({broke, reading}, return_when=asyncio.FIRST_COMPLETED)
                if not reading.done():
                    break
                self._take(reading.result())
        finally:
            ending = {task for task in (broke, reading) if task is not None}
            for task in ending:
                task.cancel()
            await asyncio.wait(ending, timeout=CALL_SECONDS)
        raise ConnectionError("a write failed")

    async def _read(self) -> list[tuple[bytes, Entry]]:
        async with asyncio.timeout(BLOCK_SECONDS + 3 * CALL_SECONDS):
            found: Any = await self._reader.xread(
                {self._stream: self._last}, count=MOST_AT_ONCE, block=round(BLOCK_SECONDS * 1000)
            )
        return cast("list[tuple[bytes, Entry]]", found[0][1]) if found else []

    def _take(self, entries: list[tuple[bytes, Entry]]) -> None:
        for number, fields in entries:
            self._last = number
            for told in self.on_entry:
                try:
                    told(fields)
                except Exception:  # one entry that nobody can read must not end the reading
                    log.exception("redis.bad_entry")

    async def check(self) -> None:
        """See whether it was emptied, or news were cut off before we read them.

        Call it every few seconds. Raises LiveStoreAway.
        """

        async def look() -> None:
            if await self._look_for_generation():
                self._tell_fresh()
                return
            oldest = cast("list[Any]", await self._writer.xrange(self._stream, count=1))
            if oldest and self._last != b"0-0" and _order(oldest[0][0]) > _order(self._last):
                self._last = b"0-0"
                log.warning("redis.news_missed")
                self._tell_fresh()

        await self._guarded(look())

    # --- writing ---------------------------------------------------------------------------------

    async def run(self, script: str, keys: Sequence[str], args: Sequence[str | float]) -> Any:
        """Run a script that may be run again. Raises LiveStoreAway; then it may have run or not."""
        return await self._guarded(self._writer.eval(script, len(keys), *keys, *args))

    async def hashes(self, *keys: str) -> list[dict[bytes, bytes]]:
        """The whole of some hashes, read at one moment. Raises LiveStoreAway."""
        pipe = self._writer.pipeline(transaction=True)
        for key in keys:
            pipe.hgetall(key)
        return cast("list[dict[bytes, bytes]]", await self._guarded(pipe.execute()))

    async def publish(self, entries: Sequence[Mapping[str, str | bytes]]) -> None:
        """Put news on the stream. Raises LiveStoreAway."""
        pipe = self._writer.pipeline(transaction=False)
        for entry in entries:
            pipe.xadd(self._stream, cast("Any", entry), maxlen=KEPT_ENTRIES, approximate=True)
        await self._guarded(pipe.execute())

    async def shout(self, name: str, data: bytes) -> None:
        """Say something to whoever listens now; Redis keeps nothing of it. Raises LiveStoreAway."""
        await self._guarded(self._writer.publish(self.key(name), data))

    async def seconds(self) -> float:
        """Redis's own clock, for comparing. Raises LiveStoreAway."""
        found = cast("tuple[int, int]", await self._guarded(self._writer.time()))
        return found[0] + found[1] / 1e6

    async def _guarded(self, call: Awaitable[Any]) -> Any:
        if not self.up:
            if asyncio.iscoroutine(call):
                call.close()
            raise LiveStoreAway
        cancelled = _cancelled()
        try:
            async with asyncio.timeout(2 * CALL_SECONDS):
                found = await call
        except BROKEN as error:
            if _cancelled() > cancelled:
                raise asyncio.CancelledError from error
            self._broke.set()
            self._fell(error)
            raise LiveStoreAway from error
        if _cancelled() > cancelled:
            raise asyncio.CancelledError  # the library swallowed it, and the caller would never end
        return found


def _cancelled() -> int:
    """How often this task was told to end."""
    task = asyncio.current_task()
    return task.cancelling() if task is not None else 0


def _order(number: bytes) -> tuple[int, int]:
    milliseconds, _, count = number.partition(b"-")
    return int(milliseconds), int(count)
