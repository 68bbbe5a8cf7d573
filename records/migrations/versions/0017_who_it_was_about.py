"""Who a session was about, sealed; and what joins the sessions of one person"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "identity",
        sa.Column("session_id", sa.String(40), sa.ForeignKey("session.id"), primary_key=True),
        sa.Column("subject_id", sa.String(40), nullable=False),
        sa.Column("pinned", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("provider_id", sa.String(40), sa.ForeignKey("provider.id"), nullable=False),
        sa.Column("tag", sa.LargeBinary),
        sa.Column("rev", sa.Integer, nullable=False),
        sa.Column("name_enc", sa.LargeBinary, nullable=False),
        sa.Column("born_enc", sa.LargeBinary, nullable=False),
        sa.Column("alias_enc", sa.LargeBinary, nullable=False),
        sa.Column("author_id", sa.String(40), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
    )
    where = sa.text("tag IS NOT NULL")
    op.create_index("identity_of_subject", "identity", ["subject_id"])
    op.create_index(
        "identity_by_tag", "identity", ["tag"], sqlite_where=where, postgresql_where=where
    )
    op.create_table(
        "identity_merge",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("from_subject", sa.String(40), nullable=False),
        sa.Column("into_subject", sa.String(40), nullable=False),
        sa.Column("sessions", sa.Text, nullable=False),
        sa.Column("made_by", sa.String(40), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("made_at", sa.Double, nullable=False),
        sa.Column("undone_by", sa.String(40), sa.ForeignKey("person.id")),
        sa.Column("undone_at", sa.Double),
    )
    op.create_index("merge_into", "identity_merge", ["into_subject", "made_at"])


def downgrade() -> None:
    op.drop_table("identity_merge")
    op.drop_table("identity")
