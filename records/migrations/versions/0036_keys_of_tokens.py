"""Keys that sign tokens: public halves in the clear, private ones sealed"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "token_key",
        sa.Column("kid", sa.String(43), primary_key=True),
        sa.Column("public", sa.LargeBinary, nullable=False),
        sa.Column("private_enc", sa.LargeBinary),
        sa.Column("kek_id", sa.String(16), nullable=False),
        sa.Column("made_at", sa.Double, nullable=False),
        sa.Column("signs_from", sa.Double, nullable=False),
        sa.Column("verifies_until", sa.Double),
    )


def downgrade() -> None:
    op.drop_table("token_key")
