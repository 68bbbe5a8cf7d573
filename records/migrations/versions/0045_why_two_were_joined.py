"""Why sessions were joined to one person by hand, and which of them the hash could move before"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("identity_merge", sa.Column("free", sa.Text))
    op.add_column("identity_merge", sa.Column("reason", sa.String(24)))


def downgrade() -> None:
    op.drop_column("identity_merge", "reason")
    op.drop_column("identity_merge", "free")
