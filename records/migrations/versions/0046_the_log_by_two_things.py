"""The log by two things at once, without a look at each session; and what is open by itself"""

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
OPEN = sa.text("state <> 'closed'")


def upgrade() -> None:
    for name, (leading, _, after, where) in WIDER.items():
        _anew(name, (*leading, "pressed_at", "id", *after), where)
    op.create_index(
        "session_open",
        "session",
        ["state", "pressed_at", "id"],
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )


def downgrade() -> None:
    op.drop_index("session_open", "session")
    for name, (leading, before, _, where) in WIDER.items():
        _anew(name, (*leading, "pressed_at", "id", *before), where)


def _anew(name: str, columns: tuple[str, ...], where: str | None) -> None:
    op.drop_index(name, "session")
    only = None if where is None else sa.text(where)
    op.create_index(name, "session", list(columns), sqlite_where=only, postgresql_where=only)
