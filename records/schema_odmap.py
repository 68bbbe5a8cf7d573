"""The tables of overdoses for ODMAP: what a human decided of each, and the files that left.

A part of `records.schema`, whose rules hold here too. A session has one row, so it leaves once.
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
)

from records.schema import metadata

odmap_release = Table(  # one file that left; never changed
    "odmap_release",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("program_id", ForeignKey("program.id"), nullable=False),
    Column("released_by", ForeignKey("person.id"), nullable=False),
    Column("released_at", Double, nullable=False),
    Column("row_count", Integer, nullable=False),
    CheckConstraint("row_count > 0", name="something"),
    Index("odmap_release_of_program", "program_id", "released_at"),
)

odmap_row = Table(  # what a human decided of an overdose
    "odmap_row",
    metadata,
    Column("session_id", ForeignKey("session.id"), primary_key=True),
    Column("reference", String(40), nullable=False, unique=True),  # leads to no session outside
    Column("release_id", ForeignKey("odmap_release.id"), index=True),  # NULL: held back
    Column("held_reason", String(24)),
    Column("row_enc", LargeBinary),  # time, place, outcome and naloxone, as released
    Column("decided_by", ForeignKey("person.id"), nullable=False),
    Column("decided_at", Double, nullable=False),
    CheckConstraint("(release_id IS NULL) = (held_reason IS NOT NULL)", name="released_or_held"),
    CheckConstraint("(release_id IS NULL) = (row_enc IS NULL)", name="released_is_kept"),
)
