"""PDF from templates of ours and data of anybody's: accessible (tagged, PDF/UA-1), and bounded.

Data goes in as JSON that a template reads as values: nothing in it is ever read as markup. A
template may read the files of its own folder and nothing else. Each page is set by a process of
its own (`worker.py`), which is ended when it takes too long; only so many run at a time, and only
so many wait.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from web.errors import NotSet, TooBusy

log = logging.getLogger(__name__)

FOLDER: Final = Path(__file__).parent
WORKER: Final = FOLDER / "worker.py"
SECONDS: Final = 20.0  # a report takes a tenth of a second
AT_A_TIME: Final = 2
MOST_WAITING: Final = 20
LARGEST: Final = 8 * 1024 * 1024  # bytes of data, and of a PDF


class Typesetter:
    """Sets PDFs, a few at a time."""

    def __init__(self, seconds: float = SECONDS, worker: Path = WORKER) -> None:
        self._seconds = seconds
        self._worker = worker
        self._turns = asyncio.Semaphore(AT_A_TIME)
        self._waiting = 0

    async def pdf(self, template: str, data: Mapping[str, object], at: float) -> bytes:
        """The PDF of `template`, made at `at`. Raises TooBusy, NotSet."""
        body = json.dumps({"template": template, "at": int(at), "data": data}).encode()
        if len(body) > LARGEST:
            raise NotSet
        if self._waiting >= MOST_WAITING:
            raise TooBusy
        self._waiting += 1
        try:
            async with self._turns:
                return await self._set(template, body)
        finally:
            self._waiting -= 1

    async def _set(self, template: str, body: bytes) -> bytes:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", str(self._worker),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # it would name what was written
            env={},
        )  # fmt: skip
        try:
            async with asyncio.timeout(self._seconds):
                made, _ = await process.communicate(body)
        except TimeoutError as error:
            log.warning("typeset.too_long template=%s", template)
            raise NotSet from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0 or not made.startswith(b"%PDF-"):
            log.warning("typeset.failed template=%s code=%s", template, process.returncode)
            raise NotSet
        return made
