"""A site's own questionnaire, made ready: checked, matched to a scoring rule, completed.

Wording that is licensed to a site does not ship with us. The file is a FHIR R4 Questionnaire; its
questions are found by LOINC code, or by the name of the rule's question where there is no code.
Public encodings are often wrong about which question follows which, so the rule's own order of
asking replaces the file's. What is not understood is refused with its place in the file. Pure.
"""

from __future__ import annotations

import copy
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

import msgspec
from msgspec import Struct, field

from records.errors import BadInput
from records.instruments import conditions
from records.instruments.questionnaire import (
    LONGEST_TEXT,
    OPERATORS,
    PART_2,
    PROTECTED,
    RULE,
    TRANSLATION,
    TYPES,
    Instrument,
    walk,
)
from records.scoring import RULES, Role, Rule

LOINC: Final = "http://loinc.org"
SECURITY: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
ROLE: Final = "urn:crisisbridge:scoring-item"  # on an item: which question of the rule it is
ORIGINAL: Final = "urn:crisisbridge:original-link-id"
ANSWER: Final = "urn:crisisbridge:answer"
YES, NO = "LA33-6", "LA32-8"
LARGEST: Final = 512 * 1024  # bytes
MOST_ITEMS: Final = 300
DEEPEST: Final = 6
_CODE: Final = re.compile(r"[a-z][a-z0-9-]{1,38}")
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,15}")
_LINK: Final = re.compile(r"[A-Za-z0-9/_.-]{1,64}")
_HEAD: Final = frozenset(
    {
        "resourceType", "id", "url", "identifier", "version", "name", "title", "_title", "status",
        "publisher", "description", "_description", "copyright", "code", "extension", "item",
    }
)  # fmt: skip
_KEPT: Final = frozenset(
    {
        "linkId", "type", "text", "_text", "prefix", "code", "required", "repeats", "maxLength",
        "answerOption", "enableWhen", "enableBehavior", "item", "extension",
    }
)  # fmt: skip


class Unfit(BadInput):
    """The file cannot be used as it is; `problems` says where and why, all of it at once."""

    code = "unfit-questionnaire"

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("This questionnaire cannot be used. " + " ".join(problems))
        self.problems = list(problems)


class _Extension(Struct):
    url: str
    extension: list[_Extension] = []
    valueCode: str | None = None
    valueString: str | None = None
    valueInteger: int | None = None


class _Words(Struct):
    """What FHIR hangs on a text: translations."""

    extension: list[_Extension] = []


class _Coding(Struct):
    code: str | None = None
    system: str | None = None
    display: str | None = None
    display_words: _Words | None = field(default=None, name="_display")


class _Option(Struct):
    valueCoding: _Coding | None = None


class _When(Struct):
    question: str
    operator: str
    answerCoding: _Coding | None = None
    answerBoolean: bool | None = None
    answerString: str | None = None
    answerInteger: int | None = None


class _Item(Struct):
    linkId: str
    type: str
    text: str | None = None
    text_words: _Words | None = field(default=None, name="_text")
    required: bool = False
    repeats: bool = False
    maxLength: int | None = None
    enableBehavior: Literal["any", "all"] = "any"
    code: list[_Coding] = []
    extension: list[_Extension] = []
    answerOption: list[_Option] = []
    enableWhen: list[_When] = []
    item: list[_Item] = []


class _Body(Struct):
    """The shape of what is read here; a Questionnaire has more."""

    title: str
    item: list[_Item]
    title_words: _Words | None = field(default=None, name="_title")
    description: str | None = None
    description_words: _Words | None = field(default=None, name="_description")
    code: list[_Coding] = []
    extension: list[_Extension] = []


@dataclass(frozen=True, slots=True)
class Prepared:
    """A form ready to be kept, and what was done to it."""

    form: Instrument
    changes: tuple[str, ...]


def prepare(raw: bytes, *, rule: str | None = None) -> Prepared:
    """The questionnaire in the file, ready for use with the named rule, or the one that it fits.

    Raises Unfit with everything that stands in the way.
    """
    body = _parsed(raw)
    problems = [*_head_problems(body), *_item_problems(body), *_unseen("$", body)]
    if problems:
        raise Unfit(problems)
    scoring = _rule_for(body, rule)
    made = copy.deepcopy({key: value for key, value in body.items() if key in _HEAD})
    changes = [*_matched(made, scoring), *_completed(made, scoring)]
    made["extension"] = [
        *(one for one in made.get("extension", []) if one.get("url") != RULE),
        {"url": RULE, "valueCode": scoring.name},
    ]
    if scoring.about_substances:
        _protect(made, scoring)
    problems = list(conditions.problems(made))
    if problems:
        raise Unfit(problems)
    form = Instrument(str(made["id"]), str(made["version"]), made)
    return Prepared(form, tuple(changes))


