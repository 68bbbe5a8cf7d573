"""Keys that grow old, in a file beside the key file: what was deleted is closed in backups too.

A backup holds a session's content and its wrapped data key together, and the key file is kept for
ever. So data keys may be wrapped with a key of this file besides, of which there is a new one from
time to time: what is still there is wrapped anew with it, and the old one is destroyed once no
backup from its time has to be opened any more. What had been deleted meanwhile was wrapped with the
old one alone, and nobody opens it again.

One line a key: 64 hexadecimal digits and when it was made; the newest last. A "+" before it says
that it is known here and not used yet, while it is copied to the other servers. Without the file
everything is as it was: the key file alone wraps.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from records.errors import KeyWrong

LENGTH: Final = 32
UNREADABLE: Final = (
    "The file of aging keys cannot be read. Restore it from its newest copy: without it the"
    " encrypted records cannot be read."
)


@dataclass(frozen=True, slots=True)
class RingKey:
    """One key; `waits`: it opens, and nothing is wrapped with it yet."""

    key: bytes
    made_at: int
    waits: bool = False

    def __repr__(self) -> str:
        return f"RingKey({self.made_at})"


class Ring:
    """The file. It is read again whenever it has changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self._keys: tuple[RingKey, ...] = ()

    def keys(self) -> tuple[RingKey, ...]:
        """All of them, the oldest first. Raises KeyWrong for a file that is none."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            self._seen, self._keys = None, ()
            return ()
        seen = (found.st_mtime_ns, found.st_size, found.st_ino)
        if seen != self._seen:
            self._keys = _read(self.path)
            self._seen = seen
        return self._keys

    def add(self, now: float, *, waits: bool = False) -> None:
        """A fresh key, durable before anything is wrapped with it."""
        with self._alone():
            fresh = RingKey(secrets.token_bytes(LENGTH), int(now), waits)
            self._write((*self.keys(), fresh))

    def use(self) -> int:
        """Those that wait are used from now on; how many."""
        with self._alone():
            known = self.keys()
            self._write(tuple(replace(one, waits=False) for one in known))
        return sum(one.waits for one in known)

    def drop(self, unneeded: Collection[RingKey]) -> int:
        """Destroy these; the newest that is used always stays. How many went."""
        with self._alone():
            known = self.keys()
            current = next((one for one in reversed(known) if not one.waits), None)
            kept = tuple(one for one in known if one == current or one not in unneeded)
            if len(kept) < len(known):
                self._write(kept)
        return len(known) - len(kept)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time changes the file."""
        with self.path.with_name(f".{self.path.name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _write(self, keys: tuple[RingKey, ...]) -> None:
        """In the old one's place at once: nobody ever reads half of it."""
        draft = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                for one in keys:
                    file.write(f"{'+' if one.waits else ''}{one.key.hex()} {one.made_at}\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
        finally:
            draft.unlink(missing_ok=True)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _read(path: Path) -> tuple[RingKey, ...]:
    found = []
    try:
        for line in path.read_text().splitlines():
            digits, made = line.removeprefix("+").split(" ")
            key = bytes.fromhex(digits)
            if len(key) != LENGTH:
                raise KeyWrong(UNREADABLE)
            found.append(RingKey(key, int(made), line.startswith("+")))
    except (OSError, ValueError) as error:
        raise KeyWrong(UNREADABLE) from error
    if not found:
        raise KeyWrong(UNREADABLE)
    return tuple(found)
