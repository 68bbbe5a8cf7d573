"""Rules of keeping, legal holds, and sessions of which numbers alone are left"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "retention_rule",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("program_id", sa.String(40), sa.ForeignKey("program.id")),
        sa.Column("provider_id", sa.String(40), sa.ForeignKey("provider.id")),
        sa.Column("rev", sa.Integer, nullable=False),
        sa.Column("adult_years", sa.Integer, nullable=False),
        sa.Column("juvenile_years", sa.Integer, nullable=False),
        sa.Column("test_days", sa.Integer, nullable=False),
        sa.Column("keep_numbers", sa.Boolean, nullable=False),
        sa.Column("changed_by", sa.String(40), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("changed_at", sa.Double, nullable=False),
        sa.CheckConstraint("(program_id IS NULL) != (provider_id IS NULL)", name="one_owner"),
        sa.CheckConstraint("adult_years BETWEEN 6 AND 100", name="adult_years"),
        sa.CheckConstraint("juvenile_years BETWEEN adult_years AND 100", name="juvenile_years"),
        sa.CheckConstraint("test_days BETWEEN 1 AND 3650", name="test_days"),
    )
    op.create_table(
        "legal_hold",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("session_id", sa.String(40), sa.ForeignKey("session.id"), nullable=False),
        sa.Column("reason_enc", sa.LargeBinary, nullable=False),
        sa.Column("set_by", sa.String(40), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("set_at", sa.Double, nullable=False),
        sa.Column("lifted_by", sa.String(40), sa.ForeignKey("person.id")),
        sa.Column("lifted_at", sa.Double),
        sa.CheckConstraint("(lifted_at IS NULL) = (lifted_by IS NULL)", name="lifted_by_somebody"),
    )
    op.create_index("hold_of_session", "legal_hold", ["session_id", "set_at"])
    op.add_column("session", sa.Column("erased_at", sa.Double))


def downgrade() -> None:
    op.drop_column("session", "erased_at")
    op.drop_table("legal_hold")
    op.drop_table("retention_rule")
