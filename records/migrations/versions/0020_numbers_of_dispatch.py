"""The number under which dispatch knows an incident, and the audit log by what it is about"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "case_number",
        sa.Column("session_id", sa.String(40), sa.ForeignKey("session.id"), primary_key=True),
        sa.Column("number", sa.String(40), nullable=False),
        sa.Column("told_by", sa.String(40)),
        sa.Column("told_at", sa.Double, nullable=False),
        sa.CheckConstraint("number <> ''", name="something"),
    )
    op.create_index("audit_of_object", "audit", ["object_id", "no"])


def downgrade() -> None:
    op.drop_index("audit_of_object", "audit")
    op.drop_table("case_number")
