"""Numbered streams between pages and the server, which outlive single sockets.

A page makes a stream when it loads. Messages to it are numbered and kept (bounded), so that a
socket which breaks loses nothing; commands from it are numbered too, and the answers are kept, so
that a command which is sent twice happens once. No I/O here: a socket attaches an outlet.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import get_args

from auth.actors import Actor
from signaling.errors import OutOfOrder, TooMany
from signaling.wire import Ack, Audience, Bye, Error, Passed, ServerMessage, encode, numbered

KEPT_MESSAGES = 256  # per stream; a page that missed more gets a fresh snapshot
KEPT_ANSWERS = 64  # per stream; a page re-sends only what it has not seen answered
KEPT_SECONDS = 120.0  # a stream without a socket is forgotten after this
SHOWN_SECONDS = 20.0  # what was not seen by then is lost
STREAMS_PER_ACTOR = 8
STREAMS = 5_000

_PASSED = encode(Passed())


@dataclass(slots=True)
class Outlet:
    """One socket's side of a stream. `put` returns False when the socket is too slow to take it."""

    put: Callable[[str], bool]
    close: Callable[[str], None]  # reason
    idle: Callable[[], bool]  # nothing waits to be sent


@dataclass(slots=True)
class Stream:
    """One page's numbered conversation."""

    id: str
    actor: Actor
    audience: Audience
    outlet: Outlet | None = None
    detached_at: float | None = None
    expect: int = 1
    _n: int = 0
    _shown_at: float | None = None  # what was shown then has not been seen yet
    _snapshot: int = 0  # the number of the newest one
    _kept: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=KEPT_MESSAGES))
    _answers: OrderedDict[int, str] = field(default_factory=OrderedDict)
    _running: set[int] = field(default_factory=set)

    def send(self, message: ServerMessage) -> None:
        """Number a message, keep it, and hand it to the socket if there is one."""
        self.send_text(encode(message))

    def send_text(self, text: str, *, snapshot: bool = False) -> None:
        """The same with a message that is encoded already.

        A `snapshot` shows everything: the one before it is not kept any longer, only its number.
        """
        self._n += 1
        text = numbered(text, self._n)
        if snapshot:
            self._pass_over(self._snapshot)
            self._snapshot = self._n
        self._kept.append((self._n, text))
        self._hand_over(text)

    def _pass_over(self, n: int) -> None:
        """Keep a number without its message: the large ones would fill the memory."""
        at = n - self._kept[0][0] if self._kept else -1
        if at >= 0:
            self._kept[at] = (n, numbered(_PASSED, n))

    def show(self, text: str, now: float) -> None:
        """Hand over what is worth nothing later: not numbered, not kept, one at a time.

        Nothing else may wait, and the page must have seen the last one: what a proxy or the kernel
        holds back cannot be seen from here, and everything that matters would queue behind it.
        """
        under_way = self._shown_at is not None and now - self._shown_at < SHOWN_SECONDS
        if self.outlet is not None and self.outlet.idle() and not under_way:
            self._shown_at = now
            self.outlet.put(text)

    def saw(self) -> None:
        """The page has what was shown last."""
        self._shown_at = None

    def answer(self, command_id: int, message: Ack | Error) -> None:
        """Answer a command; kept for a repeat, outside the numbered messages."""
        text = encode(message)
        self._running.discard(command_id)
        self._answers[command_id] = text
        while len(self._answers) > KEPT_ANSWERS:
            self._answers.popitem(last=False)
        self._hand_over(text)

    def admit(self, command_id: int) -> bool:
        """Whether this command is new. A repeat is answered from memory and gives False.

        Raises OutOfOrder for a number that skips one, or a repeat whose answer is no longer kept.
        """
        if command_id == self.expect:
            self.expect += 1
            self._running.add(command_id)
            return True
        if command_id in self._running:
            return False  # still at work, on a socket that broke; the answer will come
        if command_id < self.expect and command_id in self._answers:
            self._hand_over(self._answers[command_id])
            return False
        raise OutOfOrder

    def missed_since(self, last: int) -> list[str] | None:
        """The kept messages after number `last`; None when some of them are gone."""
        if last > self._n:
            return None
        oldest = self._kept[0][0] if self._kept else self._n + 1
        if last + 1 < oldest:
            return None
        return [text for n, text in self._kept if n > last]

    def attach(self, outlet: Outlet) -> None:
        """Give the stream a socket; an older one of the same page is closed."""
        if self.outlet is not None:
            self.outlet.close("replaced")
        self.outlet = outlet
        self.detached_at = None
        self._shown_at = None

    def detach(self, outlet: Outlet, now: float) -> None:
        """Take this socket away, if it is still the stream's."""
        if self.outlet is outlet:
            self.outlet = None
            self.detached_at = now

    def _hand_over(self, text: str) -> None:
        if self.outlet is not None and not self.outlet.put(text):
            self.outlet.close("too-slow")
            self.outlet = None
            self.detached_at = None


