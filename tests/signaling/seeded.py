"""The database with the cast, made once in a run and copied for each test."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from sqlalchemy import make_url

from records.engine import Database, upgrade
from web.dev.seed import seed

PASSWORD = "correct horse battery staple"


async def prepare(url: str, now: float) -> None:
    """Migrate the empty database at `url` and put the cast into it, as of `now`."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        await _make(url, now)
        return
    template = _folder() / f"{now}.db"
    if not template.exists():
        await _make(f"sqlite:///{template}", now)
    assert parsed.database is not None
    shutil.copy(template, parsed.database)


async def _make(url: str, now: float) -> None:
    upgrade(url)
    db = Database(url)
    await db.start()
    try:
        await seed(db, PASSWORD, now)
    finally:
        await db.close()


@cache
def _folder() -> Path:
    """One for the run; it goes when the run ends."""
    folder = tempfile.mkdtemp(prefix="cb-seeded-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
