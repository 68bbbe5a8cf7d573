"""The running server: its doors, its start, and its end in numbered steps."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import gc
import logging
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web as http

from web.app import create_app
from web.services import Services

log = logging.getLogger(__name__)

STOPPED_BY_FORCE = 130
# when the collector looks: rarely, because each packet that is kept for repairs is an object, and
# Python's own 700 would have it look through all of them hundreds of times a second
COLLECTING = (20_000, 20, 20)


class CannotStart(Exception):
    """The server cannot start; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Door:
    """One address that the web server listens on."""

    sock: socket.socket
    tls: ssl.SSLContext | None = None


@dataclass(slots=True)
class Stop:
    """A signal only sets an event: nothing is ever raised in whatever happens to be running."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    forced: asyncio.Event = field(default_factory=asyncio.Event)

    def on_signal(self) -> None:
        (self.forced if self.asked.is_set() else self.asked).set()


async def run(
    running: AbstractAsyncContextManager[Services],
    doors: Sequence[Door],
    opening: Callable[[Services], Awaitable[None]],
    opened: Callable[[], None],
) -> int:
    """Start everything, wait for a signal, stop in order. Returns the exit code.

    `opening` runs before the first page can be asked for, `opened` right after.
    """
    stop = Stop()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.on_signal)
    async with running as services:
        await opening(services)
        await services.desk.start()
        runner = http.AppRunner(
            create_app(services),
            access_log=None,  # it would print addresses
            handle_signals=False,
            shutdown_timeout=services.settings.drain_seconds,
        )
        await runner.setup()
        for door in doors:
            await http.SockSite(runner, door.sock, ssl_context=door.tls).start()
        gc.collect()
        gc.freeze()  # what is loaded now stays; collections in a call get shorter
        gc.set_threshold(*COLLECTING)
        opened()
        log.info("server.started")
        await stop.asked.wait()
        return await drain(services, runner, stop)


async def drain(services: Services, runner: http.AppRunner, stop: Stop) -> int:
    """Stop in numbered steps. Sessions stay as they are in the record and go on after a restart."""
    # 1. The signal has only set an event; a second one skips the waiting in step 3.
    log.info("server.draining step=1")
    # 2. /readyz says 503; every page is told to come back, no new socket is taken.
    await services.desk.drain()
    # 3. No new connections; open answers and sockets get a moment, then they are closed.
    log.info("server.draining step=3")
    closing = asyncio.create_task(runner.cleanup(), name="closing")
    forced = asyncio.create_task(stop.forced.wait(), name="forced")
    await asyncio.wait({closing, forced}, return_when=asyncio.FIRST_COMPLETED)
    forced.cancel()
    if not closing.done():
        log.warning("server.forced step=3")
        closing.cancel()
    await asyncio.gather(closing, forced, return_exceptions=True)
    # 4. The desk's loops, then the bridge with its legs.
    await services.desk.close()
    # 5. The database: finishes what is being written. (Its owner does it once more.)
    await services.db.close()
    # 6. Whatever is left is named: it should not be there.
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        log.warning("server.left_over task=%s", task.get_name())
    log.info("server.stopped step=6")
    return STOPPED_BY_FORCE if stop.forced.is_set() else 0


def open_door(host: str, port: int, tls: ssl.SSLContext | None = None) -> Door:
    """Take the port now, before anything is changed. Raises CannotStart with a clear sentence."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        sock = socket.socket(family, kind, protocol)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(128)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CannotStart(
                f"Port {port} is in use by another program. Stop that, or choose another port: "
                f"make demo PORT={port + 1}, or CRISISBRIDGE_PORT={port + 1}."
            ) from error
        if error.errno == errno.EACCES:
            raise CannotStart(f"Port {port} needs more rights. Choose one above 1023.") from error
        raise CannotStart(f"The server cannot listen on port {port} of that address.") from error
    sock.setblocking(False)
    return Door(sock, tls)


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold the data folder: live state is in process, so two servers on one would lose calls."""
    with (folder / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CannotStart("Another server is using this data folder.") from error
        yield
