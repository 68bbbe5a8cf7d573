"""Passkeys that an officer set up at a tablet, after a PIN alone: they sign nobody in to pages"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "passkey",
        sa.Column("tablets_only", sa.Boolean(), nullable=False, server_default=sa.text("false")),
    )


def downgrade() -> None:
    op.drop_column("passkey", "tablets_only")
