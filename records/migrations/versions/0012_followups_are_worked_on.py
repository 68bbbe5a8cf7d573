"""Follow-ups are worked on: attempts, a reason for closing, who was told that one is overdue"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_CLOSED = "(status = 'open') = (closed_reason IS NULL) AND (status = 'open') = (closed_at IS NULL)"


def upgrade() -> None:
    with op.batch_alter_table("followup") as table:
        table.add_column(sa.Column("rev", sa.Integer(), nullable=False, server_default="1"))
        table.add_column(sa.Column("closed_reason", sa.String(length=16)))
        table.add_column(sa.Column("closed_by", sa.String(length=40)))
        table.add_column(sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"))
        table.create_foreign_key("fk_followup_closed_by", "person", ["closed_by"], ["id"])
        table.create_check_constraint(
            op.f("ck_followup_known_status"), "status IN ('open','done','closed')"
        )
        table.create_check_constraint(op.f("ck_followup_closed_with_reason"), _CLOSED)
    op.create_index("followup_due", "followup", ["status", "due_at", "id"])
    op.create_index("followup_of_owner", "followup", ["owner_id", "status"])
    op.create_table(
        "followup_attempt",
        sa.Column("followup_id", sa.String(length=40), nullable=False),
        sa.Column("no", sa.Integer(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("by_id", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.String(length=12), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("note_enc", sa.LargeBinary()),
        sa.ForeignKeyConstraint(
            ["followup_id"], ["followup.id"], name="fk_followup_attempt_followup_id"
        ),
        sa.ForeignKeyConstraint(["by_id"], ["person.id"], name="fk_followup_attempt_by_id"),
        sa.PrimaryKeyConstraint("followup_id", "no", name="pk_followup_attempt"),
    )
    op.create_table(
        "followup_told",
        sa.Column("followup_id", sa.String(length=40), nullable=False),
        sa.Column("step", sa.String(length=12), nullable=False),
        sa.Column("told_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["followup_id"], ["followup.id"], name="fk_followup_told_followup_id"
        ),
        sa.PrimaryKeyConstraint("followup_id", "step", name="pk_followup_told"),
    )


def downgrade() -> None:
    op.drop_table("followup_told")
    op.drop_table("followup_attempt")
    op.drop_index("followup_of_owner", "followup")
    op.drop_index("followup_due", "followup")
    with op.batch_alter_table("followup") as table:
        table.drop_constraint(op.f("ck_followup_closed_with_reason"), type_="check")
        table.drop_constraint(op.f("ck_followup_known_status"), type_="check")
        table.drop_constraint("fk_followup_closed_by", type_="foreignkey")
        table.drop_column("attempts")
        table.drop_column("closed_by")
        table.drop_column("closed_reason")
        table.drop_column("rev")
