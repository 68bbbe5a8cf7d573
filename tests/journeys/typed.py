"""A command of `crisisbridge`, as somebody types it: run to its end, or until it is killed."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.journeys import starter
from tests.journeys.harness import ROOT

SECONDS = 120.0


@dataclass
class Typed:
    """A command that has begun."""

    process: starter.Started
    log: Path

    def end(self, seconds: float = SECONDS) -> tuple[int, str]:
        """Its exit code and all that it said. What does not end is killed."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            said = self.log.read_text() if self.log.exists() else ""
        assert "Traceback" not in said, said
        return code, said


def begin(*arguments: str, **settings: str) -> Typed:
    """Type `crisisbridge ARGUMENTS` with these settings and no others."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CRISISBRIDGE_", "PYTHON"))
    }
    environment |= {f"CRISISBRIDGE_{name.upper()}": value for name, value in settings.items()}
    environment |= {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'queue'}"}
    log = Path(tempfile.mkdtemp(prefix="typed-")) / "said"
    return Typed(starter.start(arguments, environment, log), log)


def run(*arguments: str, **settings: str) -> tuple[int, str]:
    """The same, to its end: exit code, and what it said."""
    return begin(*arguments, **settings).end()
