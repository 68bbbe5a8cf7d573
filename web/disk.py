"""How much can still be written where the record and its keys are."""

from __future__ import annotations

import shutil
from pathlib import Path

from sqlalchemy import make_url

from signaling.settings import Settings

FEWEST_BYTES = 32 * 1024**2  # with less, a press may not be written down any more
SOON_BYTES = 1024**3  # time to do something about it


def is_too_full(settings: Settings) -> bool:
    """Whether a press may not be written down. PostgreSQL's disk is seen by its own errors only."""
    here = make_url(settings.database).get_backend_name() == "sqlite"
    return here and free_bytes(settings) < FEWEST_BYTES


def free_bytes(settings: Settings) -> int:
    """The free space of the data folder and of SQLite's; the smaller one where these are two."""
    url = make_url(settings.database)
    folders = {settings.data_dir.resolve()}
    if url.get_backend_name() == "sqlite" and url.database:
        folders.add(Path(url.database).resolve().parent)
    return min(shutil.disk_usage(_there(one)).free for one in folders)


def _there(path: Path) -> Path:
    """The folder itself, or the nearest one above it that is there already."""
    return next(one for one in (path, *path.parents) if one.exists())
