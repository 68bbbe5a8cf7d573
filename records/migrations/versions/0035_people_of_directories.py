"""Who somebody is at a directory that signs them in, and sign-ins that end after a call"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "issuer_link",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("person_id", sa.String(40), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("issuer_id", sa.String(40), nullable=False),
        sa.Column("alone", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("made_at", sa.Double, nullable=False),
        sa.Column("used_at", sa.Double, nullable=False),
        sa.UniqueConstraint("issuer", "subject", name="subject_of_issuer"),
    )
    op.create_index("ix_issuer_link_person_id", "issuer_link", ["person_id"])
    op.add_column("login", sa.Column("issuer_id", sa.String(40)))
    op.add_column(
        "login",
        sa.Column("ends_after_call", sa.Boolean, nullable=False, server_default=sa.text("false")),
    )


def downgrade() -> None:
    op.drop_column("login", "ends_after_call")
    op.drop_column("login", "issuer_id")
    op.drop_table("issuer_link")
