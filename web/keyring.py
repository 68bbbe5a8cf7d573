"""`crisisbridge keys`, and where the keys that wrap all others come from by the settings."""

from __future__ import annotations

import asyncio
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO

from auth import rekeying, signing
from auth.rekeying import Status
from records import kek, kek_register, resealing
from records.crypto import Vault, ring_beside
from records.engine import Database
from records.errors import KeyMissing, KeyNeeded, NotFound
from records.kek_sources import CommandSource, FileSource, Source, TextSource
from signaling.settings import Settings

BACKUP_DAYS: Final = 35.0
_NO_RECORD: Final = (
    "No server has run with these settings yet: the record is empty, and there is no key because "
    "nothing was ever encrypted. Start a server first (`crisisbridge serve` or `crisisbridge "
    "demo`), or name the one that you mean by its settings (`--config FILE`) or, of a demo, by its "
    "folder (`--data FOLDER`)."
)
_NOT_A_FILE: Final = (
    "The keys come from the {name}: add a line of `crisisbridge keys new` behind the others there,"
    " on every server, and do this again. Nothing was changed."
)


def source_of(settings: Settings) -> Source:
    """Where these settings say that the keys are."""
    if settings.kek is not None:
        return TextSource("environment", settings.kek.reveal())
    if settings.kek_command:
        return CommandSource(settings.kek_command, settings.kek_command_seconds)
    return FileSource(settings.key_file)


def vault_of(settings: Settings, *, create: bool = False) -> Vault:
    """The vault with these keys; `create`: make the key file where there is none.

    Raises KeyMissing, KeyWrong, KeyCommandFailed. Blocking.
    """
    source = source_of(settings)
    if isinstance(source, FileSource):
        return Vault.from_key_file(source.path, create=create)
    return Vault.from_source(source, ring_beside(settings.key_file))


def open_to_others(settings: Settings) -> Path | None:
    """The file with keys that others than the server's user can read or change, if one is so."""
    source = source_of(settings)
    key = [source.path] if isinstance(source, FileSource) else []
    for path in (*key, ring_beside(settings.key_file)):
        if path.exists() and _is_open(path.stat()):
            return path
    return None


def _is_open(found: os.stat_result) -> bool:
    """A secret that a container's host puts there is another user's, and the server reads it by
    its group: that much is needed. Of its own file the group needs nothing."""
    needed = stat.S_IRGRP if found.st_uid != os.geteuid() else 0
    return bool(found.st_mode & 0o077 & ~needed)


async def vault_beside(settings: Settings, db: Database) -> Vault:
    """The vault for this database's record. Raises as `vault_of`.

    Where no server ever ran there is no key file because nothing was sealed, and that is said.
    """
    try:
        return await asyncio.to_thread(vault_of, settings)
    except KeyMissing as error:
        async with db.read() as conn:
            if await kek_register.listed(conn) or await resealing.any_sealed(conn):
                raise
        raise KeyMissing(_NO_RECORD) from error


# --- commands -------------------------------------------------------------------------------------


def new(now: float, out: TextIO) -> int:
    """A fresh key, to be put where the settings look for it. It is shown here and nowhere else."""
    print(kek.fresh(now).line, file=out)
    return 0


async def status(db: Database, vault: Vault, now: float, out: TextIO) -> int:
    """Which keys there are and how much hangs on each; 1 when something hangs on one not here."""
    found = await rekeying.status(db, vault, now)
    for one in found:
        print(_words(one), file=out)
    lost = [one for one in found if one.uses and not one.here]
    if lost:
        print("Values hang on a key that is not here: bring it from another server.", file=out)
    return 1 if lost else 0


async def rotate(
    db: Database, vault: Vault, source: Source, now: float, out: TextIO, *, later: bool
) -> int:
    """A new key seals from now on; with `later` it is only put into the file."""
    await rekeying.enrol(db, vault, now)
    fresh = await rekeying.waiting(db, vault)
    if later or fresh is None:
        if not isinstance(source, FileSource):
            print(_NOT_A_FILE.format(name=source.name), file=out)
            return 1
        fresh = kek.fresh(now)
        source.add(fresh)
    if later:
        print(f"{fresh.id} is in the key file and seals nothing yet.", file=out)
        print("Copy the file to every server, then `crisisbridge keys rotate`.", file=out)
        return 0
    await rekeying.rotate(db, vault, fresh, now)
    print(f"{fresh.id} seals everything from now on. Keep a copy of it apart, now.", file=out)
    print("The older ones still open: `crisisbridge keys rewrap` moves what they hold.", file=out)
    return 0


async def rotate_tokens(db: Database, vault: Vault, now: float, out: TextIO) -> int:
    """Another key signs tokens; nobody is signed out."""
    kid = await db.write(lambda conn: signing.rotate(conn, vault, now))
    print(f"{kid} signs tokens from ten minutes on. Older ones stay good until they end.", file=out)
    return 0


async def rewrap(db: Database, vault: Vault, now: float, out: TextIO) -> int:
    """Move everything to the current key; 1 when something did not open."""
    done = await rekeying.rewrap(db, vault, now)
    print(f"{done.seen - done.unread} values moved to the current key.", file=out)
    if done.unread:
        print(f"{done.unread} did not open and stay as they are; the log names them.", file=out)
    return 1 if done.unread else 0


async def retire(
    db: Database, vault: Vault, source: Source, name: str, days: float, now: float, out: TextIO
) -> int:
    """Take an old key out of use, and out of the file; 1 when it is still needed."""
    try:
        await rekeying.retire(db, vault, name, days, now)
    except (KeyNeeded, NotFound) as error:
        print(error, file=out)
        return 1
    if isinstance(source, FileSource):
        source.drop(name)
        print(f"{name} is retired, and is not in the key file here any more.", file=out)
        print("Do the same on each server with a file of its own; destroy the copies.", file=out)
    else:
        print(f"{name} is retired. Take it out of the {source.name}.", file=out)
    return 0


def _words(one: Status) -> str:
    known = one.registered
    state = known.state if known is not None else "unused" if one.here else "unknown"
    since = f" since {_day(known.since)}" if known is not None else ""
    backup = f", backup {_day(known.backup_at)}" if known is not None and known.backup_at else ""
    held = ", ".join(f"{number} {table}" for table, number in sorted(one.uses.items())) or "nothing"
    return f"{one.id} {state}{since}, {'here' if one.here else 'NOT HERE'}: {held}{backup}"


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
