"""One version of a questionnaire: which answers it holds, which questions apply, what it computes.

A form is a FHIR R4 Questionnaire with a named scoring rule. Pure: the file in, answers in, result
out. Which questions apply is decided here and in web/static/js/console/questionnaire.js alike.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from records.errors import BadInput
from records.scoring import RULES, Answers, Result, Rule

RULE: Final = "urn:crisisbridge:scoring-rule"
PROTECTED: Final = "urn:crisisbridge:part-2"  # on an item: an answer about substance use
PART_2: Final = "42CFRPart2"  # in HL7's v3-ActCode
TRANSLATION: Final = "http://hl7.org/fhir/StructureDefinition/translation"
LEAST: Final = "http://hl7.org/fhir/StructureDefinition/minValue"
MOST: Final = "http://hl7.org/fhir/StructureDefinition/maxValue"
LONGEST_TEXT: Final = 2000
TYPES: Final = frozenset(
    {"group", "display", "choice", "boolean", "integer", "string", "text", "time"}
)
OPERATORS: Final = frozenset({"=", "!=", "exists"})
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?")

Item = Mapping[str, Any]


@dataclass(frozen=True)
class Instrument:
    """One version of one questionnaire. `body` is never changed once answers were given to it."""

    code: str
    version: str
    body: Mapping[str, Any] = field(repr=False)

    @cached_property
    def rule(self) -> Rule:
        """The named scoring rule."""
        return RULES[str(extension(self.body, RULE)["valueCode"])]

    @cached_property
    def items(self) -> Mapping[str, Item]:
        """All questions by linkId, without groups and mere words."""
        return {
            item["linkId"]: item
            for item in walk(self.body["item"])
            if item["type"] not in ("group", "display")
        }

    @property
    def about_substances(self) -> bool:
        """Whether the form as a whole is protected by 42 CFR Part 2: even its level tells."""
        labels = self.body.get("meta", {}).get("security", ())
        return any(label.get("code") == PART_2 for label in labels)

    @property
    def protected(self) -> frozenset[str]:
        """Questions whose answers say something of substance use (42 CFR Part 2)."""
        return frozenset(
            link
            for link, item in self.items.items()
            if any(one["url"] == PROTECTED for one in item.get("extension", ()))
        )

    def checked(self, changes: Answers) -> dict[str, object]:
        """Answers that this instrument can hold. Raises BadInput and names nothing personal."""
        for link, value in changes.items():
            if link not in self.items:
                raise BadInput("An answer is for a question that this version does not have.")
            if value is not None and not _fits(self.items[link], value):
                raise BadInput("An answer does not fit its question. It was not saved.")
        return dict(changes)

    def asked(self, answers: Answers) -> frozenset[str]:
        """The questions that apply, given the answers.

        An answer to a question that does not apply itself enables nothing, and what stands in a
        group that does not apply does not apply either.
        """
        return frozenset(_applying(self._all, answers))

    @cached_property
    def _all(self) -> Mapping[str, Item]:
        return {item["linkId"]: item for item in walk(self.body["item"])}

    def required(self, answers: Answers) -> frozenset[str]:
        """The questions that apply and need an answer before the form is complete."""
        return frozenset(
            link for link in self.asked(answers) if self.items[link].get("required") is True
        )

    def score(self, answers: Answers) -> Result:
        """The named rule's result."""
        return self.rule.score(answers, self.asked(answers), self.required(answers))

    def definition(self, locale: str) -> dict[str, Any]:
        """The questionnaire for a page, its texts in the page's language where there are any."""
        return dict(_translated(json.loads(json.dumps(self.body)), locale))


def walk(items: Sequence[Item]) -> Iterator[Item]:
    """Every item, what holds others before them."""
    for item in items:
        yield item
        yield from walk(item.get("item", []))


def extension(node: Item, url: str) -> Mapping[str, Any]:
    """The node's extension of that name. Raises KeyError."""
    for one in node.get("extension", ()):
        if one["url"] == url:
            return dict(one)
    raise KeyError(url)


def bound(item: Item, url: str) -> int | None:
    """The least or the greatest number that an item takes."""
    try:
        return int(extension(item, url)["valueInteger"])
    except KeyError:
        return None


# --- answers --------------------------------------------------------------------------------------


def codes(item: Item) -> list[str]:
    """The codes of a choice's options, in their order."""
    return [option["valueCoding"]["code"] for option in item.get("answerOption", ())]


def _fits(item: Item, value: object) -> bool:
    match item["type"]:
        case "choice" if item.get("repeats"):
            known = codes(item)
            return isinstance(value, list) and all(
                isinstance(code, str) and code in known for code in value
            )
        case "choice":
            return isinstance(value, str) and value in codes(item)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool) and _within(item, value)
        case "time":
            return isinstance(value, str) and _CLOCK.fullmatch(value) is not None
        case "text" | "string":
            longest = item.get("maxLength", LONGEST_TEXT)
            return isinstance(value, str) and len(value) <= longest
    return False


def _within(item: Item, value: int) -> bool:
    least, most = bound(item, LEAST), bound(item, MOST)
    return (least is None or value >= least) and (most is None or value <= most)


# --- which questions apply ------------------------------------------------------------------------


def _applying(known: Mapping[str, Item], answers: Answers) -> Iterator[str]:
    parents = {
        child["linkId"]: item["linkId"] for item in known.values() for child in item.get("item", ())
    }
    settled: dict[str, bool] = {}

    def applies(link: str) -> bool:
        if link not in known:
            return False
        if link not in settled:
            settled[link] = False  # stops a circle of conditions
            parent = parents.get(link)
            settled[link] = own(known[link]) and (parent is None or applies(parent))
        return settled[link]

    def own(item: Item) -> bool:
        met = [applies(c["question"]) and _met(c, answers) for c in item.get("enableWhen", ())]
        return not met or (all(met) if item.get("enableBehavior") == "all" else any(met))

    for link, item in known.items():
        if item["type"] not in ("group", "display") and applies(link):
            yield link


def _met(condition: Mapping[str, Any], answers: Answers) -> bool:
    given = answers.get(condition["question"])
    answered = given not in (None, "", [])
    wanted = _wanted(condition)
    same = wanted in given if isinstance(given, list) else given == wanted
    match condition["operator"]:
        case "=":
            return answered and same
        case "!=":
            return answered and not same
        case "exists":
            return answered == (wanted is not False)
    return False


def _wanted(condition: Mapping[str, Any]) -> object:
    if "answerCoding" in condition:
        return condition["answerCoding"]["code"]
    for kind in ("answerBoolean", "answerString", "answerInteger"):
        if kind in condition:
            return condition[kind]
    return None


# --- languages ------------------------------------------------------------------------------------


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
    for one in node.get("extension", ()):
        if one["url"] == TRANSLATION:
            parts = {each["url"]: each for each in one.get("extension", ())}
            words = parts.get("content", {}).get("valueString")
            if words and parts.get("lang", {}).get("valueCode") == locale.split("-")[0]:
                return str(words)
    return None