# --- reading --------------------------------------------------------------------------------------


def _parsed(raw: bytes) -> Mapping[str, Any]:
    if len(raw) > LARGEST:
        raise Unfit(["The file is larger than 512 KiB."])
    try:
        body = json.loads(raw.decode("utf-8-sig"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Unfit(["The file is not JSON."]) from error
    if not isinstance(body, dict) or body.get("resourceType") != "Questionnaire":
        raise Unfit(['The file is not a FHIR Questionnaire ("resourceType").'])
    return body


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number in JSON")


def _unseen(place: str, node: Any) -> Iterator[str]:
    """Texts with letters that nobody sees, or that turn the order of those that are seen."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _unseen(f"{place}.{key}", value)
    elif isinstance(node, list):
        for no, value in enumerate(node):
            yield from _unseen(f"{place}[{no}]", value)
    elif isinstance(node, str) and any(_is_unseen(letter) for letter in node):
        yield f"{place} has signs that cannot be shown."


def _is_unseen(letter: str) -> bool:
    if letter in "\n\r\t":
        return False
    turns = unicodedata.bidirectional(letter) in _TURNS
    return turns or unicodedata.category(letter) in ("Cc", "Cs")


_TURNS: Final = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


def _head_problems(body: Mapping[str, Any]) -> Iterator[str]:
    if not _CODE.fullmatch(str(body.get("id", ""))):
        yield "`id` must be 2 to 39 small letters, digits and dashes."
    version = body.get("version")
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        yield (
            "`version` is missing, is not a text in quotation marks, or has more than 16 letters, "
            "digits, dots and dashes."
        )
    if not str(body.get("title") or "").strip():
        yield "`title` is missing."
    if body.get("status") not in ("active", "draft"):
        yield "`status` must be active or draft."
    if not str(body.get("copyright") or "").strip():
        yield "`copyright` is missing: say whose wording this is, and by which permission."
    if not isinstance(body.get("item"), list) or not body["item"]:
        yield "There are no questions (`item`)."


def _item_problems(body: Mapping[str, Any]) -> Iterator[str]:
    items = body.get("item")
    if not isinstance(items, list) or _depth(items) > DEEPEST:
        yield "`item` must be a list of items, at most six levels deep."
        return
    try:
        msgspec.convert(body, _Body)
    except msgspec.ValidationError as error:
        yield f"The file is not shaped like a Questionnaire: {error}."
        return
    everything = list(walk(items))
    if len(everything) > MOST_ITEMS:
        yield f"There are more than {MOST_ITEMS} items."
        return
    links = [str(item.get("linkId", "")) for item in everything]
    for link in sorted({one for one in links if links.count(one) > 1}):
        yield f"linkId {link!r} stands twice."
    for item in everything:
        yield from (f"Item {item.get('linkId')!r}: {why}" for why in _faults(item, set(links)))


def _depth(items: Sequence[Any], at: int = 1) -> int:
    """How deep the items lie in each other; no deeper than is refused."""
    inner = [item.get("item") for item in items if isinstance(item, dict)]
    below = [
        _depth(one, at + 1) for one in inner if isinstance(one, list) and one and at <= DEEPEST
    ]
    return max(below, default=at)


def _faults(item: Mapping[str, Any], links: set[str]) -> Iterator[str]:
    if not _LINK.fullmatch(str(item.get("linkId", ""))):
        yield "`linkId` must be 1 to 64 letters, digits, / _ . -"
    if item.get("type") not in TYPES:
        yield f"type {item.get('type')!r} is not known here; use one of {', '.join(sorted(TYPES))}."
    if item.get("type") != "group" and not str(item.get("text") or "").strip():
        yield "`text` is missing."
    if "answerValueSet" in item:
        yield "answers must stand in the file (`answerOption`), not in a value set elsewhere."
    if item.get("type") == "choice":
        codings = [option.get("valueCoding") for option in item.get("answerOption", ())]
        if not codings or not all(isinstance(c, dict) and c.get("code") for c in codings):
            yield "a choice needs `answerOption`s with a `valueCoding` that has a `code`."
        else:
            said = [str(coding["code"]) for coding in codings]
            for code in sorted({one for one in said if said.count(one) > 1}):
                yield f"answer {code!r} stands twice."
    longest = item.get("maxLength", LONGEST_TEXT)
    if not isinstance(longest, int) or not 1 <= longest <= LONGEST_TEXT:
        yield f"`maxLength` must be 1 to {LONGEST_TEXT}."
    for condition in item.get("enableWhen", ()):
        if condition.get("operator") not in OPERATORS:
            yield f"enableWhen's operator {condition.get('operator')!r} is not known here."
        if condition.get("question") not in links:
            yield f"enableWhen asks for {condition.get('question')!r}, which is not there."
        if not any(key in condition for key in _ANSWERS) or not isinstance(
            condition.get("answerCoding", {}), dict
        ):
            yield "enableWhen needs an answer: Coding, Boolean, String or Integer."


_ANSWERS: Final = ("answerCoding", "answerBoolean", "answerString", "answerInteger")


# --- the scoring rule -----------------------------------------------------------------------------


def _rule_for(body: Mapping[str, Any], wanted: str | None) -> Rule:
    fitting = {rule.name: rule for rule in RULES.values() if rule.roles}
    said = [one.get("valueCode") for one in body.get("extension", ()) if one.get("url") == RULE]
    for name in said if wanted is None else [wanted]:
        if name not in fitting:
            raise Unfit([f"There is no rule {name!r}; there are {', '.join(sorted(fitting))}."])
    if wanted is not None:
        return fitting[wanted]
    panels = {one.get("code") for one in body.get("code", ()) if one.get("system") == LOINC}
    found = [
        rule for rule in fitting.values() if rule.name in said or (rule.panel in panels - {None})
    ]
    if len(found) != 1:
        raise Unfit(
            [
                "Which scoring rule this form has is not said in the file; "
                f"name it: {', '.join(sorted(fitting))}."
            ]
        )
    return found[0]


def _matched(body: dict[str, Any], rule: Rule) -> Iterator[str]:
    """Give each question of the rule its name, its answers and its place in the order of asking."""
    items: list[dict[str, Any]] = [cast("dict[str, Any]", one) for one in walk(body["item"])]
    taken = {item["linkId"]: item for item in items}
    found = {role.name: _find(items, role, rule) for role in rule.roles}
    absent = [_called(role) for role in rule.roles if found[role.name] is None]
    if absent:
        raise Unfit([f"Questions that {rule.name} needs are not in the file: {', '.join(absent)}."])
    renamed: dict[str, str] = {}
    for role in rule.roles:
        item = found[role.name]
        if item is None or not _is_yes_no(item):
            raise Unfit([f"Item {_called(role)} must be a yes/no question."])
        clash = taken.get(role.name)
        if clash is not None and clash is not item:
            raise Unfit([f"linkId {role.name!r} is the rule's name for another question."])
        renamed[item["linkId"]] = role.name
        item.setdefault("extension", []).append({"url": ORIGINAL, "valueString": item["linkId"]})
        item["linkId"] = role.name
        _yes_no(item)
    for item in items:
        _follow(item, renamed)
    for role in rule.roles:
        item = found[role.name]
        if item is not None and _order(item, role):
            yield f"{role.name}: asked {_when(role)}, whatever the file says."


def _find(items: Sequence[dict[str, Any]], role: Role, rule: Rule) -> dict[str, Any] | None:
    def named(item: Mapping[str, Any]) -> bool:
        said = [one.get("valueCode") for one in item.get("extension", ()) if one["url"] == ROLE]
        codes = {one.get("code") for one in item.get("code", ()) if one.get("system") == LOINC}
        return role.name in said or (role.loinc is not None and role.loinc in codes)

    found = [item for item in items if item["type"] not in ("group", "display") and named(item)]
    if len(found) > 1:
        raise Unfit([f"{rule.name}: {_called(role)} stands in the file more than once."])
    return found[0] if found else None


def _called(role: Role) -> str:
    return f"{role.name} (LOINC {role.loinc})" if role.loinc else role.name


def _when(role: Role) -> str:
    if not role.after:
        return "always"
    return "after " + " or ".join(f"a {answer!r} to {question}" for question, answer in role.after)


def _is_yes_no(item: Mapping[str, Any]) -> bool:
    if item["type"] == "boolean":
        return True
    given = {option["valueCoding"]["code"] for option in item.get("answerOption", ())}
    return item["type"] == "choice" and ({YES, NO} <= given or {"yes", "no"} <= given)


def _yes_no(item: dict[str, Any]) -> None:
    """Our four answers, with the file's own words for "yes" and "no" where it has any."""
    own = {
        option["valueCoding"]["code"]: option["valueCoding"]
        for option in item.get("answerOption", ())
    }
    item["type"] = "choice"
    item["required"] = True
    item.pop("repeats", None)
    item["answerOption"] = [
        _option("yes", own.get(YES) or own.get("yes") or {}, "Yes", "Sí"),
        _option("no", own.get(NO) or own.get("no") or {}, "No", "No"),
        _option("refused", {}, "Would not say", "No quiso responder"),
        _option("not-assessed", {}, "Could not be asked", "No se pudo preguntar"),
    ]


def _option(code: str, own: Mapping[str, Any], english: str, spanish: str) -> dict[str, Any]:
    words = {key: own[key] for key in ("display", "_display") if key in own}
    return {"valueCoding": {"system": ANSWER, "code": code, **(words or _words(english, spanish))}}


def _words(english: str, spanish: str, key: str = "display") -> dict[str, Any]:
    said = [{"url": "lang", "valueCode": "es"}, {"url": "content", "valueString": spanish}]
    return {key: english, f"_{key}": {"extension": [{"url": TRANSLATION, "extension": said}]}}


def _follow(item: dict[str, Any], renamed: Mapping[str, str]) -> None:
    """Conditions on a renamed question go on meaning it, in our answers."""
    for condition in item.get("enableWhen", ()):
        if condition["question"] not in renamed:
            continue
        condition["question"] = renamed[condition["question"]]
        if "answerBoolean" in condition and condition["operator"] != "exists":
            yes = condition.pop("answerBoolean")
            condition["answerCoding"] = {"system": ANSWER, "code": "yes" if yes else "no"}
        elif "answerCoding" in condition:
            code = condition["answerCoding"].get("code")
            condition["answerCoding"] = {
                "system": ANSWER,
                "code": {YES: "yes", NO: "no"}.get(code, code),
            }


def _order(item: dict[str, Any], role: Role) -> bool:
    """Set when a question is asked; True when the file said otherwise."""
    before = item.pop("enableWhen", [])
    item.pop("enableBehavior", None)
    now = [
        {
            "question": question,
            "operator": "=",
            "answerCoding": {"system": ANSWER, "code": answer},
        }
        for question, answer in role.after
    ]
    if now:
        item |= {"enableWhen": now, "enableBehavior": "any"}
    return bool(before != now)


# --- what every form needs ------------------------------------------------------------------------


def _completed(body: dict[str, Any], rule: Rule) -> Iterator[str]:
    for item in walk(body["item"]):
        for key in [key for key in item if key not in _KEPT]:
            del item[key]  # type: ignore[attr-defined]
            yield f"{item['linkId']}: `{key}` is not used here and was left out."
    if rule.name == "asq":
        body["item"].insert(0, _youth())
        yield "youth: added; a youth's refusal counts as positive."
    links = {item["linkId"] for item in walk(body["item"])}
    if not links & {"judged-level", "judged-reason", "judgement"}:
        body["item"].append(_judgement(rule))
        yield "judgement: added; the clinician's own level stands beside the computed one."


def _protect(body: dict[str, Any], rule: Rule) -> None:
    """Tag answers about substance use: 42 CFR Part 2."""
    body["meta"] = {"security": [{"system": SECURITY, "code": PART_2}]}
    roles = {role.name for role in rule.roles}
    for item in walk(body["item"]):
        if item["linkId"] in roles:
            item["extension"].append({"url": PROTECTED, "valueBoolean": True})


def _youth() -> dict[str, Any]:
    return {
        "linkId": "youth",
        "type": "choice",
        **_words("Is the person under 18?", "¿Es la persona menor de 18 años?", "text"),
        "required": True,
        "answerOption": [
            _option("yes", {}, "Yes", "Sí"),
            _option("no", {}, "No", "No"),
            _option("unknown", {}, "Not known", "No se sabe"),
        ],
    }


_LEVEL_WORDS: Final = {
    "none": ("No risk found", "Sin riesgo detectado"),
    "low": ("Low", "Bajo"),
    "moderate": ("Moderate", "Moderado"),
    "high": ("High", "Alto"),
    "substantial": ("Substantial", "Considerable"),
    "severe": ("Severe", "Grave"),
    "negative": ("Negative", "Negativo"),
    "non-acute": ("Positive, not acute", "Positivo, no agudo"),
    "acute": ("Acute positive", "Positivo agudo"),
}


def _judgement(rule: Rule) -> dict[str, Any]:
    return {
        "linkId": "judgement",
        "type": "group",
        **_words("Your judgement", "Su criterio", "text"),
        "item": [
            {
                "linkId": "judged-level",
                "type": "choice",
                **_words("Your own level", "Su propio nivel", "text"),
                "required": False,
                "answerOption": [_option(level, {}, *_LEVEL_WORDS[level]) for level in rule.levels],
            },
            {
                "linkId": "judged-reason",
                "type": "text",
                **_words(
                    "Why it differs from the computed level",
                    "Por qué difiere del nivel calculado",
                    "text",
                ),
                "required": False,
                "maxLength": LONGEST_TEXT,
            },
        ],
    }
