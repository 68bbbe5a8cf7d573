"""Participants, transfers and links for guests; an offer says what it is for"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_HERE = sa.text("left_at IS NULL")
_SITS_IN = sa.text("left_at IS NULL AND role = 'receiver'")
_OPEN = sa.text("ended_at IS NULL")


def _id(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=40), nullable=nullable)


def _unique(name: str, table: str, columns: list[str], where: sa.TextClause) -> None:
    op.create_index(name, table, columns, unique=True, sqlite_where=where, postgresql_where=where)


def _to(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}")


def upgrade() -> None:
    with op.batch_alter_table("offer") as offer:
        offer.add_column(
            sa.Column("purpose", sa.String(length=8), nullable=False, server_default="answer")
        )
        offer.create_check_constraint(
            op.f("ck_offer_known_purpose"), "purpose IN ('answer','transfer')"
        )
    _links()
    _participants()
    _transfers()


def _links() -> None:
    op.create_table(
        "guest_link",
        _id("id"),
        _id("session_id"),
        sa.Column("role", sa.String(length=12), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        _id("created_by"),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("used_at", sa.Double),
        sa.Column("name_enc", sa.LargeBinary),
        sa.Column("revoked_at", sa.Double),
        sa.PrimaryKeyConstraint("id", name="pk_guest_link"),
        _to("guest_link", "session_id", "session"),
        _to("guest_link", "created_by", "person"),
        sa.UniqueConstraint("token_hash", name="uq_guest_link_token_hash"),
        sa.CheckConstraint(
            "role IN ('interpreter','supervisor')", name=op.f("ck_guest_link_known_role")
        ),
        sa.CheckConstraint(
            "expires_at > created_at AND expires_at <= created_at + 7200",
            name=op.f("ck_guest_link_short"),
        ),
    )
    op.create_index("ix_guest_link_session_id", "guest_link", ["session_id"])


def _participants() -> None:
    op.create_table(
        "participant",
        _id("id"),
        _id("session_id"),
        sa.Column("seat", sa.String(length=12), nullable=False),
        sa.Column("role", sa.String(length=12), nullable=False),
        sa.Column("mode", sa.String(length=8), nullable=False, server_default="speak"),
        _id("person_id", nullable=True),
        _id("guest_link_id", nullable=True),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("joined_at", sa.Double, nullable=False),
        sa.Column("left_at", sa.Double),
        sa.Column("left_reason", sa.String(length=16)),
        sa.PrimaryKeyConstraint("id", name="pk_participant"),
        _to("participant", "session_id", "session"),
        _to("participant", "person_id", "person"),
        _to("participant", "guest_link_id", "guest_link"),
        sa.CheckConstraint(
            "role IN ('lead','receiver','interpreter','supervisor')",
            name=op.f("ck_participant_known_role"),
        ),
        sa.CheckConstraint(
            "mode IN ('speak','listen','whisper')", name=op.f("ck_participant_known_mode")
        ),
        sa.CheckConstraint(
            "seat IN ('clinician','side1','side2','side3')", name=op.f("ck_participant_known_seat")
        ),
        sa.CheckConstraint(
            "(person_id IS NULL) != (guest_link_id IS NULL)",
            name=op.f("ck_participant_one_identity"),
        ),
        sa.CheckConstraint(
            "(role = 'lead') = (seat = 'clinician')", name=op.f("ck_participant_the_lead_s_seat")
        ),
    )
    op.create_index("ix_participant_session_id", "participant", ["session_id"])
    _unique("one_party_per_seat", "participant", ["session_id", "seat"], _HERE)
    _unique("one_receiver_per_session", "participant", ["session_id", "role"], _SITS_IN)
    _unique("one_sitting_per_receiver", "participant", ["person_id"], _SITS_IN)
    _unique("one_place_per_link", "participant", ["guest_link_id"], _HERE)
    # sessions that are led now get their lead's place
    op.execute(
        "INSERT INTO participant (id, session_id, seat, role, mode, person_id, epoch, joined_at)"
        " SELECT 'par' || substr(id, 4), id, 'clinician', 'lead', 'speak', lead_id, epoch,"
        " coalesce(accepted_at, pressed_at) FROM session"
        " WHERE lead_id IS NOT NULL AND state != 'closed'"
    )


def _transfers() -> None:
    op.create_table(
        "transfer",
        _id("id"),
        _id("session_id"),
        sa.Column("epoch", sa.Integer, nullable=False),
        _id("from_id"),
        _id("to_id", nullable=True),
        _id("receiver_id", nullable=True),
        sa.Column("note_enc", sa.LargeBinary),
        sa.Column("asked_at", sa.Double, nullable=False),
        sa.Column("accepted_at", sa.Double),
        sa.Column("from_ready_at", sa.Double),
        sa.Column("to_ready_at", sa.Double),
        sa.Column("ended_at", sa.Double),
        sa.Column("outcome", sa.String(length=16)),
        sa.PrimaryKeyConstraint("id", name="pk_transfer"),
        _to("transfer", "session_id", "session"),
        _to("transfer", "from_id", "person"),
        _to("transfer", "to_id", "person"),
        _to("transfer", "receiver_id", "person"),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (outcome IS NULL)", name=op.f("ck_transfer_ended_has_outcome")
        ),
        sa.CheckConstraint(
            "(receiver_id IS NULL) = (accepted_at IS NULL)",
            name=op.f("ck_transfer_accepted_by_somebody"),
        ),
    )
    op.create_index("ix_transfer_session_id", "transfer", ["session_id"])
    _unique("one_open_transfer", "transfer", ["session_id"], _OPEN)


def downgrade() -> None:
    op.drop_table("transfer")
    op.drop_table("participant")
    op.drop_table("guest_link")
    with op.batch_alter_table("offer") as offer:
        offer.drop_constraint(op.f("ck_offer_known_purpose"), type_="check")
        offer.drop_column("purpose")
