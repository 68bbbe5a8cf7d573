"""The keys that wrap all others, and how they are written down.

One line a key, the oldest first: 64 hexadecimal digits, or 32 bytes in base64. The first key of a
record stands alone on its line; each later one has behind it when it was made, in seconds since
1970. Commas may stand for the ends of lines, so that an environment variable holds several.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

from records.errors import KeyWrong

LENGTH: Final = 32
MOST: Final = 50
UNREADABLE: Final = (
    "The key file cannot be read as a key: one line of 64 hexadecimal digits is expected for each"
    " key. Restore it from its backup."
)


@dataclass(frozen=True, slots=True)
class Kek:
    """One key. `made_at` None: the record's first one."""

    key: bytes
    made_at: int | None = None

    def __post_init__(self) -> None:
        if len(self.key) != LENGTH:
            raise KeyWrong(UNREADABLE)

    def __repr__(self) -> str:
        return f"Kek({self.id})"

    @property
    def id(self) -> str:
        """Names the key and tells nothing of it."""
        return id_of(self.key)

    def derived(self, purpose: str) -> bytes:
        """A key for one purpose alone."""
        return hmac.digest(self.key, f"crisisbridge {purpose}".encode(), hashlib.sha256)

    def with_aging(self, key: bytes) -> bytes:
        """What wraps where there are aging keys: worth nothing without both."""
        return hmac.digest(self.key, b"crisisbridge aging key" + key, hashlib.sha256)

    @property
    def line(self) -> str:
        """The key as it is written down."""
        return self.key.hex() + ("" if self.made_at is None else f" {self.made_at}")


def id_of(key: bytes) -> str:
    return hashlib.sha256(b"crisisbridge kek" + key).hexdigest()[:16]


def fresh(now: float) -> Kek:
    """A new key, for a record that has one already."""
    return Kek(secrets.token_bytes(LENGTH), int(now))


def parse(text: str) -> tuple[Kek, ...]:
    """The keys of a text, the oldest first. Raises KeyWrong, without anything of the text.

    The whole text may be in base64 once more, as services that decrypt print it.
    """
    lines = [line.strip() for line in text.replace(",", "\n").splitlines() if line.strip()]
    if len(lines) == 1 and (inner := _unpacked(lines[0])) is not None:
        return parse(inner)
    found = tuple(_line(line) for line in lines)
    if not 0 < len(found) <= MOST or len({one.id for one in found}) != len(found):
        raise KeyWrong(UNREADABLE)
    return found


def _line(line: str) -> Kek:
    digits, *made = line.split()
    if len(made) > 1 or any(not one.isascii() or not one.isdigit() for one in made):
        raise KeyWrong(UNREADABLE)
    try:
        hexadecimal = len(digits) == 2 * LENGTH
        key = bytes.fromhex(digits) if hexadecimal else base64.b64decode(digits, validate=True)
    except (ValueError, binascii.Error) as error:
        raise KeyWrong(UNREADABLE) from error
    return Kek(key, int(made[0]) if made else None)


def _unpacked(line: str) -> str | None:
    """The text that a line of base64 holds; None for a line that is a key itself, or neither."""
    if len(line) <= 2 * LENGTH or " " in line:
        return None
    try:
        inner = base64.b64decode(line, validate=True).decode("ascii")
    except (ValueError, binascii.Error):
        return None
    return inner if inner != line else None
