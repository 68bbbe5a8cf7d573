"""Consents, what was given out on which basis, and whether the officer's body camera ran"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

CAMERA = "body_camera IN ('on','off','muted')"
GIVEN = "method IN ('verbal','signed')"


def upgrade() -> None:
    op.create_table(
        "consent",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("session_id", sa.String(40), sa.ForeignKey("session.id"), nullable=False),
        sa.Column("participant", sa.String(12), nullable=False),
        sa.Column("purpose", sa.String(12), nullable=False),
        sa.Column("method", sa.String(8), nullable=False),
        sa.Column("terms_enc", sa.LargeBinary, nullable=False),
        sa.Column("wording", sa.String(16), nullable=False),
        sa.Column("language", sa.String(5), nullable=False),
        sa.Column("given_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double),
        sa.Column("recorded_by", sa.String(40), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("recorded_at", sa.Double, nullable=False),
        sa.Column("revoked_at", sa.Double),
        sa.Column("revoked_by", sa.String(40), sa.ForeignKey("person.id")),
        sa.CheckConstraint("method IN ('verbal','signed','refused','unable')", name="known_method"),
        sa.CheckConstraint(f"({GIVEN}) = (expires_at IS NOT NULL)", name="given_has_end"),
        sa.CheckConstraint("expires_at IS NULL OR expires_at > given_at", name="ends_later"),
        sa.CheckConstraint(
            "(revoked_at IS NULL) = (revoked_by IS NULL)", name="revoked_by_somebody"
        ),
        sa.CheckConstraint(f"revoked_at IS NULL OR {GIVEN}", name="given_before_revoked"),
    )
    op.create_index("consent_session", "consent", ["session_id", "given_at"])
    op.create_table(
        "disclosure",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("session_id", sa.String(40), sa.ForeignKey("session.id"), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("actor_kind", sa.String(12), nullable=False),
        sa.Column("actor_id", sa.String(40)),
        sa.Column("way", sa.String(12), nullable=False),
        sa.Column("recipient", sa.String(12), nullable=False),
        sa.Column("purpose", sa.String(12), nullable=False),
        sa.Column("basis", sa.String(16), nullable=False),
        sa.Column("terms_enc", sa.LargeBinary, nullable=False),
    )
    op.create_index("disclosure_session", "disclosure", ["session_id", "at"])
    if op.get_bind().dialect.name == "sqlite":  # adds a column with its check in one statement
        op.execute(
            "ALTER TABLE session ADD COLUMN body_camera VARCHAR(8)"
            f" CONSTRAINT ck_session_known_camera CHECK ({CAMERA})"
        )
    else:
        op.add_column("session", sa.Column("body_camera", sa.String(8)))
        op.create_check_constraint(op.f("ck_session_known_camera"), "session", CAMERA)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(op.f("ck_session_known_camera"), "session")
    op.drop_column("session", "body_camera")
    op.drop_table("disclosure")
    op.drop_table("consent")
