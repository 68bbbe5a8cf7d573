"""What is counted of a session and does not stand in its row: losses, and what answers say. Pure.

Nothing about substance use comes through here: a form that is about substances as a whole is not
looked at, and of the others only levels, completeness and the two ratings of activity.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from records.instruments import ACTIVITY
from records.instruments.questionnaire import Instrument
from records.scoring import INCOMPLETE
from records.scoring.field_safety import FIELD_SAFETY
from records.scoring.plans import LETHAL_MEANS, SAFETY_PLAN
from records.scoring.result import number
from records.scoring.scene import BARS
from records.scoring.suicide import ASQ, CSSRS_SCREENER

RULES: Final = 1  # grows when answers must be read again
# screens for suicide and harm, by their bit: never reorder, append only
SCREENS: Final = (FIELD_SAFETY.name, CSSRS_SCREENER.name, ASQ.name)
LOST: Final = {"clinician.lost": "clinician", "tablet.lost": "tablet"}
BACK: Final = {
    "session.recovered": "clinician",
    "session.connected": "clinician",
    "session.lead_changed": "clinician",
    "tablet.back": "tablet",
}
ENDS: Final = ("session.ended", "session.closed")
SETUP_FAILED: Final = "setup_failed"
KINDS: Final = frozenset({*LOST, *BACK, *ENDS, "media.flowing", "session.requeued"})


@dataclass(frozen=True, slots=True)
class Losses:
    """How a call held. `seconds`: the longest time that a side was gone; None: never."""

    seconds: float | None = None
    at_end: bool = False  # a side was gone when the call ended
    failed_setups: int = 0


@dataclass(frozen=True, slots=True)
class Moment:
    """One event of a timeline."""

    at: float
    kind: str
    data: Mapping[str, object]


def losses(events: Iterable[Moment]) -> Losses:
    """From a session's events in order; only what happens between the first media and the end.

    `seconds` of a loss's event is for how long the side had been gone when that was noticed.
    """
    began: dict[str, float] = {}
    longest: float | None = None
    flowing, failed, at_end = False, 0, False
    for one in events:
        flowing = flowing or one.kind == "media.flowing"
        if one.kind == "session.requeued" and one.data.get("reason") == SETUP_FAILED:
            failed += 1
        if one.kind in LOST and flowing:
            before = one.data.get("seconds", 0.0)
            gone = float(before) if isinstance(before, int | float) else 0.0
            began.setdefault(LOST[one.kind], one.at - gone)
        ended = one.kind in ENDS and flowing
        for side in list(began):
            if ended or BACK.get(one.kind) == side:
                longest = max(longest or 0.0, one.at - began.pop(side))
                at_end = at_end or ended
        if ended:
            break
    return Losses(longest, at_end, failed)


Pair = tuple[int | None, int | None]


def rated(clinician: Pair, officer: Pair) -> Pair:
    """The two ratings of activity that count, before and after.

    One rater's: two people's are never subtracted from each other. The clinician's where both are
    there, else the officer's where both are; else whatever the clinician, or the officer, has said.
    """
    for pair in (clinician, officer):
        if None not in pair:
            return pair
    return clinician if clinician != (None, None) else officer


def told(
    form: Instrument, answers: Mapping[str, object], result: Mapping[str, object]
) -> dict[str, object]:
    """The facts that one form's answers settle, by column; one bit of it as a pair (bit, set).

    Empty for a form that says nothing that is counted.
    """
    rule = form.rule.name
    if form.about_substances or form.rule.about_substances:
        return {}
    level, complete = result.get("level"), bool(result.get("complete"))
    if rule == SAFETY_PLAN.name:
        return {"plan": str(level)}
    if rule == LETHAL_MEANS.name:
        return {"means": "asked" if complete else INCOMPLETE}
    if rule == BARS.name:
        by = "scene" if form.code == ACTIVITY else "bars"
        pair = {f"{by}_{name}": number(answers.get(name)) for name in ("before", "after")}
        return {name: value if value in range(1, 8) else None for name, value in pair.items()}
    if rule in SCREENS:
        bit = 1 << SCREENS.index(rule)
        return {"screens_begun": (bit, True), "screens_done": (bit, complete)}
    return {}
