"""The small shapes that every resource is made of: times, codes, references, labels. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from xml.sax.saxutils import escape

from records.fhir.facts import Facts

Resource = dict[str, Any]

OURS: Final = "urn:crisisbridge:"
LOINC: Final = "http://loinc.org"
ACT_CODE: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
PARTICIPATION: Final = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
MODE: Final = "http://terminology.hl7.org/CodeSystem/v3-ParticipationMode"
CONFIDENTIALITY: Final = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
CATEGORY: Final = "http://terminology.hl7.org/CodeSystem/observation-category"
US_CORE: Final = "http://hl7.org/fhir/us/core/StructureDefinition/"
US_CORE_VERSION: Final = "6.1.0"
DISPLAY: Final = "http://hl7.org/fhir/StructureDefinition/display"
ABSENT: Final = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"

RESTRICTED: Final = {"system": CONFIDENTIALITY, "code": "R", "display": "restricted"}
PART_2: Final = {"system": ACT_CODE, "code": "42CFRPart2", "display": "42 CFR Part2"}

_NAMES: Final = uuid.UUID("6f1d3c0e-5f0a-5d8a-9d2c-3a4b2c7d9e10")  # ours; never changed


def key(kind: str, ours: str) -> str:
    """The id of a resource: the same each time, and nothing that could be read from it."""
    return str(uuid.uuid5(_NAMES, f"{kind}/{ours}"))


def reference(kind: str, ours: str, display: str | None = None) -> Resource:
    """A reference inside the Bundle."""
    found: Resource = {"reference": f"urn:uuid:{key(kind, ours)}", "type": kind}
    return found | ({"display": display} if display else {})


def resource(
    kind: str, ours: str, *, profile: str | None = None, protected: bool = False, **more: Any
) -> Resource:
    """A resource with its id; what is None or empty is left out, as FHIR wants it.

    `class_` and `for_` are the elements of those names.
    """
    meta: Resource = {}
    if profile is not None:
        meta["profile"] = [f"{US_CORE}{profile}|{US_CORE_VERSION}"]
    if protected:
        meta["security"] = [RESTRICTED, PART_2]
    made = {"resourceType": kind, "id": key(kind, ours), "meta": meta}
    made |= {name.rstrip("_"): value for name, value in more.items()}
    return dict(full(made))


def full(value: Any) -> Any:
    """The value without what is None, empty text, empty list or empty object."""
    if isinstance(value, Mapping):
        kept = {name: full(one) for name, one in value.items()}
        return {name: one for name, one in kept.items() if one not in (None, "", [], {})}
    if isinstance(value, list | tuple):
        return [one for one in (full(each) for each in value) if one not in (None, "", [], {})]
    return value


def instant(at: float | None) -> str | None:
    """A moment, in UTC, to the millisecond."""
    if at is None:
        return None
    said = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return said.replace("+00:00", "Z")


def period(start: float | None, end: float | None) -> Resource | None:
    """A span; its end is never before its start."""
    if start is not None and end is not None:
        end = max(start, end)
    found = full({"start": instant(start), "end": instant(end)})
    return found or None


def identifier(system: str, value: str, *, use: str = "official") -> Resource:
    return {"use": use, "system": OURS + system, "value": value}


def coding(system: str, code: str, display: str | None = None) -> Resource:
    found = {"system": system, "code": code}
    return found | ({"display": display} if display else {})


def concept(*codings: Resource, text: str | None = None) -> Resource:
    return dict(full({"coding": list(codings), "text": text}))


def own(facts: Facts, kind: str, code: str) -> Resource:
    """One of our own codes: marked as ours, never dressed up as somebody else's."""
    said = facts.words(kind, code)
    return concept(coding(f"{OURS}{kind}", code, said), text=said)


def narrative(paragraphs: Sequence[str]) -> Resource:
    """What a person reads; every word escaped."""
    inside = "".join(f"<p>{escape(_clean(one))}</p>" for one in paragraphs if one)
    return {
        "status": "additional",
        "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{inside or "<p>–</p>"}</div>',
    }


def words(text: str) -> str:
    """Free text as FHIR takes it: no control letters, and something at all."""
    return _clean(text).strip()


def _clean(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable() or letter in "\n\t")


def subject(facts: Facts) -> Resource:
    return reference("Patient", subject_of(facts))


def subject_of(facts: Facts) -> str:
    """What tells persons apart: who it was, else this session alone."""
    return facts.subject_id or facts.row.id


def encounter(facts: Facts) -> Resource:
    return reference("Encounter", facts.row.id)


def practitioner(facts: Facts, person_id: str | None) -> Resource | None:
    """A reference to somebody of the provider; None for anybody else."""
    staff = facts.staff.get(person_id or "")
    return reference("Practitioner", staff.id, staff.name) if staff else None
