"""What reports count: facts of sessions, sums of days that are over, who pays, grant packs

Triggers write down which day is no longer summed up right, whoever changed what by whatever way.
"""
# ruff: noqa: S608 - every name in these statements is a constant of this file

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op

from records.fact_rules import KINDS, LOST, RULES, Moment, losses

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

INDEX = (  # what reports were read from until now
    "program_id", "pressed_at", "test", "provider_id", "agency_id", "state", "close_reason",
    "accepted_at", "media_at", "ended_at", "closed_at", "recommended_disposition",
    "actual_disposition", "otherwise", "flags", "opioid", "wellness", "id",
)  # fmt: skip
COUNTED = (
    "state", "close_reason", "accepted_at", "media_at", "ended_at", "closed_at",
    "recommended_disposition", "actual_disposition", "otherwise", "flags", "opioid", "wellness",
    "funding", "test", "provider_id", "place_state", "place_county",
)  # fmt: skip
HANGING = {  # table -> the session that a row of it belongs to
    "session_fact": "{row}.session_id",
    "note_signature": "{row}.session_id",
    "followup": "{row}.session_id",
    "followup_attempt": "(SELECT f.session_id FROM followup f WHERE f.id = {row}.followup_id)",
}
CHANGES = (("insert", "NEW"), ("update", "NEW"), ("delete", "OLD"))


def upgrade() -> None:
    op.drop_index("session_facts", "session")
    for table in ("coverage", "session"):
        op.add_column(
            table, sa.Column("funding", sa.String(24), nullable=False, server_default="unknown")
        )
    _tables()
    _packs()
    _known_already()
    _watch()


def downgrade() -> None:
    _watch_no_more()
    for table in ("pack", "pack_plan", "report_change", "report_built", "report_day"):
        op.drop_table(table)
    op.drop_table("session_fact")
    op.drop_column("session", "funding")
    op.drop_column("coverage", "funding")
    closed = sa.text("state = 'closed'")
    op.create_index(
        "session_facts", "session", list(INDEX), sqlite_where=closed, postgresql_where=closed
    )


