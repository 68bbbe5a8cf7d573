"""What a scoring rule is, and what it says. Pure: answers in, result out.

A missing, refused or "could not be asked" answer is never counted as a good one: with it the result
is at best "incomplete", or says "at least". A computed level is never overwritten; a clinician's
own stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

Answers = Mapping[str, object]
Result = dict[str, object]
Score = Callable[[Answers, frozenset[str], frozenset[str]], Result]

INCOMPLETE: Final = "incomplete"
UNANSWERED: Final = (None, "", "refused", "not-assessed", "unknown")


@dataclass(frozen=True, slots=True)
class Role:
    """A question that a rule must be given, in a site's own file under whatever name.

    `loinc`: its code there; None: there is none, and the file names the role itself. `after`: it is
    asked after any of these answers; always, if there are none.
    """

    name: str
    loinc: str | None = None
    after: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A named scoring rule.

    `score` takes the answers by question, the questions that apply, and those that must be
    answered. `levels` are in ascending order of concern, without "incomplete". `roles`: what a
    site's file must bring, for a rule whose wording does not ship with us.
    """

    name: str
    score: Score
    levels: tuple[str, ...]
    roles: tuple[Role, ...] = ()
    panel: str | None = None  # LOINC
    by_judgement: bool = False  # the level is the clinician's; nothing is computed
    about_substances: bool = False  # 42 CFR Part 2: even the level tells of substance use


def missing(answers: Answers, required: Iterable[str]) -> list[str]:
    """The required questions without a usable answer."""
    return sorted(item for item in required if _open(answers.get(item)))


def _open(answer: object) -> bool:
    """Whether nothing usable was said; of several answers, by none of them."""
    if isinstance(answer, list):
        return all(one in UNANSWERED for one in answer)
    return answer in UNANSWERED


def result(
    rule: str,
    level: str,
    open_items: list[str],
    reasons: Iterable[str] = (),
    *,
    score: int | None = None,
    at_least: bool = False,
) -> Result:
    """A rule's result; `at_least`: what is open can only make it worse."""
    said: Result = {
        "rule": rule,
        "level": level,
        "complete": not open_items,
        "reasons": list(dict.fromkeys(reasons)),
        "missing": open_items,
        "at_least": at_least,
    }
    return said if score is None else said | {"score": score}


def number(value: object) -> int | None:
    """An answer that counts: a number, or a choice whose code is one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and value.isdigit() else None
