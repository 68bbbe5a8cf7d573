"""What other processes shout: published, heard by whoever listens, kept by nobody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from oncall.redis_link import AGAIN_SECONDS, BROKEN, RedisLink

log = logging.getLogger(__name__)

WAIT_SECONDS = 5.0  # for one message; then it is asked whether the connection lives


class RedisEar:
    """One process's ear on one channel. `run` listens, for ever; what comes is given to `hear`."""

    def __init__(self, link: RedisLink, name: str, hear: Callable[[bytes], None]) -> None:
        self._link = link
        self._name = name
        self._hear = hear

    async def run(self) -> None:
        """Listen, and begin again whenever Redis was away."""
        failures = 0
        while True:
            try:
                await self._listen()
            except BROKEN as error:
                log.debug("redis.ear_broke error=%s", type(error).__name__)
            await asyncio.sleep(AGAIN_SECONDS[min(failures, len(AGAIN_SECONDS) - 1)])
            failures += 1

    async def _listen(self) -> None:
        client = self._link.client()
        ear: Any = client.pubsub(ignore_subscribe_messages=True)
        try:
            await ear.subscribe(self._link.key(self._name))
            while True:
                async with asyncio.timeout(2 * WAIT_SECONDS):
                    message = await ear.get_message(timeout=WAIT_SECONDS)
                if message is None:
                    async with asyncio.timeout(WAIT_SECONDS):
                        await ear.ping()
                elif message["type"] == "message":  # not the answer to the ping
                    self._hear(message["data"])
        finally:
            await _close(ear)
            await _close(client)


async def _close(what: Any) -> None:
    try:
        await what.aclose()
    except BROKEN:
        log.debug("redis.close_failed")
