"""What somebody on a bare machine meets first."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        command, cwd=cwd, env=clean | environment, capture_output=True, text=True, timeout=60
    )


def test_make_alone_lists_every_target() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert targets is not None
    done = run("make")
    assert done.returncode == 0
    for target in targets.group(1).split():
        assert f"make {target} " in done.stdout


def test_make_demo_passes_on_port_folder_and_https() -> None:
    shown = run("make", "-n", "demo", "PORT=8123", "DATA=elsewhere", "HTTPS=1").stdout
    assert "crisisbridge demo" in shown
    assert '--port "8123"' in shown
    assert '--data "elsewhere"' in shown
    assert "--https" in shown
    assert "--https" not in run("make", "-n", "demo").stdout


def test_the_runtime_is_installed_by_hash() -> None:
    assert "--require-hashes" in (ROOT / "scripts" / "make_venv").read_text(encoding="utf-8")


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A copy of the script in a folder of its own, where it may make what it wants."""
    (tmp_path / "scripts").mkdir()
    script = tmp_path / "scripts" / "make_venv"
    script.write_text((ROOT / "scripts" / "make_venv").read_text(encoding="utf-8"))
    script.chmod(0o755)
    (tmp_path / "requirements.lock").write_text("")
    return tmp_path


def fake_python(folder: Path, body: str) -> str:
    program = folder / "fake-python"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return str(program)


def test_no_python_at_all_is_said_with_the_command_that_helps(bare: Path) -> None:
    done = run("scripts/make_venv", "runtime", cwd=bare, PYTHON="no-such-python")
    assert done.returncode == 1
    assert "apt install python3" in done.stderr


def test_an_old_python_is_refused_with_a_way_out(bare: Path) -> None:
    old = fake_python(
        bare, 'case "$*" in *version_info*) exit 1;; --version) echo Python 3.9.2;; esac'
    )
    done = run("scripts/make_venv", "runtime", cwd=bare, PYTHON=old)
    assert done.returncode == 1
    assert "3.11 or newer" in done.stderr
    assert "PYTHON=" in done.stderr
    assert not (bare / ".venv").exists()


def test_a_python_without_venv_is_said_with_the_package_to_install(bare: Path) -> None:
    split = fake_python(
        bare,
        'case "$*" in *ensurepip*) exit 1;; *"< (3, 11)"*) exit 0;; *) echo 3.11;; esac',
    )
    done = run("scripts/make_venv", "runtime", cwd=bare, PYTHON=split)
    assert done.returncode == 1
    assert "apt install python3.11-venv" in done.stderr


def test_continuous_integration_runs_what_everybody_runs() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "set -euo pipefail" in script
    assert "make test" in script
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
