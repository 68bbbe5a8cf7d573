"""Several server processes of one installation, as an operator starts them, and its people."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import aiohttp

from records.engine import Database, upgrade
from tests import robots
from tests.journeys import starter
from tests.journeys.harness import ROOT, free_port, get, wait_until
from tests.oncall.redis_server import RedisServer
from web.dev.seed import seed

SECRET = "fine-and-long-0123456789-abcdefghijk"
START_SECONDS = 60.0
R = TypeVar("R", bound=robots.Robot)


@dataclass
class Server:
    """One `crisisbridge serve` process."""

    folder: Path
    port: int
    settings: dict[str, str]
    process: starter.Started | None = None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Server:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CRISISBRIDGE_", "PYTHON"))
        }
        environment |= {f"CRISISBRIDGE_{k.upper()}": v for k, v in self.settings.items()}
        environment |= {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'queue'}"}
        self.process = starter.start(["serve"], environment, self.folder / "server.log")
        wait_until(
            "the server", lambda: get(f"{self.base}/readyz")[0] == 200 or None, START_SECONDS
        )
        return self

    def kill(self) -> None:
        """As the machine going away."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text()


@dataclass
class Installation:
    """A record with people, one Redis, and the servers on both."""

    folder: Path
    url: str
    redis: RedisServer
    servers: list[Server] = field(default_factory=list)
    officers: list[robots.Badge] = field(default_factory=list)
    clinicians: list[robots.Badge] = field(default_factory=list)

    @property
    def bases(self) -> list[str]:
        return [server.base for server in self.servers]

    async def people(self, officers: int, clinicians: int) -> None:
        """Make the record, with the cast and these robots."""
        upgrade(self.url)
        db = Database(self.url)
        await db.start()
        try:
            now = time.time()
            await seed(db, "correct horse battery staple", now - 3600)
            self.officers, self.clinicians = await robots.staff(
                db, SECRET, officers=officers, clinicians=clinicians, now=now
            )
        finally:
            await db.close()

    async def bring(
        self,
        stack: AsyncExitStack,
        http: aiohttp.ClientSession,
        history: robots.History,
        kind: type[R],
        badge: robots.Badge,
        turn: int,
    ) -> R:
        """A robot that comes to one server after another, beginning with another one each turn."""
        first = turn % len(self.bases)
        robot = kind(http, self.bases[first:] + self.bases[:first], badge, history)
        await robot.open()
        stack.push_async_callback(robot.close)
        return robot

    def serve(self, number: int) -> None:
        """Start so many servers."""
        for i in range(number):
            port, folder = free_port(), self.folder / f"server{i}"
            folder.mkdir()
            settings = {
                "secret": SECRET,
                "port": str(port),
                "data_dir": str(folder / "data"),
                "database_url": self.url,
                "redis_url": self.redis.url,
                "kek_file": str(self.folder / "records.key"),
                "vapid_file": str(self.folder / "vapid.key"),
                "media_addresses": "127.0.0.1",
                "media_port": "0",
            }
            self.servers.append(Server(folder, port, settings).start())


@contextmanager
def installed(folder: Path, url: str, redis: RedisServer) -> Iterator[Installation]:
    made = Installation(folder, url, redis)
    try:
        yield made
    finally:
        for server in made.servers:
            server.stop()
