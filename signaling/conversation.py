"""A page's conversation with the server, whatever carries it: bounded in size, rate and time.

A conversation's life: the first message must be `hello` within HELLO_SECONDS; the sign-in is
checked for the page that it names, and a tablet's device proves that it holds its key; then
commands are taken one at a time. Whatever a peer sends, the worst that happens is an `error` and
the end of its own connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from auth.actors import Actor
from signaling import wire
from signaling.errors import BadMessage, SessionError, TooMany, WrongPage
from signaling.hub import Hub, Outlet, Stream

log = logging.getLogger(__name__)

HELLO_SECONDS = 10.0
QUEUED_MESSAGES = 256  # to one connection; a page that reads slower than this is cut off
RATE = 25.0  # commands a second, sustained
BURST = 100.0
IDLE_SECONDS = 30.0  # beats come every 5 s; a connection that says nothing for this long is dead
SEND_SECONDS = 10.0
BEAT_SECONDS = 5.0

Ask = Callable[[wire.Challenge], Awaitable[wire.Proof]]
Authenticate = Callable[[wire.Hello, Ask], Awaitable[Actor]]


class Transport(Protocol):
    """What carries a conversation."""

    @property
    def closed(self) -> bool: ...

    @property
    def idle(self) -> bool:
        """Whether all that was sent has left."""

    async def receive(self) -> str | bytes | None:
        """The next message; bytes for one that is no text; None when the other side has gone."""

    async def send(self, text: str) -> None:
        """Raises OSError when the other side has gone."""

    async def close(self, reason: str, *, refused: bool = False) -> None:
        """What was sent before still arrives, if the other side is there."""


class Typed(Protocol):
    """Every package's error: a stable code and a sentence that is safe to show."""

    code: str
    status: int


class Driver(Protocol):
    """What a conversation needs from the desk."""

    hub: Hub
    typed_errors: tuple[type[Exception], ...]

    @property
    def draining(self) -> bool: ...
    def now(self) -> float: ...
    async def joined(self, stream: Stream, *, resumed: bool, back: bool) -> None: ...
    async def left(self, stream: Stream) -> None: ...
    async def handle(self, stream: Stream, command: wire.Command) -> dict[str, object]: ...


@dataclass(slots=True)
class Bucket:
    """A token bucket; `now` in monotonic seconds."""

    level: float = BURST
    at: float = 0.0

    def take(self, now: float) -> bool:
        self.level = min(BURST, self.level + (now - self.at) * RATE)
        self.at = now
        if self.level < 1:
            return False
        self.level -= 1
        return True


