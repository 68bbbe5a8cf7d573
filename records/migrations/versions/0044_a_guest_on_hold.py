"""Since when somebody at the side of a call is on hold"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("participant", sa.Column("held_at", sa.Double))


def downgrade() -> None:
    op.drop_column("participant", "held_at")
