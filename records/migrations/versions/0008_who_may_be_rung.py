"""Who may be rung: catchments, licences, languages, age groups, specialities; missed offers"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TIMES = (
    "round_seconds",
    "deliver_seconds",
    "cooldown_declined",
    "cooldown_expired",
    "cooldown_undelivered",
    "excluded_after_decline",
    "promote_after",
)
_MISSED = {
    "missed_in_a_row": "state = 'expired' AND forgiven_at IS NULL",
    "missed_unread": "state IN ('declined','expired','undelivered') AND read_at IS NULL",
}


def upgrade() -> None:
    _places()
    _queue_settings()
    _people()
    for column in (
        sa.Column("place_county", sa.String(60)),
        sa.Column("place_state", sa.String(2)),
        sa.Column("language", sa.String(24)),
    ):
        op.add_column("session", column)
    op.add_column("offer", sa.Column("relaxed", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("offer", sa.Column("read_at", sa.Double()))
    op.add_column("offer", sa.Column("forgiven_at", sa.Double()))
    # what was missed before there was a list of it is not news, and pauses nobody
    op.execute("UPDATE offer SET read_at = ended_at, forgiven_at = ended_at")
    for name, where in _MISSED.items():
        op.create_index(
            name,
            "offer",
            ["clinician_id"],
            sqlite_where=sa.text(where),
            postgresql_where=sa.text(where),
        )


def downgrade() -> None:
    for name in _MISSED:
        op.drop_index(name, table_name="offer")
    for table, columns in (
        ("offer", ("forgiven_at", "read_at", "relaxed")),
        ("session", ("language", "place_state", "place_county")),
        ("person", ("serves_juvenile", "serves_adult")),
    ):
        for column in columns:
            op.drop_column(table, column)
    for name in ("person_tag", "licence", "queue_settings", "agency_place", "catchment"):
        op.drop_table(name)


def _key(table: str, column: str) -> sa.ForeignKeyConstraint:
    target = f"{column.removesuffix('_id')}.id"
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_{table}_{column}")


def _places() -> None:
    op.create_table(
        "catchment",
        sa.Column("provider_id", sa.String(40), nullable=False),
        sa.Column("state", sa.String(2), nullable=False),
        sa.Column("county", sa.String(60), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        _key("catchment", "provider_id"),
        sa.PrimaryKeyConstraint("provider_id", "state", "county", name="pk_catchment"),
        sa.CheckConstraint("rank BETWEEN 1 AND 9", name=op.f("ck_catchment_rank")),
    )
    op.create_table(
        "agency_place",
        sa.Column("agency_id", sa.String(40), nullable=False),
        sa.Column("no", sa.Integer(), nullable=False),
        sa.Column("county", sa.String(60), nullable=False),
        sa.Column("state", sa.String(2), nullable=False),
        _key("agency_place", "agency_id"),
        sa.PrimaryKeyConstraint("agency_id", "no", name="pk_agency_place"),
    )


def _queue_settings() -> None:
    op.create_table(
        "queue_settings",
        sa.Column("provider_id", sa.String(40), nullable=False),
        sa.Column("ring", sa.String(4), nullable=False, server_default="all"),
        *(sa.Column(name, sa.Double()) for name in _TIMES),
        sa.Column("missed_limit", sa.Integer()),
        sa.Column("relaxations", sa.Text()),
        _key("queue_settings", "provider_id"),
        sa.PrimaryKeyConstraint("provider_id", name="pk_queue_settings"),
        sa.CheckConstraint("ring IN ('all','one')", name=op.f("ck_queue_settings_known_ring")),
    )


def _people() -> None:
    for name in ("serves_adult", "serves_juvenile"):
        op.add_column(
            "person",
            sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.text("true")),
        )
    op.create_table(
        "licence",
        sa.Column("person_id", sa.String(40), nullable=False),
        sa.Column("no", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("state", sa.String(2), nullable=False),
        sa.Column("number", sa.String(40), nullable=False),
        sa.Column("expires_at", sa.Double()),
        sa.Column("compact", sa.String(24)),
        _key("licence", "person_id"),
        sa.PrimaryKeyConstraint("person_id", "no", name="pk_licence"),
    )
    op.execute(
        "INSERT INTO licence (person_id, no, type, state, number, expires_at)"
        " SELECT id, 1, COALESCE(SUBSTR(licence_type, 1, 40), ''), licence_state,"
        " COALESCE(SUBSTR(licence_number, 1, 40), ''), licence_expires_at"
        " FROM person WHERE licence_state IS NOT NULL"
    )
    op.create_table(
        "person_tag",
        sa.Column("person_id", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("code", sa.String(24), nullable=False),
        _key("person_tag", "person_id"),
        sa.PrimaryKeyConstraint("person_id", "kind", "code", name="pk_person_tag"),
        sa.CheckConstraint(
            "kind IN ('language','speciality')", name=op.f("ck_person_tag_known_kind")
        ),
    )
