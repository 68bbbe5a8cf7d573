"""The log of one agency or one clinician by its outcomes, without a look at each session"""

from __future__ import annotations

from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

LEADING = {"session_of_agency": "agency_id", "session_led": "lead_id"}
OUTCOMES = ("recommended_disposition", "actual_disposition")


def upgrade() -> None:
    _anew(OUTCOMES)


def downgrade() -> None:
    _anew(())


def _anew(further: tuple[str, ...]) -> None:
    for name, column in LEADING.items():
        op.drop_index(name, "session")
        op.create_index(name, "session", [column, "pressed_at", "id", *further])
