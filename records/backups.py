"""Backups of the whole record: one sealed file each, read back before it counts. Blocking.

A file holds a short description and the database's copy, compressed, sealed with a key that comes
from the record's key file. So a backup is worth nothing to a thief, and nothing to anybody without
that key file: it must be kept apart, and never in the same place.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

from sqlalchemy.engine import make_url

from records import dumps
from records.crypto import Vault
from records.dumps import CannotDump, Contents
from records.sealed_stream import Damaged, KeyOf, opened, seal

FORMAT: Final = 1
_NAME: Final = re.compile(r"crisisbridge-\d{8}T\d{6}Z\.backup")
_PIECE: Final = 1 << 18
_LONGEST_LABEL: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Label:
    """What a backup says of itself. `made_at` in UTC epoch seconds."""

    format: int
    made_at: float
    database: str  # sqlite | postgresql
    kek_id: str
    contents: Contents


def make(url: str, vault: Vault, folder: Path, now: float) -> Path:
    """Back up into a folder, read it back, and only then give it its name.

    Raises CannotDump, OSError; then no file is left.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    target = folder / f"crisisbridge-{stamp}.backup"
    if target.exists():
        raise CannotDump("There is a backup of this very second already.")
    # mkdtemp's folder is for its owner only, and on the disk that has room for the backup
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=folder) as scratch:
        copy, draft = Path(scratch) / "copy", Path(scratch) / "sealed"
        found = dumps.dump(url, copy)
        backend = make_url(url).get_backend_name()
        label = Label(FORMAT, now, backend, vault.keks.newest.id, found)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file, copy.open("rb") as source:
            seal(_pieces(label, source), file, lambda salt: next(vault.backup_keys(salt)))
            file.flush()
            os.fsync(file.fileno())
        copy.unlink()
        check(draft, vault)
        os.replace(draft, target)
    return target


def check(path: Path, vault: Vault) -> Label:
    """Open all of a backup and try what is in it. Raises CannotDump, OSError."""
    with tempfile.TemporaryDirectory(prefix=".check-", dir=path.parent) as scratch:
        copy = Path(scratch) / "copy"
        label = _unpack(path, vault, copy)
        if label.database == "sqlite":
            dumps.check_sqlite(copy, label.contents)
        else:
            dumps.check_postgresql(copy)
    return label


def restore(path: Path, url: str, vault: Vault, now: float, *, replace: bool) -> Label:
    """Put a backup in the database's place; nothing is touched before all of it has opened.

    Raises CannotDump, OSError. The server must not run.
    """
    backend = make_url(url).get_backend_name()
    if not replace and not dumps.is_empty(url):
        raise CannotDump("There is a record here already. Add --replace if it may go.")
    home = Path(make_url(url).database or ".").parent if backend == "sqlite" else path.parent
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=home) as scratch:
        copy = Path(scratch) / "copy"
        label = _unpack(path, vault, copy)
        if label.database != backend:
            raise CannotDump(f"This is a backup of {label.database}; the settings say {backend}.")
        if dumps.is_in_use(url):
            raise CannotDump(
                "A server is connected to this database. Stop every server, and whatever else "
                "works in it as the same user."
            )
        stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
        dumps.restore(url, copy, label.contents, home / f"before-restore-{stamp}.db")
    return label


def prune(folder: Path, keep: int) -> list[Path]:
    """Remove the oldest backups of a folder beyond so many; those removed."""
    found = sorted(one for one in folder.iterdir() if _NAME.fullmatch(one.name))
    old = found[: max(0, len(found) - keep)]
    for one in old:
        one.unlink()
    return old


# --- inside ---------------------------------------------------------------------------------------


def _key_of(path: Path, vault: Vault) -> KeyOf:
    """Whichever of the vault's keys opens the first frame; the newest where none does."""
    for number, _ in enumerate(vault.keks.keys):
        key_of = _nth(vault, number)
        with path.open("rb") as file, contextlib.suppress(Damaged):
            next(opened(file, key_of))
            return key_of
    return _nth(vault, 0)


def _nth(vault: Vault, number: int) -> KeyOf:
    return lambda salt: next(itertools.islice(vault.backup_keys(salt), number, None))


def _pieces(label: Label, source: BinaryIO) -> Iterator[bytes]:
    text = json.dumps(asdict(label)).encode()
    yield len(text).to_bytes(4, "big") + text
    packer = zlib.compressobj()
    while piece := source.read(_PIECE):
        yield packer.compress(piece)
    yield packer.flush()


def _unpack(path: Path, vault: Vault, copy: Path) -> Label:
    """Open the whole file into a copy. Raises CannotDump when any of it does not open."""
    descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    unpacker = zlib.decompressobj()
    key_of = _key_of(path, vault)
    waiting, label = bytearray(), None
    try:
        with path.open("rb") as file, os.fdopen(descriptor, "wb") as target:
            for plain in opened(file, key_of):
                if label is not None:
                    _unzip(unpacker, plain, target)
                    continue
                waiting += plain
                size = int.from_bytes(waiting[:4], "big")
                if len(waiting) < 4 or (len(waiting) < 4 + size and size <= _LONGEST_LABEL):
                    continue
                label = _label(bytes(waiting[4 : 4 + size]))
                _unzip(unpacker, bytes(waiting[4 + size :]), target)
            target.write(unpacker.flush())
            target.flush()
            os.fsync(target.fileno())
    except (Damaged, zlib.error) as error:
        raise CannotDump(str(error)) from error
    if label is None or not unpacker.eof:
        raise CannotDump("The file was cut off or changed.")
    return label


def _unzip(unpacker: Any, packed: bytes, target: BinaryIO) -> None:
    """In bounded pieces: what is small when packed may be large."""
    while packed:
        target.write(unpacker.decompress(packed, 4 * _PIECE))
        packed = unpacker.unconsumed_tail


def _label(text: bytes) -> Label:
    try:
        read = json.loads(text)
        label = Label(**{**read, "contents": Contents(**read["contents"])})
    except (ValueError, KeyError, TypeError) as error:
        raise CannotDump("The backup's description cannot be read.") from error
    if label.format != FORMAT:
        raise CannotDump("A newer CrisisBridge made this backup; restore it with that one.")
    return label
