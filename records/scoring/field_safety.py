"""Our own field safety screen."""

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

LEVELS: Final = ("none", "low", "moderate", "high")


def score(answers: Answers, asked: frozenset[str], required: frozenset[str]) -> Result:
    """Version 1 of the screen's rule.

    high: danger now, a plan or the intent to end one's life, an act within three months, or a
    threat against a particular person. moderate: thoughts, any older act, any threat, a medical
    emergency, severely impaired, or not able to look after oneself. low: impaired, nobody to stay,
    or no agreement. The rule is our own and unvalidated; it says which finding raised the level.
    """
    found: dict[str, str] = {}
    for item, value, level in FINDINGS:
        if answers.get(item) == value and (item in asked or _kept(item, answers)):
            found[item] = level
    worst = max((LEVELS.index(level) for level in found.values()), default=0)
    unanswered = missing(answers, required)
    reasons = [item for item, _, _ in FINDINGS if found.get(item) == LEVELS[worst] and worst]
    if unanswered and worst < LEVELS.index("moderate"):
        return result("field-safety-1", INCOMPLETE, unanswered, reasons)
    partly = bool(unanswered) and LEVELS[worst] != "high"
    return result("field-safety-1", LEVELS[worst], unanswered, reasons, at_least=partly)


def _kept(item: str, answers: Answers) -> bool:
    """A finding stands when the question before it was taken back without a "no".

    "Would not say" after a plan was told must not make the person look safer.
    """
    before = _HANGS_ON.get(item)
    return before is not None and answers.get(before) in UNANSWERED


_HANGS_ON: Final = {"plan": "thoughts", "intent": "thoughts", "others-target": "others"}

FINDINGS: Final = (
    ("danger-now", "yes", "high"),
    ("plan", "yes", "high"),
    ("intent", "yes", "high"),
    ("attempt", "last-3-months", "high"),
    ("others-target", "yes", "high"),
    ("thoughts", "yes", "moderate"),
    ("attempt", "earlier", "moderate"),
    ("others", "yes", "moderate"),
    ("medical", "yes", "moderate"),
    ("impaired", "severe", "moderate"),
    ("care", "no", "moderate"),
    ("impaired", "some", "low"),
    ("support", "no", "low"),
    ("agrees", "no", "low"),
)

FIELD_SAFETY: Final = Rule("field-safety-1", score, LEVELS)