class Conversation:
    """One connection from hello to its end."""

    def __init__(
        self,
        desk: Driver,
        authenticate: Authenticate,
        transport: Transport,
    ) -> None:
        self._desk = desk
        self._authenticate = authenticate
        self._transport = transport
        self._out: asyncio.Queue[str | None] = asyncio.Queue(QUEUED_MESSAGES)
        self._bucket = Bucket(at=asyncio.get_running_loop().time())
        self._outlet = Outlet(put=self._put, close=self._close, idle=self._idle)
        self._sending = False
        self._closing: str | None = None

    async def run(self) -> None:
        try:
            opened = await self._hello()
        except (msgspec.DecodeError, TimeoutError) as error:
            await self._refuse(error)
            return
        except OSError as error:  # it went away while it was asked
            log.debug("conversation.broken errors=1 type=%s", type(error).__name__)
            return
        except self._desk.typed_errors as error:
            await self._refuse(error)
            return
        if opened is None:
            return
        stream = opened
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._write(), name="conversation-writer")
                await self._read(stream)
                self._close(self._closing or "left")
                await writer
        except* OSError as group:  # connection reset, or a send that took too long
            # The peer vanished in the middle of a send: the stream lives on without a socket.
            log.debug("conversation.broken errors=%d", len(group.exceptions))
        finally:
            stream.detach(self._outlet, self._desk.now())
            await asyncio.shield(self._desk.left(stream))

    async def _hello(self) -> Stream | None:
        first = await self._first()
        if not isinstance(first, str):
            await self._transport.close("bad-message", refused=True)
            return None
        hello = wire.parse_hello(first)
        if hello.protocol != wire.PROTOCOL:
            raise BadMessage("This page speaks another version of the protocol. Reload it.")
        actor = await self._authenticate(hello, self._ask)
        if hello.page == "tablet" and actor.kind != "tablet":
            raise WrongPage
        if (hello.page == "guest") != (actor.kind == "guest"):
            raise WrongPage
        if hello.page == "console" and not ({"clinician", "supervisor"} & actor.roles):
            raise WrongPage
        stream, known = self._desk.hub.open(hello.stream, actor, hello.page)
        missed = stream.missed_since(hello.last) if known else None
        resumed = missed is not None and hello.last > 0
        stream.attach(self._outlet)
        self._put(
            wire.encode(
                wire.Welcome(
                    protocol=wire.PROTOCOL,
                    now=self._desk.now(),
                    resumed=resumed,
                    expect=stream.expect,
                    beat_seconds=BEAT_SECONDS,
                )
            )
        )
        for text in missed or () if resumed else ():
            self._put(text)
        await self._desk.joined(stream, resumed=resumed, back=hello.last > 0)
        return stream

    async def _first(self) -> str | bytes | None:
        async with asyncio.timeout(HELLO_SECONDS):
            return await self._transport.receive()

    async def _ask(self, challenge: wire.Challenge) -> wire.Proof:
        """Put a challenge to this connection and wait for the one answer."""
        await self._transport.send(wire.encode(challenge))
        answer = await self._first()
        if not isinstance(answer, str):
            raise BadMessage
        return wire.parse_proof(answer)

    async def _read(self, stream: Stream) -> None:
        loop = asyncio.get_running_loop()
        while self._closing is None:
            try:
                async with asyncio.timeout(IDLE_SECONDS):
                    message = await self._transport.receive()
            except TimeoutError:
                self._close("idle")
                return
            if message is None:
                return
            if isinstance(message, bytes):
                self._put_error(None, BadMessage())
                self._close("bad-message")
                return
            if not self._bucket.take(loop.time()):
                self._put_error(None, TooMany())
                self._close("too-many")
                return
            await self._take(stream, message)

    async def _take(self, stream: Stream, text: str) -> None:
        try:
            command = wire.parse_command(text)
        except msgspec.DecodeError:
            self._put_error(_id_of(text), BadMessage())
            return
        try:
            if not stream.admit(command.id):
                return
        except SessionError as error:
            self._put_error(command.id, error)
            return
        try:
            data = await self._desk.handle(stream, command)
        except self._desk.typed_errors as error:
            stream.answer(command.id, _error(command.id, error))
        except Exception:
            log.exception("command.failed type=%s", type(command).__name__)
            stream.answer(
                command.id,
                wire.Error(re=command.id, code="internal", message=SessionError.sentence),
            )
        else:
            stream.answer(command.id, wire.Ack(re=command.id, data=data))

    async def _write(self) -> None:
        while True:
            text = await self._out.get()
            if text is None:
                await self._transport.close(self._closing or "")
                return
            self._sending = True
            async with asyncio.timeout(SEND_SECONDS):
                await self._transport.send(text)
            self._sending = False

    def _idle(self) -> bool:
        return self._out.empty() and not self._sending and self._transport.idle

    async def _refuse(self, error: BaseException) -> None:
        """Answer a page that never got a stream, then close."""
        known = isinstance(error, self._desk.typed_errors)
        shown: BaseException = error if known else BadMessage()
        if not self._transport.closed:
            await self._transport.send(wire.encode(_error(None, shown)))
            await self._transport.close("refused", refused=True)

    def _put(self, text: str) -> bool:
        try:
            self._out.put_nowait(text)
        except asyncio.QueueFull:
            return False
        return True

    def _put_error(self, re: int | None, error: BaseException) -> None:
        self._put(wire.encode(_error(re, error)))

    def _close(self, reason: str) -> None:
        """Let the writer finish what is queued, then close. Safe to call twice."""
        if self._closing is not None and reason == "left":
            return
        self._closing = reason
        while not self._put_end():
            self._out.get_nowait()

    def _put_end(self) -> bool:
        try:
            self._out.put_nowait(None)
        except asyncio.QueueFull:
            return False
        return True


def _error(re: int | None, error: BaseException) -> wire.Error:
    code = getattr(error, "code", "internal")
    data = getattr(error, "data", {})
    return wire.Error(re=re, code=code, message=str(error), data=data)


def _id_of(text: str) -> int | None:
    """The number of a command that could not be understood, if at least that could be read."""

    class Numbered(msgspec.Struct):
        id: int | None = None

    try:
        return msgspec.json.decode(text, type=Numbered).id
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None
