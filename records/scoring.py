"""Scoring rules of instruments, by name. Pure: answers in, result out.

A missing, refused or "could not be asked" answer is never counted as a good one: with it the result
is at best "incomplete". A computed level is never overwritten; a clinician's own stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

Answers = Mapping[str, object]
Result = dict[str, object]

LEVELS: Final = ("none", "low", "moderate", "high")
UNANSWERED: Final = (None, "refused", "not-assessed", "unknown")


def field_safety_1(answers: Answers, asked: frozenset[str]) -> Result:
    """Our own field safety screen, version 1; `asked` are the items that apply.

    high: danger now, a plan or the intent to end one's life, an act within three months, or a
    threat against a particular person. moderate: thoughts, any older act, any threat, a medical
    emergency, severely impaired, or not able to look after oneself. low: impaired, nobody to stay,
    or no agreement. The rule is our own and unvalidated; it says which finding raised the level.
    """
    found: dict[str, str] = {}
    for item, value, level in _FINDINGS:
        if answers.get(item) == value and (item in asked or _kept(item, answers)):
            found[item] = level
    worst = max((LEVELS.index(level) for level in found.values()), default=0)
    missing = sorted(
        item for item in asked if answers.get(item) in UNANSWERED and item not in _OPTIONAL
    )
    level = LEVELS[worst]
    if missing and worst < LEVELS.index("moderate"):
        level = "incomplete"
    reasons = [item for item, _, _ in _FINDINGS if found.get(item) == LEVELS[worst] and worst]
    return {
        "rule": "field-safety-1",
        "level": level,
        "complete": not missing,
        "reasons": list(dict.fromkeys(reasons)),
        "missing": missing,
    }


def _kept(item: str, answers: Answers) -> bool:
    """A finding stands when the question before it was taken back without a "no".

    "Would not say" after a plan was told must not make the person look safer.
    """
    before = _HANGS_ON.get(item)
    return before is not None and answers.get(before) in UNANSWERED


_HANGS_ON: Final = {"plan": "thoughts", "intent": "thoughts", "others-target": "others"}

_OPTIONAL: Final = frozenset({"judged-level", "judged-reason", "notes"})

_FINDINGS: Final = (
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

RULES: Final[Mapping[str, Callable[[Answers, frozenset[str]], Result]]] = {
    "field-safety-1": field_safety_1,
}
