"""Known holes in what the lock files pin: `make audit`.

Asks, in this order, what there is: a copy of the OSV data for PyPI on this machine (`--osv FILE`, a
zip of JSON files or a folder of them; needs no network), else pip-audit, if that is installed and
reaches its source. A known hole makes the exit code 1. A copy that was named and cannot be read
makes it 2: who asked for an answer must not take silence for one. When no copy was named and
pip-audit cannot be asked either, that is printed where nobody overlooks it, and the exit code is 0:
a machine without a network is no hole.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from scripts.lock_file import ROOT, Pinned, read

LOCKS = ("requirements.lock", "requirements-dev.lock")
SECONDS = 300


class NotAsked(Exception):
    """No source of known holes could be asked; the message says why."""


@dataclass(frozen=True, slots=True, order=True)
class Hole:
    """A known hole in a version that is pinned."""

    package: str
    version: str
    id: str
    fixed: tuple[str, ...] = ()


def in_osv(pinned: list[Pinned], source: Path) -> list[Hole]:
    """The holes by an offline copy of OSV. Raises NotAsked when there is nothing to read."""
    by_name = {canonicalize_name(one.name): one for one in pinned}
    found, seen = set(), 0
    for entry in _entries(source):
        seen += 1
        if entry.get("withdrawn"):
            continue
        for affected in entry.get("affected", ()):
            package = affected.get("package", {})
            one = by_name.get(canonicalize_name(str(package.get("name", ""))))
            if package.get("ecosystem") == "PyPI" and one is not None and _hit(affected, one):
                fixes = tuple(sorted(_events(affected, "fixed")))
                found.add(Hole(one.name, one.version, str(entry["id"]), fixes))
    if not seen:
        raise NotAsked(f"no OSV entries in {source.name}")
    return sorted(found)


def _entries(source: Path) -> Iterator[Mapping[str, Any]]:
    """Each advisory. Raises NotAsked for one that is none: a part of the answer is no answer."""
    try:
        for name, text in _texts(source):
            entry = json.loads(text)
            if not isinstance(entry, dict) or "id" not in entry:
                raise NotAsked(f"{name} in {source.name} is no OSV entry")
            yield entry
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise NotAsked(f"{source.name} cannot be read as OSV's data") from error


def _texts(source: Path) -> Iterator[tuple[str, bytes]]:
    if source.is_dir():
        for path in sorted(source.rglob("*.json")):
            yield path.name, path.read_bytes()
        return
    with zipfile.ZipFile(source) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".json"):
                yield name, archive.read(name)


def _hit(affected: Mapping[str, Any], one: Pinned) -> bool:
    if one.version in affected.get("versions", ()):
        return True
    return any(_inside(each.get("events", ()), Version(one.version)) for each in _ranges(affected))


def _ranges(affected: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Those of versions: a range of git commits names none that anybody could install."""
    return [each for each in affected.get("ranges", ()) if each.get("type") == "ECOSYSTEM"]


def _inside(events: list[Mapping[str, str]], version: Version) -> bool:
    """Whether a version is in a range: events in order turn it on and off."""
    hit = False
    for event in events:
        try:
            if "introduced" in event:
                low = event["introduced"]
                hit = hit or low == "0" or version >= Version(low)
            elif "fixed" in event:
                hit = hit and version < Version(event["fixed"])
            elif "last_affected" in event:
                hit = hit and version <= Version(event["last_affected"])
        except InvalidVersion:
            return True  # what cannot be compared is looked at by somebody
    return hit


def _events(affected: Mapping[str, Any], kind: str) -> set[str]:
    events = (event for each in _ranges(affected) for event in each.get("events", ()))
    return {event[kind] for event in events if kind in event}


def by_pip_audit(lock: Path) -> list[Hole]:
    """The holes by pip-audit. Raises NotAsked when it is missing or reaches nothing."""
    if importlib.util.find_spec("pip_audit") is None:
        raise NotAsked("pip-audit is not installed, and no copy of OSV was named")
    command = [
        sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--disable-pip", "--no-deps",
        "--require-hashes", "--format", "json", "--progress-spinner", "off",
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        told = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError) as error:
        raise NotAsked("pip-audit could not ask its source") from error
    return sorted(
        Hole(one["name"], one["version"], hole["id"], tuple(hole.get("fix_versions", ())))
        for one in told
        for hole in one.get("vulns", ())
    )


def main(arguments: list[str] | None = None) -> int:
    """Print what was found; 1 when a hole is known, 2 when the copy that was named is no good."""
    parser = argparse.ArgumentParser(prog="make audit", description=__doc__)
    parser.add_argument("--osv", type=Path, default=None, help="OSV's data for PyPI: zip or folder")
    options = parser.parse_args(arguments)
    holes: set[Hole] = set()
    for name in LOCKS:
        lock = ROOT / name
        try:
            pinned = read(lock)
            found = by_pip_audit(lock) if options.osv is None else in_osv(pinned, options.osv)
        except NotAsked as why:
            print(_loudly(str(why)), file=sys.stderr)
            return 0 if options.osv is None else 2
        holes |= set(found)
        print(f"{name}: {len(pinned)} packages looked up, {len(found)} known holes.")
    for hole in sorted(holes):
        fixed = f"fixed in {', '.join(hole.fixed)}" if hole.fixed else "not fixed yet"
        print(f"  {hole.package} {hole.version}: {hole.id}, {fixed}")
    return 1 if holes else 0


def _loudly(why: str) -> str:
    line = "*" * 78
    return (
        f"{line}\nNOT CHECKED for known holes: {why}.\n"
        "Nothing is known to be wrong, and nothing is known to be right. Give it a copy\n"
        "of OSV's data: make audit ARGS='--osv all.zip'; or install pip-audit.\n"
        f"{line}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
