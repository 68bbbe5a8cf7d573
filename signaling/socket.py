"""The WebSocket end point: the Origin is checked before the upgrade, the rest is a conversation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from aiohttp import WSCloseCode, WSMsgType, web

from auth.actors import Actor
from signaling import wire
from signaling.conversation import Ask, Bucket, Conversation, Driver
from signaling.errors import Draining, TooMany

log = logging.getLogger(__name__)

Authenticate = Callable[[web.Request, wire.Hello, Ask], Awaitable[Actor]]
OriginAllowed = Callable[[web.Request], bool]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def socket_handler(
    desk: Driver, authenticate: Authenticate, origin_allowed: OriginAllowed
) -> Handler:
    """The aiohttp handler of `/ws`."""

    async def handler(request: web.Request) -> web.StreamResponse:
        if not origin_allowed(request):
            raise web.HTTPForbidden(text="This page comes from somewhere else.")
        if desk.draining:
            raise web.HTTPServiceUnavailable(text=Draining.sentence)
        socket = web.WebSocketResponse(
            max_msg_size=wire.MAX_MESSAGE, autoping=False, compress=False, timeout=3.0
        )
        try:
            await socket.prepare(request)
            talk = Conversation(
                desk, lambda hello, ask: authenticate(request, hello, ask), _Socket(socket)
            )
            await talk.run()
        except ConnectionError:
            log.debug("socket.vanished")  # before it had a stream: nothing was promised to it
        return socket

    return handler


class _Socket:
    """A WebSocket as a conversation's transport."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket
        self._signs = Bucket(at=asyncio.get_running_loop().time())

    @property
    def closed(self) -> bool:
        return self._socket.closed

    @property
    def idle(self) -> bool:
        return True  # `send` waits until what it sent has gone, but for a small buffer

    async def receive(self) -> str | bytes | None:
        """Signs of life are answered here, as many as messages may come: each costs as much."""
        while True:
            message = await self._socket.receive()
            if message.type is WSMsgType.TEXT:
                return str(message.data)
            if message.type not in (WSMsgType.PING, WSMsgType.PONG):
                return bytes(message.data) if message.type is WSMsgType.BINARY else None
            if not self._signs.take(asyncio.get_running_loop().time()):
                await self.close(TooMany.code, refused=True)
                return None
            if message.type is WSMsgType.PING:
                await self._socket.pong(message.data)

    async def send(self, text: str) -> None:
        await self._socket.send_str(text)

    async def close(self, reason: str, *, refused: bool = False) -> None:
        code = WSCloseCode.POLICY_VIOLATION if refused else WSCloseCode.OK
        await self._socket.close(code=code, message=reason.encode()[:100])
