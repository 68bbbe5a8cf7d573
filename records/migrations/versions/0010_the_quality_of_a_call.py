"""The quality of a call: each leg's line over time, the data saver, and who is on hold"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "quality",
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("seat", sa.String(length=12), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("up", sa.String(length=4), nullable=False),
        sa.Column("down", sa.String(length=4), nullable=False),
        sa.Column("step", sa.String(length=6), nullable=False),
        sa.Column("loss_up", sa.SmallInteger(), nullable=False),
        sa.Column("loss_down", sa.SmallInteger(), nullable=False),
        sa.Column("rtt_ms", sa.Integer()),
        sa.Column("kbit_up", sa.Integer(), nullable=False),
        sa.Column("kbit_down", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["session_id"], ["session.id"], name="fk_quality_session_id"),
        sa.PrimaryKeyConstraint("session_id", "seat", "at", name="pk_quality"),
    )
    op.add_column(
        "session", sa.Column("saver", sa.Boolean(), nullable=False, server_default=sa.text("false"))
    )
    op.add_column("session", sa.Column("held_at", sa.Double()))


def downgrade() -> None:
    op.drop_column("session", "held_at")
    op.drop_column("session", "saver")
    op.drop_table("quality")
