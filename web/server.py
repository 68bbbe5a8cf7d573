"""The running server: its doors, its start, and its end in numbered steps."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import gc
import logging
import resource
import signal
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web as http
from sqlalchemy import make_url

from media.bridge import COLLECTING
from web import gate, i18n, packs
from web.app import create_app
from web.keys import CROWD
from web.services import Services
from web.typeset import Typesetter

log = logging.getLogger(__name__)

STOPPED_BY_FORCE = 130
# SQLite's thread asks for the interpreter after each step of a statement, and so long the loop may
# keep it, and the other way round. Python's 5 ms, a dozen times, are what a press waits for.
SWITCH_SECONDS = 0.0005
BACKLOG = 1024  # connections that wait to be taken
TAKEN = (
    "Another server is using this database. Stop that one, or give all of them the same "
    "CRISISBRIDGE_REDIS_URL, by which they know of each other."
)
OTHER_FILES = 128  # databases, the bridge, logs, what pages are sent with


class CannotStart(Exception):
    """The server cannot start; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Door:
    """One address that the web server listens on."""

    sock: socket.socket
    tls: ssl.SSLContext | None = None
    inside: bool = False  # of the admin network


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
        house = House(services)
        for door in doors:
            await house.open(door)
        watch = packs.PackWatch(services, Typesetter(), i18n.load())
        regular = asyncio.create_task(watch.run(), name="packs")
        gc.collect()
        gc.freeze()  # what is loaded now stays; collections in a call get shorter
        gc.set_threshold(*COLLECTING)
        sys.setswitchinterval(SWITCH_SECONDS)
        opened()
        log.info("server.started")
        await stop.asked.wait()
        regular.cancel()
        await asyncio.gather(regular, return_exceptions=True)
        return await drain(services, house, stop)


class House:
    """The applications and the sockets that lead to them, each behind the one gate."""

    def __init__(self, services: Services) -> None:
        settings = services.settings
        self._services = services
        each = None if settings.trust_proxy else settings.max_connections_per_address
        # whom the proxy lets in is counted request by request (web.middleware)
        self._crowd = gate.Crowd(room(settings.max_connections), each)
        self._runners: dict[bool, http.AppRunner] = {}
        self._sockets: list[asyncio.Server] = []

    @property
    def connections(self) -> int:
        """How many there are now."""
        return self._crowd.all

    @property
    def asked(self) -> int:
        """How many requests and WebSockets are open now."""
        return sum(one.app[CROWD].all for one in self._runners.values())

    async def open(self, door: Door) -> None:
        """Serve at this door."""
        runner = await self._runner(inside=door.inside)
        server = runner.server
        if server is None:
            raise RuntimeError("the runner was not set up")
        self._sockets.append(
            await asyncio.get_running_loop().create_server(
                gate.opening(server, self._crowd),
                sock=door.sock,
                ssl=door.tls,
                backlog=BACKLOG,
                ssl_handshake_timeout=gate.HANDSHAKE_SECONDS if door.tls is not None else None,
            )
        )

    async def close(self) -> None:
        """No new connections; open answers get a moment, then everything is closed."""
        for one in self._sockets:
            one.close()
        await asyncio.gather(*(one.cleanup() for one in self._runners.values()))

    async def _runner(self, *, inside: bool) -> http.AppRunner:
        if inside not in self._runners:
            settings = self._services.settings
            self._runners[inside] = http.AppRunner(
                create_app(self._services, inside=inside),
                access_log=None,  # it would print addresses
                handle_signals=False,
                shutdown_timeout=settings.drain_seconds,
                keepalive_timeout=(
                    gate.KEEP_ALIVE_PROXY if settings.trust_proxy else gate.KEEP_ALIVE
                ),
            )
            await self._runners[inside].setup()
        return self._runners[inside]


def room(wanted: int) -> int:
    """How many connections there is room for: the system's limit of open files, raised as far as
    it goes, less what the server itself needs.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(hard, needed)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft < needed:
            log.warning("server.few_files connections=%d", soft - OTHER_FILES)
            return max(1, soft - OTHER_FILES)
    return wanted


async def drain(services: Services, house: House, stop: Stop) -> int:
    """Stop in numbered steps. Sessions stay as they are in the record and go on after a restart."""
    # 1. The signal has only set an event; a second one skips the waiting in step 3.
    log.info("server.draining step=1")
    # 2. /readyz says 503; every page is told to come back, no new socket is taken.
    await services.desk.drain()
    # 3. No new connections; open answers and sockets get a moment, then they are closed.
    log.info("server.draining step=3")
    closing = asyncio.create_task(house.close(), name="closing")
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


def open_door(
    host: str, port: int, tls: ssl.SSLContext | None = None, *, inside: bool = False
) -> Door:
    """Take the port now, before anything is changed. Raises CannotStart with a clear sentence."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        sock = socket.socket(family, kind, protocol)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
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
    return Door(sock, tls, inside)


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold the data folder: live state is in process, so two servers on one would lose calls."""
    with (folder / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CannotStart("Another server is using this data folder.") from error
        yield


@contextlib.contextmanager
def alone_with(database: str, *, shared: bool = False) -> Iterator[None]:
    """Hold an SQLite file, whatever data folder its server has: a second one would ring nobody of
    the first one's. (A PostgreSQL database is held by `records.hold`.) `shared`: with all servers
    that know of each other, and no other one.

    The kernel lets go when the process ends, however it ends. Raises CannotStart.
    """
    place = make_url(database)
    if place.get_backend_name() != "sqlite" or not place.database:
        yield
        return
    path = Path(place.database).resolve()
    try:
        file = path.with_name(f"{path.name}.lock").open("a")
    except OSError as error:
        raise CannotStart("The database's folder cannot be written to.") from error
    with file:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            raise CannotStart(TAKEN) from error
        yield
