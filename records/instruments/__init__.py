"""Instruments as data: the questionnaires that ship with us, in every version that ever did.

A record keeps the version that it was answered with, so a file here is never changed or removed
once it was released; a new wording is a new file. A site's own forms are in records/library.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from records.instruments.questionnaire import Instrument

FOLDER: Final = Path(__file__).parent / "forms"

# In the order in which a console offers them; the first is open when a call begins.
ORDER: Final = (
    "field-safety",
    "suicide-assessment",
    "safety-plan",
    "lethal-means",
    "level-of-care",
    "overdose",
    "moud",
    "scene-safety",
    "bars",
    "cows",
    "audit-c",
)

# What the officer at the scene says, beside the clinician's own forms: a console shows them and
# never writes them, and the note's signature neither covers nor closes them.
SCENE: Final = "officer-scene"
ACTIVITY: Final = "officer-activity"
OVERDOSE: Final = "officer-overdose"
OFFICERS: Final = (SCENE, ACTIVITY, OVERDOSE)


@cache
def shipped() -> Mapping[tuple[str, str], Instrument]:
    """All of them, by code and version."""
    bodies = [json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.json")]
    return {
        (body["id"], body["version"]): Instrument(body["id"], body["version"], body)
        for body in bodies
    }


@cache
def newest() -> Mapping[str, Instrument]:
    """The version that new answers are given to, by code, in the order of offering."""
    found: dict[str, Instrument] = {code: _newest(code) for code in (*ORDER, *OFFICERS)}
    return found


def _newest(code: str) -> Instrument:
    own = [one for one in shipped().values() if one.code == code]
    return max(own, key=lambda one: [int(part) for part in one.version.split(".")])
