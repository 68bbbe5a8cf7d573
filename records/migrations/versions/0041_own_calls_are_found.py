"""Officers' own calls are found without reading all sessions: the audit trail hides them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "session_own_call",
        "session",
        ["provider_id"],
        sqlite_where=sa.text("wellness IS 1"),
        postgresql_where=sa.text("wellness IS true"),
    )


def downgrade() -> None:
    op.drop_index("session_own_call", table_name="session")
