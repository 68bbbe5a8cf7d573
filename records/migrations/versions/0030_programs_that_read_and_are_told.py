"""Programs of others: tokens that read, addresses that are told of events

A notice is queued by the database itself beside the event on the timeline: in the same transaction,
and whoever writes the event. Nothing is queued of test calls, nor of officers who called for
themselves, nor of what happened before an address was registered.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_NOTICE = """
    INSERT INTO webhook_delivery (id, webhook_id, kind, session_id, no, at, due_at)
    SELECT w.id || '.' || NEW.session_id || '.' || NEW.no, w.id, NEW.kind, NEW.session_id, NEW.no,
           NEW.at, NEW.at
    FROM webhook_event e
    JOIN webhook w ON w.id = e.webhook_id
    JOIN session s ON s.id = NEW.session_id AND s.program_id = w.program_id
    WHERE e.kind = NEW.kind AND w.state = 'active' AND w.made_at <= NEW.at
      AND NOT s.test AND NOT s.wellness;
"""
_FUNCTION = f"""
CREATE FUNCTION tell_webhooks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {_NOTICE}
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "api_token",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column(
            "program_id", sa.String(40), sa.ForeignKey("program.id"), nullable=False, index=True
        ),
        sa.Column("agency_id", sa.String(40), sa.ForeignKey("agency.id")),
        sa.Column("provider_id", sa.String(40), sa.ForeignKey("provider.id")),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("scopes", sa.String(120), nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("made_by", sa.String(40), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("made_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("last_used_at", sa.Double),
        sa.Column("revoked_at", sa.Double),
        sa.Column("revoked_by", sa.String(40), sa.ForeignKey("person.id")),
        sa.CheckConstraint(
            "expires_at > made_at AND expires_at <= made_at + 31708800",
            name=op.f("ck_api_token_a_year"),
        ),
    )
    op.create_table(
        "webhook",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column(
            "program_id", sa.String(40), sa.ForeignKey("program.id"), nullable=False, index=True
        ),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("kek_id", sa.String(16), nullable=False),
        sa.Column("url_enc", sa.LargeBinary),
        sa.Column("secret_enc", sa.LargeBinary),
        sa.Column("owner_id", sa.String(40), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("made_at", sa.Double, nullable=False),
        sa.Column("state", sa.String(8), nullable=False, server_default="active"),
        sa.Column("state_at", sa.Double, nullable=False),
        sa.Column("why", sa.String(12)),
        sa.CheckConstraint(
            "state IN ('active','paused','removed')", name=op.f("ck_webhook_known_state")
        ),
        sa.CheckConstraint(
            "state = 'removed' OR url_enc IS NOT NULL AND secret_enc IS NOT NULL",
            name=op.f("ck_webhook_sealed"),
        ),
    )
    op.create_table(
        "webhook_event",
        sa.Column("webhook_id", sa.String(40), sa.ForeignKey("webhook.id"), primary_key=True),
        sa.Column("kind", sa.String(40), primary_key=True),
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("id", sa.String(100), primary_key=True),
        sa.Column("webhook_id", sa.String(40), sa.ForeignKey("webhook.id"), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("session_id", sa.String(40)),
        sa.Column("no", sa.Integer),
        sa.Column("followup_id", sa.String(40)),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("state", sa.String(8), nullable=False, server_default="queued"),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
        sa.Column("due_at", sa.Double, nullable=False),
        sa.Column("lease_until", sa.Double),
        sa.Column("status", sa.Integer),
        sa.Column("reason", sa.String(16)),
        sa.Column("sent_at", sa.Double),
        sa.Column("ended_at", sa.Double),
        sa.CheckConstraint(
            "state IN ('queued','sent','failed','dropped')",
            name=op.f("ck_webhook_delivery_known_state"),
        ),
    )
    queued = sa.text("state = 'queued'")
    op.create_index(
        "webhook_delivery_due",
        "webhook_delivery",
        ["webhook_id", "due_at"],
        sqlite_where=queued,
        postgresql_where=queued,
    )
    op.create_index("webhook_delivery_newest", "webhook_delivery", ["webhook_id", "at"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_FUNCTION)
        op.execute(
            "CREATE TRIGGER timeline_tells AFTER INSERT ON timeline"
            " FOR EACH ROW EXECUTE FUNCTION tell_webhooks()"
        )
    else:
        op.execute(f"CREATE TRIGGER timeline_tells AFTER INSERT ON timeline BEGIN {_NOTICE} END")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER timeline_tells ON timeline")
        op.execute("DROP FUNCTION tell_webhooks()")
    else:
        op.execute("DROP TRIGGER timeline_tells")
    op.drop_table("webhook_delivery")
    op.drop_table("webhook_event")
    op.drop_table("webhook")
    op.drop_table("api_token")
