"""The scene: whether a call can go ahead, and how agitated somebody is."""

from __future__ import annotations

from typing import Final

from records.scoring.result import INCOMPLETE, Answers, Result, Rule, missing, number, result


def scene_safety(answers: Answers, asked: frozenset[str], required: frozenset[str]) -> Result:
    """Our own go / no-go: "stop" names what comes first."""
    stops = [item for item, value in _STOPS if answers.get(item) == value and item in asked]
    unanswered = missing(answers, required)
    if stops:
        return result("scene-safety-1", "stop", unanswered, stops)
    if unanswered:
        return result("scene-safety-1", INCOMPLETE, unanswered)
    return result("scene-safety-1", "go", [])


_STOPS: Final = (
    ("safe", "no"),
    ("weapon", "in-reach"),
    ("medical", "yes"),
    ("intoxicated", "yes"),
    ("willing", "no"),
)


def bars(answers: Answers, _asked: frozenset[str], required: frozenset[str]) -> Result:
    """Behavioural Activity Rating Scale: 1 to 7, 4 is quiet and awake; above 4 needs a look.

    The later of the two ratings counts. "sedated" (1 or 2) after drugs asks for the overdose card.
    """
    before, after = number(answers.get("before")), number(answers.get("after"))
    unanswered = missing(answers, required)
    now = after if after is not None else before
    if now is None:
        return result("bars", INCOMPLETE, unanswered)
    level = "sedated" if now <= 2 else "calm" if now <= 4 else "activated"
    reasons = ["after" if after is not None else "before"]
    said = result("bars", level, unanswered, reasons, score=now)
    return said if before is None or after is None else said | {"change": after - before}


SCENE_SAFETY: Final = Rule("scene-safety-1", scene_safety, ("go", "stop"))
BARS: Final = Rule("bars", bars, ("calm", "activated", "sedated"))
