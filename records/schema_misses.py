"""The tables of near misses, of sessions that nobody follows up, and of what was looked at.

A part of `records.schema`, whose rules hold here too. Kinds and reasons are codes; words that
somebody wrote are sealed with the session's key.
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
    UniqueConstraint,
    text,
)

from records.schema import metadata

_OPEN = text("closed_at IS NULL")

near_miss = Table(  # one of a session and kind, for ever; what was done about it hangs on it
    "near_miss",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("session_id", ForeignKey("session.id"), nullable=False),
    Column("kind", String(24), nullable=False),
    Column("at", Double, nullable=False),  # when it happened
    Column("pressed_at", Double, nullable=False),  # the session's, for the log by near misses
    Column("opened_at", Double, nullable=False),
    Column("rev", Integer, nullable=False, server_default="1"),
    Column("closed_at", Double),
    Column("closed_by", ForeignKey("person.id")),
    CheckConstraint("(closed_at IS NULL) = (closed_by IS NULL)", name="closed_by_somebody"),
    UniqueConstraint("session_id", "kind", name="uq_near_miss_once"),
    Index("near_miss_list", "at", "id"),
    Index("near_miss_open", "at", "id", sqlite_where=_OPEN, postgresql_where=_OPEN),
    Index("near_miss_kind", "kind", "at", "id"),
    Index("near_miss_session", "pressed_at", "session_id"),
    Index("near_miss_session_kind", "kind", "pressed_at", "session_id"),
    Index(
        "near_miss_session_open", "pressed_at", "session_id",
        sqlite_where=_OPEN, postgresql_where=_OPEN,
    ),
)  # fmt: skip

near_miss_note = Table(  # closed or opened again, and why; never changed
    "near_miss_note",
    metadata,
    Column("miss_id", ForeignKey("near_miss.id"), primary_key=True),
    Column("no", Integer, primary_key=True),
    Column("at", Double, nullable=False),
    Column("by_id", ForeignKey("person.id"), nullable=False),
    Column("act", String(8), nullable=False),  # closed | reopened
    Column("side", String(8), nullable=False),  # provider | program: whose people read the words
    Column("note_enc", LargeBinary),
    CheckConstraint("act IN ('closed','reopened')", name="known_act"),
    CheckConstraint("side IN ('provider','program')", name="known_side"),
)

care_gap = Table(  # a session that should have a follow-up and has none, or is not finished
    "care_gap",
    metadata,
    Column("session_id", ForeignKey("session.id"), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("found_at", Double, nullable=False),
    Column("closed_at", Double),
    Column("reason", String(16)),  # why it is closed; NULL while it is open
    Column("closed_by", ForeignKey("person.id")),  # NULL: it was found to be so no more
    CheckConstraint("(closed_at IS NULL) = (reason IS NULL)", name="closed_with_reason"),
    Index("care_gap_open", "found_at", "session_id", sqlite_where=_OPEN, postgresql_where=_OPEN),
)

look_out = Table(  # how far each look-out has come
    "look_out",
    metadata,
    Column("name", String(24), primary_key=True),
    Column("until", Double, nullable=False),
)
