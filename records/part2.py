"""What tells of substance use by itself (42 CFR Part 2), beside the answers of forms. Pure.

Each export that leaves the treating provider asks here. Unknown counts as protected: a form's free
text is protected where the form asks about substances anywhere, and a question that any version of
a form marks is protected in every version.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from records.instruments.questionnaire import Instrument
from records.vocabulary import RESOURCE_PROTECTED

TILES: Final = frozenset({"overdose"})
FLAGS: Final = frozenset({"naloxone_given"})
ACTIONS: Final = frozenset({"leave_naloxone"})
FOLLOWUPS: Final = frozenset({"naloxone_delivery", "lead_referral"})
RESOURCES: Final = frozenset(RESOURCE_PROTECTED)
WITHHELD: Final = "withheld"  # in place of a code that would tell

_WORDS: Final = frozenset({"text", "string"})


def hidden(form: Instrument, versions: Iterable[Instrument]) -> frozenset[str]:
    """The questions of a form that nobody reads without consent; `versions`: all that are known."""
    marked = form.protected.union(*(one.protected for one in versions if one.code == form.code))
    if not marked:
        return frozenset()
    words = {link for link, item in form.items.items() if item["type"] in _WORDS}
    return (marked | words) & form.items.keys()
