"""Scoring rules of instruments, by name. Pure; the wording of a form is data, elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from records.scoring.field_safety import FIELD_SAFETY
from records.scoring.plans import LETHAL_MEANS, LEVEL_OF_CARE, SAFETY_PLAN
from records.scoring.result import INCOMPLETE, UNANSWERED, Answers, Result, Role, Rule
from records.scoring.scene import BARS, SCENE_SAFETY
from records.scoring.substance import AUDIT_C, COWS, DAST_10, MOUD, OVERDOSE
from records.scoring.suicide import ASQ, CSSRS_SCREENER, SAFE_T

RULES: Final[Mapping[str, Rule]] = {
    rule.name: rule
    for rule in (
        FIELD_SAFETY,
        SCENE_SAFETY,
        BARS,
        CSSRS_SCREENER,
        ASQ,
        SAFE_T,
        SAFETY_PLAN,
        LETHAL_MEANS,
        LEVEL_OF_CARE,
        OVERDOSE,
        MOUD,
        COWS,
        AUDIT_C,
        DAST_10,
    )
}

__all__ = ["INCOMPLETE", "RULES", "UNANSWERED", "Answers", "Result", "Role", "Rule"]
