"""The log, the follow-ups and reports stay quick at a million sessions"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

FACTS = (
    "program_id", "pressed_at", "test", "provider_id", "agency_id", "state", "close_reason",
    "accepted_at", "media_at", "ended_at", "closed_at", "recommended_disposition",
    "actual_disposition", "id",
)  # fmt: skip


def upgrade() -> None:
    for old in ("session_state", "ix_session_agency_id", "ix_session_program_id"):
        op.drop_index(old, "session")
    op.create_index("session_state", "session", ["state", "pressed_at", "id"])
    op.create_index("session_of_agency", "session", ["agency_id", "pressed_at", "id"])
    op.create_index("session_code", "session", ["code", "pressed_at", "id"])
    _filled("session_recommended", "session", "recommended_disposition", "pressed_at")
    _filled("session_actual", "session", "actual_disposition", "pressed_at")
    closed = sa.text("state = 'closed'")
    op.create_index(
        "session_facts", "session", list(FACTS), sqlite_where=closed, postgresql_where=closed
    )
    _filled("followup_closed", "followup", "closed_at")
    op.create_index("note_of_signer", "note_signature", ["signer_id", "signed_at"])


def _filled(name: str, table: str, first: str, *more: str) -> None:
    """An index of the rows that have a value there."""
    where = sa.text(f"{first} IS NOT NULL")
    op.create_index(name, table, [first, *more, "id"], sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    op.drop_index("note_of_signer", "note_signature")
    op.drop_index("followup_closed", "followup")
    for new in (
        "session_facts", "session_actual", "session_recommended", "session_code",
        "session_of_agency", "session_state",
    ):  # fmt: skip
        op.drop_index(new, "session")
    op.create_index("session_state", "session", ["state"])
    op.create_index("ix_session_agency_id", "session", ["agency_id"])
    op.create_index("ix_session_program_id", "session", ["program_id"])
