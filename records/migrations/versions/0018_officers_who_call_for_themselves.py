"""Officers who call for themselves: hidden from their agency and its program"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

FACTS = (
    "program_id", "pressed_at", "test", "provider_id", "agency_id", "state", "close_reason",
    "accepted_at", "media_at", "ended_at", "closed_at", "recommended_disposition",
    "actual_disposition", "otherwise", "flags", "opioid",
)  # fmt: skip


def upgrade() -> None:
    op.drop_index("session_facts", "session")
    op.add_column(
        "session",
        sa.Column("wellness", sa.Boolean, nullable=False, server_default=sa.text("false")),
    )
    op.execute("UPDATE session SET wellness = true WHERE intake LIKE '%\"self\"%'")
    _facts("wellness")


def downgrade() -> None:
    op.drop_index("session_facts", "session")
    op.drop_column("session", "wellness")
    _facts()


def _facts(*more: str) -> None:
    closed = sa.text("state = 'closed'")
    op.create_index(
        "session_facts",
        "session",
        [*FACTS, *more, "id"],
        sqlite_where=closed,
        postgresql_where=closed,
    )
