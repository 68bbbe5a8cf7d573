"""The tables of other programs: tokens that let them read, and addresses that are told of events.

A part of `records.schema`, whose rules hold here too. A notice is a row that the database itself
writes beside the event on a session's timeline (a trigger, in the migration): in the same
transaction, whoever writes the event, so that none is lost. Neither table names a session by a
foreign key, because a notice must never keep a session from being deleted.
"""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    text,
)

from records.schema import metadata

api_token = Table(  # lets another program read, as far as whoever made it may
    "api_token",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("program_id", ForeignKey("program.id"), nullable=False, index=True),
    Column("agency_id", ForeignKey("agency.id")),  # NULL: all of the program's
    Column("provider_id", ForeignKey("provider.id")),
    Column("name", Text, nullable=False),
    Column("scopes", String(120), nullable=False),  # separated by spaces
    Column("secret_hash", String(64), nullable=False, unique=True),  # keyed: Vault.tag
    Column("made_by", ForeignKey("person.id"), nullable=False),
    Column("made_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("last_used_at", Double),
    Column("revoked_at", Double),
    Column("revoked_by", ForeignKey("person.id")),
    CheckConstraint("expires_at > made_at AND expires_at <= made_at + 31708800", name="a_year"),
)

webhook = Table(  # an address that is told of a program's events
    "webhook",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("program_id", ForeignKey("program.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("host", Text, nullable=False),  # all of the address that is shown again
    Column("kek_id", String(16), nullable=False),
    Column("url_enc", LargeBinary),  # NULL: removed
    Column("secret_enc", LargeBinary),
    Column("owner_id", ForeignKey("person.id"), nullable=False),  # by whose right it is told
    Column("made_at", Double, nullable=False),
    Column("state", String(8), nullable=False, server_default="active"),
    Column("state_at", Double, nullable=False),
    Column("why", String(12)),  # of a pause: by_hand | owner
    CheckConstraint("state IN ('active','paused','removed')", name="known_state"),
    CheckConstraint(
        "state = 'removed' OR url_enc IS NOT NULL AND secret_enc IS NOT NULL", name="sealed"
    ),
)

webhook_event = Table(  # what an address is told of; `kind` is the timeline's own
    "webhook_event",
    metadata,
    Column("webhook_id", ForeignKey("webhook.id"), primary_key=True),
    Column("kind", String(40), primary_key=True),
)

webhook_delivery = Table(  # one notice for one address: the outbox
    "webhook_delivery",
    metadata,
    Column("id", String(100), primary_key=True),  # the address, and what happened: told once
    Column("webhook_id", ForeignKey("webhook.id"), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("session_id", String(40)),
    Column("no", Integer),  # on the session's timeline
    Column("followup_id", String(40)),
    Column("at", Double, nullable=False),  # when it happened
    Column("state", String(8), nullable=False, server_default="queued"),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("due_at", Double, nullable=False),
    Column("lease_until", Double),
    Column("status", Integer),  # of the last answer; NULL: none came
    Column("reason", String(16)),
    Column("sent_at", Double),
    Column("ended_at", Double),
    CheckConstraint("state IN ('queued','sent','failed','dropped')", name="known_state"),
    Index(
        "webhook_delivery_due",
        "webhook_id",
        "due_at",
        sqlite_where=text("state = 'queued'"),
        postgresql_where=text("state = 'queued'"),
    ),
    Index("webhook_delivery_newest", "webhook_id", "at"),
)
