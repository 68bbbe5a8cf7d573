"""Starts the product quickly: one process per run has it imported, and forks for each start.

Importing takes five times as long as what a start does after it. What is forked runs the same
`main` in a session of its own; that the command starts from nothing is seen by test_demo.py.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

from tests.journeys import namespaces

ROOT = Path(__file__).resolve().parents[2]
_ONE = Lock()


class Started:
    """A forked process, with the part of Popen that the harness uses."""

    def __init__(self, pid: int, ended: Path) -> None:
        self.pid = pid
        self._ended = ended

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        return int(self._ended.read_text()) if self._ended.exists() else None

    def wait(self, seconds: float) -> int:
        """Raises subprocess.TimeoutExpired."""
        deadline = time.monotonic() + seconds
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("crisisbridge", seconds)
            time.sleep(0.02)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(
    arguments: Sequence[str], environment: dict[str, str], log: Path, namespace: str | None = None
) -> Started:
    """Run `crisisbridge` with these arguments; what it prints is appended to `log`."""
    with _ONE:
        starter = _starter()
        ended = log.with_name(f"{log.name}.ended-{time.monotonic_ns()}")
        wanted = {
            "arguments": list(arguments),
            "environment": environment,
            "log": str(log),
            "ended": str(ended),
            "namespace": namespace,
        }
        assert starter.stdin is not None
        assert starter.stdout is not None
        starter.stdin.write(json.dumps(wanted) + "\n")
        starter.stdin.flush()
        said = starter.stdout.readline()
    if not said:
        raise RuntimeError("the process that starts demos has ended")
    return Started(int(said), ended)


@cache
def _starter() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "tests.journeys.starter"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'queue'}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    atexit.register(process.communicate)  # no more input: it ends
    return process


# --- in the process of its own --------------------------------------------------------------------


def _serve() -> int:
    import crisisbridge  # here: whoever asks for a start need not import it

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait
    for line in sys.stdin:
        wanted = json.loads(line)
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            pid = os.fork()
            if pid == 0:
                _become(wanted)
                return crisisbridge.main(wanted["arguments"])
            _keep(pid, Path(wanted["ended"]))
    return 0


def _become(wanted: dict[str, Any]) -> None:
    """A process as if it were started by hand, with this environment and output."""
    os.setsid()
    if wanted["namespace"] is not None:
        namespaces.enter(wanted["namespace"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(wanted["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for one, number in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(one, number)
    os.close(nothing)
    os.close(log)
    os.environ.clear()
    os.environ.update(wanted["environment"])
    sys.argv = ["crisisbridge", *wanted["arguments"]]


def _keep(pid: int, ended: Path) -> None:
    """Say who it is, wait for its end and write down how it ended. Does not return."""
    print(pid, flush=True)
    os.close(0)
    os.close(1)
    _, status = os.waitpid(pid, 0)
    fresh = ended.with_name(ended.name + ".new")
    fresh.write_text(str(os.waitstatus_to_exitcode(status)))
    fresh.replace(ended)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(_serve())
