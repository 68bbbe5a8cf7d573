"""The database with the cast, made once in a run and copied for each test."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from sqlalchemy import URL, make_url

from records.engine import Database, upgrade
from tests.records import servers
from web.dev.seed import seed

PASSWORD = "correct horse battery staple"


async def prepare(url: str, now: float) -> None:
    """Migrate the empty database at `url` and put the cast into it, as of `now`."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        servers.fill(url, await _template(parsed, now))
        return
    template = _folder() / f"{now}.db"
    if not template.exists():
        await _make(f"sqlite:///{template}", now)
    assert parsed.database is not None
    shutil.copy(template, parsed.database)


_TEMPLATES: dict[tuple[str, float], str] = {}  # by server and time


async def _template(beside: URL, now: float) -> str:
    """The name of such a database on the same PostgreSQL server."""
    place = (str(beside.query["host"]), now)
    if place not in _TEMPLATES:
        made = beside.set(database=f"seeded_{len(_TEMPLATES)}")
        url = made.render_as_string(hide_password=False)
        servers.fill(url, "template0")
        await _make(url, now)
        _TEMPLATES[place] = str(made.database)
    return _TEMPLATES[place]


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
