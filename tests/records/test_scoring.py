"""The field safety screen's rule, pinned and searched."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records import instruments
from records.errors import BadInput
from records.scoring import UNANSWERED
from records.scoring.field_safety import FINDINGS, LEVELS

FORM = instruments.newest()["field-safety"]
OPTIONAL = {"judged-level", "judged-reason", "notes"}

# Answers from the best to the worst, of every item that the rule looks at.
ORDER = {
    "danger-now": ("no", "yes"),
    "medical": ("no", "yes"),
    "impaired": ("none", "some", "severe"),
    "thoughts": ("no", "yes"),
    "plan": ("no", "yes"),
    "intent": ("no", "yes"),
    "attempt": ("never", "earlier", "last-3-months"),
    "others": ("no", "yes"),
    "others-target": ("no", "yes"),
    "care": ("yes", "no"),
    "support": ("yes", "no"),
    "agrees": ("yes", "no"),
    "means": ("no", "yes"),
    "means-secured": ("yes", "no"),
}
CALM = {item: order[0] for item, order in ORDER.items()}
RANK = {"none": 0, "low": 1, "incomplete": 2, "moderate": 3, "high": 4}
GATES = {"plan": "thoughts", "intent": "thoughts", "others-target": "others"}


def score(answers: dict[str, Any]) -> dict[str, Any]:
    return dict(FORM.score(FORM.checked(answers)))


def level(answers: dict[str, Any]) -> str:
    return str(score(answers)["level"])


full_answers = st.fixed_dictionaries(
    {item: st.sampled_from(order) for item, order in ORDER.items()}
)
open_answers = st.fixed_dictionaries(
    {},
    optional={
        item: st.sampled_from(
            sorted(o["valueCoding"]["code"] for o in FORM.items[item]["answerOption"])
        )
        for item in ORDER
    },
)


def test_the_order_of_answers_here_covers_the_whole_instrument() -> None:
    assert set(ORDER) == set(FORM.items) - OPTIONAL
    for item, order in ORDER.items():
        shipped = {o["valueCoding"]["code"] for o in FORM.items[item]["answerOption"]}
        assert shipped - set(order) <= {u for u in UNANSWERED if u}
        assert set(order) <= shipped


def test_all_good_answers_are_none_and_complete() -> None:
    assert score(CALM) == {
        "rule": "field-safety-1", "level": "none", "complete": True, "reasons": [], "missing": [],
        "at_least": False,
    }  # fmt: skip


@pytest.mark.parametrize(("item", "answer", "raised"), FINDINGS)
def test_each_finding_alone_raises_the_level_and_is_named(
    item: str, answer: str, raised: str
) -> None:
    gate = {GATES[item]: "yes"} if item in GATES else {}
    result = score(CALM | gate | {item: answer})
    assert result["level"] == raised
    assert item in result["reasons"]


@given(answers=full_answers | open_answers, item=st.sampled_from(sorted(ORDER)))
@settings(deadline=None)
def test_a_worse_answer_never_lowers_the_level(answers: dict[str, Any], item: str) -> None:
    seen = [RANK[level(answers | {item: answer})] for answer in ORDER[item]]
    assert seen == sorted(seen)


@given(answers=full_answers, item=st.sampled_from(sorted(ORDER)), how=st.sampled_from(UNANSWERED))
@settings(deadline=None)
def test_what_was_not_answered_is_never_taken_for_a_good_answer(
    answers: dict[str, Any], item: str, how: str | None
) -> None:
    before = answers | {item: ORDER[item][0]}
    blank = {link: value for link, value in answers.items() if link != item}
    if how in {o["valueCoding"]["code"] for o in FORM.items[item]["answerOption"]}:
        blank[item] = how
    result = score(blank)
    assert RANK[result["level"]] >= RANK[level(before)]
    if item in FORM.asked(blank):
        assert item in result["missing"]
        assert not result["complete"]
        assert result["level"] not in {"none", "low"}


@given(answers=open_answers)
@settings(deadline=None)
def test_none_and_low_are_said_of_complete_answers_only(answers: dict[str, Any]) -> None:
    result = score(answers)
    assert result["level"] in {*LEVELS, "incomplete"}
    if result["level"] in {"none", "low"}:
        assert all(answers.get(i) not in UNANSWERED for i in FORM.asked(answers) - OPTIONAL)
    assert set(result["reasons"]) <= set(answers)


@pytest.mark.parametrize("judged", ["none", "high"])
def test_the_clinicians_own_level_stands_beside_the_computed_one(judged: str) -> None:
    answers = CALM | {"thoughts": "yes", "judged-level": judged, "judged-reason": "seen before"}
    assert level(answers) == "moderate"


def test_no_answers_at_all_are_incomplete() -> None:
    assert level({}) == "incomplete"
    assert level({"thoughts": "refused"}) == "incomplete"


@pytest.mark.parametrize("taken_back", ["refused", "not-assessed", None])
def test_a_finding_stands_when_the_question_before_it_is_taken_back_without_a_no(
    taken_back: str | None,
) -> None:
    told = {**CALM, "thoughts": "yes", "plan": "yes"}
    assert score(told)["level"] == "high"
    assert score({**told, "thoughts": taken_back})["level"] == "high"
    assert score({**told, "thoughts": "no"})["level"] == "none", "a slip that was corrected"


@pytest.mark.parametrize(
    "changes",
    [
        {"colour": "red"},
        {"thoughts": "perhaps"},
        {"thoughts": True},
        {"thoughts": ["yes"]},
        {"thoughts": {}},
        {"notes": "x" * 2001},
        {"notes": 7},
        {"own-life": "yes"},
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_answer_that_the_instrument_cannot_hold_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        FORM.checked(changes)
