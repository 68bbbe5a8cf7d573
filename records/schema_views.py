"""The tables of saved views: named filters of the log, and which one somebody begins with.

A part of `records.schema`, whose rules hold here too. A filter is codes, ids and dates.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from records.schema import metadata

_SHARED = text("shared")

saved_view = Table(
    "saved_view",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("owner_id", ForeignKey("person.id"), nullable=False),
    # where its owner worked when it was made: whoever works there too may use it, if it is shared
    Column("program_id", ForeignKey("program.id")),
    Column("provider_id", ForeignKey("provider.id")),
    Column("name", String(60), nullable=False),
    Column("filter", Text, nullable=False),  # as in the log's address
    Column("shared", Boolean, nullable=False),
    Column("changed_at", Double, nullable=False),
    UniqueConstraint("owner_id", "name", name="uq_view_name"),
    Index("view_of_program", "program_id", sqlite_where=_SHARED, postgresql_where=_SHARED),
    Index("view_of_provider", "provider_id", sqlite_where=_SHARED, postgresql_where=_SHARED),
)

first_view = Table(  # what somebody's log begins with
    "first_view",
    metadata,
    Column("person_id", ForeignKey("person.id"), primary_key=True),
    Column("view_id", ForeignKey("saved_view.id", ondelete="CASCADE"), nullable=False),
    Index("first_view_of", "view_id"),
)
