"""What is open, what rings, and the newest place in line, without a look at all that ever was; the
log by two things at once, without a look at each session"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

OUTCOMES = ("recommended_disposition", "actual_disposition")
PLACE = ("agency_id", "place_county")
# name -> what it leads with, what it holds besides before and after, where
WIDER: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], str | None]] = {
    "session_of_agency": (("agency_id",), OUTCOMES, (*OUTCOMES, "flags", "place_county"), None),
    "session_led": (("lead_id",), OUTCOMES, (*OUTCOMES, "flags"), None),
    "session_of_officer": (("officer_id",), (), (*OUTCOMES, "flags", *PLACE), None),
    "session_of_tablet": (("tablet_id",), (), (*OUTCOMES, "flags", *PLACE), None),
    "session_of_county": (
        ("place_county", "place_state"),
        (),
        (*OUTCOMES, "flags"),
        "place_county IS NOT NULL",
    ),
    "session_recommended": (
        ("recommended_disposition",),
        (),
        ("actual_disposition", "flags"),
        "recommended_disposition IS NOT NULL",
    ),
    "session_actual": (
        ("actual_disposition",),
        (),
        ("recommended_disposition", "flags"),
        "actual_disposition IS NOT NULL",
    ),
}
# of sessions and offers: name -> table, columns, where
OF_NOW: dict[str, tuple[str, list[str], str | None]] = {
    "newest_place_in_line": ("session", ["seq"], None),
    "session_open": ("session", ["state", "pressed_at", "id"], "state <> 'closed'"),
    "offer_rings": ("offer", ["state", "sent_at", "id"], "state IN ('pending','delivered')"),
    "missed_lately": (
        "offer",
        ["ended_at", "id"],
        "state IN ('declined','expired','undelivered') AND read_at IS NULL",
    ),
    "page_queued": ("page", ["queued_at", "id"], None),
    "offer_ended": ("offer", ["ended_at", "id"], "ended_at IS NOT NULL"),
}


def upgrade() -> None:
    for name, (leading, _, after, where) in WIDER.items():
        _anew(name, (*leading, "pressed_at", "id", *after), where)
    for name, (table, columns, where) in OF_NOW.items():
        only = None if where is None else sa.text(where)
        op.create_index(name, table, columns, sqlite_where=only, postgresql_where=only)


def downgrade() -> None:
    for name, (table, _, _) in OF_NOW.items():
        op.drop_index(name, table)
    for name, (leading, before, _, where) in WIDER.items():
        _anew(name, (*leading, "pressed_at", "id", *before), where)


def _anew(name: str, columns: tuple[str, ...], where: str | None) -> None:
    op.drop_index(name, "session")
    only = None if where is None else sa.text(where)
    op.create_index(name, "session", list(columns), sqlite_where=only, postgresql_where=only)
