"""A consent that waits on the tablet for a signature"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "consent_ask",
        sa.Column("session_id", sa.String(40), sa.ForeignKey("session.id"), primary_key=True),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("participant", sa.String(12), nullable=False),
        sa.Column("purpose", sa.String(12), nullable=False),
        sa.Column("language", sa.String(5), nullable=False),
        sa.Column("wording", sa.String(16), nullable=False),
        sa.Column("asked_by", sa.String(40), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("asked_at", sa.Double, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("consent_ask")
