"""The tables of how long sessions are kept, and of what stops their deletion.

A part of `records.schema`, whose rules hold here too.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
)

from records.schema import metadata

retention_rule = Table(  # of a program or of a provider; none: nothing is deleted for their sake
    "retention_rule",
    metadata,
    Column("id", String(40), primary_key=True),  # the program's or the provider's own id
    Column("program_id", ForeignKey("program.id")),
    Column("provider_id", ForeignKey("provider.id")),
    Column("rev", Integer, nullable=False),
    Column("adult_years", Integer, nullable=False),
    Column("juvenile_years", Integer, nullable=False),
    Column("test_days", Integer, nullable=False),
    Column("keep_numbers", Boolean, nullable=False),
    Column("changed_by", ForeignKey("person.id"), nullable=False),
    Column("changed_at", Double, nullable=False),
    CheckConstraint("(program_id IS NULL) != (provider_id IS NULL)", name="one_owner"),
    CheckConstraint("adult_years BETWEEN 6 AND 100", name="adult_years"),
    CheckConstraint("juvenile_years BETWEEN adult_years AND 100", name="juvenile_years"),
    CheckConstraint("test_days BETWEEN 1 AND 3650", name="test_days"),
)

legal_hold = Table(  # while one is open, nothing of its session is deleted
    "legal_hold",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("session_id", ForeignKey("session.id"), nullable=False),
    Column("reason_enc", LargeBinary, nullable=False),
    Column("set_by", ForeignKey("person.id"), nullable=False),
    Column("set_at", Double, nullable=False),
    Column("lifted_by", ForeignKey("person.id")),
    Column("lifted_at", Double),
    CheckConstraint("(lifted_at IS NULL) = (lifted_by IS NULL)", name="lifted_by_somebody"),
    Index("hold_of_session", "session_id", "set_at"),
)
