"""Several server processes: who is alive, and which one looks after a session"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "node",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("beat_at", sa.Double, nullable=False),
        sa.Column("beats", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_node"),
    )
    op.add_column("session", sa.Column("node_id", sa.String(length=40), nullable=True))


def downgrade() -> None:
    op.drop_column("session", "node_id")  # not in a batch: that would make the indexes anew
    op.drop_table("node")
