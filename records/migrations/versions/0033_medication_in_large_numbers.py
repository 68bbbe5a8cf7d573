"""Medication for opioid use disorder: numbers of eleven and more, counted from sealed answers"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "medication_month",
        sa.Column("month", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("counted_at", sa.Double, nullable=False),
    )
    op.create_table(
        "medication_count",
        sa.Column("month", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("program_id", sa.String(40), primary_key=True),
        sa.Column("provider_id", sa.String(40), primary_key=True),
        sa.Column("agency_id", sa.String(40), primary_key=True),
        sa.Column("outcome", sa.String(16), primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
        sa.CheckConstraint("count >= 11", name="large_enough"),
    )
    form = sa.text("instrument = 'moud'")
    op.create_index(
        "assessment_counted", "assessment", ["session_id"],
        sqlite_where=form, postgresql_where=form,
    )  # fmt: skip


def downgrade() -> None:
    op.drop_index("assessment_counted", "assessment")
    op.drop_table("medication_count")
    op.drop_table("medication_month")
