"""Near misses, sessions that nobody follows up, and how far the look-outs have come"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

OPEN = sa.text("closed_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "near_miss",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("session_id", sa.String(40), sa.ForeignKey("session.id"), nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("pressed_at", sa.Double, nullable=False),
        sa.Column("opened_at", sa.Double, nullable=False),
        sa.Column("rev", sa.Integer, nullable=False, server_default="1"),
        sa.Column("closed_at", sa.Double),
        sa.Column("closed_by", sa.String(40), sa.ForeignKey("person.id")),
        sa.CheckConstraint(
            "(closed_at IS NULL) = (closed_by IS NULL)",
            name="closed_by_somebody",
        ),
        sa.UniqueConstraint("session_id", "kind", name="uq_near_miss_once"),
    )
    op.create_index("near_miss_list", "near_miss", ["at", "id"])
    op.create_index("near_miss_kind", "near_miss", ["kind", "at", "id"])
    op.create_index("near_miss_session", "near_miss", ["pressed_at", "session_id"])
    op.create_index("near_miss_session_kind", "near_miss", ["kind", "pressed_at", "session_id"])
    for name, columns in (
        ("near_miss_open", ["at", "id"]),
        ("near_miss_session_open", ["pressed_at", "session_id"]),
    ):
        op.create_index(name, "near_miss", columns, sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_table(
        "near_miss_note",
        sa.Column("miss_id", sa.String(40), sa.ForeignKey("near_miss.id"), primary_key=True),
        sa.Column("no", sa.Integer, primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("by_id", sa.String(40), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("act", sa.String(8), nullable=False),
        sa.Column("side", sa.String(8), nullable=False),
        sa.Column("note_enc", sa.LargeBinary),
        sa.CheckConstraint("act IN ('closed','reopened')", name="known_act"),
        sa.CheckConstraint("side IN ('provider','program')", name="known_side"),
    )
    op.create_table(
        "care_gap",
        sa.Column("session_id", sa.String(40), sa.ForeignKey("session.id"), primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("found_at", sa.Double, nullable=False),
        sa.Column("closed_at", sa.Double),
        sa.Column("reason", sa.String(16)),
        sa.Column("closed_by", sa.String(40), sa.ForeignKey("person.id")),
        sa.CheckConstraint("(closed_at IS NULL) = (reason IS NULL)", name="closed_with_reason"),
    )
    op.create_index(
        "care_gap_open", "care_gap", ["found_at", "session_id"],
        sqlite_where=OPEN, postgresql_where=OPEN,
    )  # fmt: skip
    op.create_table(
        "look_out",
        sa.Column("name", sa.String(24), primary_key=True),
        sa.Column("until", sa.Double, nullable=False),
    )
    over = sa.text("closed_at IS NOT NULL")
    op.create_index(
        "session_closed", "session", ["closed_at", "id"], sqlite_where=over, postgresql_where=over
    )


def downgrade() -> None:
    op.drop_index("session_closed", "session")
    for table in ("look_out", "care_gap", "near_miss_note", "near_miss"):
        op.drop_table(table)
