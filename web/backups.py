"""`crisisbridge backup` and `crisisbridge restore`, and how old the newest backup is."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO

from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from auth import audit, checkpoints, erasures, rekeying
from auth.checkpoints import Signer
from auth.erasures import BadList, Erased
from auth.errors import AuditFailed
from records import backups
from records.backups import Label
from records.crypto import Vault
from records.dumps import CannotDump
from records.engine import Database, current, head, upgrade
from records.errors import RecordAway
from signaling.settings import Settings
from web import keyring

OLDEST_SECONDS: Final = 48 * 3600.0  # the proposal for 45 CFR 164.308: copies no older than 48 h
BACKED_UP, RESTORED = "backup.make", "backup.restore"
_WHOLE: Final = ("database", None, "allowed")
_MARK: Final = "last-backup.json"


def make(settings: Settings, folder: Path, keep: int | None, out: TextIO) -> int:
    """Back up, read the file back, and remove old ones; 0 when it is done."""
    try:
        vault = keyring.vault_of(settings)
        url = settings.database
        up_to_date = _is_there(url) and current(url) == head()  # else it knows no second key
        if up_to_date:
            asyncio.run(_on_record(url))
        path = backups.make(url, vault, folder, time.time())
        if up_to_date:
            asyncio.run(_note(url, vault, folder))
        old = backups.prune(folder, keep) if keep is not None else []
    except (CannotDump, SQLAlchemyError, RecordAway, OSError, BadList, AuditFailed) as error:
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
    except (CannotDump, SQLAlchemyError, RecordAway, OSError) as error:
        return _failed("This backup cannot be used", error, out)
    print(f"Whole. {_words(label)}", file=out)
    return 0


async def restore(settings: Settings, path: Path, out: TextIO, *, replace: bool) -> int:
    """Put a backup in the database's place and look through its audit trail; 0 when all is well.

    The server must not run: the caller holds the data folder.
    """
    try:
        vault = keyring.vault_of(settings)
        gone = (
            await _erased_here(settings.database)
            if replace and _is_there(settings.database)
            else {}
        )
        label = await asyncio.to_thread(
            backups.restore, path, settings.database, vault, time.time(), replace=replace
        )
    except (CannotDump, SQLAlchemyError, RecordAway, OSError) as error:
        return _failed("Nothing was restored", error, out)
    print(f"Restored. {_words(label)}", file=out)
    for name in await asyncio.to_thread(_set_heads_aside, settings):
        print(
            f"The replaced record's audit trail ended later: its signed heads are kept in {name}.",
            file=out,
        )
    await asyncio.to_thread(upgrade, settings.database)
    db = Database(settings.database)
    await db.start()
    try:
        async with db.read() as conn:
            await vault.check(conn)
            broken = await checkpoints.verify(conn, Signer(vault))
        gone = {**erasures.read_list(path.parent, vault), **gone}
        again = await erasures.again(db, vault, gone, time.time())
        now = time.time()
        await db.write(lambda conn: audit.record(conn, None, RESTORED, *_WHOLE, now))
    except AuditFailed as error:
        return _failed("What was restored is not on record", error, out)
    except BadList as error:
        return _failed("What had been deleted was not deleted again", error, out)
    finally:
        await db.close()
    if again:
        print(f"{again} sessions that had been deleted since are deleted again.", file=out)
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


async def _on_record(url: str) -> None:
    """All of the record is about to leave by a file. Raises AuditFailed: then it does not."""
    db, now = Database(url), time.time()
    await db.start()
    try:
        await db.write(lambda conn: audit.record(conn, None, BACKED_UP, *_WHOLE, now))
    finally:
        await db.close()


async def _note(url: str, vault: Vault, folder: Path) -> None:
    """Which keys this backup needs, so that none of them is retired too early; and beside it what
    had been deleted by now, which a restore of an older one needs."""
    db = Database(url)
    await db.start()
    try:
        await rekeying.note_backup(db, vault, time.time())
        async with db.read() as conn:
            await vault.check(conn)
            found = await erasures.known(conn)
    finally:
        await db.close()
    erasures.write_list(folder, vault, found)


def _set_heads_aside(settings: Settings) -> list[str]:
    """Signed heads that the restored trail may not have: kept, and no longer expected of it."""
    stamp, moved = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"), []
    for path in (settings.checkpoints_file, settings.head_file):
        if path.exists():
            moved.append(path.rename(path.with_name(f"before-restore-{stamp}-{path.name}")).name)
    return moved


def _is_there(url: str) -> bool:
    """Whether there may be a record; a file is not made by looking."""
    place = make_url(url)
    return place.get_backend_name() != "sqlite" or Path(place.database or "").exists()


async def _erased_here(url: str) -> Erased:
    """What the record that is about to be replaced says; nothing where none can be read."""
    db = Database(url)
    try:
        await db.start()
        async with db.read() as conn:
            return await erasures.known(conn)
    except (SQLAlchemyError, RecordAway):
        return {}
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
    if isinstance(error, SQLAlchemyError | RecordAway):  # its text may hold the password
        said = "the database cannot be reached"
    print(f"{what}: {said}", file=out)
    return 1