def _tables() -> None:
    op.create_table(
        "session_fact",
        sa.Column(
            "session_id",
            sa.String(40),
            sa.ForeignKey("session.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("loss_seconds", sa.Double),
        sa.Column("lost_at_end", sa.Boolean, nullable=False, server_default=sa.text("false")),
        *(
            sa.Column(name, sa.SmallInteger, nullable=False, server_default="0")
            for name in ("failed_setups", "screens_begun", "screens_done")
        ),
        sa.Column("plan", sa.String(12)),
        sa.Column("means", sa.String(12)),
        sa.Column("bars_before", sa.SmallInteger),
        sa.Column("bars_after", sa.SmallInteger),
        sa.Column("rules", sa.SmallInteger, nullable=False, server_default="0"),
    )
    where = sa.text("rules = 0")
    op.create_index(
        "fact_to_read", "session_fact", ["session_id"], sqlite_where=where, postgresql_where=where
    )
    op.create_table(
        "report_day",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
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
        "report_built",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("builds", sa.Integer, nullable=False),
        sa.Column("built_at", sa.Double, nullable=False),
        sa.Column("turns_at", sa.Double),
        sa.Column("rules", sa.SmallInteger, nullable=False),
    )
    op.create_table(
        "report_change",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("day", sa.Integer, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_report_change_day", "report_change", ["day"])


def _packs() -> None:
    op.create_table(
        "pack_plan",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("program_id", sa.String(40), sa.ForeignKey("program.id"), nullable=False),
        sa.Column("every", sa.String(8), nullable=False),
        sa.Column("agencies", sa.Text, nullable=False, server_default="[]"),
        sa.Column("funding", sa.String(24)),
        sa.Column("locale", sa.String(5), nullable=False, server_default="en"),
        sa.Column("made_by", sa.String(40), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("made_at", sa.Double, nullable=False),
        sa.Column("ended_at", sa.Double),
        sa.CheckConstraint("every IN ('month','quarter')", name=op.f("ck_pack_plan_known_every")),
    )
    op.create_index("ix_pack_plan_program_id", "pack_plan", ["program_id"])
    op.create_table(
        "pack",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("program_id", sa.String(40), sa.ForeignKey("program.id"), nullable=False),
        sa.Column("plan_id", sa.String(40), sa.ForeignKey("pack_plan.id"), nullable=False),
        sa.Column("first_day", sa.String(10), nullable=False),
        sa.Column("last_day", sa.String(10), nullable=False),
        sa.Column("made_at", sa.Double, nullable=False),
        sa.Column("told_at", sa.Double),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("pack_of_program", "pack", ["program_id", "made_at"])
    op.create_index("one_pack_per_period", "pack", ["plan_id", "first_day"], unique=True)


def _known_already() -> None:
    """A row for each session that is over: how its call held now, its answers by the server."""
    forms = "EXISTS (SELECT 1 FROM assessment a WHERE a.session_id = s.id)"
    op.execute(
        "INSERT INTO session_fact (session_id, rules)"
        f" SELECT s.id, CASE WHEN {forms} THEN 0 ELSE {RULES} END"
        " FROM session s WHERE s.state = 'closed'"
    )
    conn = op.get_bind()
    fact = sa.table(
        "session_fact",
        *(sa.column(n) for n in ("session_id", "loss_seconds", "lost_at_end", "failed_setups")),
    )
    for session_id, events in groupby(_events(conn), key=lambda row: row.session_id):
        held = losses(Moment(one.at, one.kind, json.loads(one.data)) for one in events)
        conn.execute(
            sa.update(fact)
            .where(fact.c.session_id == session_id)
            .values(
                loss_seconds=held.seconds,
                lost_at_end=held.at_end,
                failed_setups=held.failed_setups,
            )
        )


def _events(conn: sa.Connection) -> Iterator[Any]:
    """The timelines of sessions that are over and in which somebody was lost, by session."""
    own = ", ".join(f"'{kind}'" for kind in sorted(KINDS))
    lost = ", ".join(f"'{kind}'" for kind in sorted((*LOST, "session.requeued")))
    yield from conn.execute(
        sa.text(
            "SELECT t.session_id, t.at, t.kind, t.data FROM timeline t JOIN session s"
            f" ON s.id = t.session_id WHERE s.state = 'closed' AND t.kind IN ({own})"
            f" AND t.session_id IN (SELECT l.session_id FROM timeline l WHERE l.kind IN ({lost}))"
            " ORDER BY t.session_id, t.no"
        )
    ).all()


def _watch() -> None:
    if op.get_bind().dialect.name == "postgresql":
        return _watch_postgresql()
    day = "CAST({row}.pressed_at / 86400.0 AS INTEGER)"
    for change, row in CHANGES:
        of = f" OF {', '.join(COUNTED)}" if change == "update" else ""
        op.execute(
            f"CREATE TRIGGER session_report_{change} AFTER {change}{of} ON session"
            f" WHEN {row}.state = 'closed'"
            f" BEGIN INSERT INTO report_change (day) VALUES ({day.format(row=row)}); END"
        )
        for table, its in HANGING.items():
            op.execute(
                f"CREATE TRIGGER {table}_report_{change} AFTER {change} ON {table}"
                f" BEGIN INSERT INTO report_change (day) SELECT {day.format(row='s')}"
                f" FROM session s WHERE s.id = {its.format(row=row)} AND s.state = 'closed'; END"
            )
    return None


def _watch_postgresql() -> None:
    day = "floor({row}.pressed_at / 86400.0)::integer"
    for change, row in CHANGES:
        of = f" OF {', '.join(COUNTED)}" if change == "update" else ""
        op.execute(
            f"CREATE FUNCTION session_report_{change}() RETURNS trigger LANGUAGE plpgsql AS $$"
            f" BEGIN INSERT INTO report_change (day) VALUES ({day.format(row=row)});"
            " RETURN NULL; END $$"
        )
        op.execute(
            f"CREATE TRIGGER session_report_{change} AFTER {change}{of} ON session FOR EACH ROW"
            f" WHEN ({row}.state = 'closed') EXECUTE FUNCTION session_report_{change}()"
        )
        for table, its in HANGING.items():
            op.execute(
                f"CREATE FUNCTION {table}_report_{change}() RETURNS trigger LANGUAGE plpgsql AS $$"
                f" BEGIN INSERT INTO report_change (day) SELECT {day.format(row='s')}"
                f" FROM session s WHERE s.id = {its.format(row=row)} AND s.state = 'closed';"
                " RETURN NULL; END $$"
            )
            op.execute(
                f"CREATE TRIGGER {table}_report_{change} AFTER {change} ON {table}"
                f" FOR EACH ROW EXECUTE FUNCTION {table}_report_{change}()"
            )


def _watch_no_more() -> None:
    postgresql = op.get_bind().dialect.name == "postgresql"
    for change, _ in CHANGES:
        for table in ("session", *HANGING):
            name = f"{table}_report_{change}"
            op.execute(f"DROP TRIGGER {name} ON {table}" if postgresql else f"DROP TRIGGER {name}")
            if postgresql:
                op.execute(f"DROP FUNCTION {name}()")
