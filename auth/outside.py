"""What of a session another program may be shown, once it may read it at all. Pure.

Codes, times and ids only, and of those what tells nothing of a person's health: what is not named
here is left out. Whatever says by itself that substances are the matter (42 CFR Part 2) never
leaves, nor does what a session was about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from records import part2
from records.flags import codes_of
from records.sessions import SessionRow, TimelineRow

# event -> which of its data goes with it. Not here: what was said of the person (tiles, language,
# place, forms, who it was), what the search for a clinician asked for, and the plan to take away.
EVENTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "session.pressed": (),
        "session.voice": ("voice_only",),
        "session.saver": ("saver",),
        "session.otherwise": ("otherwise",),
        "session.provider": ("provider", "before"),
        "offer.sent": (),
        "offer.delivered": (),
        "offer.accepted": (),
        "offer.declined": (),
        "offer.expired": (),
        "offer.undelivered": (),
        "offer.withdrawn": (),
        "session.answering": (),
        "media.flowing": (),
        "session.connected": (),
        "session.recovering": (),
        "session.recovered": (),
        "session.requeued": (),
        "session.held": (),
        "session.resumed": (),
        "session.lead_changed": (),
        "handover.started": (),
        "handover.ended": (),
        "card.sent": ("disposition",),
        "card.acknowledged": (),
        "session.ended": ("by",),
        "wrapup.finished": ("disposition",),
        "session.closed": ("reason",),
        "disposition.recorded": ("actual", "reason"),
        "disposition.postponed": (),
        "note.signed": (),
        "followup.added": ("followup",),
        "followup.attempt": ("followup",),
        "followup.done": ("followup",),
        "followup.closed": ("followup",),
        "followup.reopened": ("followup",),
        "followup.assigned": ("followup",),
        "followup.moved": ("followup", "due"),
        "escalation.step": ("step",),
        "page.sent": ("way",),
        "page.failed": ("way",),
        "page.opened": (),
        "page.acknowledged": (),
        "page.nobody": (),
        "queue.nobody": (),
        "queue.repaired": (),
        "tablet.lost": (),
        "tablet.back": (),
        "clinician.lost": (),
        "clinician.back": (),
        "transfer.asked": (),
        "transfer.accepted": (),
        "transfer.ended": (),
        "party.joined": ("role",),
        "party.left": ("role",),
        "party.held": ("role",),
        "party.resumed": ("role",),
    }
)


@dataclass(frozen=True, slots=True)
class OutsideEvent:
    """One event of a timeline, as another program reads it."""

    no: int
    at: float
    kind: str
    by: str  # officer | clinician | person | system …: a kind, never who
    by_id: str | None  # for those who may have names
    data: Mapping[str, str | float | bool | None]


def events(rows: Iterable[TimelineRow]) -> list[OutsideEvent]:
    """A timeline without what must not leave."""
    found = []
    for row in rows:
        keys = EVENTS.get(row.kind)
        if keys is None:
            continue
        data = {key: row.data[key] for key in keys if key in row.data and _plain(row.data[key])}
        if "followup" in data:  # left out, its overdue notice or a count would still give it away
            data["followup"] = part2.followup_kind(str(data["followup"]))
        found.append(OutsideEvent(row.no, row.at, row.kind, row.actor_kind, row.actor_id, data))
    return found


def flags(row: SessionRow) -> tuple[str, ...]:
    """The flags of a session without those that tell of substances."""
    return tuple(code for code in codes_of(row.flags) if code not in part2.FLAGS)


def _plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float | bool)
