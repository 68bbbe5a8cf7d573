"""Which key wraps all others now, which are still needed, and the keys of blind indexes"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kek",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("since", sa.Double, nullable=False),
        sa.Column("backup_at", sa.Double),
        sa.Column("retired_at", sa.Double),
        sa.CheckConstraint("state IN ('current','old','retired')", name="known_state"),
        sa.CheckConstraint("(state = 'retired') = (retired_at IS NOT NULL)", name="retired_when"),
    )
    op.create_index(
        "one_current_kek",
        "kek",
        ["state"],
        unique=True,
        sqlite_where=sa.text("state = 'current'"),
        postgresql_where=sa.text("state = 'current'"),
    )
    op.create_table(
        "tag_key",
        sa.Column("purpose", sa.String(40), primary_key=True),
        sa.Column("key_enc", sa.LargeBinary, nullable=False),
        sa.Column("kek_id", sa.String(16), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("tag_key")
    op.drop_table("kek")