class Hub:
    """All streams of this process."""

    def __init__(self) -> None:
        self._streams: dict[str, Stream] = {}
        self._pages: dict[tuple[Audience, str], dict[str, Stream]] = {}  # of an actor

    def open(self, stream_id: str, actor: Actor, audience: Audience) -> tuple[Stream, bool]:
        """The stream of that name for this actor, and whether it was there already.

        A name that belongs to somebody else gives a new stream, never theirs. Raises TooMany.
        """
        key = f"{actor.kind}:{actor.id}:{audience}:{stream_id}"
        known = self._streams.get(key)
        if known is not None:
            known.actor = actor
            return known, True
        mine = [
            one
            for kind in get_args(Audience)
            for one in self.of(kind, actor.id)
            if one.actor.kind == actor.kind
        ]
        idle = [s for s in mine if s.outlet is None]
        if len(mine) >= STREAMS_PER_ACTOR and idle:
            self._forget(idle[0])
        elif len(mine) >= STREAMS_PER_ACTOR or len(self._streams) >= STREAMS:
            raise TooMany
        stream = Stream(id=key, actor=actor, audience=audience)
        self._streams[key] = stream
        self._pages.setdefault((audience, actor.id), {})[key] = stream
        return stream, False

    def of(self, audience: Audience, actor_id: str | None = None) -> Iterator[Stream]:
        """The streams of one kind of page, or of one actor on it."""
        if actor_id is not None:
            yield from list(self._pages.get((audience, actor_id), {}).values())
            return
        for stream in list(self._streams.values()):
            if stream.audience == audience:
                yield stream

    def attached(self, audience: Audience, actor_id: str) -> bool:
        """Whether any page of that actor has a socket now."""
        return any(s.outlet is not None for s in self.of(audience, actor_id))

    def all(self) -> list[Stream]:
        return list(self._streams.values())

    def dismiss(self, stream: Stream, reason: str, *, retry: bool) -> None:
        """Say good-bye and forget the stream."""
        if stream.outlet is not None:
            stream.outlet.put(encode(Bye(reason=reason, retry=retry)))
            stream.outlet.close(reason)
            stream.outlet = None
        self._forget(stream)

    def expire(self, now: float) -> None:
        """Forget streams whose page has been away too long."""
        for stream in list(self._streams.values()):
            if stream.outlet is None and stream.detached_at is None:
                stream.detached_at = now
            elif stream.detached_at is not None and now - stream.detached_at > KEPT_SECONDS:
                self._forget(stream)

    def _forget(self, stream: Stream) -> None:
        self._streams.pop(stream.id, None)
        place = (stream.audience, stream.actor.id)
        pages = self._pages.get(place, {})
        pages.pop(stream.id, None)
        if not pages:
            self._pages.pop(place, None)
