"""Who a session was about: what may be written, and when two are one person. Pure.

Two sessions of one provider are about one person when name and day of birth are the same, whatever
the case, the accents, the marks between words and their order ("Doe, John" is "john doe"). Without
a day of birth nobody is recognised: a name alone is shared by too many.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from typing import Final

LONGEST_NAME: Final = 120
LONGEST_ALIAS: Final = 80
OLDEST: Final = date(1900, 1, 1)
SPANS: Final = (7, 30, 90)  # days, of repeat encounters (clinical.md)
DAY: Final = 86_400.0


class BadIdentity(ValueError):
    """What was typed cannot be kept; `field` says where."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


@dataclass(frozen=True, slots=True)
class Identity:
    """What is known of the person; all of it optional.

    `alias`: words that tell somebody apart who is not known yet ("man in a green coat").
    `born`: ISO date, or empty.
    """

    name: str = ""
    born: str = ""
    alias: str = ""

    def __repr__(self) -> str:
        return "Identity()"


def checked(name: str, born: str, alias: str, today: date) -> Identity:
    """The texts in their one form. Raises BadIdentity."""
    one = Identity(_line(name), born.strip(), _line(alias))
    if len(one.name) > LONGEST_NAME or not one.name.isprintable():
        raise BadIdentity("name")
    if len(one.alias) > LONGEST_ALIAS or not one.alias.isprintable():
        raise BadIdentity("alias")
    if one.born and not _plausible(one.born, today):
        raise BadIdentity("born")
    return one


def known_by(one: Identity) -> str | None:
    """The text by which the same person is found again; None while that is not enough."""
    plain = unicodedata.normalize("NFKD", one.name).casefold()
    letters = "".join(sign for sign in plain if not unicodedata.combining(sign))
    words = sorted(re.findall(r"[^\W_]+", letters))
    return f"{' '.join(words)}|{one.born}" if words and one.born else None


def _line(text: str) -> str:
    return " ".join(text.split())


def _plausible(born: str, today: date) -> bool:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", born):
        return False
    try:
        return OLDEST <= date.fromisoformat(born) <= today
    except ValueError:
        return False
