"""A count of every change of the directory and of the queue's settings, kept by the database

So that a reader knows with one small query whether what it has read is still so, whoever has
changed it and by whatever way.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# table -> the columns whose change counts ("" = all): being seen changes nothing of a tablet
_WATCHED = {
    "agency": "",
    "agency_place": "",
    "catchment": "",
    "coverage": "",
    "escalation_step": "",
    "licence": "",
    "person": "",
    "person_tag": "",
    "provider": "",
    "queue_settings": "",
    "role_grant": "",
    "shift": "",
    "tablet": " OF id, agency_id, label, revoked_at",
}

# Counted when the transaction commits, and once: whoever changes people holds no lock on the count
# while they wait for another row, so that two of them never wait for each other.
_POSTGRESQL = """
CREATE FUNCTION count_directory() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('crisisbridge.counted', true) IS DISTINCT FROM txid_current()::text THEN
        UPDATE directory_version SET version = version + 1;
        PERFORM set_config('crisisbridge.counted', txid_current()::text, true);
    END IF;
    RETURN NULL;
END $$
"""

_SQLITE = "BEGIN UPDATE directory_version SET version = version + 1; END"


def upgrade() -> None:
    made = op.create_table(
        "directory_version",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_directory_version"),
        sa.CheckConstraint("id = 1", name=op.f("ck_directory_version_one_row")),
    )
    op.bulk_insert(made, [{"id": 1, "version": 1}])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_POSTGRESQL)
        for table, of in _WATCHED.items():
            op.execute(
                f"CREATE CONSTRAINT TRIGGER {table}_counts AFTER INSERT OR DELETE OR UPDATE{of}"
                f" ON {table} DEFERRABLE INITIALLY DEFERRED"
                " FOR EACH ROW EXECUTE FUNCTION count_directory()"
            )
        return
    for table, of in _WATCHED.items():
        for change, which in (("insert", ""), ("delete", ""), ("update", of)):
            op.execute(
                f"CREATE TRIGGER {table}_counts_{change} AFTER {change}{which} ON {table} {_SQLITE}"
            )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in _WATCHED:
            op.execute(f"DROP TRIGGER {table}_counts ON {table}")
        op.execute("DROP FUNCTION count_directory()")
    else:
        for table in _WATCHED:
            for change in ("insert", "delete", "update"):
                op.execute(f"DROP TRIGGER {table}_counts_{change}")
    op.drop_table("directory_version")
