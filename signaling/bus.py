"""What server processes say to each other: sealed, short-lived, and never the truth.

Rules of this file:
1. Everything is sealed with a key of the installation: what Redis carries here tells nobody
   anything, and nobody without the key can say a word.
2. `post` never waits and may be lost: the record has it, and pages are refreshed every few seconds.
   `ask` waits, briefly; without an answer it is open whether it was done.
3. A word that is old, or was heard before, is not heard.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import os
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from auth.actors import Actor
from oncall.errors import LiveStoreAway, NodeSilent
from oncall.redis_ear import RedisEar
from oncall.redis_link import Entry, RedisLink
from signaling.legs import SeatState
from signaling.wire_base import Audience

log = logging.getLogger(__name__)

KIND = b"m"  # among the entries of the shared stream
FRESH_SECONDS = 60.0  # a word is heard within this; clocks of servers agree better than that
MOST_WAITING = 10_000  # to be sent; older ones make room
MOST_SHOUTS = 64  # to be sent; they are worth nothing later
MOST_HEARD = 20_000  # remembered, so that none is heard twice
ASK_SECONDS = 3.0
NONCE = 12


class Note(Struct, frozen=True, tag_field="what"):
    """One word to the other processes."""


class Touched(Note, frozen=True, tag="touched"):
    """Sessions of these tablets have changed."""

    tablets: list[str]


class ForPages(Note, frozen=True, tag="pages"):
    """A message for all pages of one kind of one actor, as JSON text."""

    actor: str
    message: str
    audience: Audience = "console"


class LegsSeen(Note, frozen=True, tag="legs"):
    """How the legs of a session are, from the process that carries them."""

    session: str
    tablet: str
    seats: dict[str, SeatState]


class Excluded(Note, frozen=True, tag="excluded"):
    """Do not ring this clinician for this session again at once."""

    session: str
    clinician: str
    at: float


class Arrange(Note, frozen=True, tag="arrange"):
    """Who sits in this call has changed: whoever carries it makes the bridge follow."""

    session: str


class Dismissed(Note, frozen=True, tag="dismissed"):
    """Somebody signed out or was revoked."""

    actor: str
    reason: str


class RolesChanged(Note, frozen=True, tag="roles"):
    """Somebody in a call has other roles: their pages go by them from now on."""

    person: str


class ShiftChanged(Note, frozen=True, tag="shift"):
    """A tablet speaks for another officer from now on."""

    tablet: Actor


class PageOpened(Note, frozen=True, tag="opened"):
    """The one page of a tablet or a guest has a socket here: its other ones are replaced."""

    audience: Audience
    actor: str
    stream: str


class RosterChanged(Note, frozen=True, tag="roster"):
    pass


class Still(Note, frozen=True, tag="still"):
    """A still picture for these pages, as JSON text; shouted, so that Redis keeps nothing of it."""

    viewers: list[tuple[Audience, str]]
    message: str


class Ask(Note, frozen=True, tag="ask"):
    """Carry out one command of a page of mine; `command` is its JSON text, `place` where from."""

    actor: Actor
    command: str
    place: str | None = None


class Answer(Note, frozen=True, tag="answer"):
    re: str
    data: dict[str, Any] | None = None
    code: str = ""
    status: int = 500
    text: str = ""


AnyNote = (
    Touched | ForPages | LegsSeen | Excluded | Arrange | Dismissed | ShiftChanged | PageOpened
) | (RolesChanged | RosterChanged | Still | Ask | Answer)


class Letter(Struct, frozen=True):
    """A note with what makes it this one."""

    id: str
    at: float
    note: AnyNote


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Letter)
_shout = msgspec.msgpack.Decoder(tuple[str, bytes])


class Bus:
    """One process's ear and mouth. `run` sends; what comes is given to `hear`, in order."""

    def __init__(
        self,
        link: RedisLink,
        node: str,
        secret: str,
        clock: Callable[[], float],
    ) -> None:
        self.link = link
        self.node = node
        key = hmac.digest(secret.encode(), b"crisisbridge servers", hashlib.sha256)
        self._seal = AESGCM(key)
        self._clock = clock
        self._out: deque[tuple[str, Letter]] = deque(maxlen=MOST_WAITING)
        self._filled = asyncio.Event()
        self._heard: OrderedDict[str, None] = OrderedDict()
        self._asked: dict[str, asyncio.Future[Answer]] = {}
        self._shouts: deque[bytes] = deque(maxlen=MOST_SHOUTS)
        self._ear = RedisEar(link, "shouts", self._overheard)
        self.hear: Callable[[str, str, AnyNote], None] = lambda _node, _id, _note: None
        link.on_entry.append(self._told)

    def post(self, note: AnyNote, to: str = "") -> str:
        """Say something to one process, or to all others; its id. Never waits, may be lost."""
        letter = Letter(secrets.token_hex(8), self._clock(), note)
        self._out.append((to, letter))
        self._filled.set()
        return letter.id

    def shout(self, note: AnyNote) -> None:
        """Say something to whoever listens now; nothing keeps it. Never waits, may be lost."""
        letter = Letter(secrets.token_hex(8), self._clock(), note)
        self._shouts.append(msgspec.msgpack.encode((self.node, self._sealed("", letter))))
        self._filled.set()

    async def ask(self, node: str, note: Ask) -> Answer:
        """Ask one process. Raises LiveStoreAway, NodeSilent."""
        if not self.link.up:
            raise LiveStoreAway
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        number = self.post(note, node)
        self._asked[number] = answer
        try:
            async with asyncio.timeout(ASK_SECONDS):
                return await answer
        except TimeoutError as error:
            raise NodeSilent from error
        finally:
            self._asked.pop(number, None)

    async def run(self) -> None:
        """Send what is posted, together what comes together; hear what others shout."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._ear.run(), name="bus-ear")
            tasks.create_task(self._send(), name="bus-send")

    async def _send(self) -> None:
        while True:
            await self._filled.wait()
            self._filled.clear()
            letters = list(self._out)
            self._out.clear()
            shouts = list(self._shouts)
            self._shouts.clear()
            entries = [self._entry(to, letter) for to, letter in letters]
            try:
                if entries:
                    await self.link.publish(entries)
                for shout in shouts:
                    await self.link.shout("shouts", shout)
            except LiveStoreAway:
                log.info("bus.dropped count=%d", len(entries) + len(shouts))

    def _entry(self, to: str, letter: Letter) -> dict[str, str | bytes]:
        return {"k": KIND, "n": self.node, "t": to, "v": self._sealed(to, letter)}

    def _sealed(self, to: str, letter: Letter) -> bytes:
        nonce = os.urandom(NONCE)
        return nonce + self._seal.encrypt(nonce, _encoder.encode(letter), _place(self.node, to))

    def _told(self, entry: Entry) -> None:
        node, to = entry.get(b"n", b"").decode(), entry.get(b"t", b"").decode()
        if entry.get(b"k") != KIND or node == self.node or to not in ("", self.node):
            return
        self._open(node, to, entry.get(b"v", b""))

    def _overheard(self, data: bytes) -> None:
        try:
            node, sealed = _shout.decode(data)
        except msgspec.DecodeError:
            log.warning("bus.not_understood node=?")
            return
        if node != self.node:
            self._open(node, "", sealed)

    def _open(self, node: str, to: str, sealed: bytes) -> None:
        try:
            plain = self._seal.decrypt(sealed[:NONCE], sealed[NONCE:], _place(node, to))
            letter = _decoder.decode(plain)
        except (InvalidTag, ValueError):  # another installation's, or another version's
            log.warning("bus.not_understood node=%s", node)
            return
        if abs(self._clock() - letter.at) > FRESH_SECONDS or letter.id in self._heard:
            return
        self._heard[letter.id] = None
        if len(self._heard) > MOST_HEARD:
            self._heard.popitem(last=False)
        if isinstance(letter.note, Answer):
            waiting = self._asked.get(letter.note.re)
            if waiting is not None and not waiting.done():
                waiting.set_result(letter.note)
            return
        self.hear(node, letter.id, letter.note)


def _place(node: str, to: str) -> bytes:
    return f"{node}>{to}".encode()
