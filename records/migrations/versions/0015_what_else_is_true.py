"""What the officer would have done otherwise, and flags apart from the one disposition"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

FACTS = (
    "program_id", "pressed_at", "test", "provider_id", "agency_id", "state", "close_reason",
    "accepted_at", "media_at", "ended_at", "closed_at", "recommended_disposition",
    "actual_disposition",
)  # fmt: skip
NEW = ("otherwise", "flags", "opioid")


def upgrade() -> None:
    op.drop_index("session_facts", "session")
    op.add_column("session", sa.Column("otherwise", sa.String(32)))
    op.add_column("session", sa.Column("flags", sa.Integer, nullable=False, server_default="0"))
    opioid = sa.Column("opioid", sa.String(8), nullable=False, server_default="unknown")
    if op.get_bind().dialect.name == "sqlite":  # adds a column with its check in one statement
        op.execute(
            "ALTER TABLE session ADD COLUMN opioid VARCHAR(8) DEFAULT 'unknown' NOT NULL"
            " CONSTRAINT ck_session_known_opioid CHECK (opioid IN ('unknown','yes','no'))"
        )
    else:
        op.add_column("session", opioid)
        op.create_check_constraint(
            op.f("ck_session_known_opioid"), "session", "opioid IN ('unknown','yes','no')"
        )
    _facts(*NEW)


def downgrade() -> None:
    op.drop_index("session_facts", "session")
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(op.f("ck_session_known_opioid"), "session")
    for name in reversed(NEW):
        op.drop_column("session", name)
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
