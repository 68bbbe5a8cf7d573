"""A real redis-server that nobody else uses, on a socket in its own folder."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 20.0


def program() -> str | None:
    """redis-server or valkey-server, if one is installed."""
    return shutil.which("redis-server") or shutil.which("valkey-server")


class RedisServer:
    """Started empty each time; everything is in memory. Killed by its own process id."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"unix://{folder}/redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str) -> RedisServer:
        found = program()
        assert found is not None
        socket = self.folder / "redis.sock"
        socket.unlink(missing_ok=True)
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(found, "--port", "0", "--unixsocket", str(socket), "--save", ""),
                    *("--appendonly", "no", "--dir", str(self.folder), *arguments),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while not socket.exists():
            assert self._process.poll() is None, (self.folder / "redis.log").read_text()
            assert time.monotonic() < deadline, "redis-server never opened its socket"
            time.sleep(0.01)
        return self

    def kill(self) -> None:
        """As the power going: everything in it is lost."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def freeze(self) -> None:
        """Still connected, never answering: the worst way to be away."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None


@contextmanager
def running(*arguments: str) -> Iterator[RedisServer]:
    """A server that lives as long as the block."""
    folder = Path(tempfile.mkdtemp(prefix="cb-redis-"))  # short: a socket's path may be 107 bytes
    server = RedisServer(folder)
    try:
        yield server.start(*arguments)
    finally:
        if server.running:
            server.kill()
        shutil.rmtree(folder, ignore_errors=True)
