"""The same conversation without a WebSocket, for networks whose proxy refuses the upgrade.

A page opens a connection by a POST, then keeps one POST waiting for messages and sends others with
its own. Both directions are numbered from 0 within the connection, so that a request or an answer
that got lost is repeated without anything being taken twice. The name of a connection is a secret
of its page and never part of an address.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import deque
from dataclasses import dataclass

import msgspec
from aiohttp import web
from msgspec import Struct

from signaling import wire
from signaling.conversation import QUEUED_MESSAGES, Conversation, Driver
from signaling.errors import BadMessage, Draining, TooMany
from signaling.socket import Authenticate, Handler, OriginAllowed

READ_SECONDS = 10.0  # for a whole request to arrive
HOLD_SECONDS = 20.0  # a waiting request; proxies cut at 30 and more
GONE_SECONDS = 12.0  # without any request: the page has gone. It beats every 5 s.
LAST_WORDS_SECONDS = 2.0  # to be fetched after the end
GATHER_SECONDS = 0.005  # messages that come together travel together
MOST_CONNECTIONS = 2_000
MOST_MESSAGES = 64  # in one request
LARGEST_REQUEST = 2 * wire.MAX_MESSAGE


class Poll(Struct, forbid_unknown_fields=True):
    """One request. Without `connection` it opens one."""

    connection: str | None = None
    got: int = 0  # how many of our messages have arrived
    first: int = 0  # the number of the first of `messages`
    messages: list[str] = []
    wait: bool = False  # hold until there is something to say


class Polled(Struct):
    """Its answer. `closed`: why nothing more will come on this connection."""

    connection: str
    first: int  # the number of the first of `messages`
    messages: list[str]
    closed: str | None


_decoder = msgspec.json.Decoder(Poll)


class Polling:
    """All connections of this process that have no socket."""

    def __init__(
        self, desk: Driver, authenticate: Authenticate, origin_allowed: OriginAllowed
    ) -> None:
        self._desk = desk
        self._authenticate = authenticate
        self._origin_allowed = origin_allowed
        self._open: dict[str, _Connection] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending = False

    @property
    def handler(self) -> Handler:
        """The aiohttp handler of `POST /poll`."""
        return self._handle

    async def close(self) -> None:
        """End every conversation, and wait for the end."""
        self._ending = True
        for one in self._open.values():
            one.gone()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if not self._origin_allowed(request):
            raise web.HTTPForbidden(text="This page comes from somewhere else.")
        try:
            async with asyncio.timeout(READ_SECONDS):
                body = await request.clone(client_max_size=LARGEST_REQUEST).read()
            asked = _decoder.decode(body)
        except TimeoutError:
            raise web.HTTPRequestTimeout from None
        except (msgspec.DecodeError, RecursionError):  # nested without end
            raise web.HTTPBadRequest(text=BadMessage.sentence) from None
        name = asked.connection
        if name is None:
            name = self._begin(request)
        found = self._open.get(name)
        if found is None:
            return _answer(Polled(name, 0, [], "unknown"))
        return _answer(await found.exchange(asked))

    def _begin(self, request: web.Request) -> str:
        if self._desk.draining:
            raise web.HTTPServiceUnavailable(text=Draining.sentence)
        if len(self._open) >= MOST_CONNECTIONS:
            raise web.HTTPServiceUnavailable(text=TooMany.sentence)
        name = secrets.token_urlsafe(24)
        made = self._open[name] = _Connection(name)
        task = asyncio.create_task(self._talk(made, request), name="polling")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return name

    async def _talk(self, made: _Connection, request: web.Request) -> None:
        """Owns the connection: when the conversation is over, what is left may be fetched."""
        talk = Conversation(
            self._desk, lambda hello, ask: self._authenticate(request, hello, ask), made
        )
        watch = asyncio.create_task(made.watch(), name="polling-watch")
        try:
            await talk.run()
            await made.close("left")
            if not self._ending:
                await made.emptied()
        finally:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch
            del self._open[made.name]


@dataclass(slots=True)
class _Out:
    """Messages to the page that it has not said to have."""

    first: int
    texts: deque[str]


class _Connection:
    """A conversation's transport: queues, and the requests that fill and empty them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._in: asyncio.Queue[str | None] = asyncio.Queue(QUEUED_MESSAGES)
        self._taken = 0  # messages of the page that were put into the queue
        self._out = _Out(0, deque())
        self._changed = asyncio.Condition()
        self._closed: str | None = None
        self._turn = 0  # of the newest one held: an older one is let go
        self._seen_at = asyncio.get_running_loop().time()

    # --- the conversation's side ------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        return self._closed is not None

    @property
    def idle(self) -> bool:
        return not self._out.texts

    async def receive(self) -> str | bytes | None:
        if self.closed:
            return None
        return await self._in.get()

    async def send(self, text: str) -> None:
        async with self._changed:
            await self._changed.wait_for(
                lambda: len(self._out.texts) < QUEUED_MESSAGES or self.closed
            )
            if self.closed:
                raise ConnectionResetError("closed")
            self._out.texts.append(text)
            self._changed.notify_all()

    async def close(self, reason: str, *, refused: bool = False) -> None:
        del refused  # a close code of WebSockets; here the reason is enough
        async with self._changed:
            self._closed = self._closed or reason or "closed"
            self._changed.notify_all()

    # --- the page's side --------------------------------------------------------------------------

    async def exchange(self, asked: Poll) -> Polled:
        """Take what the page sends; answer with what is there, or wait for it."""
        self._seen_at = asyncio.get_running_loop().time()
        await self._acknowledged(asked.got)
        if not self._take(asked):
            await self.close("bad-message")
            self.gone()
        if asked.wait:
            await self._something()
        texts = list(self._out.texts) if asked.wait or self.closed else []
        return Polled(self.name, self._out.first, texts, self._closed)

    def _take(self, asked: Poll) -> bool:
        """Put new messages into the queue; False for what no page of ours sends."""
        if len(asked.messages) > MOST_MESSAGES or not 0 <= asked.first <= self._taken:
            return False
        for text in asked.messages[self._taken - asked.first :]:
            if len(text.encode()) > wire.MAX_MESSAGE or self._in.full():
                return False
            self._in.put_nowait(text)
            self._taken += 1
        return True

    async def _acknowledged(self, got: int) -> None:
        async with self._changed:
            while self._out.texts and self._out.first < got:
                self._out.texts.popleft()
                self._out.first += 1
            self._changed.notify_all()

    async def _something(self) -> None:
        """Until there is a message, or the end, or a newer request that waits, or long enough."""
        self._turn += 1
        turn = self._turn
        async with self._changed:
            self._changed.notify_all()  # whoever waited before us
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HOLD_SECONDS):
                    await self._changed.wait_for(
                        lambda: bool(self._out.texts) or self.closed or turn != self._turn
                    )
        await asyncio.sleep(GATHER_SECONDS)

    # --- its end ----------------------------------------------------------------------------------

    def gone(self) -> None:
        """The page has gone: the conversation reads its end."""
        while self._in.full():
            self._in.get_nowait()
        self._in.put_nowait(None)

    async def watch(self) -> None:
        """A page that asks nothing any more has gone, also while a request of its is held."""
        loop = asyncio.get_running_loop()
        # each request sets the time back
        while (left := self._seen_at + GONE_SECONDS - loop.time()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(left)
        await self.close("gone")
        self.gone()

    async def emptied(self) -> None:
        """The last words were fetched, or nobody fetches them."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_SECONDS), self._changed:
                await self._changed.wait_for(lambda: not self._out.texts)


def _answer(polled: Polled) -> web.Response:
    return web.Response(body=msgspec.json.encode(polled), content_type="application/json")
