"""The tables of what people agreed to, and of what was given out on which basis.

A part of `records.schema`, whose rules hold here too. What a consent lets out, and whom it names,
is sealed with its session's key: that somebody was asked about answers on alcohol and drugs tells
already (42 CFR Part 2).
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

consent = Table(  # one decision; never changed but for its revocation
    "consent",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("session_id", ForeignKey("session.id"), nullable=False),
    Column("participant", String(12), nullable=False),
    Column("purpose", String(12), nullable=False),
    Column("method", String(8), nullable=False),
    Column("terms_enc", LargeBinary, nullable=False),  # recipients, scope, names, signature
    Column("wording", String(16), nullable=False),
    Column("language", String(5), nullable=False),
    Column("given_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("recorded_by", ForeignKey("person.id"), nullable=False),  # who heard it or saw it
    Column("recorded_at", Double, nullable=False),
    Column("revoked_at", Double),
    Column("revoked_by", ForeignKey("person.id")),
    CheckConstraint("method IN ('verbal','signed','refused','unable')", name="known_method"),
    CheckConstraint(
        "(method IN ('verbal','signed')) = (expires_at IS NOT NULL)", name="given_has_end"
    ),
    CheckConstraint("expires_at IS NULL OR expires_at > given_at", name="ends_later"),
    CheckConstraint("(revoked_at IS NULL) = (revoked_by IS NULL)", name="revoked_by_somebody"),
    CheckConstraint(
        "revoked_at IS NULL OR method IN ('verbal','signed')", name="given_before_revoked"
    ),
    Index("consent_session", "session_id", "given_at"),
)

consent_ask = Table(  # a signature that waits on the tablet; gone with its answer
    "consent_ask",
    metadata,
    Column("session_id", ForeignKey("session.id"), primary_key=True),
    Column("id", String(40), nullable=False),
    Column("epoch", Integer, nullable=False),  # of the assignment it was asked in
    Column("participant", String(12), nullable=False),
    Column("purpose", String(12), nullable=False),
    Column("language", String(5), nullable=False),
    Column("wording", String(16), nullable=False),
    Column("asked_by", ForeignKey("person.id"), nullable=False),
    Column("asked_at", Double, nullable=False),
)

disclosure = Table(  # who was given what, on which basis; never changed
    "disclosure",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("session_id", ForeignKey("session.id"), nullable=False),
    Column("at", Double, nullable=False),
    Column("actor_kind", String(12), nullable=False),  # person | tablet | system …
    Column("actor_id", String(40)),
    Column("way", String(12), nullable=False),  # card | plan | fhir | csv …
    Column("recipient", String(12), nullable=False),
    Column("purpose", String(12), nullable=False),
    Column("basis", String(16), nullable=False),
    Column("terms_enc", LargeBinary, nullable=False),  # content, names, the consents' ids
    Index("disclosure_session", "session_id", "at"),
)
