"""The published rules of the screens, case by case; sources are named in records/scoring."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records import instruments
from records.scoring import RULES, UNANSWERED
from records.scoring.substance import COWS_ITEMS, DAST_ITEMS

# --- C-SSRS screener ------------------------------------------------------------------------------

CSSRS_NO = {"wish": "no", "thoughts": "no", "behaviour-ever": "no"}
CSSRS_THOUGHTS = CSSRS_NO | {"thoughts": "yes", "method": "no", "intent": "no", "plan": "no"}


def rule(name: str, answers: dict[str, Any]) -> dict[str, Any]:
    """As a site's form would be scored: the rule's own order of asking, everything required."""
    asked = {
        role.name
        for role in RULES[name].roles
        if not role.after or any(answers.get(item) == wanted for item, wanted in role.after)
    }
    if name == "asq":
        asked.add("youth")
    return RULES[name].score(answers, frozenset(asked), frozenset(asked))


@pytest.mark.parametrize(
    ("answers", "level"),
    [
        (CSSRS_NO, "none"),
        (CSSRS_NO | {"wish": "yes"}, "low"),
        (CSSRS_THOUGHTS, "low"),
        (CSSRS_THOUGHTS | {"method": "yes"}, "moderate"),
        (CSSRS_THOUGHTS | {"intent": "yes"}, "high"),
        (CSSRS_THOUGHTS | {"plan": "yes"}, "high"),
        (CSSRS_NO | {"behaviour-ever": "yes", "behaviour-recent": "no"}, "moderate"),
        (CSSRS_NO | {"behaviour-ever": "yes", "behaviour-recent": "yes"}, "high"),
        (CSSRS_NO | {"behaviour-ever": "yes"}, "high"),
        (CSSRS_NO | {"behaviour-ever": "yes", "behaviour-recent": "refused"}, "high"),
        (CSSRS_NO | {"wish": "refused"}, "incomplete"),
        (CSSRS_NO | {"wish": "yes", "thoughts": "not-assessed"}, "incomplete"),
        (CSSRS_THOUGHTS | {"intent": "refused"}, "incomplete"),
        ({}, "incomplete"),
        (CSSRS_THOUGHTS | {"plan": "yes", "thoughts": "refused"}, "high"),
        (CSSRS_THOUGHTS | {"plan": "yes", "thoughts": "no"}, "none"),
    ],
)
def test_cssrs_screener_triage(answers: dict[str, Any], level: str) -> None:
    assert rule("cssrs-screener", answers)["level"] == level


def test_a_moderate_triage_with_open_questions_says_at_least() -> None:
    told = CSSRS_THOUGHTS | {"method": "yes", "intent": "refused"}
    result = rule("cssrs-screener", told)
    assert (result["level"], result["at_least"], result["missing"]) == (
        "moderate",
        True,
        ["intent"],
    )


@given(
    answers=st.fixed_dictionaries(
        {},
        optional={
            role.name: st.sampled_from(["yes", "no", "refused", "not-assessed"])
            for role in RULES["cssrs-screener"].roles
        },
    )
)
def test_cssrs_screener_says_what_a_slow_reading_of_the_published_rule_says(
    answers: dict[str, str],
) -> None:
    def said(item: str) -> str:
        value = answers.get(item)
        return "open" if value in UNANSWERED else str(value)

    def follow(item: str) -> str:  # 3 to 5 are asked after "thoughts"; a "no" there makes them void
        return "no" if said("thoughts") == "no" else said(item)

    ever, recent = said("behaviour-ever"), said("behaviour-recent")
    if ever == "no":
        recent = "no"
    if (
        "yes" in (follow("intent"), follow("plan"))
        or recent == "yes"
        or (ever, recent) == ("yes", "open")
    ):
        expected = "high"
    elif follow("method") == "yes" or ever == "yes":
        expected = "moderate"
    elif "open" in (said("wish"), said("thoughts"), ever) or (
        said("thoughts") == "yes" and "open" in map(follow, ("method", "intent", "plan"))
    ):
        expected = "incomplete"
    else:
        expected = "low" if "yes" in (said("wish"), said("thoughts")) else "none"
    assert rule("cssrs-screener", dict(answers))["level"] == expected


# --- ASQ ------------------------------------------------------------------------------------------

ASQ_NO = {"wish": "no", "burden": "no", "thoughts": "no", "attempt": "no", "youth": "no"}


@pytest.mark.parametrize(
    ("answers", "level", "at_least"),
    [
        (ASQ_NO, "negative", False),
        (ASQ_NO | {"attempt": "yes", "now": "no"}, "non-acute", False),
        (ASQ_NO | {"attempt": "yes", "now": "yes"}, "acute", False),
        (ASQ_NO | {"wish": "yes", "now": "refused"}, "non-acute", True),
        (ASQ_NO | {"wish": "yes"}, "non-acute", True),
        (ASQ_NO | {"wish": "refused", "youth": "yes"}, "non-acute", True),
        (ASQ_NO | {"wish": "refused"}, "incomplete", False),
        (ASQ_NO | {"wish": "not-assessed", "youth": "yes"}, "incomplete", False),
        ({}, "incomplete", False),
    ],
)
def test_asq_screen(answers: dict[str, Any], level: str, at_least: bool) -> None:
    result = rule("asq", answers)
    assert (result["level"], result["at_least"]) == (level, at_least)


# --- five steps in the order of SAFE-T ------------------------------------------------------------

SAFE_T = instruments.newest()["suicide-assessment"]
STEPS: dict[str, Any] = {
    "risk-factors": ["none-found"], "substances": "no", "protective-factors": ["people"],
    "thoughts": "no", "behaviour": "never", "level": "low", "why": "calm, and with her sister",
    "steps": ["safety-plan"],
}  # fmt: skip
SAID = STEPS | {"thoughts": "yes", "plan": "no", "intent": "no"}


@pytest.mark.parametrize(
    ("answers", "level", "reasons", "at_least"),
    [
        (STEPS, "low", [], False),
        (SAID, "low", ["thoughts"], False),
        (SAID | {"plan": "yes", "level": "moderate"}, "moderate", ["plan", "thoughts"], False),
        (SAID | {"intent": "yes", "level": "high"}, "high", ["intent", "thoughts"], False),
        (STEPS | {"behaviour": "last-3-months", "level": "high"}, "high", ["behaviour"], False),
        # judgement decides, and what speaks against it stands beside it
        (SAID | {"intent": "yes"}, "low", ["intent", "thoughts"], False),
        # a step is open: nobody is "low" by it, and what is judged so far is the least
        (SAID | {"intent": "refused"}, "incomplete", ["thoughts"], False),
        (SAID | {"intent": "refused", "level": "moderate"}, "moderate", ["thoughts"], True),
        (SAID | {"intent": "refused", "level": "high"}, "high", ["thoughts"], False),
        (STEPS | {"risk-factors": ["not-assessed"]}, "incomplete", [], False),
        (STEPS | {"protective-factors": []}, "incomplete", [], False),
        (STEPS | {"why": ""}, "incomplete", [], False),
        (STEPS | {"steps": None}, "incomplete", [], False),
        ({}, "incomplete", [], False),
    ],
)
def test_five_steps_end_in_the_clinicians_own_level(
    answers: dict[str, Any], level: str, reasons: list[str], at_least: bool
) -> None:
    given_ = {link: value for link, value in answers.items() if value is not None}
    result = SAFE_T.score(SAFE_T.checked(given_))
    assert (result["level"], result["reasons"]) == (level, reasons)
    assert (result["at_least"], result["by_judgement"]) == (at_least, True)


CHOICES = {
    link: st.sampled_from([option["valueCoding"]["code"] for option in item["answerOption"]])
    for link, item in SAFE_T.items.items()
    if item["type"] == "choice" and not item.get("repeats") and link != "level"
}
REST = ("risk-factors", "protective-factors", "steps", "why")


@given(
    level=st.sampled_from(["low", "moderate", "high"]),
    answers=st.fixed_dictionaries({}, optional=CHOICES),
    more=st.fixed_dictionaries({}, optional={link: st.just(STEPS[link]) for link in REST}),
)
def test_a_level_is_never_raised_or_lowered_by_anything_but_the_clinician(
    level: str, answers: dict[str, Any], more: dict[str, Any]
) -> None:
    result = SAFE_T.score(SAFE_T.checked({"level": level, **answers, **more}))
    assert result["level"] in (level, "incomplete")
    assert (result["level"] == "low") <= (result["missing"] == [])


# --- COWS -----------------------------------------------------------------------------------------

# Allowed values of each item, from Wesson & Ling 2003 as clinical.md states them.
COWS_VALUES = {
    "pulse": "0124", "gut": "01235", "sweating": "01234", "tremor": "0124",
    "restlessness": "0135", "yawning": "0124", "pupils": "0125", "anxiety": "0124",
    "aches": "0124", "gooseflesh": "035", "runny-nose": "0124",
}  # fmt: skip
COWS = instruments.newest()["cows"]


def test_cows_has_eleven_items_with_the_published_values_and_48_at_most() -> None:
    given_ = {
        link: "".join(o["valueCoding"]["code"] for o in item["answerOption"][:-1])
        for link, item in COWS.items.items()
    }
    assert given_ == COWS_VALUES
    assert tuple(COWS.items) == COWS_ITEMS
    assert sum(int(values[-1]) for values in COWS_VALUES.values()) == 48


@pytest.mark.parametrize(
    ("total", "level"),
    [
        (0, "none"), (4, "none"), (5, "mild"), (12, "mild"), (13, "moderate"), (24, "moderate"),
        (25, "moderately-severe"), (36, "moderately-severe"), (37, "severe"), (48, "severe"),
    ],
)  # fmt: skip
def test_cows_bands(total: int, level: str) -> None:
    found = _summing_to(total)
    result = COWS.score(found)
    assert (result["score"], result["level"], result["at_least"]) == (total, level, False)


def _summing_to(total: int) -> dict[str, str]:
    """Any answers with this sum, by trying sums item by item."""
    sums: dict[int, dict[str, str]] = {0: {}}
    for item, values in COWS_VALUES.items():
        sums = {
            base + int(value): {**chosen, item: value}
            for base, chosen in sums.items()
            for value in values
        }
    return sums[total]


def test_cows_over_video_is_at_least_and_has_no_band() -> None:
    answers = _summing_to(30) | {"pupils": "not-assessed"}
    without = sum(int(v) for item, v in answers.items() if item != "pupils")
    result = COWS.score(answers)
    assert (result["score"], result["level"], result["at_least"]) == (without, "incomplete", True)


# --- AUDIT-C and DAST-10 --------------------------------------------------------------------------

AUDIT_C = instruments.newest()["audit-c"]


@pytest.mark.parametrize(
    ("cut", "given_", "level", "score"),
    [
        ("men", ("0", None, None), "negative", 0),
        ("men", ("2", "1", "0"), "negative", 3),
        ("men", ("2", "1", "1"), "positive", 4),
        ("women", ("1", "1", "0"), "negative", 2),
        ("women", ("2", "1", "0"), "positive", 3),
        ("lower", ("2", "1", "0"), "positive", 3),
        (None, ("2", "1", "0"), "positive", 3),
        ("men", ("4", "4", "4"), "positive", 12),
        ("men", ("1", None, "1"), "incomplete", 2),
        ("men", ("4", "refused", None), "positive", 4),
        ("men", (None, None, None), "incomplete", 0),
    ],
)
def test_audit_c_cut_offs(
    cut: str | None, given_: tuple[str | None, ...], level: str, score: int
) -> None:
    items = zip(("often", "many", "six"), given_, strict=True)
    answers = {"cut-off": cut} | dict(items)
    result = AUDIT_C.score({link: value for link, value in answers.items() if value})
    assert (result["level"], result["score"]) == (level, score)


def test_audit_c_asks_no_more_of_somebody_who_never_drinks() -> None:
    assert AUDIT_C.required({"often": "0"}) == {"often"}
    assert AUDIT_C.required({"often": "1"}) == {"often", "many", "six"}


@pytest.mark.parametrize(
    ("points", "level"),
    [
        (0, "none"), (1, "low"), (2, "low"), (3, "moderate"), (5, "moderate"),
        (6, "substantial"), (8, "substantial"), (9, "severe"), (10, "severe"),
    ],
)  # fmt: skip
def test_dast_10_bands_with_question_three_reversed(points: int, level: str) -> None:
    none = {item: "yes" if item == "q3" else "no" for item in DAST_ITEMS}
    flipped = {item: "no" if item == "q3" else "yes" for item in DAST_ITEMS[:points]}
    result = rule("dast-10", none | flipped)
    assert (result["score"], result["level"]) == (points, level)


def test_dast_10_with_an_open_question_is_at_least() -> None:
    answers: dict[str, Any] = dict.fromkeys(DAST_ITEMS, "yes") | {"q7": "refused"}
    result = rule("dast-10", answers)
    assert (result["score"], result["level"], result["at_least"]) == (8, "incomplete", True)


# --- our own --------------------------------------------------------------------------------------

BARS = instruments.newest()["bars"]


@pytest.mark.parametrize(
    ("value", "level"),
    [(1, "sedated"), (2, "sedated"), (3, "calm"), (4, "calm"), (5, "activated"), (7, "activated")],
)
def test_bars_levels(value: int, level: str) -> None:
    assert BARS.score({"before": str(value)})["level"] == level


def test_bars_says_how_somebody_changed() -> None:
    result = BARS.score({"before": "6", "after": "4"})
    assert (result["level"], result["score"], result["change"]) == ("calm", 4, -2)
    assert "change" not in BARS.score({"before": "6", "after": "not-assessed"})


FORMS = instruments.newest()
PLAN = {"made": "yes"} | dict.fromkeys(
    ("warning-signs", "alone", "distraction", "people", "professionals", "safer"), "words"
)


@pytest.mark.parametrize(
    ("found", "reasons", "missing"),
    [
        ("same", [], []),
        ("residential", [], ["why"]),
        ("outpatient", ["found"], ["why"]),
        ("none", ["found"], ["why"]),
        ("unknown", [], ["found"]),
    ],
)
def test_where_another_level_of_care_was_found_somebody_says_why(
    found: str, reasons: list[str], missing: list[str]
) -> None:
    result = FORMS["level-of-care"].score({"needed": "residential", "found": found})
    assert (result["level"], result["reasons"], result["missing"]) == (
        "residential", reasons, missing,
    )  # fmt: skip
    assert result["by_judgement"] is True


def test_the_nine_levels_of_care_are_those_of_the_form() -> None:
    codes = [
        one["valueCoding"]["code"] for one in FORMS["level-of-care"].items["needed"]["answerOption"]
    ]
    assert codes == [*RULES["level-of-care-1"].levels, "not-assessed"]
    assert len(codes) == 10


@pytest.mark.parametrize(
    ("code", "answers", "level"),
    [
        ("overdose", {"suspected": "no"}, "none"),
        ("overdose", {"suspected": "unknown"}, "incomplete"),
        ("overdose", {"suspected": "yes", "breathing": "slow"}, "high"),
        ("overdose", {"suspected": "yes", "responds": "no"}, "high"),
        ("overdose", {"suspected": "yes", "colour": "blue"}, "high"),
        (
            "overdose",
            {"suspected": "yes", "naloxone": "yes", "response": "awake", "breathing": "usual"},
            "moderate",
        ),
        ("moud", {"now": "no", "start": "bridge-clinic"}, "arranged"),
        ("moud", {"now": "methadone", "start": "telemedicine"}, "arranged"),
        ("moud", {"now": "methadone", "start": "not-needed"}, "continued"),
        ("moud", {"now": "stopped", "start": "declined"}, "declined"),
        ("moud", {"now": "no", "start": "none-near"}, "not-offered"),
        ("moud", {"now": "no", "start": "not-needed"}, "not-needed"),
        ("moud", {"start": "bridge-clinic"}, "incomplete"),
        ("moud", {"now": "not-assessed", "start": "not-offered"}, "incomplete"),
        ("level-of-care", {"needed": "outpatient", "found": "same"}, "outpatient"),
        ("level-of-care", {"needed": "residential", "found": "none"}, "residential"),
        ("level-of-care", {"needed": "not-assessed", "found": "outpatient"}, "incomplete"),
        ("level-of-care", {"found": "ed-medical"}, "incomplete"),
        ("safety-plan", PLAN, "made"),
        ("safety-plan", PLAN | {"alone": "  "}, "incomplete"),
        ("safety-plan", {"made": "declined"}, "declined"),
        ("safety-plan", {"made": "not-assessed"}, "incomplete"),
        ("lethal-means", {"firearm": "no", "medicine": "no", "other": "no"}, "none"),
        ("lethal-means", {"firearm": "unknown", "medicine": "no", "other": "no"}, "incomplete"),
        (
            "lethal-means",
            {"firearm": "yes", "firearm-step": "locked", "medicine": "no", "other": "no"},
            "secured",
        ),
        ("lethal-means", {"firearm": "yes", "firearm-step": "agreed"}, "unsecured"),
        ("lethal-means", {"firearm": "yes"}, "unsecured"),
        ("scene-safety", {"weapon": "in-reach"}, "stop"),
        (
            "scene-safety",
            {
                "safe": "yes",
                "weapon": "secured",
                "medical": "no",
                "intoxicated": "no",
                "willing": "yes",
            },
            "go",
        ),
        ("scene-safety", {"safe": "yes"}, "incomplete"),
    ],
)
def test_our_own_forms(code: str, answers: dict[str, Any], level: str) -> None:
    assert FORMS[code].score(FORMS[code].checked(answers))["level"] == level
