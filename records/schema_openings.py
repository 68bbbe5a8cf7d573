"""The table of records that somebody opened in an emergency, with the reason that they typed.

A part of `records.schema`, whose rules hold here too. A reason may hold clinical words: sealed.
"""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Table,
)

from records.schema import metadata

opening = Table(
    "opening",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("session_id", ForeignKey("session.id"), nullable=False),
    Column("person_id", ForeignKey("person.id"), nullable=False),
    Column("reason_enc", LargeBinary, nullable=False),
    Column("opened_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("reviewed_at", Double),
    Column("reviewed_by", ForeignKey("person.id")),
    CheckConstraint("expires_at > opened_at AND expires_at <= opened_at + 14400", name="short"),
    CheckConstraint("reviewed_by != person_id", name="not_by_oneself"),
    Index("opening_of_session", "session_id", "expires_at"),
    Index("opening_by_time", "opened_at"),
)
