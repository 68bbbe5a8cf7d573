"""The tables of who is in a call: participants, transfers, and links for guests.

A part of `records.schema`, whose rules hold here too. One leader of a session and one session of a
leader are indexes there; here: a seat holds one party, a person sits in on one call, and a session
is handed on by one transfer at a time.
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
    text,
)

from records.schema import metadata

_HERE = text("left_at IS NULL")
_SITS_IN = text("left_at IS NULL AND role = 'receiver'")
_OPEN = text("ended_at IS NULL")

guest_link = Table(  # lets somebody without an account join one call, in one role, for a short time
    "guest_link",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("session_id", ForeignKey("session.id"), nullable=False, index=True),
    Column("role", String(12), nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("created_by", ForeignKey("person.id"), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("used_at", Double),  # exchanged by the one device that it lets in
    Column("name_enc", LargeBinary),  # what the guest wants to be called
    Column("revoked_at", Double),
    CheckConstraint("role IN ('interpreter','supervisor')", name="known_role"),
    CheckConstraint("expires_at > created_at AND expires_at <= created_at + 7200", name="short"),
)

participant = Table(  # who sat where in a call, and when; the lead too, for the history
    "participant",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("session_id", ForeignKey("session.id"), nullable=False, index=True),
    Column("seat", String(12), nullable=False),  # clinician | side1 … side4
    Column("role", String(12), nullable=False),
    Column("mode", String(8), nullable=False, server_default="speak"),  # speak | listen | whisper
    Column("person_id", ForeignKey("person.id")),
    Column("guest_link_id", ForeignKey("guest_link.id")),
    Column("epoch", Integer, nullable=False),  # of the session when they came
    Column("joined_at", Double, nullable=False),
    Column("left_at", Double),
    Column("left_reason", String(16)),
    Column("held_at", Double),  # a guest on hold, since then: neither hears nor is heard
    CheckConstraint("role IN ('lead','receiver','interpreter','supervisor')", name="known_role"),
    CheckConstraint("mode IN ('speak','listen','whisper')", name="known_mode"),
    CheckConstraint("seat IN ('clinician','side1','side2','side3','side4')", name="known_seat"),
    CheckConstraint("(person_id IS NULL) != (guest_link_id IS NULL)", name="one_identity"),
    CheckConstraint("(role = 'lead') = (seat = 'clinician')", name="the_lead_s_seat"),
    Index(
        "one_party_per_seat",
        "session_id",
        "seat",
        unique=True,
        sqlite_where=_HERE,
        postgresql_where=_HERE,
    ),
    Index(
        "one_receiver_per_session",
        "session_id",
        "role",
        unique=True,
        sqlite_where=_SITS_IN,
        postgresql_where=_SITS_IN,
    ),
    Index(
        "one_sitting_per_receiver",
        "person_id",
        unique=True,
        sqlite_where=_SITS_IN,
        postgresql_where=_SITS_IN,
    ),
    Index(
        "one_place_per_link",
        "guest_link_id",
        unique=True,
        sqlite_where=_HERE,
        postgresql_where=_HERE,
    ),
)

transfer = Table(  # a running session is handed on; its rings are offers with that purpose
    "transfer",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("session_id", ForeignKey("session.id"), nullable=False, index=True),
    Column("epoch", Integer, nullable=False),  # of the assignment that is handed on
    Column("from_id", ForeignKey("person.id"), nullable=False),
    Column("to_id", ForeignKey("person.id")),  # NULL: whoever is free
    Column("receiver_id", ForeignKey("person.id")),  # who accepted
    Column("note_enc", LargeBinary),  # what the receiver should know first
    Column("asked_at", Double, nullable=False),
    Column("accepted_at", Double),
    Column("from_ready_at", Double),
    Column("to_ready_at", Double),
    Column("ended_at", Double),
    Column("outcome", String(16)),
    CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name="ended_has_outcome"),
    CheckConstraint("(receiver_id IS NULL) = (accepted_at IS NULL)", name="accepted_by_somebody"),
    Index(
        "one_open_transfer",
        "session_id",
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    ),
)
