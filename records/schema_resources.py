"""The tables of the directory of help near by: each entry, and where it serves.

A part of `records.schema`, whose rules hold here too. Nothing in it concerns a person.
"""

from __future__ import annotations

from sqlalchemy import Column, Double, ForeignKey, Index, Integer, String, Table, Text, text

from records.schema import metadata

resource = Table(
    "resource",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("program_id", ForeignKey("program.id"), nullable=False),
    Column("rev", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", String(24), nullable=False),
    *(
        Column(name, Text, nullable=False, server_default="")
        for name in ("phone", "text_line", "address", "website")
    ),
    *(
        Column(name, Text, nullable=False, server_default="")
        for name in ("hours", "hours_es", "accepts", "accepts_es")
    ),
    Column("checked_at", Double, nullable=False),  # somebody has seen that it is right
    Column("changed_at", Double, nullable=False),
    Column("changed_by", ForeignKey("person.id"), nullable=False),
    Column("removed_at", Double),
    Index(
        "resource_of_program",
        "program_id",
        "kind",
        "name",
        sqlite_where=text("removed_at IS NULL"),
        postgresql_where=text("removed_at IS NULL"),
    ),
)

resource_place = Table(
    "resource_place",
    metadata,
    Column("resource_id", ForeignKey("resource.id"), primary_key=True),
    Column("state", String(2), primary_key=True),
    Column("county", String(60), primary_key=True),  # '': the whole state
)
