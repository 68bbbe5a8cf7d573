"""A directory of help near by, by county"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

WORDS = (
    "phone", "text_line", "address", "website", "hours", "hours_es", "accepts", "accepts_es",
)  # fmt: skip


def upgrade() -> None:
    op.create_table(
        "resource",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("program_id", sa.String(40), sa.ForeignKey("program.id"), nullable=False),
        sa.Column("rev", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False, server_default="") for name in WORDS),
        sa.Column("checked_at", sa.Double, nullable=False),
        sa.Column("changed_at", sa.Double, nullable=False),
        sa.Column("changed_by", sa.String(40), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("removed_at", sa.Double),
    )
    where = sa.text("removed_at IS NULL")
    op.create_index(
        "resource_of_program",
        "resource",
        ["program_id", "kind", "name"],
        sqlite_where=where,
        postgresql_where=where,
    )
    op.create_table(
        "resource_place",
        sa.Column("resource_id", sa.String(40), sa.ForeignKey("resource.id"), primary_key=True),
        sa.Column("state", sa.String(2), primary_key=True),
        sa.Column("county", sa.String(60), primary_key=True),
    )


def downgrade() -> None:
    op.drop_table("resource_place")
    op.drop_index("resource_of_program", "resource")
    op.drop_table("resource")
