"""What stands beside the audit chain: its signed heads, and who has looked through it.

A part of `records.schema`, whose rules hold here too.
"""

from __future__ import annotations

from sqlalchemy import Column, Double, ForeignKey, Integer, String, Table, UniqueConstraint

from records.schema import metadata

audit_checkpoint = Table(  # the chain's head at a moment, signed; a copy goes to a file
    "audit_checkpoint",
    metadata,
    Column("no", Integer, primary_key=True),  # of the entry
    Column("digest", String(64), nullable=False),
    Column("at", Double, nullable=False),
    Column("signature", String(128), nullable=False),
)

audit_review = Table(  # a week of the log that somebody has looked through
    "audit_review",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("scope_id", String(40), nullable=False),  # the program, provider or agency
    Column("week", String(10), nullable=False),  # its Monday, ISO
    Column("reviewed_by", ForeignKey("person.id"), nullable=False),
    Column("reviewed_at", Double, nullable=False),
    Column("up_to", Integer, nullable=False),  # the newest entry that could be seen
    UniqueConstraint("scope_id", "week", "reviewed_by", name="uq_audit_review_once"),
)
