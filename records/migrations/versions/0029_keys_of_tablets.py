"""The key pair that a tablet's device proves, and what a tablet tells of itself"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

KEY = ("device_key", "key_bound_at", "key_bound_by", "key_refused_at")


def upgrade() -> None:
    op.add_column("tablet", sa.Column("device_key", sa.String(100)))
    op.add_column("tablet", sa.Column("key_bound_at", sa.Double()))
    op.add_column("tablet", sa.Column("key_bound_by", sa.String(16)))
    op.add_column("tablet", sa.Column("key_refused_at", sa.Double()))
    op.create_table(
        "tablet_report",
        sa.Column("tablet_id", sa.String(40), sa.ForeignKey("tablet.id"), primary_key=True),
        sa.Column("reported_at", sa.Double(), nullable=False),
        *(
            sa.Column(name, sa.String(40), nullable=False, server_default="")
            for name in ("browser", "system", "build")
        ),
        *(
            sa.Column(name, sa.String(12), nullable=False, server_default="unknown")
            for name in ("camera", "microphone", "storage")
        ),
        sa.Column("battery", sa.Integer()),
        sa.Column("charging", sa.Boolean()),
        sa.Column("tested_at", sa.Double()),
        *(
            sa.Column(f"test_{name}", sa.String(8))
            for name in ("picture", "microphone", "upload", "relay", "heard")
        ),
    )


def downgrade() -> None:
    op.drop_table("tablet_report")
    for name in KEY:
        op.drop_column("tablet", name)
