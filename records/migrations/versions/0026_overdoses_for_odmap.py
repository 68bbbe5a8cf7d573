"""What a human decided of each overdose, and the files for ODMAP that left"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "odmap_release",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("program_id", sa.String(40), sa.ForeignKey("program.id"), nullable=False),
        sa.Column("released_by", sa.String(40), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("released_at", sa.Double, nullable=False),
        sa.Column("row_count", sa.Integer, nullable=False),
        sa.CheckConstraint("row_count > 0", name="something"),
    )
    op.create_index("odmap_release_of_program", "odmap_release", ["program_id", "released_at"])
    op.create_table(
        "odmap_row",
        sa.Column("session_id", sa.String(40), sa.ForeignKey("session.id"), primary_key=True),
        sa.Column("reference", sa.String(40), nullable=False, unique=True),
        sa.Column("release_id", sa.String(40), sa.ForeignKey("odmap_release.id")),
        sa.Column("held_reason", sa.String(24)),
        sa.Column("row_enc", sa.LargeBinary),
        sa.Column("decided_by", sa.String(40), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("decided_at", sa.Double, nullable=False),
        sa.CheckConstraint(
            "(release_id IS NULL) = (held_reason IS NOT NULL)", name="released_or_held"
        ),
        sa.CheckConstraint("(release_id IS NULL) = (row_enc IS NULL)", name="released_is_kept"),
    )
    op.create_index("ix_odmap_row_release_id", "odmap_row", ["release_id"])


def downgrade() -> None:
    op.drop_table("odmap_row")
    op.drop_table("odmap_release")
