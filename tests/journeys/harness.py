"""Starts the real product as its own process, the way `make demo` does, and waits for it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tests.journeys import namespaces, starter
from tests.records import migrated

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
STOP_SECONDS = 20.0


def free_port() -> int:
    """A TCP port of this machine that nobody uses now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def wait_until(what: str, look: Callable[[], T | None], seconds: float = 10.0) -> T:
    """Look again and again until there is something; TimeoutError names what was missing."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {seconds:g} s")
        time.sleep(0.05)


def get(url: str, seconds: float = 5.0) -> tuple[int, str]:
    """Status and text of a page; (0, "") when nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=seconds) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


class Demo:
    """`crisisbridge demo` in a process of its own, on a free port and a folder of its own."""

    def __init__(self, folder: Path, port: int | None = None, *arguments: str) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.arguments = arguments
        self.settings: dict[str, str] = {}  # CRISISBRIDGE_… for the process
        self.card: dict[str, Any] = {}
        self.namespace: str | None = None  # the host that it is on, if not this one
        self._imported = False
        self._process: subprocess.Popen[str] | starter.Started | None = None
        self._log = folder.with_name(folder.name + ".log")

    def prepared(self) -> Demo:
        """With an empty record that the start need not make, and the program imported already."""
        migrated.put(self.folder / "crisisbridge.db")
        self._imported = True
        return self

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def spawn(self) -> subprocess.Popen[str] | starter.Started:
        """Start the process without waiting for it."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CRISISBRIDGE_", "PYTHON"))
        }
        environment |= {
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'queue'}",
            "PYTHONSAFEPATH": "1",
            "PYTHONUNBUFFERED": "1",
            **self.settings,
        }
        arguments = ["demo", "--port", str(self.port), "--data", str(self.folder), *self.arguments]
        if self._imported:
            self._process = starter.start(arguments, environment, self._log, self.namespace)
            return self._process
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "crisisbridge", *arguments],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        return self._process

    def start(self) -> Demo:
        """Start, and wait until it says that it is ready."""
        process = self.spawn()
        card = self.folder / "demo.json"

        def ready() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"the demo ended at once:\n{self.output()}")
            if not card.exists():
                return False
            return (
                namespaces.inside(self.namespace, lambda: get(f"{self.base_url}/readyz"))[0] == 200
            )

        try:
            wait_until("the demo", ready, START_SECONDS)
        except TimeoutError:
            self.kill()
            raise TimeoutError(f"the demo was never ready:\n{self.output()}") from None
        self.card = json.loads(card.read_text(encoding="utf-8"))
        return self

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ask the process to end; its exit code. Kills what does not listen."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(number)
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """As the power going: no clean-up, nothing said."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(STOP_SECONDS)

    def output(self) -> str:
        """All that the process has printed so far."""
        return self._log.read_text(encoding="utf-8") if self._log.exists() else ""

    def log_lines(self) -> list[str]:
        """The log alone, without the greeting, which names people on purpose."""
        return [line for line in self.output().splitlines() if re.match(r"\d{4}-\d\d-\d\dT", line)]

    def leaks(self) -> list[str]:
        """Log lines that hold an address, a name, a code, a password or a part of a description."""
        card = self.card
        people = [*card["clinicians"], card["manager"], card["supervisor"], card["admin"]]
        secret = [person["password"] for person in people] + [
            one["code"] for one in card["tablets"]
        ]
        words = {word for person in people for word in person["name"].split()}
        words |= {word for one in card["tablets"] for word in (one["officer"] or "").split()}
        told = "|".join(re.escape(one) for one in [*secret, *words, "@demo.invalid"])
        address = (
            r"\b(?:\d{1,3}\.){3}\d{1,3}\b|\b(?:[0-9a-f]{1,4}:){3,}[0-9a-f:]*|a=candidate|ice-pwd"
        )
        return [line for line in self.log_lines() if re.search(f"{told}|{address}", line)]

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None
