"""Suicide risk: C-SSRS screener and ASQ, whose wording a site brings, and our own five steps.

Only the published scoring is here. An unanswered question never makes somebody look safer.
"""

from __future__ import annotations

from typing import Final

from records.scoring.result import (
    INCOMPLETE,
    UNANSWERED,
    Answers,
    Result,
    Role,
    Rule,
    missing,
    result,
)

TRIAGE: Final = ("none", "low", "moderate", "high")


def cssrs_screener(answers: Answers, asked: frozenset[str], required: frozenset[str]) -> Result:
    """The screener's usual triage (Columbia Lighthouse Project, LOINC panel 93373-9).

    high: intent (4), a plan with intent (5), or behaviour within three months. moderate: a method
    (3), or older behaviour. low: a wish to be dead (1) or thoughts (2) alone. none: all that was
    asked is "no". Behaviour of which the time is not known counts as recent.
    """

    def yes(item: str, gate: str | None = None) -> bool:
        if answers.get(item) != "yes":
            return False
        return item in asked or (gate is not None and answers.get(gate) in UNANSWERED)

    ever, when = yes("behaviour-ever"), answers.get("behaviour-recent")
    high = [item for item in ("intent", "plan") if yes(item, "thoughts")]
    if ever and when != "no":
        high.append("behaviour-recent" if when == "yes" else "behaviour-ever")
    elif yes("behaviour-recent", "behaviour-ever"):
        high.append("behaviour-recent")
    moderate = [item for item in ("method",) if yes(item, "thoughts")]
    moderate += ["behaviour-ever"] if ever and when == "no" else []
    low = [item for item in ("wish", "thoughts") if yes(item)]
    unanswered = missing(answers, required)
    if high:
        return result("cssrs-screener", "high", unanswered, high)
    if moderate:
        return result("cssrs-screener", "moderate", unanswered, moderate, at_least=bool(unanswered))
    if unanswered:
        return result("cssrs-screener", INCOMPLETE, unanswered, low)
    return result("cssrs-screener", "low" if low else "none", [], low)


def asq(answers: Answers, _asked: frozenset[str], required: frozenset[str]) -> Result:
    """Ask Suicide-Screening Questions (NIMH).

    A "yes" to any of 1 to 4 is positive; then 5 tells acute from non-acute. A youth who will not
    answer counts as non-acute positive, an adult as incomplete.
    """
    positive = [item for item in _ASQ if answers.get(item) == "yes"]
    unanswered = missing(answers, required)
    youth = answers.get("youth") == "yes"
    refused = [item for item in _ASQ if answers.get(item) == "refused"]
    if positive or answers.get("now") == "yes":
        if answers.get("now") == "yes":
            return result("asq", "acute", unanswered, [*positive, "now"])
        sure = answers.get("now") == "no"
        return result("asq", "non-acute", unanswered, positive, at_least=not sure)
    if youth and refused:
        return result("asq", "non-acute", unanswered, refused, at_least=True)
    if unanswered:
        return result("asq", INCOMPLETE, unanswered)
    return result("asq", "negative", [])


def safe_t(answers: Answers, _asked: frozenset[str], required: frozenset[str]) -> Result:
    """Five steps in the order of SAMHSA's SAFE-T: nothing is added up, the level is judged.

    What the person said that speaks for a risk stands beside it. While a step is open, "low" is not
    said, and "moderate" is "at least".
    """
    told = [item for item, values in _SPEAKS_FOR_RISK.items() if answers.get(item) in values]
    unanswered = missing(answers, required)
    level = str(answers.get("level") or INCOMPLETE)
    if unanswered and level != "high":
        level = level if level == "moderate" else INCOMPLETE
    at_least = bool(unanswered) and level == "moderate"
    said = result("safe-t-1", level, unanswered, told, at_least=at_least)
    return said | {"by_judgement": True}


_SPEAKS_FOR_RISK: Final = {
    "intent": ("yes",),
    "behaviour": ("last-3-months", "earlier"),
    "plan": ("yes",),
    "thoughts": ("yes",),
}

_ASQ: Final = ("wish", "burden", "thoughts", "attempt")

CSSRS_SCREENER: Final = Rule(
    "cssrs-screener",
    cssrs_screener,
    TRIAGE,
    roles=(
        Role("wish", "93246-7"),
        Role("thoughts", "93247-5"),
        Role("method", "93248-3", (("thoughts", "yes"),)),
        Role("intent", "93249-1", (("thoughts", "yes"),)),
        Role("plan", "93250-9", (("thoughts", "yes"),)),
        Role("behaviour-ever", "93267-3"),
        Role("behaviour-recent", "93269-9", (("behaviour-ever", "yes"),)),
    ),
    panel="93373-9",
)

SAFE_T: Final = Rule("safe-t-1", safe_t, ("low", "moderate", "high"), by_judgement=True)

ASQ: Final = Rule(
    "asq",
    asq,
    ("negative", "non-acute", "acute"),
    roles=(
        *(Role(item) for item in _ASQ),
        Role("now", after=tuple((item, "yes") for item in _ASQ)),
    ),
)
