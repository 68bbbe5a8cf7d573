"""A link by which the person reads their own safety plan"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "takeaway",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("made_by", sa.String(length=40), nullable=False),
        sa.Column("made_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("revoked_at", sa.Double()),
        sa.Column("opened_at", sa.Double()),
        sa.Column("opens", sa.Integer(), nullable=False, server_default="0"),
        sa.ForeignKeyConstraint(["session_id"], ["session.id"], name="fk_takeaway_session_id"),
        sa.ForeignKeyConstraint(["made_by"], ["person.id"], name="fk_takeaway_made_by"),
        sa.PrimaryKeyConstraint("id", name="pk_takeaway"),
        sa.UniqueConstraint("token_hash", name="uq_takeaway_token_hash"),
        sa.CheckConstraint(
            "expires_at > made_at AND expires_at <= made_at + 2678400",
            name=op.f("ck_takeaway_a_month_at_most"),
        ),
    )
    op.create_index("ix_takeaway_session_id", "takeaway", ["session_id"])


def downgrade() -> None:
    op.drop_table("takeaway")
