"""Instruments as data: FHIR R4 Questionnaire files with a version and a named scoring rule."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from records.errors import BadInput, NotFound
from records.scoring import RULES, Answers, Result

FOLDER = Path(__file__).parent
RULE = "urn:crisisbridge:scoring-rule"
TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"
LONGEST_TEXT = 2000


@dataclass(frozen=True)
class Instrument:
    """One version of one questionnaire."""

    code: str
    version: str
    rule: str
    body: Mapping[str, Any]

    @property
    def items(self) -> Mapping[str, Mapping[str, Any]]:
        """All questions by linkId, without the groups."""
        return {
            item["linkId"]: item for item in _walk(self.body["item"]) if item["type"] != "group"
        }

    def checked(self, changes: Mapping[str, object]) -> dict[str, object]:
        """Answers that this instrument can hold. Raises BadInput and names nothing personal."""
        items = self.items
        for link, value in changes.items():
            if link not in items:
                raise BadInput("An answer is for a question that this version does not have.")
            if value is not None and not _fits(items[link], value):
                raise BadInput("An answer does not fit its question. It was not saved.")
        return dict(changes)

    def asked(self, answers: Answers) -> frozenset[str]:
        """The questions that apply, given the answers (enableWhen)."""
        items = self.items
        asked: set[str] = set()
        for link, item in items.items():  # a question stands before those that hang on it
            conditions = item.get("enableWhen", ())
            met = [c["question"] in asked and _met(c, answers) for c in conditions]
            every = item.get("enableBehavior") == "all"
            if not conditions or (all(met) if every else any(met)):
                asked.add(link)
        return frozenset(asked)

    def score(self, answers: Answers) -> Result:
        """The named rule's result."""
        return RULES[self.rule](answers, self.asked(answers))


def _walk(items: list[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for item in items:
        yield item
        yield from _walk(item.get("item", []))


def _codes(item: Mapping[str, Any]) -> set[str]:
    return {option["valueCoding"]["code"] for option in item.get("answerOption", ())}


def _fits(item: Mapping[str, Any], value: object) -> bool:
    match item["type"]:
        case "choice" if item.get("repeats"):
            codes = _codes(item)
            return isinstance(value, list) and all(
                isinstance(code, str) and code in codes for code in value
            )
        case "choice":
            return isinstance(value, str) and value in _codes(item)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "text" | "string":
            longest = item.get("maxLength", LONGEST_TEXT)
            return isinstance(value, str) and len(value) <= longest
    return False


def _met(condition: Mapping[str, Any], answers: Answers) -> bool:
    given = answers.get(condition["question"])
    wanted = (
        condition["answerCoding"]["code"]
        if "answerCoding" in condition
        else condition.get("answerBoolean")
    )
    match condition["operator"]:
        case "=":
            return given == wanted or (isinstance(given, list) and wanted in given)
        case "!=":
            return given is not None and given != wanted
        case "exists":
            return (given is not None) == bool(wanted)
    return False


@cache
def instrument(code: str) -> Instrument:
    """The shipped instrument of that code. Raises NotFound."""
    shipped = {path.stem: path for path in FOLDER.glob("*.json")}
    if code not in shipped:
        raise NotFound("There is no such instrument here.")
    body = json.loads(shipped[code].read_text(encoding="utf-8"))
    rule = next(e["valueCode"] for e in body["extension"] if e["url"] == RULE)
    return Instrument(code=code, version=body["version"], rule=rule, body=body)


def codes() -> list[str]:
    """All shipped instruments."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def definition(code: str, locale: str) -> dict[str, Any]:
    """The questionnaire for a page, its texts in the page's language where there are any."""
    return dict(_translated(json.loads(json.dumps(instrument(code).body)), locale))


def _translated(node: Any, locale: str) -> Any:
    if isinstance(node, list):
        return [_translated(each, locale) for each in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _translated(value, locale) for key, value in node.items() if key[0] != "_"}
    for key, value in node.items():
        words = _in_language(value, locale) if key.startswith("_") else None
        if words is not None:
            plain[key[1:]] = words
    return plain


def _in_language(node: Mapping[str, Any], locale: str) -> str | None:
    for extension in node.get("extension", ()):
        if extension["url"] == TRANSLATION:
            parts = {e["url"]: e for e in extension["extension"]}
            if parts["lang"]["valueCode"] == locale.split("-")[0]:
                return str(parts["content"]["valueString"])
    return None
