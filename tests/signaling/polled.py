"""A page's line by plain requests, with the face of a WebSocket, so that every robot can use it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import aiohttp


class Line:
    """One connection: a task that waits for messages, and requests that send."""

    def __init__(self, http: aiohttp.ClientSession, url: str, headers: Mapping[str, str]) -> None:
        self._http, self.url, self.headers = http, url, dict(headers)
        self.connection = ""
        self.got = self.first = 0
        self.closed = False
        self.why: str | None = None
        self._arrived: asyncio.Queue[str | None] = asyncio.Queue()
        self._listener: asyncio.Task[None] | None = None

    async def post(self, **body: Any) -> dict[str, Any]:
        """One request as it is; for tests that send what no page sends."""
        async with self._http.post(self.url, json=body, headers=self.headers) as answer:
            if answer.status != 200:
                raise ConnectionResetError(answer.status)
            return dict(await answer.json())

    async def open(self) -> Line:
        self.connection = (await self.post())["connection"]
        self._listener = asyncio.create_task(self._listen(), name="poll-listener")
        return self

    async def send_str(self, text: str) -> None:
        answer = await self.post(
            connection=self.connection, got=self.got, first=self.first, messages=[text]
        )
        self.first += 1
        self._take(answer)

    async def send_json(self, body: Any) -> None:
        await self.send_str(json.dumps(body))

    async def close(self) -> None:
        """As a tab that is closed: no goodbye."""
        self.closed = True
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
        self._arrived.put_nowait(None)

    def __aiter__(self) -> Line:
        return self

    async def __anext__(self) -> Any:
        text = await self._arrived.get()
        if text is None:
            raise StopAsyncIteration
        return SimpleNamespace(type=aiohttp.WSMsgType.TEXT, data=text)

    @property
    def close_code(self) -> int | None:
        return 1000 if self.closed else None

    async def _listen(self) -> None:
        with contextlib.suppress(aiohttp.ClientError, ConnectionError):
            while not self.closed:
                self._take(await self.post(connection=self.connection, got=self.got, wait=True))
        self.closed = True
        self._arrived.put_nowait(None)

    def _take(self, answer: dict[str, Any]) -> None:
        for number, text in enumerate(answer["messages"], start=answer["first"]):
            if number == self.got:
                self.got += 1
                self._arrived.put_nowait(text)
        if answer["closed"] is not None:
            self.closed, self.why = True, answer["closed"]


def by_polling(http: aiohttp.ClientSession) -> aiohttp.ClientSession:
    """Looks like a client session whose WebSockets are lines of this kind."""

    async def ws_connect(url: str, headers: Mapping[str, str]) -> Line:
        address = url.replace("ws", "http", 1) if url.startswith("ws") else url
        return await Line(http, address.removesuffix("/ws") + "/poll", headers).open()

    return cast("aiohttp.ClientSession", SimpleNamespace(ws_connect=ws_connect))
