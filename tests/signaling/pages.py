"""Pages without a browser: real sockets that speak the protocol, for tests of the desk."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
from collections.abc import Callable
from typing import Any

import aiohttp

BOUND = 10.0  # seconds that any condition may take on a busy machine


class Refused(Exception):
    """The server answered with an error."""

    def __init__(self, body: dict[str, Any]) -> None:
        super().__init__(body["code"])
        self.code: str = body["code"]
        self.data: dict[str, Any] = body.get("data", {})


class Page:
    """One page's stream: numbered commands, the newest snapshot, and all other messages."""

    def __init__(self, http: aiohttp.ClientSession, url: str, page: str, who: str) -> None:
        self._http = http
        self._url = url
        self.page = page
        self.who = who
        self.stream = secrets.token_hex(8)
        self.view: dict[str, Any] = {}
        self.messages: list[dict[str, Any]] = []
        self.numbers: list[int] = []
        self.welcome: dict[str, Any] = {}
        self.closed_with: int | None = None
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._changed = asyncio.Condition()
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None

    async def open(self) -> Page:
        """Connect (again) and say hello with the last number seen."""
        self._socket = await self._http.ws_connect(
            self._url, headers={"X-Test-Actor": self.who, "Origin": "http://test"}
        )
        last = max(self.numbers, default=0)
        await self._socket.send_json(
            {
                "type": "hello",
                "protocol": 1,
                "page": self.page,
                "stream": self.stream,
                "last": last,
            }
        )
        self.welcome = {}
        self._reader = asyncio.create_task(self._read(self._socket))
        await self.until(lambda: bool(self.welcome))
        return self

    async def drop(self) -> None:
        """The network is gone: no goodbye."""
        if self._socket is not None:
            await self._socket.close()
        if self._reader is not None:
            await asyncio.gather(self._reader, return_exceptions=True)

    async def send(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; raises Refused."""
        command_id = next(self._ids)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[command_id] = answer
        await self.send_raw(json.dumps({"type": kind, "id": command_id, **fields}))
        async with asyncio.timeout(BOUND):
            body = await answer
        if body["type"] == "error":
            raise Refused(body)
        return dict(body["data"])

    async def send_raw(self, text: str) -> None:
        assert self._socket is not None
        await self._socket.send_str(text)

    async def until(self, true: Callable[[], Any]) -> None:
        """Wait until a condition on what this page has seen holds."""
        try:
            async with asyncio.timeout(BOUND), self._changed:
                await self._changed.wait_for(true)
        except TimeoutError:
            raise AssertionError(f"{self.who} never saw it; view: {self.view}") from None

    async def until_view(self, true: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        await self.until(lambda: bool(self.view) and true(self.view))
        return self.view

    def seen(self, kind: str) -> list[dict[str, Any]]:
        return [m for m in self.messages if m["type"] == kind]

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                break
            await self._take(json.loads(message.data))
        async with self._changed:
            self.closed_with = socket.close_code
            self._changed.notify_all()

    async def _take(self, body: dict[str, Any]) -> None:
        async with self._changed:
            if "n" in body:
                self.numbers.append(body["n"])
            if body["type"] in {"ack", "error"} and body["re"] in self._waiting:
                answer = self._waiting.pop(body["re"])
                if not answer.done():
                    answer.set_result(body)
            elif body["type"] == "welcome":
                self.welcome = body
            elif body["type"] == self.page:
                self.view = body
            self.messages.append(body)
            self._changed.notify_all()
