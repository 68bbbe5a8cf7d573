"""How long a session is kept. Pure.

Rules of this file:
1. Nothing is deleted without a rule that somebody set. Where the program and the provider both have
   one, the longer holds, for each kind of session by itself.
2. Whoever is not known to have been an adult is kept as long as a child.
3. Six years is the least for a session that was none of a test: 45 CFR 164.316(b)(2) asks it of
   documentation, and states ask more of a record. Which time is right, counsel says.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, Literal

DAY: Final = 86_400.0
YEAR: Final = 365.25 * DAY
LEAST_YEARS: Final = 6
MOST_YEARS: Final = 100
MOST_TEST_DAYS: Final = 3650
GROWN_UP: Final = 18  # years

Group = Literal["adult", "juvenile", "test"]
GROUPS: Final[tuple[Group, ...]] = ("adult", "juvenile", "test")


@dataclass(frozen=True, slots=True)
class Rule:
    """How long, by kind of session, counted from its end."""

    adult_years: int = 7
    juvenile_years: int = 25
    test_days: int = 30
    keep_numbers: bool = True  # a row without people, places and days stays for the counts

    def seconds(self, group: Group) -> float:
        if group == "test":
            return self.test_days * DAY
        return (self.adult_years if group == "adult" else self.juvenile_years) * YEAR


PROPOSED: Final = Rule()  # what the page proposes; it holds once somebody has saved it


class BadRule(ValueError):
    """Times that cannot be; `field` says which."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def checked(rule: Rule) -> Rule:
    """The rule itself. Raises BadRule."""
    if not LEAST_YEARS <= rule.adult_years <= MOST_YEARS:
        raise BadRule("adult_years")
    if not rule.adult_years <= rule.juvenile_years <= MOST_YEARS:
        raise BadRule("juvenile_years")
    if not 1 <= rule.test_days <= MOST_TEST_DAYS:
        raise BadRule("test_days")
    return rule


def group_of(*, test: bool, intake: Collection[str], born: str, pressed_at: float) -> Group:
    """Which time holds for a session; `born` is an ISO date, or empty."""
    if test:
        return "test"
    if born:
        try:
            day = date.fromisoformat(born)
        except ValueError:
            return "juvenile"
        then = datetime.fromtimestamp(pressed_at, UTC).date()
        years = then.year - day.year - ((then.month, then.day) < (day.month, day.day))
        return "adult" if years >= GROWN_UP else "juvenile"
    return "adult" if "adult" in intake and "juvenile" not in intake else "juvenile"


def due(rules: Iterable[Rule], group: Group, closed_at: float, now: float) -> bool:
    """Whether its time is over, by every rule that there is for it; never without one."""
    known = list(rules)
    return bool(known) and all(now - closed_at >= rule.seconds(group) for rule in known)


def numbers_stay(rules: Iterable[Rule]) -> bool:
    """Whether anybody wants its row of numbers."""
    return any(rule.keep_numbers for rule in rules)


def year_of(at: float) -> float:
    """Noon of the first of January of that year: all that a row of numbers says of its day."""
    return datetime(datetime.fromtimestamp(at, UTC).year, 1, 1, 12, tzinfo=UTC).timestamp()
