"""ICE-lite's side of STUN: check a binding request, answer it. Length checks come first.

RFC 8445 section 2.5 (lite), RFC 8489. An ICE-lite agent sends no checks of its own, but for one
(`question`): where a browser's genuine packets come from another address all at once.
"""

from __future__ import annotations

import secrets
import string
import struct
from dataclasses import dataclass

from aioice import stun

LONGEST = (
    548  # a binding request is small; RFC 8489 section 6.1 keeps to this without MTU knowledge
)
_ALPHABET = string.ascii_letters + string.digits
_BINDING_REQUEST = 0x0001
_BINDING_SUCCESS = 0x0101
_USERNAME = 0x0006


@dataclass(frozen=True, slots=True)
class Credentials:
    """One ICE generation's local name and password."""

    fragment: str
    password: str

    @classmethod
    def fresh(cls) -> Credentials:
        """At least 24 bits of name and 128 of password (RFC 8445 section 5.3)."""
        return cls(_random(8), _random(24))


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


@dataclass(frozen=True, slots=True)
class Check:
    """A binding request that named one of our fragments; not yet authenticated."""

    fragment: str
    nominates: bool
    message: stun.Message

    def genuine(self, credentials: Credentials) -> bool:
        """Whether MESSAGE-INTEGRITY was made with our password."""
        return bool(self.message.check_message_integrity(credentials.password.encode()))

    def answer(self, credentials: Credentials, address: tuple[str, int]) -> bytes:
        """The success response, telling the browser how we see it."""
        response = stun.Message(
            message_method=stun.Method.BINDING,
            message_class=stun.Class.RESPONSE,
            transaction_id=self.message.transaction_id,
        )
        response.attributes["XOR-MAPPED-ADDRESS"] = address
        response.add_message_integrity(credentials.password.encode())
        return bytes(response)


def _is_whole(data: bytes, kind: int) -> bool:
    """Whether this is one message of that kind, and nothing more, by its header alone."""
    if not 20 <= len(data) <= LONGEST:
        return False
    named, length, cookie = struct.unpack_from("!HHI", data)
    return bool(named == kind and cookie == stun.COOKIE and length == len(data) - 20)


def local_fragment(data: bytes) -> str | None:
    """Our fragment that a request names, read without trusting anything else in it."""
    if not _is_whole(data, _BINDING_REQUEST):
        return None
    position = 20
    while position + 4 <= len(data):
        attribute, size = struct.unpack_from("!HH", data, position)
        if position + 4 + size > len(data):
            return None
        if attribute == _USERNAME:
            name = data[position + 4 : position + 4 + size].partition(b":")[0]
            return name.decode("ascii", "replace")
        position += 4 + size + (-size % 4)
    return None


def question(ours: str, theirs: Credentials) -> tuple[bytes, bytes]:
    """A check of our own, which a browser answers where it really is; its number, and itself."""
    request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    request.attributes["USERNAME"] = f"{theirs.fragment}:{ours}"
    request.attributes["PRIORITY"] = 1
    request.attributes["ICE-CONTROLLED"] = secrets.randbits(64)
    request.add_message_integrity(theirs.password.encode())
    return request.transaction_id, bytes(request)


def answered(data: bytes) -> bytes | None:
    """The number of the check that this answers, read without trusting anything else in it."""
    return data[8:20] if _is_whole(data, _BINDING_SUCCESS) else None


def genuine_answer(data: bytes, theirs: Credentials) -> bool:
    """Whether its MESSAGE-INTEGRITY was made with the browser's password."""
    try:
        message = stun.parse_message(data)
    except (ValueError, struct.error, IndexError):
        return False
    return bool(message.check_message_integrity(theirs.password.encode()))


def parse(data: bytes, fragment: str) -> Check | None:
    """The request as a check; None for anything malformed."""
    try:
        message = stun.parse_message(data)
    except (ValueError, struct.error, IndexError):
        return None
    return Check(fragment, "USE-CANDIDATE" in message.attributes, message)
