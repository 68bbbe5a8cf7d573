"""Tablets and consoles without a browser, cheap enough for a thousand of them in one process."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec

BEAT_SECONDS = 5.0


class Offer(msgspec.Struct):
    offer: str
    token: str
    session: str
    expires_at: float  # UTC seconds


class Told(msgspec.Struct):
    """The little of a message that a robot looks at."""

    type: str
    re: int | None = None
    code: str | None = None
    data: dict[str, Any] = {}
    offers: list[Offer] = []
    offer: Offer | str | None = None  # an id in `offer.gone`
    session: Any = None  # an id in `offer.gone`
    reason: str | None = None


_decoder = msgspec.json.Decoder(Told)


class Refused(Exception):
    """The server answered with an error; its code."""


@dataclass
class Robot:
    """One page: numbered commands, and a hook for each message."""

    page: str  # tablet | console
    cookie: str
    url: str
    hears: Callable[[Robot, Told, float], None]
    concerns: Callable[[str], bool] = lambda _text: True
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _answers: dict[int, asyncio.Future[dict[str, Any]]] = field(default_factory=dict)
    _socket: aiohttp.ClientWebSocketResponse | None = None
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def open(self, http: aiohttp.ClientSession) -> None:
        """Connect and say hello. Every robot has its own stream."""
        self._ids = itertools.count(1)
        kind = "cb_tablet" if self.page == "tablet" else "cb_login"
        self._socket = await http.ws_connect(
            f"{self.url}/ws",
            headers={"Origin": self.url, "Cookie": f"{kind}={self.cookie}"},
            max_msg_size=0,
        )
        hello = {"type": "hello", "protocol": 1, "page": self.page, "stream": secrets.token_hex(8)}
        await self._socket.send_str(msgspec.json.encode(hello).decode())
        self._tasks = [
            asyncio.create_task(self._listen(self._socket)),
            asyncio.create_task(self._beat()),
        ]

    @property
    def closed(self) -> bool:
        return self._socket is None or self._socket.closed

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._socket is not None:
            await self._socket.close()

    async def send(self, kind: str, **fields: object) -> dict[str, Any]:
        """One command; its answer. Raises Refused."""
        number = next(self._ids)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        assert self._socket is not None
        body = {"type": kind, "id": number, **fields}
        await self._socket.send_str(msgspec.json.encode(body).decode())
        async with asyncio.timeout(60):
            return await answer

    def tell(self, kind: str, **fields: object) -> None:
        """One command whose answer does not matter."""
        self._tasks = [task for task in self._tasks if not task.done()]
        self._tasks.append(asyncio.create_task(self._quietly(kind, fields)))

    async def _quietly(self, kind: str, fields: dict[str, object]) -> None:
        try:
            await self.send(kind, **fields)
        except (Refused, ConnectionError, TimeoutError):
            return

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            await self._quietly("beat", {})

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            at = time.perf_counter()
            if message.type is not aiohttp.WSMsgType.TEXT:
                return
            if not self.concerns(message.data):
                continue
            told = _decoder.decode(message.data)
            if told.re is not None and (answer := self._answers.pop(told.re, None)) is not None:
                if answer.done():
                    continue
                if told.type == "error":
                    answer.set_exception(Refused(told.code))
                else:
                    answer.set_result(told.data)
            else:
                self.hears(self, told, at)


async def open_all(robots: Sequence[Robot], http: aiohttp.ClientSession) -> None:
    """Fifty at a time."""
    for start in range(0, len(robots), 50):
        await asyncio.gather(*(robot.open(http) for robot in robots[start : start + 50]))
