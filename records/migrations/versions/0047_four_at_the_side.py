"""Four may sit at the side of a call

Going down puts out whoever has the fourth place: the program of that time has none for them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None

_HERE = "left_at IS NULL"
_SITS_IN = "left_at IS NULL AND role = 'receiver'"
_UNIQUE = {  # name -> columns, of which rows
    "one_party_per_seat": (["session_id", "seat"], _HERE),
    "one_receiver_per_session": (["session_id", "role"], _SITS_IN),
    "one_sitting_per_receiver": (["person_id"], _SITS_IN),
    "one_place_per_link": (["guest_link_id"], _HERE),
}
_COPY = (
    "INSERT INTO participant (id, session_id, seat, role, mode, person_id, guest_link_id, epoch,"
    " joined_at, left_at, left_reason, held_at)"
    " SELECT id, session_id, seat, role, mode, person_id, guest_link_id, epoch,"
    " joined_at, left_at, left_reason, held_at FROM participant_before"
)


def upgrade() -> None:
    _seats("seat IN ('clinician','side1','side2','side3','side4')")


def downgrade() -> None:
    op.execute("DELETE FROM participant WHERE seat = 'side4'")
    _seats("seat IN ('clinician','side1','side2','side3')")


def _seats(known: str) -> None:
    name = op.f("ck_participant_known_seat")
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(name, "participant", type_="check")
        op.create_check_constraint(name, "participant", known)
        return
    # SQLite changes no rule of a table: it is made anew
    for index in ("ix_participant_session_id", *_UNIQUE):
        op.drop_index(index, "participant")
    op.rename_table("participant", "participant_before")
    _table(sa.CheckConstraint(known, name=name))
    op.execute(_COPY)
    op.drop_table("participant_before")
    op.create_index("ix_participant_session_id", "participant", ["session_id"])
    for index, (columns, where) in _UNIQUE.items():
        op.create_index(index, "participant", columns, unique=True, sqlite_where=sa.text(where))


def _table(known_seat: sa.CheckConstraint) -> None:
    op.create_table(
        "participant",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("seat", sa.String(length=12), nullable=False),
        sa.Column("role", sa.String(length=12), nullable=False),
        sa.Column("mode", sa.String(length=8), nullable=False, server_default="speak"),
        sa.Column("person_id", sa.String(length=40)),
        sa.Column("guest_link_id", sa.String(length=40)),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("joined_at", sa.Double(), nullable=False),
        sa.Column("left_at", sa.Double()),
        sa.Column("left_reason", sa.String(length=16)),
        sa.Column("held_at", sa.Double()),
        sa.PrimaryKeyConstraint("id", name="pk_participant"),
        _to("session_id", "session"),
        _to("person_id", "person"),
        _to("guest_link_id", "guest_link"),
        sa.CheckConstraint(
            "role IN ('lead','receiver','interpreter','supervisor')",
            name=op.f("ck_participant_known_role"),
        ),
        sa.CheckConstraint(
            "mode IN ('speak','listen','whisper')", name=op.f("ck_participant_known_mode")
        ),
        known_seat,
        sa.CheckConstraint(
            "(person_id IS NULL) != (guest_link_id IS NULL)",
            name=op.f("ck_participant_one_identity"),
        ),
        sa.CheckConstraint(
            "(role = 'lead') = (seat = 'clinician')", name=op.f("ck_participant_the_lead_s_seat")
        ),
    )


def _to(column: str, table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{table}.id"], name=f"fk_participant_{column}")
