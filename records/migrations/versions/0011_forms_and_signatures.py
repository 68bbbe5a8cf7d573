"""A site's own questionnaires, and notes that are signed and locked"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "instrument",
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("version", sa.String(length=16), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("imported_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("code", "version", name="pk_instrument"),
    )
    op.create_table(
        "note_signature",
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("signer_id", sa.String(length=40), nullable=False),
        sa.Column("signed_at", sa.Double(), nullable=False),
        sa.Column("signer", sa.Text(), nullable=False),
        sa.Column("digest_enc", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["session.id"], name="fk_note_signature_session_id"
        ),
        sa.ForeignKeyConstraint(["signer_id"], ["person.id"], name="fk_note_signature_signer_id"),
        sa.PrimaryKeyConstraint("session_id", name="pk_note_signature"),
    )
    op.create_table(
        "addendum",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("author_id", sa.String(length=40), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("body_enc", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["session_id"], ["session.id"], name="fk_addendum_session_id"),
        sa.ForeignKeyConstraint(["author_id"], ["person.id"], name="fk_addendum_author_id"),
        sa.PrimaryKeyConstraint("id", name="pk_addendum"),
    )
    op.create_index("addendum_session", "addendum", ["session_id", "at"])
    op.create_index("session_of_lead", "session", ["lead_id", "closed_at"])


def downgrade() -> None:
    op.drop_index("session_of_lead", "session")
    op.drop_table("addendum")
    op.drop_table("note_signature")
    op.drop_table("instrument")
