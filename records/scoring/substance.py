"""Withdrawal, alcohol and drugs: COWS, AUDIT-C, DAST-10, and the overdose card."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from records.scoring.result import (
    INCOMPLETE,
    UNANSWERED,
    Answers,
    Result,
    Role,
    Rule,
    missing,
    number,
    result,
)

Bands = Sequence[tuple[int, str]]  # from this score on

COWS_ITEMS: Final = (
    "pulse", "gut", "sweating", "tremor", "restlessness", "yawning",
    "pupils", "anxiety", "aches", "gooseflesh", "runny-nose",
)  # fmt: skip
COWS_BANDS: Final = (
    (0, "none"), (5, "mild"), (13, "moderate"), (25, "moderately-severe"), (37, "severe"),
)  # fmt: skip
DAST_ITEMS: Final = tuple(f"q{no}" for no in range(1, 11))
DAST_BANDS: Final = (
    (0, "none"), (1, "low"), (3, "moderate"), (6, "substantial"), (9, "severe"),
)  # fmt: skip
POSITIVE_MEN, POSITIVE_OTHERS = 4, 3  # AUDIT-C


def band(bands: Bands, score: int) -> str:
    """The name of the band that a score lies in."""
    for (_, name), (above, _) in pairwise(bands):
        if score < above:
            return name
    return bands[-1][1]


def cows(answers: Answers, _asked: frozenset[str], required: frozenset[str]) -> Result:
    """Clinical Opiate Withdrawal Scale (Wesson & Ling 2003): eleven items, 0 to 48.

    Pulse, pupils and gooseflesh may not be assessable over video: then the score is "at least", and
    there is no band.
    """
    given = {item: number(answers.get(item)) for item in COWS_ITEMS}
    total = sum(value for value in given.values() if value is not None)
    unanswered = missing(answers, required)
    if unanswered:
        return result("cows", INCOMPLETE, unanswered, score=total, at_least=True)
    worst = max((value or 0 for value in given.values()), default=0)
    reasons = [item for item, value in given.items() if value and value == worst]
    return result("cows", band(COWS_BANDS, total), [], reasons, score=total)


def audit_c(answers: Answers, asked: frozenset[str], required: frozenset[str]) -> Result:
    """AUDIT-C (LOINC 72109-2): 0 to 12; positive from 4 for men, from 3 for women.

    Where the cut-off to use is not known, the lower one counts.
    """
    given = {item: number(answers.get(item)) for item in ("often", "many", "six") if item in asked}
    total = sum(value for value in given.values() if value is not None)
    cut = POSITIVE_MEN if answers.get("cut-off") == "men" else POSITIVE_OTHERS
    unanswered = missing(answers, required)
    reasons = [item for item, value in given.items() if value]
    if total >= cut:
        return result(
            "audit-c", "positive", unanswered, reasons, score=total, at_least=bool(unanswered)
        )
    if unanswered:
        return result("audit-c", INCOMPLETE, unanswered, score=total, at_least=True)
    return result("audit-c", "negative", [], score=total)


def dast_10(answers: Answers, _asked: frozenset[str], required: frozenset[str]) -> Result:
    """DAST-10 (LOINC total 82667-7): a point for each "yes", but for a "no" to question 3."""
    counts = {item: "no" if item == "q3" else "yes" for item in DAST_ITEMS}
    scored = [item for item in DAST_ITEMS if answers.get(item) == counts[item]]
    unanswered = missing(answers, required)
    if unanswered:
        return result("dast-10", INCOMPLETE, unanswered, score=len(scored), at_least=True)
    return result("dast-10", band(DAST_BANDS, len(scored)), [], scored, score=len(scored))


def overdose(answers: Answers, asked: frozenset[str], required: frozenset[str]) -> Result:
    """Our own overdose card: high while the person is not awake and breathing as usual.

    moderate: naloxone was given, or the person is drowsy: sedation can come back for 30 to 90
    minutes, and what naloxone does not reverse goes on.
    """
    high = [
        item for item, values in _BAD_SIGNS.items() if answers.get(item) in values and item in asked
    ]
    watch = [
        item
        for item, value in (("naloxone", "yes"), ("response", "drowsy"), ("breathing", "drowsy"))
        if answers.get(item) == value and item in asked
    ]
    unanswered = missing(answers, required)
    if high:
        return result("overdose-1", "high", unanswered, high)
    if watch:
        return result("overdose-1", "moderate", unanswered, watch, at_least=bool(unanswered))
    if unanswered or answers.get("suspected") in UNANSWERED:
        return result("overdose-1", INCOMPLETE, unanswered)
    return result("overdose-1", "none", [])


_BAD_SIGNS: Final = {
    "responds": ("no",),
    "breathing": ("slow", "none"),
    "colour": ("blue",),
    "response": ("none",),
}

COWS: Final = Rule("cows", cows, tuple(name for _, name in COWS_BANDS), about_substances=True)
AUDIT_C: Final = Rule(
    "audit-c", audit_c, ("negative", "positive"), panel="72109-2", about_substances=True
)
DAST_10: Final = Rule(
    "dast-10",
    dast_10,
    tuple(name for _, name in DAST_BANDS),
    roles=tuple(Role(item) for item in DAST_ITEMS),
    about_substances=True,
)


def moud(answers: Answers, _asked: frozenset[str], required: frozenset[str]) -> Result:
    """Medication for opioid use disorder: what came of offering a start; no score.

    A start that was arranged counts even for somebody who takes one already: they changed it.
    """
    unanswered = missing(answers, required)
    if unanswered:
        return result("moud-1", INCOMPLETE, unanswered)
    now, start = str(answers.get("now")), str(answers.get("start"))
    if start in _ARRANGED:
        return result("moud-1", "arranged", [], ["start"])
    if now in _TAKEN:
        return result("moud-1", "continued", [], ["now"])
    level = start if start in ("not-needed", "declined") else "not-offered"
    return result("moud-1", level, [], ["start"])


_ARRANGED: Final = ("bridge-clinic", "telemedicine")
_TAKEN: Final = ("methadone", "buprenorphine", "naltrexone")

MOUD: Final = Rule(
    "moud-1",
    moud,
    ("continued", "arranged", "not-needed", "declined", "not-offered"),
    about_substances=True,
)
OVERDOSE: Final = Rule("overdose-1", overdose, ("none", "moderate", "high"), about_substances=True)
