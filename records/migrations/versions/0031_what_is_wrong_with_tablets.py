"""What keeps a tablet from being ready, kept with what it told of itself"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "tablet_report", sa.Column("troubles", sa.String(160), nullable=False, server_default="")
    )


def downgrade() -> None:
    op.drop_column("tablet_report", "troubles")
