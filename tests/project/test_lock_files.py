"""What is installed is pinned, checked by hash, and names no index."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock")


def pinned(name: str) -> dict[str, str]:
    """Requirement to version, for every line of a lock file that starts one."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==([^\s;]+)", text, re.MULTILINE))


def normal(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found.group()).lower()


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_is_pinned_with_hashes(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for line in re.split(r"\n(?=[^\s#])", text):
        entry = "\n".join(one for one in line.splitlines() if not one.lstrip().startswith("#"))
        if entry.strip():
            assert "==" in entry.splitlines()[0], entry
            assert "--hash=sha256:" in entry, entry


@pytest.mark.parametrize("name", [*LOCKS, "package-lock.json"])
def test_no_lock_file_names_an_address(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "--index-url" not in text
    if name == "package-lock.json":
        packages = json.loads(text)["packages"]
        assert not [key for key, one in packages.items() if "resolved" in one]
        assert not [key for key, one in packages.items() if key and not one.get("integrity")]
    else:
        assert "://" not in text


def test_every_dependency_is_in_its_lock_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    runtime = {normal(one) for one in project["dependencies"]}
    dev = {normal(one) for one in project["optional-dependencies"]["dev"]}
    assert runtime <= pinned("requirements.lock").keys()
    assert runtime | dev <= pinned("requirements-dev.lock").keys()


def test_tests_run_with_the_versions_that_are_shipped() -> None:
    dev = pinned("requirements-dev.lock")
    assert {name: dev.get(name) for name in pinned("requirements.lock")} == pinned(
        "requirements.lock"
    )
