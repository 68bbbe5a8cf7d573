"""What is agreed or judged rather than measured: safety plan, means within reach, level of care."""

from __future__ import annotations

from typing import Final

from records.scoring.result import (
    INCOMPLETE,
    UNANSWERED,
    Answers,
    Result,
    Rule,
    missing,
    result,
)

PARTS: Final = ("warning-signs", "alone", "distraction", "people", "professionals", "safer")
SECURED: Final = frozenset({"locked", "handed", "removed"})
MEANS: Final = ("firearm", "medicine", "other")


def safety_plan(answers: Answers, _asked: frozenset[str], required: frozenset[str]) -> Result:
    """A plan of six parts is "made" when each part has words; a person may decline."""
    if answers.get("made") == "declined":
        return result("safety-plan-1", "declined", [], ["made"])
    written = [part for part in PARTS if str(answers.get(part) or "").strip()]
    unanswered = sorted({*missing(answers, required), *(set(PARTS) - set(written))})
    level = INCOMPLETE if unanswered else "made"
    return result("safety-plan-1", level, unanswered, score=len(written))


def lethal_means(answers: Answers, asked: frozenset[str], required: frozenset[str]) -> Result:
    """ "unsecured": something is within reach and not put away; "unknown" is open, not "no"."""
    near = [means for means in MEANS if answers.get(means) == "yes"]
    open_ones = [
        means
        for means in near
        if f"{means}-step" in asked and answers.get(f"{means}-step") not in SECURED
    ]
    unanswered = missing(answers, required)
    if open_ones:
        return result("lethal-means-1", "unsecured", unanswered, open_ones)
    if unanswered:
        return result("lethal-means-1", INCOMPLETE, unanswered, near)
    return result("lethal-means-1", "secured" if near else "none", [], near)


def level_of_care(answers: Answers, _asked: frozenset[str], required: frozenset[str]) -> Result:
    """Which care is needed, as the clinician judges it; nothing is added up."""
    needed = answers.get("needed")
    unanswered = missing(answers, required)
    level = INCOMPLETE if needed in UNANSWERED else str(needed)
    apart = ["found"] if answers.get("found") not in (*UNANSWERED, "same", needed) else []
    return result("level-of-care-1", level, unanswered, apart) | {"by_judgement": True}


CARE: Final = (
    "self-care", "outpatient", "intensive-outpatient", "crisis-stabilisation",
    "withdrawal-management", "residential", "voluntary-inpatient", "involuntary-evaluation",
    "ed-medical",
)  # fmt: skip

LEVEL_OF_CARE: Final = Rule(
    "level-of-care-1", level_of_care, CARE, by_judgement=True, about_substances=True
)
SAFETY_PLAN: Final = Rule("safety-plan-1", safety_plan, ("made", "declined"))
LETHAL_MEANS: Final = Rule("lethal-means-1", lethal_means, ("none", "secured", "unsecured"))
