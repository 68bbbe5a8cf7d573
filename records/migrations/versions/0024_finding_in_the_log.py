"""The log by clinician, officer, unit, county and flag; saved views"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

LEADING = {
    "session_led": "lead_id",
    "session_of_officer": "officer_id",
    "session_of_tablet": "tablet_id",
}
BITS = (0, 1, 2, 4, 5, 6, 7)


def upgrade() -> None:
    for name, column in LEADING.items():
        op.create_index(name, "session", [column, "pressed_at", "id"])
    somewhere = sa.text("place_county IS NOT NULL")
    op.create_index(
        "session_of_county", "session", ["place_county", "place_state", "pressed_at", "id"],
        sqlite_where=somewhere, postgresql_where=somewhere,
    )  # fmt: skip
    for bit in BITS:
        flagged = sa.text(f"(flags & {1 << bit}) <> 0")
        op.create_index(
            f"session_flag_{bit}", "session", ["pressed_at", "id"],
            sqlite_where=flagged, postgresql_where=flagged,
        )  # fmt: skip
    op.create_index("case_number_found", "case_number", ["number"])
    op.create_table(
        "saved_view",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("owner_id", sa.String(40), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("program_id", sa.String(40), sa.ForeignKey("program.id")),
        sa.Column("provider_id", sa.String(40), sa.ForeignKey("provider.id")),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("filter", sa.Text, nullable=False),
        sa.Column("shared", sa.Boolean, nullable=False),
        sa.Column("changed_at", sa.Double, nullable=False),
        sa.UniqueConstraint("owner_id", "name", name="uq_view_name"),
    )
    shared = sa.text("shared")
    for name, column in (("view_of_program", "program_id"), ("view_of_provider", "provider_id")):
        op.create_index(name, "saved_view", [column], sqlite_where=shared, postgresql_where=shared)
    op.create_table(
        "first_view",
        sa.Column("person_id", sa.String(40), sa.ForeignKey("person.id"), primary_key=True),
        sa.Column(
            "view_id",
            sa.String(40),
            sa.ForeignKey("saved_view.id", ondelete="CASCADE"),
            nullable=False,
        ),
    )
    op.create_index("first_view_of", "first_view", ["view_id"])


def downgrade() -> None:
    op.drop_table("first_view")
    op.drop_table("saved_view")
    op.drop_index("case_number_found", "case_number")
    for bit in BITS:
        op.drop_index(f"session_flag_{bit}", "session")
    for name in ("session_of_county", *LEADING):
        op.drop_index(name, "session")
