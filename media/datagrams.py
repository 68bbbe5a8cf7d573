"""Many datagrams by one call of the system, where it has such calls (Linux).

A call for each packet costs as much as the packet's cryptography, and the standard library's also
makes an address of text for each, only to read it again for the next. Here packets lie in one piece
of memory, are worked on where they lie, and addresses stay as the system writes them.
"""

from __future__ import annotations

import ctypes
import errno
import socket
import sys
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

COUNT = 32  # datagrams in one go
HEAD = 64  # bytes before each, so that a header can grow: the longest is 40
LARGEST = 2048  # bytes of a datagram that are read; nothing genuine is as long
SLOT = HEAD + LARGEST
DONT_WAIT = getattr(socket, "MSG_DONTWAIT", 0)
NAME = 28  # bytes of the longest address: IPv6's
_WORD = ctypes.sizeof(ctypes.c_size_t)
_FORMAT: Literal["I", "Q"] = "Q" if _WORD == 8 else "I"


class _Piece(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_size_t), ("size", ctypes.c_size_t))


class _Header(ctypes.Structure):
    """struct msghdr."""

    _fields_ = (
        ("name", ctypes.c_size_t),
        ("name_size", ctypes.c_uint32),
        ("pieces", ctypes.c_size_t),
        ("piece_count", ctypes.c_size_t),
        ("control", ctypes.c_size_t),
        ("control_size", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    """struct mmsghdr."""

    _fields_ = (("header", _Header), ("size", ctypes.c_uint32))


# how far apart, and where, what is read and written for each datagram lies, in numbers of its size
STEP_32, STEP_WORD = ctypes.sizeof(_Message) // 4, ctypes.sizeof(_Message) // _WORD
SIZE_AT = _Message.size.offset // 4
NAME_SIZE_AT = _Header.name_size.offset // 4

Call = Callable[..., int]


def _missing(*_: object) -> int:
    raise NotImplementedError("This system gives one datagram at a time.")


def _call(name: str, *nothing: object) -> Call:
    """The system's call of that name, if it takes a question about `nothing` for one: a container
    may forbid what the library has."""
    try:
        found: Call = getattr(ctypes.CDLL(None, use_errno=True), name)
    except (AttributeError, OSError, TypeError):  # another system's library, or none by that name
        return _missing
    ctypes.set_errno(0)
    found(-1, *nothing)
    return found if ctypes.get_errno() == errno.EBADF else _missing


_receive, _send = _call("recvmmsg", None, 0, 0, None), _call("sendmmsg", None, 0, 0)
AVAILABLE = _missing not in (_receive, _send)


def failed() -> bool:
    """Whether the last read failed, and not only found nothing."""
    return ctypes.get_errno() not in (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR)


class Name(NamedTuple):
    """An address as the system wants it."""

    memory: ctypes.Array[ctypes.c_char]  # kept, as only its place is given to the system
    at: int
    size: int


def name_of(address: tuple[str, int], family: int) -> Name | None:
    """The system's form of an address; None for one that needs an interface's name as well."""
    try:
        host = socket.inet_pton(family, address[0])
    except OSError:
        return None
    head = int(family).to_bytes(2, sys.byteorder) + address[1].to_bytes(2, "big")
    raw = head + host + bytes(8) if family == socket.AF_INET else head + bytes(4) + host + bytes(4)
    memory = ctypes.create_string_buffer(raw, len(raw))
    return Name(memory, ctypes.addressof(memory), len(raw))


class Inbox:
    """What one socket has just read. The bytes of datagram `i` begin at `i * SLOT + HEAD`."""

    def __init__(self, family: int) -> None:
        # arrays of ctypes: a slice of one is bytes, which no stub knows
        self.memory: Any = (ctypes.c_char * (COUNT * SLOT))()
        self.at = ctypes.addressof(self.memory)
        self.view = memoryview(self.memory).cast("B")
        self.names: Any = (ctypes.c_char * (COUNT * NAME))()
        self.name_size = 16 if family == socket.AF_INET else NAME
        self.key = 8 if family == socket.AF_INET else NAME  # of it, what tells it from others
        self._family = family
        self._pieces = (_Piece * COUNT)()
        self._messages = (_Message * COUNT)()
        for i, (piece, message) in enumerate(zip(self._pieces, self._messages, strict=True)):
            piece.base, piece.size = self.at + i * SLOT + HEAD, LARGEST
            header = message.header
            header.name, header.name_size = ctypes.addressof(self.names) + i * NAME, self.name_size
            header.pieces, header.piece_count = ctypes.addressof(piece), 1
        self.sizes = memoryview(self._messages).cast("B").cast("I")

    def read(self, number: int) -> int:
        """Read what waits at the socket of that number; how many. -1 for an error, or none."""
        return _receive(number, self._messages, COUNT, DONT_WAIT, None)

    def name(self, i: int) -> bytes:
        """Where a datagram came from, as the system writes it."""
        name: bytes = self.names[i * NAME : i * NAME + self.key]
        return name

    def data(self, i: int) -> bytes:
        """A copy of a datagram."""
        at = i * SLOT + HEAD
        data: bytes = self.memory[at : at + self.sizes[i * STEP_32 + SIZE_AT]]
        return data

    def address(self, i: int) -> tuple[str, int]:
        """Where a datagram came from, as text."""
        raw: bytes = self.names[i * NAME : i * NAME + self.name_size]
        port = int.from_bytes(raw[2:4], "big")
        if self._family == socket.AF_INET:
            return socket.inet_ntop(socket.AF_INET, raw[4:8]), port
        host = socket.inet_ntop(socket.AF_INET6, raw[8:24])
        scope = ctypes.c_uint32.from_buffer_copy(raw, 24).value
        return (f"{host}%{scope}" if scope else host), port


class Outbox:
    """What is to be sent by one call; whoever adds writes `pieces`, `names` and `name_sizes`."""

    def __init__(self) -> None:
        pieces = (_Piece * COUNT)()
        self._messages = (_Message * COUNT)()
        for piece, message in zip(pieces, self._messages, strict=True):
            header = message.header
            header.pieces, header.piece_count = ctypes.addressof(piece), 1
        self.pieces = memoryview(pieces).cast("B").cast(_FORMAT)  # base, size; base, size; …
        self.names = memoryview(self._messages).cast("B").cast(_FORMAT)
        self.name_sizes = memoryview(self._messages).cast("B").cast("I")
        size = ctypes.sizeof(_Message)
        self._from = [ctypes.byref(self._messages, i * size) for i in range(COUNT)]

    def send(self, number: int, count: int) -> int:
        """Send the first so many by the socket of that number; how many the system took.

        One that is refused, as on a full line, is left out, and the others are sent.
        """
        done = taken = 0
        while done < count:
            sent = _send(number, self._from[done], count - done, DONT_WAIT)
            if sent > 0:
                taken += sent
                done += sent
            else:
                done += 1
        return taken
