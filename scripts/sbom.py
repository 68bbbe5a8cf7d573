"""What CrisisBridge is made of, as CycloneDX 1.6 (JSON), from the lock file: `make sbom`.

The same lock file gives the same bytes: no time, no random number, nothing of this machine.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tomllib
import uuid
from pathlib import Path
from typing import Any

from scripts.lock_file import ROOT, RUNTIME, US, Pinned, read

_SPACE = uuid.UUID("6f1c2c55-5b0f-5d7a-9c0e-3f1f5a0e6c11")  # of our serial numbers


def document(lock: Path = RUNTIME) -> dict[str, Any]:
    """The bill of materials."""
    pinned = read(lock)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "version"
    ]
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    own = f"pkg:pypi/{US}@{version}"
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_SPACE, f'{version} {digest}')}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": US,
                "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            },
            "properties": [{"name": "crisisbridge:lock:sha256", "value": digest}],
        },
        "components": [_component(one) for one in pinned],
        "dependencies": _dependencies(own, pinned),
    }


def purl(one: Pinned) -> str:
    return f"pkg:pypi/{one.name}@{one.version}"


def _component(one: Pinned) -> dict[str, Any]:
    # a package is one of several files, by platform: each file's hash is one that may be installed
    made: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl(one),
        "name": one.name,
        "version": one.version,
        "purl": purl(one),
        "scope": "required",
        "hashes": [{"alg": "SHA-256", "content": value} for value in one.hashes],
    }
    if one.marker:
        made["properties"] = [{"name": "crisisbridge:marker", "value": one.marker}]
    return made


def _dependencies(own: str, pinned: list[Pinned]) -> list[dict[str, Any]]:
    wants: dict[str, list[str]] = {}
    for one in pinned:
        for by in one.wanted_by:
            wants.setdefault(by, []).append(purl(one))
    nodes = [(own, wants.get(US, [])), *((purl(one), wants.get(one.name, [])) for one in pinned)]
    return [{"ref": ref, "dependsOn": sorted(on)} for ref, on in nodes]


def text(lock: Path = RUNTIME) -> str:
    return json.dumps(document(lock), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
