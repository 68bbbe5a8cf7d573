"""A file of any length, sealed in frames: what is cut off, swapped or changed does not open.

Format: a line that names it, 16 random bytes, then frames. A frame is its length (4 bytes, big
endian) and AES-256-GCM's ciphertext with tag; the nonce is the frame's number, and the associated
data says whether it is the last one (the STREAM construction of Hoang, Reyhanitabar, Rogaway and
Vizár, 2015). The key is made for this one file from the 16 bytes, so no nonce is ever used twice.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC: Final = b"CRISISBRIDGE-BACKUP-1\n"
SALT: Final = 16
FRAME: Final = 1 << 20  # bytes of plain text
TAG: Final = 16

KeyOf = Callable[[bytes], bytes]  # 32 bytes for a file's salt


class Damaged(Exception):
    """The file is none of ours, was changed or cut off, or another key sealed it."""


def seal(pieces: Iterable[bytes], target: BinaryIO, key_of: KeyOf) -> None:
    """Write the pieces, whatever their sizes, as one sealed file."""
    salt = secrets.token_bytes(SALT)
    cipher = AESGCM(key_of(salt))
    target.write(MAGIC + salt)
    waiting, number = bytearray(), 0
    for piece in pieces:
        waiting += piece
        while len(waiting) > FRAME:  # not >=: the last frame is never empty by chance
            _frame(target, cipher, number, bytes(waiting[:FRAME]), last=False)
            del waiting[:FRAME]
            number += 1
    _frame(target, cipher, number, bytes(waiting), last=True)


def opened(source: BinaryIO, key_of: KeyOf) -> Iterator[bytes]:
    """The plain text, a frame at a time. Raises Damaged at the first frame that does not open:
    what came before is genuine, but may not be all."""
    head = source.read(len(MAGIC) + SALT)
    if len(head) != len(MAGIC) + SALT or not head.startswith(MAGIC):
        raise Damaged("This file is no backup of CrisisBridge.")
    cipher = AESGCM(key_of(head[len(MAGIC) :]))
    number, size = 0, source.read(4)
    while True:
        length = int.from_bytes(size, "big")
        if len(size) != 4 or not TAG <= length <= FRAME + TAG:
            raise Damaged("The file was cut off or changed.")
        sealed = source.read(length)
        if len(sealed) != length:
            raise Damaged("The file was cut off or changed.")
        size = source.read(4)
        last = not size
        try:
            plain = cipher.decrypt(_nonce(number), sealed, _flag(last=last))
        except InvalidTag as error:
            raise Damaged(
                "The file was cut off or changed, or another key file sealed it."
            ) from error
        yield plain
        if last:
            return
        number += 1


def _frame(target: BinaryIO, cipher: AESGCM, number: int, plain: bytes, *, last: bool) -> None:
    sealed = cipher.encrypt(_nonce(number), plain, _flag(last=last))
    target.write(len(sealed).to_bytes(4, "big") + sealed)


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")


def _flag(*, last: bool) -> bytes:
    return b"last" if last else b"more"
