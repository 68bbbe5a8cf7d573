"""`crisisbridge backup` and `crisisbridge restore`, and how old the newest backup is."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO

from sqlalchemy.exc import SQLAlchemyError

from auth import checkpoints, rekeying
from auth.checkpoints import Signer
from records import backups
from records.backups import Label
from records.crypto import Vault
from records.dumps import CannotDump
from records.engine import Database, current, head, upgrade
from signaling.settings import Settings
from web import keyring

OLDEST_SECONDS: Final = 48 * 3600.0  # the proposal for 45 CFR 164.308: copies no older than 48 h
_MARK: Final = "last-backup.json"


def make(settings: Settings, folder: Path, keep: int | None, out: TextIO) -> int:
    """Back up, read the file back, and remove old ones; 0 when it is done."""
    try:
        vault = keyring.vault_of(settings)
        path = backups.make(settings.database, vault, folder, time.time())
        if current(settings.database) == head():  # else nobody can have made a second key yet
            asyncio.run(_note(settings.database, vault))
        old = backups.prune(folder, keep) if keep is not None else []
    except (CannotDump, SQLAlchemyError, OSError) as error:
        return _failed("No backup was made", error, out)
    mark = {"at": time.time(), "file": path.name, "bytes": path.stat().st_size}
    (settings.data_dir / _MARK).write_text(json.dumps(mark))
    print(f"{path}: {mark['bytes']} bytes, read back and found whole.", file=out)
    for one in old:
        print(f"{one.name} is removed: {keep} newer ones are kept.", file=out)
    if folder.resolve() == settings.key_file.resolve().parent:
        print("Keep backups apart from the key file: together they open everything.", file=out)
    return 0


def check(settings: Settings, path: Path, out: TextIO) -> int:
    """Open all of a backup and try what is in it; 0 when it could be restored."""
    try:
        label = backups.check(path, keyring.vault_of(settings))
    except (CannotDump, SQLAlchemyError, OSError) as error:
        return _failed("This backup cannot be used", error, out)
    print(f"Whole. {_words(label)}", file=out)
    return 0


async def restore(settings: Settings, path: Path, out: TextIO, *, replace: bool) -> int:
    """Put a backup in the database's place and look through its audit trail; 0 when all is well.

    The server must not run: the caller holds the data folder.
    """
    try:
        vault = keyring.vault_of(settings)
        label = backups.restore(path, settings.database, vault, time.time(), replace=replace)
    except (CannotDump, SQLAlchemyError, OSError) as error:
        return _failed("Nothing was restored", error, out)
    print(f"Restored. {_words(label)}", file=out)
    await asyncio.to_thread(upgrade, settings.database)
    db = Database(settings.database)
    await db.start()
    try:
        async with db.read() as conn:
            await vault.check(conn)
            broken = await checkpoints.verify(conn, Signer(vault))
    finally:
        await db.close()
    if broken is not None:
        print(
            f"Its audit trail is not whole, from entry {broken.no} on: it was so when the backup "
            "was made. `crisisbridge audit verify` says more.",
            file=out,
        )
        return 1
    print("Its audit trail is whole. Start the server.", file=out)
    return 0


def age(settings: Settings, now: float) -> float | None:
    """Seconds since the last backup from this data folder; None when there was none."""
    try:
        at = json.loads((settings.data_dir / _MARK).read_text())["at"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return max(0.0, now - at) if isinstance(at, int | float) else None


async def _note(url: str, vault: Vault) -> None:
    """Which keys this backup needs, so that none of them is retired too early."""
    db = Database(url)
    await db.start()
    try:
        await rekeying.note_backup(db, vault, time.time())
    finally:
        await db.close()


def _words(label: Label) -> str:
    made = datetime.fromtimestamp(label.made_at, UTC).isoformat(timespec="seconds")
    rows = label.contents.rows
    return (
        f"Made {made} from {label.database}: {rows.get('session', 0)} sessions, "
        f"{rows.get('audit', 0)} entries of the audit trail."
    )


def _failed(what: str, error: Exception, out: TextIO) -> int:
    said = error.strerror if isinstance(error, OSError) else str(error)
    if isinstance(error, SQLAlchemyError):  # its text may hold the password
        said = "the database cannot be reached"
    print(f"{what}: {said}", file=out)
    return 1
