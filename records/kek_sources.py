"""Where the keys that wrap all others come from: a file, a text, or a command that prints them.

What a command writes beside its answer is thrown away: it may quote what must not be in a log.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

from records import kek
from records.errors import KeyCommandFailed, KeyMissing, KeyWrong
from records.kek import Kek

MOST_BYTES: Final = 16_384  # of a command's answer: fifty keys are a third of it
COMMAND_SECONDS: Final = 10.0


class Source(Protocol):
    """Gives the keys, the oldest first, whenever it is asked. Blocking."""

    @property
    def name(self) -> str:
        """What it is, in words, without any value."""

    def read(self) -> tuple[Kek, ...]:
        """Raises KeyMissing, KeyWrong, KeyCommandFailed."""


class TextSource:
    """Keys that the process was given when it began, as by the environment."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self._text = text

    def read(self) -> tuple[Kek, ...]:
        return kek.parse(self._text)


class FileSource:
    """The key file; keys are added and taken out in one step, and it is its owner's alone."""

    def __init__(self, path: Path) -> None:
        self.name = "key file"
        self.path = path

    def read(self) -> tuple[Kek, ...]:
        try:
            return kek.parse(self.path.read_text())
        except FileNotFoundError as error:
            raise KeyMissing from error
        except (OSError, ValueError) as error:
            raise KeyWrong(kek.UNREADABLE) from error

    def make(self) -> bool:
        """A first key, where there is no file; whether this made it. Raises KeyWrong."""
        if self.path.exists():
            return False
        try:
            make_secret_file(self.path, secrets.token_hex(kek.LENGTH) + "\n")
        except OSError as error:
            raise KeyWrong(kek.UNREADABLE) from error
        return True

    def add(self, one: Kek) -> None:
        """Durable before anything is wrapped with it. Raises KeyMissing, KeyWrong, OSError."""
        with self._alone():
            self._write((*self.read(), one))

    def drop(self, kek_id: str) -> bool:
        """Destroy a key here; whether it was here. Raises KeyMissing, KeyWrong, OSError."""
        with self._alone():
            known = self.read()
            kept = tuple(one for one in known if one.id != kek_id)
            if kept and len(kept) < len(known):
                self._write(kept)
        return len(kept) < len(known)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with self.path.with_name(f".{self.path.name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _write(self, keys: Sequence[Kek]) -> None:
        """In the old one's place at once: nobody ever reads half of it."""
        draft = _draft(self.path, "".join(f"{one.line}\n" for one in keys))
        try:
            draft.replace(self.path)
        finally:
            draft.unlink(missing_ok=True)
        _settle(self.path.parent)


class CommandSource:
    """A program that prints the keys, as of a key management service; no shell is between."""

    def __init__(self, argv: Sequence[str], seconds: float = COMMAND_SECONDS) -> None:
        self.name = "command"
        self._argv = tuple(argv)
        self._seconds = seconds

    def read(self) -> tuple[Kek, ...]:
        try:
            text = self._said().decode("ascii")
        except UnicodeDecodeError as error:
            raise KeyCommandFailed("It printed something else than keys.") from error
        if not text.strip():
            raise KeyCommandFailed("It printed nothing.")
        try:
            return kek.parse(text)
        except KeyWrong as error:
            raise KeyCommandFailed("It printed something else than keys.") from error

    def _said(self) -> bytes:
        """All that it prints, if it ends well and in time."""
        until = time.monotonic() + self._seconds
        try:
            process = subprocess.Popen(  # noqa: S603 - the operator's own program, by argv
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # so that what it started ends with it
            )
        except (OSError, ValueError) as error:
            raise KeyCommandFailed("It cannot be started.") from error
        try:
            said = _all_of(process, until)
            code = process.wait(max(0.0, until - time.monotonic()))
        except (TimeoutError, subprocess.TimeoutExpired) as error:
            raise KeyCommandFailed(f"It did not end within {self._seconds:g} seconds.") from error
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if code != 0:
            raise KeyCommandFailed(f"It ended with code {code}.")
        return said


def _all_of(process: subprocess.Popen[bytes], until: float) -> bytes:
    """Raises TimeoutError, and KeyCommandFailed when it does not stop printing."""
    said = bytearray()
    if process.stdout is None:
        return b""
    pipe = process.stdout.fileno()
    while True:
        left = until - time.monotonic()
        if left <= 0 or not select.select([pipe], [], [], left)[0]:
            raise TimeoutError
        some = os.read(pipe, MOST_BYTES)
        if not some:
            return bytes(said)
        said += some
        if len(said) > MOST_BYTES:
            raise KeyCommandFailed("It printed too much to be keys.")


# --- files ----------------------------------------------------------------------------------------


def make_secret_file(path: Path, text: str) -> None:
    """A file for its owner only: durable before it is used, and never seen half-written.

    When another process was faster, its file stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = _draft(path, text)
    try:
        with contextlib.suppress(FileExistsError):  # another process was faster: its key holds
            os.link(draft, path)
    finally:
        draft.unlink()
    _settle(path.parent)


def _draft(path: Path, text: str) -> Path:
    """A durable file beside `path`, not yet under its name."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _settle(folder: Path) -> None:
    """The folder's own entries, on the disk too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
