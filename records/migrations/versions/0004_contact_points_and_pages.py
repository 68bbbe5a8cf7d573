"""Ways to reach people, the pages sent by them, and each provider's escalation steps"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _contact_point()
    _page()
    op.create_table(
        "escalation_step",
        sa.Column("provider_id", sa.String(40), nullable=False),
        sa.Column("no", sa.Integer(), nullable=False),
        sa.Column("after_seconds", sa.Double(), nullable=False),
        sa.Column("act", sa.String(16), nullable=False),
        sa.Column("tier", sa.Integer()),
        sa.Column("every_seconds", sa.Double()),
        sa.Column("until", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["provider.id"], name="fk_escalation_step_provider_id"
        ),
        sa.PrimaryKeyConstraint("provider_id", "no", name="pk_escalation_step"),
        sa.CheckConstraint(
            "act IN ('page','second_tier','supervisor','nobody_yet','partner')",
            name=op.f("ck_escalation_step_known_act"),
        ),
    )


def downgrade() -> None:
    op.drop_table("escalation_step")
    op.drop_table("page")
    op.drop_table("contact_point")


def _contact_point() -> None:
    op.create_table(
        "contact_point",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("person_id", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("details_enc", sa.LargeBinary()),
        sa.Column("kek_id", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("verified_at", sa.Double()),
        sa.Column("tested_at", sa.Double()),
        sa.Column("removed_at", sa.Double()),
        sa.Column("removed_reason", sa.String(16)),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_contact_point_person_id"),
        sa.PrimaryKeyConstraint("id", name="pk_contact_point"),
        sa.CheckConstraint(
            "kind IN ('push','sms','voice','email','chat')",
            name=op.f("ck_contact_point_known_kind"),
        ),
        sa.CheckConstraint(
            "removed_at IS NOT NULL OR details_enc IS NOT NULL",
            name=op.f("ck_contact_point_kept_or_removed"),
        ),
    )
    op.create_index("ix_contact_point_person_id", "contact_point", ["person_id"])
    op.create_index(
        "one_way_once",
        "contact_point",
        ["person_id", "digest"],
        unique=True,
        sqlite_where=sa.text("removed_at IS NULL"),
        postgresql_where=sa.text("removed_at IS NULL"),
    )


def _page() -> None:
    references = {
        "session_id": "session",
        "provider_id": "provider",
        "person_id": "person",
        "contact_id": "contact_point",
    }
    op.create_table(
        "page",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("purpose", sa.String(12), nullable=False),
        sa.Column("session_id", sa.String(40)),
        sa.Column("provider_id", sa.String(40)),
        sa.Column("person_id", sa.String(40), nullable=False),
        sa.Column("contact_id", sa.String(40), nullable=False),
        sa.Column("step", sa.String(16), nullable=False),
        sa.Column("text_key", sa.String(64), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("reason", sa.String(24)),
        sa.Column("attempt", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("queued_at", sa.Double(), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=False),
        *(sa.Column(name, sa.Double()) for name in _TIMES),
        *(
            sa.ForeignKeyConstraint([column], [f"{table}.id"], name=f"fk_page_{column}")
            for column, table in references.items()
        ),
        sa.PrimaryKeyConstraint("id", name="pk_page"),
        sa.UniqueConstraint("key", name="uq_page_key"),
        sa.UniqueConstraint("token_hash", name="uq_page_token_hash"),
        *(sa.CheckConstraint(sql, name=op.f(f"ck_page_{name}")) for name, sql in _CHECKS.items()),
    )
    op.create_index("ix_page_session_id", "page", ["session_id"])
    op.create_index("ix_page_person_id", "page", ["person_id"])
    op.create_index(
        "page_queue",
        "page",
        ["due_at"],
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )


_TIMES = (
    "lease_until",
    "sent_at",
    "delivered_at",
    "opened_at",
    "acknowledged_at",
    "ended_at",
)
_CHECKS = {
    "known_purpose": "purpose IN ('call','stand_down','test','alarm')",
    "known_state": (
        "state IN ('queued','sent','delivered','opened','acknowledged','failed','withdrawn')"
    ),
    "of_a_session": "purpose NOT IN ('call','stand_down') OR session_id IS NOT NULL",
}
