"""The wrap-up saves itself, so that a reload loses nothing"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "wrapup_draft",
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("author_id", sa.String(length=40), nullable=False),
        sa.Column("rev", sa.Integer, nullable=False),
        sa.Column("draft_enc", sa.LargeBinary, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("session_id", name="pk_wrapup_draft"),
        sa.ForeignKeyConstraint(["session_id"], ["session.id"], name="fk_wrapup_draft_session_id"),
        sa.ForeignKeyConstraint(["author_id"], ["person.id"], name="fk_wrapup_draft_author_id"),
    )


def downgrade() -> None:
    op.drop_table("wrapup_draft")
