"""What the officer says of the scene: forms without an author, and ratings beside the clinician's

Going down removes the officers' forms: the program of that time knows none of them and could show
no session that has one.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

_COUNTED = sa.text("instrument = 'moud'")


def upgrade() -> None:
    _author(nullable=True)
    for name in ("scene_before", "scene_after"):
        op.add_column("session_fact", sa.Column(name, sa.SmallInteger))


def downgrade() -> None:
    for name in ("scene_after", "scene_before"):
        op.drop_column("session_fact", name)
    op.execute("DELETE FROM assessment WHERE instrument LIKE 'officer-%'")
    _author(nullable=False)


def _author(*, nullable: bool) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("assessment", "author_id", nullable=nullable)
        return
    # SQLite makes the table anew, and would lose what its index is limited to
    op.drop_index("assessment_counted", "assessment")
    with op.batch_alter_table("assessment") as table:
        table.alter_column("author_id", existing_type=sa.String(40), nullable=nullable)
    op.create_index("assessment_counted", "assessment", ["session_id"], sqlite_where=_COUNTED)
