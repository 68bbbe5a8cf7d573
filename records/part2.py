"""What tells of substance use by itself (42 CFR Part 2), beside the answers of forms. Pure.

Each export that leaves the treating provider asks here. Unknown counts as protected: a form's free
text is protected where the form asks about substances anywhere, and a question that any version of
a form marks is protected in every version. Pages of readers outside the provider ask here too: for
them leaving words out is not enough, what remains must look the same with and without them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from records import vocabulary
from records.instruments.questionnaire import Instrument

SPECIALITIES: Final = frozenset({"substance_use"})
TILES: Final = frozenset({"overdose"})
ACTIONS: Final = frozenset({"leave_naloxone"})
RESOURCES: Final = frozenset(vocabulary.RESOURCE_PROTECTED)
# of these codes the harmless ones are named: one that comes later is protected until somebody says
# here that it is not
FLAGS: Final = frozenset(vocabulary.FLAGS) - {
    "force_used", "person_injured", "officer_injured", "protective_custody", "weapon_present",
    "children_present", "calmer_at_end",
}  # fmt: skip
FOLLOWUPS: Final = frozenset(vocabulary.FOLLOWUP_KINDS) - {
    "contact_24h", "contact_48h", "warm_handoff", "mobile_crisis_visit", "confirm_arrival",
    "lethal_means_check", "voluntary_admission", "involuntary_petition", "medical_clearance",
    "support", "mandated_report",
}  # fmt: skip

# on pages of readers outside the provider: kinds of follow-ups that say nothing; all others share
# one name with harmless ones, so that the common name gives nothing away
FOLLOWUPS_OPEN: Final = ("contact_24h", "contact_48h", "mobile_crisis_visit", "confirm_arrival")
FOLLOWUP_VEILED: Final = "referral"

_WORDS: Final = frozenset({"text", "string"})


def hidden(form: Instrument, versions: Iterable[Instrument]) -> frozenset[str]:
    """The questions of a form that nobody reads without consent; `versions`: all that are known."""
    marked = form.protected.union(*(one.protected for one in versions if one.code == form.code))
    if not marked:
        return frozenset()
    words = {link for link, item in form.items.items() if item["type"] in _WORDS}
    return (marked | words) & form.items.keys()


def followup_kind(kind: str) -> str:
    """A follow-up's kind as a manager, or a program of others, reads it."""
    return kind if kind in FOLLOWUPS_OPEN else FOLLOWUP_VEILED


def timeline_data(
    kind: str, data: Mapping[str, object], open_forms: Collection[str]
) -> Mapping[str, object] | None:
    """An event's data for a reader outside the provider; None: the event itself tells too much.

    `open_forms`: the codes of questionnaires that are not about substances, in any version.
    """
    if kind == "assessment.saved" and data.get("instrument") not in open_forms:
        return None
    if "followup" in data:
        return {**data, "followup": followup_kind(str(data["followup"]))}
    return data
