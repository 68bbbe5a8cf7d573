"""Network namespaces: a process or a thread that stands on another host of this machine."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import TypeVar

T = TypeVar("T")

CLONE_NEWNET = 0x40000000
FOLDER = Path("/run/netns")


def enter(name: str) -> None:
    """From here on this thread, and what it starts, is on that host. Raises OSError."""
    fd = os.open(FOLDER / name, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(fd, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "this process may not go there")
    finally:
        os.close(fd)


def inside(name: str | None, work: Callable[[], T]) -> T:
    """What `work` gives, or raises, on that host; None: on this one."""
    if name is None:
        return work()
    done: Future[T] = Future()

    def there() -> None:
        try:
            enter(name)
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised where it was asked for
            done.set_exception(error)

    Thread(target=there).start()
    return done.result()
