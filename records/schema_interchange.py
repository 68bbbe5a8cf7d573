"""The tables of what goes to other systems: the number under which dispatch knows an incident.

A part of `records.schema`, whose rules hold here too.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Double, ForeignKey, Index, String, Table

from records.schema import metadata

case_number = Table(  # as the officer or the clinician typed it; one a session
    "case_number",
    metadata,
    Column("session_id", ForeignKey("session.id"), primary_key=True),
    Column("number", String(40), nullable=False),
    Column("told_by", String(40)),  # a person; NULL: a tablet without an officer
    Column("told_at", Double, nullable=False),
    CheckConstraint("number <> ''", name="something"),
    Index("case_number_found", "number"),
)
