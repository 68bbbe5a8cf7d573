"""The roster: validity of weekly shifts, exceptions, swaps, calendar feeds, alarms about gaps"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _id(name: str, table: str) -> tuple[sa.Column[str], sa.ForeignKeyConstraint]:
    """A column that names a row of another table."""
    target = "provider.id" if name == "provider_id" else "person.id"
    return (
        sa.Column(name, sa.String(length=40)),
        sa.ForeignKeyConstraint([name], [target], name=f"fk_{table}_{name}"),
    )


def _needed(name: str, table: str) -> tuple[sa.Column[str], sa.ForeignKeyConstraint]:
    column, key = _id(name, table)
    column.nullable = False
    return column, key


def upgrade() -> None:
    for column in ("valid_from", "valid_until"):
        op.add_column("roster_entry", sa.Column(column, sa.Date))
    op.add_column("roster_entry", sa.Column("ended_at", sa.Double))
    _override()
    _swap()
    version = op.create_table(
        "roster_version",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_roster_version"),
        sa.CheckConstraint("id = 1", name="one_row"),
    )
    op.bulk_insert(version, [{"id": 1, "version": 1}])
    _feed()
    op.create_table(
        "roster_alarm",
        *_needed("provider_id", "roster_alarm"),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("starts_at", sa.Double, nullable=False),
        sa.Column("ends_at", sa.Double, nullable=False),
        sa.Column("told_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("provider_id", "kind", "starts_at", name="pk_roster_alarm"),
        sa.CheckConstraint("kind IN ('nobody','no_first_tier')", name="known_kind"),
    )


def _override() -> None:
    name = "roster_override"
    op.create_table(
        name,
        sa.Column("id", sa.String(length=40), nullable=False),
        *_needed("provider_id", name),
        *_id("person_id", name),
        *_id("instead_of_id", name),
        sa.Column("starts_at", sa.Double, nullable=False),
        sa.Column("ends_at", sa.Double, nullable=False),
        sa.Column("tier", sa.Integer),
        sa.Column("made_at", sa.Double, nullable=False),
        *_needed("made_by", name),
        sa.Column("ended_at", sa.Double),
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sa.CheckConstraint("ends_at > starts_at", name="span"),
        sa.CheckConstraint("person_id IS NOT NULL OR instead_of_id IS NOT NULL", name="somebody"),
        sa.CheckConstraint("person_id != instead_of_id", name="not_in_own_place"),
        sa.CheckConstraint("instead_of_id IS NULL OR tier IS NULL", name="tier_of_the_other"),
        sa.CheckConstraint(
            "instead_of_id IS NOT NULL OR tier IS NOT NULL AND tier BETWEEN 1 AND 9",
            name="tier_of_the_added",
        ),
    )
    op.create_index(f"ix_{name}_provider_id", name, ["provider_id"])


def _swap() -> None:
    name = "roster_swap"
    op.create_table(
        name,
        sa.Column("id", sa.String(length=40), nullable=False),
        *_needed("provider_id", name),
        *_needed("from_id", name),
        *_id("to_id", name),
        sa.Column("starts_at", sa.Double, nullable=False),
        sa.Column("ends_at", sa.Double, nullable=False),
        sa.Column("back_starts_at", sa.Double),
        sa.Column("back_ends_at", sa.Double),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("made_at", sa.Double, nullable=False),
        sa.Column("decided_at", sa.Double),
        *_id("decided_by", name),
        *_id("taken_by", name),
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sa.CheckConstraint(
            "state IN ('proposed','accepted','refused','withdrawn','lapsed')",
            name="known_state",
        ),
        sa.CheckConstraint("ends_at > starts_at", name="span"),
        sa.CheckConstraint("to_id != from_id", name="not_to_oneself"),
        sa.CheckConstraint("taken_by != from_id", name="not_by_oneself"),
        sa.CheckConstraint(
            "state != 'accepted' OR taken_by IS NOT NULL", name="accepted_by_somebody"
        ),
        sa.CheckConstraint("state = 'accepted' OR taken_by IS NULL", name="taken_when_accepted"),
        sa.CheckConstraint("state = 'proposed' OR decided_at IS NOT NULL", name="decided_has_time"),
        sa.CheckConstraint(
            "back_starts_at IS NOT NULL AND back_ends_at IS NOT NULL"
            " AND back_ends_at > back_starts_at AND to_id IS NOT NULL"
            " OR back_starts_at IS NULL AND back_ends_at IS NULL",
            name="exchange",
        ),
    )
    op.create_index(f"ix_{name}_provider_id", name, ["provider_id"])
    op.create_index(
        "one_proposal_per_turn",
        name,
        ["from_id", "starts_at"],
        unique=True,
        sqlite_where=sa.text("state = 'proposed'"),
        postgresql_where=sa.text("state = 'proposed'"),
    )


def _feed() -> None:
    name = "roster_feed"
    op.create_table(
        name,
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        *_needed("provider_id", name),
        *_id("person_id", name),
        *_needed("owner_id", name),
        sa.Column("made_at", sa.Double, nullable=False),
        sa.Column("revoked_at", sa.Double),
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sa.UniqueConstraint("token_hash", name=f"uq_{name}_token_hash"),
    )
    op.create_index(f"ix_{name}_owner_id", name, ["owner_id"])


def downgrade() -> None:
    for table in ("roster_alarm", "roster_feed", "roster_version", "roster_swap"):
        op.drop_table(table)
    op.drop_table("roster_override")
    # what was taken out of the plan must not come back to life
    op.execute(sa.text("DELETE FROM roster_entry WHERE ended_at IS NOT NULL"))
    for column in ("ended_at", "valid_until", "valid_from"):
        op.drop_column("roster_entry", column)
