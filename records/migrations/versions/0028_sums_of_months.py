"""Sums of a month of days, and whom sessions were about among the sums

A day is no longer summed up right when it becomes known, or changes, whom a session was about.
"""
# ruff: noqa: S608 - every name in these statements is a constant of this file

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

CHANGES = (("insert", "NEW"), ("update", "NEW"), ("delete", "OLD"))


def upgrade() -> None:
    op.create_table(
        "report_block",
        sa.Column("block", sa.Integer, primary_key=True, autoincrement=False),
        *(
            sa.Column(name, sa.String(40), primary_key=True)
            for name in ("program_id", "provider_id", "agency_id")
        ),
        sa.Column("place_state", sa.String(2), primary_key=True),
        sa.Column("place_county", sa.String(60), primary_key=True),
        sa.Column("funding", sa.String(24), primary_key=True),
        sa.Column("wellness", sa.Boolean, primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "report_block_built",
        sa.Column("block", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("stamp", sa.Integer, nullable=False),
        sa.Column("rules", sa.SmallInteger, nullable=False),
    )
    postgresql = op.get_bind().dialect.name == "postgresql"
    day = (
        "floor(s.pressed_at / 86400.0)::integer"
        if postgresql
        else "CAST(s.pressed_at / 86400.0 AS INTEGER)"
    )
    for change, row in CHANGES:
        name = f"identity_report_{change}"
        act = (
            f"BEGIN INSERT INTO report_change (day) SELECT {day} FROM session s"
            f" WHERE s.id = {row}.session_id AND s.state = 'closed';"
        )
        if postgresql:
            op.execute(
                f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$"
                f" {act} RETURN NULL; END $$"
            )
            op.execute(
                f"CREATE TRIGGER {name} AFTER {change} ON identity"
                f" FOR EACH ROW EXECUTE FUNCTION {name}()"
            )
        else:
            op.execute(f"CREATE TRIGGER {name} AFTER {change} ON identity {act} END")


def downgrade() -> None:
    postgresql = op.get_bind().dialect.name == "postgresql"
    for change, _ in CHANGES:
        name = f"identity_report_{change}"
        op.execute(f"DROP TRIGGER {name} ON identity" if postgresql else f"DROP TRIGGER {name}")
        if postgresql:
            op.execute(f"DROP FUNCTION {name}()")
    op.drop_table("report_block_built")
    op.drop_table("report_block")
