"""The shared live store on a real redis-server: the contract, two processes, and Redis lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
import redis.asyncio as redis

from oncall import redis_ear
from oncall.errors import LiveStoreUnfit
from oncall.facts import Activity
from oncall.live import LiveStore
from oncall.live_redis import RedisLiveStore
from oncall.presence import PresenceState
from oncall.redis_link import RedisLink
from tests.oncall import redis_server
from tests.oncall.live_contract import BOUND, LiveContract, T
from tests.oncall.redis_server import RedisServer

pytestmark = pytest.mark.skipif(
    redis_server.program() is None, reason="no redis-server is installed here"
)
CONNECTED, GRACE, LOST = PresenceState


@pytest.fixture(scope="module")
def shared() -> Iterator[RedisServer]:
    with redis_server.running() as server:
        yield server


@pytest.fixture
def own() -> Iterator[RedisServer]:
    """For tests that kill it."""
    with redis_server.running() as server:
        yield server


@asynccontextmanager
async def a_store(server: RedisServer, node: str, now: float = T) -> AsyncIterator[RedisLiveStore]:
    store = RedisLiveStore(RedisLink(server.url), node, lambda: now)
    await store.start()
    try:
        yield store
    finally:
        await store.close()


async def emptied(server: RedisServer) -> None:
    client = redis.Redis.from_url(server.url)
    await client.flushall()
    await client.aclose()


@pytest.fixture
async def store(shared: RedisServer) -> AsyncIterator[LiveStore]:
    await emptied(shared)
    async with a_store(shared, "nod_one") as made:
        await made.wait(0)
        yield made


class TestShared(LiveContract):
    """All of the contract."""


async def until(what: str, look: Callable[[], Awaitable[object]]) -> None:
    deadline = time.monotonic() + BOUND
    while not await look():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.01)


async def presence(store: LiveStore, who: str, now: float) -> PresenceState | None:
    found = (await store.snapshot(now)).get(who)
    return found.presence if found else None


async def sees(store: LiveStore, who: str, state: PresenceState | None, now: float = T) -> None:
    async def look() -> bool:
        return not store.partial and await presence(store, who, now) is state

    await until(f"{who} is never {state}", look)


async def alone(store: LiveStore, *, expected: bool = True) -> None:
    async def look() -> bool:
        return store.partial is expected

    await until(f"partial is never {expected}", look)


async def test_each_process_sees_the_other_s_pages_and_choices(shared: RedisServer) -> None:
    await emptied(shared)
    async with a_store(shared, "nod_a") as one, a_store(shared, "nod_b") as two:
        await one.beat("dana", "one", T)
        await one.beat_tablet("unit", "t", T)
        await sees(two, "dana", CONNECTED)
        await two.set_activity("dana", Activity.PAUSED, "break", T)

        async def paused() -> bool:
            return (await one.snapshot(T))["dana"].activity is Activity.PAUSED

        await until("the choice arrives", paused)
        assert (await two.tablets(T))["unit"] is CONNECTED
        await one.drop("dana", "one", T + 1)
        await sees(two, "dana", GRACE, T + 1)


async def test_who_comes_later_finds_everybody(shared: RedisServer) -> None:
    await emptied(shared)
    async with a_store(shared, "nod_a") as one:
        await one.beat("dana", "one", T)
        await one.set_activity("dana", Activity.PAUSED, "break", T)
        async with a_store(shared, "nod_b") as two:
            await sees(two, "dana", CONNECTED)
            assert (await two.snapshot(T))["dana"].reason == "break"


async def test_a_page_that_moved_is_not_dropped_by_its_old_process(shared: RedisServer) -> None:
    await emptied(shared)
    async with a_store(shared, "nod_a") as one, a_store(shared, "nod_b") as two:
        await one.beat("dana", "page", T)
        await sees(two, "dana", CONNECTED)
        await two.beat("dana", "page", T + 3)
        await one.drop("dana", "page", T + 2)  # a late word
        await two.beat("miguel", "after", T + 3)
        await sees(one, "miguel", CONNECTED, T + 3)
        await sees(one, "dana", CONNECTED, T + 3)
        async with a_store(shared, "nod_c") as three:
            await sees(three, "dana", CONNECTED, T + 3)


async def compared(store: LiveStore, server: RedisServer, now: float) -> None:
    """Wait until the store has made itself the same as Redis once more."""
    client = redis.Redis.from_url(server.url)
    [pages] = [key async for key in client.scan_iter("*:pages")]
    sign = f"per_sign{time.monotonic_ns()}"
    await client.hset(pages, f"p|{sign}|ws_sign", f"nod_sign|{now!r}|")
    await client.aclose()

    async def seen() -> bool:
        return sign in await store.snapshot(now)

    await until("the store compared itself with Redis", seen)


@pytest.mark.parametrize("left", ["closed", "silent"])
async def test_who_left_another_process_a_while_ago_and_is_here_stays_here(
    shared: RedisServer, left: str
) -> None:
    """As everybody after a rolling restart: the lease of then stays written down for a minute."""
    await emptied(shared)
    async with a_store(shared, "nod_one") as one, a_store(shared, "nod_two") as two:
        await one.beat("per_a", "ws_1", T)
        await one.beat_tablet("tab_a", "ws_3", T)
        await until("seen", lambda: is_(two, "per_a", CONNECTED, T + 1))
        if left == "closed":
            await one.drop("per_a", "ws_1", T + 1)
            await one.drop_tablet("tab_a", "ws_3", T + 1)
            await until("seen to be closed", lambda: is_(two, "per_a", GRACE, T + 1))
        await two.beat("per_a", "ws_2", T + 20)
        await two.beat_tablet("tab_a", "ws_4", T + 20)
        for _ in range(2):
            await compared(two, shared, T + 21)
            assert await presence(two, "per_a", T + 21) is CONNECTED
            assert (await two.tablets(T + 21))["tab_a"] is CONNECTED
        async with a_store(shared, "nod_three", T + 21) as three:  # it finds both leases at once
            assert await presence(three, "per_a", T + 21) is CONNECTED


async def is_(store: LiveStore, who: str, expected: PresenceState, now: float) -> bool:
    return await presence(store, who, now) is expected


async def test_a_dead_process_s_pages_are_lost_together_and_at_once(shared: RedisServer) -> None:
    await emptied(shared)
    async with a_store(shared, "nod_a") as one, a_store(shared, "nod_b") as two:
        await one.beat("dana", "one", T)
        await one.beat("miguel", "two", T)
        await two.beat("miguel", "three", T)
        await sees(two, "dana", CONNECTED)
        await two.wait(0)
        await two.node_lost("nod_a", T + 1)
        assert await two.wait(BOUND) is True
        assert await presence(two, "dana", T + 1) is LOST
        assert await presence(two, "miguel", T + 1) is CONNECTED
        async with a_store(shared, "nod_c") as three:
            await sees(three, "miguel", CONNECTED, T + 1)
            await sees(three, "dana", None, T + 1)


async def test_a_process_that_leaves_takes_its_pages_along(shared: RedisServer) -> None:
    await emptied(shared)
    async with a_store(shared, "nod_b") as two:
        async with a_store(shared, "nod_a") as one:
            await one.beat("dana", "one", T)
            await sees(two, "dana", CONNECTED)
        await sees(two, "dana", GRACE)


@pytest.mark.parametrize("way", ["killed", "frozen"])
async def test_without_redis_everybody_goes_on_with_their_own(own: RedisServer, way: str) -> None:
    async with a_store(own, "nod_a") as one, a_store(own, "nod_b") as two:
        await one.beat("dana", "one", T)
        await two.beat("miguel", "two", T)
        await sees(one, "miguel", CONNECTED)
        await sees(two, "dana", CONNECTED)
        own.kill() if way == "killed" else own.freeze()
        before = time.monotonic()
        await one.beat("dana", "one", T + 5)
        await one.beat("priya", "new", T + 5)
        await one.set_activity("dana", Activity.PAUSED, "break", T + 5)
        assert time.monotonic() - before < 0.5, "nobody waits for Redis"
        await alone(one)
        await alone(two)
        seen = await one.snapshot(T + 30)
        assert seen["miguel"].presence is GRACE, "not lost: he may well be elsewhere"
        assert (await one.snapshot(T + 6))["dana"].presence is CONNECTED
        own.start() if way == "killed" else own.thaw()
        await alone(one, expected=False)
        await sees(two, "priya", CONNECTED, T + 6)
        await sees(one, "miguel", CONNECTED, T + 6)
        assert (await two.snapshot(T + 6))["dana"].reason == "break"


async def test_an_emptied_redis_is_filled_again_by_itself(shared: RedisServer) -> None:
    await emptied(shared)
    async with a_store(shared, "nod_a") as one, a_store(shared, "nod_b") as two:
        await one.beat("dana", "one", T)
        await one.set_activity("dana", Activity.PAUSED, "break", T)
        await sees(two, "dana", CONNECTED)
        await emptied(shared)

        async def filled() -> bool:
            async with a_store(shared, "nod_c") as three:
                found = (await three.snapshot(T)).get("dana")
                return found is not None and found.reason == "break"

        await until("Dana is written down again", filled)
        await two.beat("miguel", "two", T)
        await sees(one, "miguel", CONNECTED)


async def test_a_start_without_redis_is_fine_and_joins_when_it_comes(own: RedisServer) -> None:
    own.kill()
    async with a_store(own, "nod_a") as one:
        assert one.partial
        await one.beat("dana", "one", T)
        assert await presence(one, "dana", T) is CONNECTED
        own.start()
        async with a_store(own, "nod_b") as two:
            await sees(two, "dana", CONNECTED)
        await alone(one, expected=False)


async def test_a_redis_that_throws_keys_away_is_refused() -> None:
    with redis_server.running("--maxmemory-policy", "allkeys-lru") as server:
        store = RedisLiveStore(RedisLink(server.url), "nod_a", lambda: T)
        with pytest.raises(LiveStoreUnfit, match="noeviction"):
            await store.start()


async def test_nothing_but_ids_codes_and_times_is_written(shared: RedisServer) -> None:
    await emptied(shared)
    async with a_store(shared, "nod_a") as one, a_store(shared, "nod_b") as two:
        await one.beat("per_dana", "person:per_dana:console:abc", T)
        await one.set_activity("per_dana", Activity.PAUSED, "break", T)
        await sees(two, "per_dana", CONNECTED)
        client = redis.Redis.from_url(shared.url)
        pages, choices = await client.hgetall("cb:pages"), await client.hgetall("cb:choices")
        await client.aclose()
    assert pages == {b"p|per_dana|person:per_dana:console:abc": f"nod_a|{T!r}|".encode()}
    assert choices == {b"per_dana": f"paused|break|{T!r}".encode()}


async def test_an_ear_hears_what_is_shouted_and_nothing_of_its_own_asking(
    shared: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks whether the connection lives whenever all is quiet; the answer is no shout."""
    monkeypatch.setattr(redis_ear, "WAIT_SECONDS", 0.1)
    heard: list[bytes] = []
    client = redis.Redis.from_url(shared.url)

    async def pings() -> int:
        found = await client.info("commandstats")
        return int(found.get("cmdstat_ping", {"calls": 0})["calls"])

    async with a_store(shared, "nod_one"):
        link = RedisLink(shared.url)
        before = await pings()
        ear = asyncio.create_task(redis_ear.RedisEar(link, "shouts", heard.append).run())
        try:

            async def asked() -> bool:
                return await pings() >= before + 3

            await until("the ear asks", asked)
            assert heard == []

            async def arrived() -> bool:
                await client.publish(link.key("shouts"), b"now")
                return bool(heard)

            await until("a shout is heard", arrived)
        finally:
            ear.cancel()
            await asyncio.wait({ear})
            await client.aclose()
    assert set(heard) == {b"now"}
