"""The tables of who sessions were about.

A part of `records.schema`, whose rules hold here too. A name is sealed with its own session's key,
so that destroying a session destroys who it was about; what joins sessions of one person is an id
that says nothing, and a keyed hash that only this installation's key can make.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
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

identity = Table(
    "identity",
    metadata,
    Column("session_id", ForeignKey("session.id"), primary_key=True),
    Column("subject_id", String(40), nullable=False),  # the same for all sessions of one person
    Column("pinned", Boolean, nullable=False, server_default=text("false")),  # joined by hand
    Column("provider_id", ForeignKey("provider.id"), nullable=False),
    Column("tag", LargeBinary),  # keyed hash of name and birth; NULL: not known well enough
    Column("rev", Integer, nullable=False),
    Column("name_enc", LargeBinary, nullable=False),
    Column("born_enc", LargeBinary, nullable=False),
    Column("alias_enc", LargeBinary, nullable=False),
    Column("author_id", ForeignKey("person.id"), nullable=False),
    Column("updated_at", Double, nullable=False),
    Index("identity_of_subject", "subject_id"),
    Index(
        "identity_by_tag",
        "tag",
        sqlite_where=text("tag IS NOT NULL"),
        postgresql_where=text("tag IS NOT NULL"),
    ),
)

identity_merge = Table(  # what was joined by hand, so that it can be told and taken apart
    "identity_merge",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("from_subject", String(40), nullable=False),
    Column("into_subject", String(40), nullable=False),
    Column("sessions", Text, nullable=False),  # JSON list of the ids that were moved
    Column("free", Text),  # JSON list of the ids that the hash could still move before; NULL: old
    Column("reason", String(24)),  # why they are one person; NULL: joined before it was asked
    Column("made_by", ForeignKey("person.id"), nullable=False),
    Column("made_at", Double, nullable=False),
    Column("undone_by", ForeignKey("person.id")),
    Column("undone_at", Double),
    Index("merge_into", "into_subject", "made_at"),
)
