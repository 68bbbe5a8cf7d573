"""Where an audited thing came from, the chain's signed heads, and weeks that were reviewed"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("audit", sa.Column("place", sa.String(64)))
    op.create_index("audit_at", "audit", ["at"])
    op.create_table(
        "audit_checkpoint",
        sa.Column("no", sa.Integer, primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("signature", sa.String(128), nullable=False),
    )
    op.create_table(
        "audit_review",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("scope_id", sa.String(40), nullable=False),
        sa.Column("week", sa.String(10), nullable=False),
        sa.Column("reviewed_by", sa.String(40), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("reviewed_at", sa.Double, nullable=False),
        sa.Column("up_to", sa.Integer, nullable=False),
        sa.UniqueConstraint("scope_id", "week", "reviewed_by", name="uq_audit_review_once"),
    )


def downgrade() -> None:
    op.drop_table("audit_review")
    op.drop_table("audit_checkpoint")
    op.drop_index("audit_at", "audit")
    op.drop_column("audit", "place")
