"""What a lock file pins: names, versions, hashes, and who wants each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUNTIME = ROOT / "requirements.lock"
US = "crisisbridge"


@dataclass(frozen=True, slots=True)
class Pinned:
    """One package. `marker`: where it is installed; `wanted_by`: packages, or our own name."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    wanted_by: tuple[str, ...]


def read(path: Path = RUNTIME) -> list[Pinned]:
    """Every package of a lock file, by name. Raises ValueError for a line that is no such entry."""
    entries = re.split(r"\n(?=[^\s#])", path.read_text(encoding="utf-8").strip())
    return sorted((_entry(one) for one in entries if one.strip()), key=lambda one: one.name)


def _entry(text: str) -> Pinned:
    head = re.match(r"([a-z0-9][a-z0-9._-]*)==([^\s;\\]+)(?:\s*;\s*([^\\\n]+))?", text)
    if head is None:
        raise ValueError(f"not an entry of a lock file: {text.splitlines()[0]}")
    name, version, marker = head[1], head[2], (head[3] or "").strip()
    hashes = tuple(sorted(re.findall(r"--hash=sha256:([0-9a-f]{64})", text)))
    said = re.sub(r"\(.*?\)", "", text.partition("# via")[2]).replace("#", " ")
    return Pinned(name, version, marker, hashes, tuple(sorted(said.split())))
