"""Records that somebody opened in an emergency, with a reason"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "opening",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("session_id", sa.String(40), nullable=False),
        sa.Column("person_id", sa.String(40), nullable=False),
        sa.Column("reason_enc", sa.LargeBinary, nullable=False),
        sa.Column("opened_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("reviewed_at", sa.Double),
        sa.Column("reviewed_by", sa.String(40)),
        sa.PrimaryKeyConstraint("id", name="pk_opening"),
        sa.ForeignKeyConstraint(["session_id"], ["session.id"], name="fk_opening_session_id"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_opening_person_id"),
        sa.ForeignKeyConstraint(["reviewed_by"], ["person.id"], name="fk_opening_reviewed_by"),
        sa.CheckConstraint(
            "expires_at > opened_at AND expires_at <= opened_at + 14400", name="short"
        ),
        sa.CheckConstraint("reviewed_by != person_id", name="not_by_oneself"),
    )
    op.create_index("opening_of_session", "opening", ["session_id", "expires_at"])
    op.create_index("opening_by_time", "opening", ["opened_at"])


def downgrade() -> None:
    op.drop_table("opening")
