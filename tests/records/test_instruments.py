"""The questionnaires as data: complete in both languages, never changed once they were released."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records import instruments
from records.errors import BadInput
from records.instruments import conditions
from records.instruments.questionnaire import Instrument, bound, codes, walk
from records.scoring import INCOMPLETE, RULES, UNANSWERED

# Records were answered with these: a new wording is a new file, and none of these ever changes.
RELEASED = {
    "audit-c-1.0": "b701bd58b6dd3561",
    "bars-1.0": "db860b1d2d847ac0",
    "bars-1.1": "197ae46af5885160",
    "cows-1.0": "65b18bd7da540ad6",
    "field-safety-1.0": "677b74147e4597a2",
    "field-safety-1.1": "bc72bf68f76f9797",
    "lethal-means-1.0": "44548c55b1bf09f6",
    "lethal-means-1.1": "3de2b7190018d115",
    "level-of-care-1.0": "2bb2f2ebfcd8b7cc",
    "moud-1.0": "fcf14ef360db9403",
    "officer-activity-1.0": "b0d01848beb6223c",
    "officer-overdose-1.0": "15f1f3af270a831b",
    "officer-scene-1.0": "8f09a121fc22b637",
    "overdose-1.0": "e9766b2358f51d81",
    "overdose-1.1": "a002533ab5fc5717",
    "safety-plan-1.0": "b9b3086845bc43e7",
    "scene-safety-1.0": "4f010d8eb972a9db",
    "scene-safety-1.1": "b0c5cf40cbe67981",
    "suicide-assessment-1.0": "f1cc2213391767e9",
}
NEWEST = instruments.newest()
SAME_IN_BOTH = {"No", "Alcohol (AUDIT-C)"}


def test_a_released_questionnaire_is_never_changed_or_removed() -> None:
    files = {path.stem: path.read_bytes() for path in instruments.FOLDER.glob("*.json")}
    assert {name: hashlib.sha256(raw).hexdigest()[:16] for name, raw in files.items()} == RELEASED


def test_the_newest_version_of_each_is_offered_and_the_older_ones_are_kept() -> None:
    assert next(iter(NEWEST)) == "field-safety", "open when a call begins"
    assert NEWEST["field-safety"].version == "1.1"
    assert ("field-safety", "1.0") in instruments.shipped()
    assert {code for code, _ in instruments.shipped()} == set(NEWEST)


@pytest.mark.parametrize("form", instruments.shipped().values(), ids=lambda f: f.code + f.version)
def test_each_form_says_its_rule_its_author_and_only_questions_that_are_there(
    form: Instrument,
) -> None:
    assert form.rule.name in RULES
    assert form.body["copyright"]
    everything = list(walk(form.body["item"]))
    links = [item["linkId"] for item in everything]
    twice = {link for link in links if links.count(link) > 1}
    assert twice == ({"others"} if (form.code, form.version) == ("field-safety", "1.0") else set())
    for item in everything:
        for condition in item.get("enableWhen", ()):
            asked = form.items[condition["question"]]
            assert condition["operator"] == "exists" or (
                condition["answerCoding"]["code"] in codes(asked)
            )


@pytest.mark.parametrize("form", NEWEST.values(), ids=lambda f: f.code)
def test_every_condition_of_our_own_forms_can_be_met(form: Instrument) -> None:
    assert not list(conditions.problems(form.body))


def _texts(node: Any) -> list[str]:
    if isinstance(node, list):
        return [text for each in node for text in _texts(each)]
    if isinstance(node, dict):
        own = [str(node[key]) for key in ("text", "display", "title", "description") if key in node]
        return own + [text for each in node.values() for text in _texts(each)]
    return []


@pytest.mark.parametrize("form", NEWEST.values(), ids=lambda f: f.code)
def test_every_question_and_answer_is_there_in_both_languages(form: Instrument) -> None:
    english, spanish = (_texts(form.definition(locale)) for locale in ("en", "es"))
    assert len(english) == len(spanish) > 10
    same = {one for one, other in zip(english, spanish, strict=True) if one == other}
    assert same <= SAME_IN_BOTH
    assert _texts(form.definition("es-US")) == spanish
    assert "_text" not in str(form.definition("es"))


def test_answers_about_substance_use_are_tagged_wherever_they_are_asked() -> None:
    about = {"overdose", "officer-overdose", "cows", "audit-c", "moud", "level-of-care"}
    assert {code for code, form in NEWEST.items() if form.rule.about_substances} == about
    assert {code for code, form in NEWEST.items() if form.about_substances} == about
    for code in about:
        free = set(NEWEST[code].items) - NEWEST[code].protected
        assert free <= {"notes", "ems"}
    assert NEWEST["field-safety"].protected == {"impaired"}
    assert NEWEST["suicide-assessment"].protected == {"substances"}
    assert NEWEST["scene-safety"].protected == {"intoxicated"}
    assert NEWEST["officer-scene"].protected == {"intoxicated"}


# --- any answers to any form ----------------------------------------------------------------------


def _values(item: dict[str, Any]) -> st.SearchStrategy[object]:
    match item["type"]:
        case "choice":
            one = st.sampled_from(codes(item))
            return st.lists(one, unique=True) if item.get("repeats") else one
        case "integer":
            least = bound(item, "http://hl7.org/fhir/StructureDefinition/minValue")
            most = bound(item, "http://hl7.org/fhir/StructureDefinition/maxValue")
            return st.integers(least, most)
        case "time":
            return st.sampled_from(["00:00", "13:07", "23:59", "07:30:59"])
        case _:
            return st.sampled_from(["", " ", "some words"])


@st.composite
def answered(draw: st.DrawFn) -> tuple[Instrument, dict[str, object]]:
    form = draw(st.sampled_from(list(instruments.shipped().values())))
    chosen = {link: _values(dict(item)) for link, item in form.items.items()}
    return form, dict(draw(st.fixed_dictionaries({}, optional=chosen)))


@given(given_answers=answered())
@settings(deadline=None)
def test_any_answers_give_a_known_level_and_nothing_missing_only_when_complete(
    given_answers: tuple[Instrument, dict[str, object]],
) -> None:
    form, answers = given_answers
    assert form.checked(answers) == answers
    result = form.score(answers)
    assert result["rule"] == form.rule.name
    assert result["level"] in {*form.rule.levels, INCOMPLETE}
    assert result["complete"] is (result["missing"] == [])
    assert {*result["reasons"], *result["missing"]} <= set(form.items)  # type: ignore[misc]
    required = {link for link in form.required(answers) if answers.get(link) in UNANSWERED}
    if result["level"] != "declined":
        assert required <= set(result["missing"])  # type: ignore[call-overload]
    if result["complete"]:
        assert not result["at_least"]


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("overdose", {"doses": 0}),
        ("overdose", {"doses": 21}),
        ("overdose", {"doses": True}),
        ("overdose", {"doses": "2"}),
        ("overdose", {"first-dose": "24:00"}),
        ("overdose", {"first-dose": "7:30"}),
        ("overdose", {"first-dose": "07:30\n"}),
        ("overdose", {"first-dose": "07:30:60"}),
        ("scene-safety", {"safe-next": "read"}),
        ("lethal-means", {"firearm-who": "x" * 201}),
    ],
)
def test_an_answer_out_of_bounds_is_refused(code: str, changes: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        NEWEST[code].checked(changes)


def test_what_hangs_on_a_question_that_does_not_apply_does_not_apply_either() -> None:
    form = NEWEST["overdose"]
    told: dict[str, object] = {"suspected": "yes", "naloxone": "yes", "doses": 2}
    assert {"doses", "response"} <= form.asked(told)
    assert not {"naloxone", "doses", "response"} & form.asked(told | {"suspected": "no"})
