"""The tables that reports are counted from, beside the sessions themselves.

A part of `records.schema`, whose rules hold here too. `session_fact` holds what is counted of a
session and cannot be read from its row: numbers and yes or no, never an answer about substance use
(42 CFR Part 2). `report_day` sums up days that are over; the database itself says in
`report_change` which of them are no longer right.
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
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

from records.schema import metadata

session_fact = Table(
    "session_fact",
    metadata,
    Column("session_id", ForeignKey("session.id", ondelete="CASCADE"), primary_key=True),
    # from the timeline
    Column("loss_seconds", Double),  # the longest time that a side was gone in the call
    Column("lost_at_end", Boolean, nullable=False, server_default=text("false")),
    Column("failed_setups", SmallInteger, nullable=False, server_default="0"),
    # from answers, without opening them again: bits by `fact_rules.SCREENS`, levels, BARS 1 to 7
    Column("screens_begun", SmallInteger, nullable=False, server_default="0"),
    Column("screens_done", SmallInteger, nullable=False, server_default="0"),
    Column("plan", String(12)),  # made | declined | incomplete
    Column("means", String(12)),  # asked | incomplete
    Column("bars_before", SmallInteger),
    Column("bars_after", SmallInteger),
    # as the officer at the scene rated it: `fact_rules.rated` says which of the two counts
    Column("scene_before", SmallInteger),
    Column("scene_after", SmallInteger),
    # by which version of the rules answers were read; 0: still to be read; -1: they cannot be
    Column("rules", SmallInteger, nullable=False, server_default="0"),
    Index(
        "fact_to_read",
        "session_id",
        sqlite_where=text("rules = 0"),
        postgresql_where=text("rules = 0"),
    ),
)


def _kinds() -> list[Column[str] | Column[bool]]:
    """What sessions are told apart by in the sums; no keys of other tables: these are counts."""
    return [
        *(Column(n, String(40), primary_key=True) for n in ("program_id", "provider_id")),
        Column("agency_id", String(40), primary_key=True),
        Column("place_state", String(2), primary_key=True),  # '': the agency's own county
        Column("place_county", String(60), primary_key=True),
        Column("funding", String(24), primary_key=True),
        Column("wellness", Boolean, primary_key=True),
    ]


report_day = Table(  # counts of the closed sessions of one UTC day and one kind; no session in it
    "report_day",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),  # since the epoch
    *_kinds(),
    Column("body", LargeBinary, nullable=False),  # records.tally
)

report_block = Table(  # the sums of a month or so of such days, added up
    "report_block",
    metadata,
    Column("block", Integer, primary_key=True, autoincrement=False),  # days // BLOCK_DAYS
    *_kinds(),
    Column("body", LargeBinary, nullable=False),
)

report_block_built = Table(  # right as long as the days' own `builds` add up to `stamp`
    "report_block_built",
    metadata,
    Column("block", Integer, primary_key=True, autoincrement=False),
    Column("stamp", Integer, nullable=False),
    Column("rules", SmallInteger, nullable=False),
)

report_built = Table(  # which days are summed up
    "report_built",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("builds", Integer, nullable=False),  # how often; a compare-and-set
    Column("built_at", Double, nullable=False),
    Column("turns_at", Double),  # when time alone makes it wrong; NULL: never
    Column("rules", SmallInteger, nullable=False),  # the version of the rules of counting
)

report_change = Table(  # something of a closed session of that day changed: written by triggers
    "report_change",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("day", Integer, nullable=False, index=True),
    sqlite_autoincrement=True,  # a number that was removed never comes back
)

medication_month = Table(  # which months are counted
    "medication_month",
    metadata,
    Column("month", Integer, primary_key=True, autoincrement=False),  # since year 0, UTC
    Column("counted_at", Double, nullable=False),
)

medication_count = Table(  # from sealed answers; nothing smaller is ever written (42 CFR Part 2)
    "medication_count",
    metadata,
    Column("month", Integer, primary_key=True, autoincrement=False),
    *(Column(n, String(40), primary_key=True) for n in ("program_id", "provider_id")),
    Column("agency_id", String(40), primary_key=True),
    Column("outcome", String(16), primary_key=True),
    Column("count", Integer, nullable=False),
    CheckConstraint("count >= 11", name="large_enough"),
)

pack_plan = Table(  # a manager wants a grant pack of each month or quarter
    "pack_plan",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("program_id", ForeignKey("program.id"), nullable=False, index=True),
    Column("every", String(8), nullable=False),
    Column("agencies", Text, nullable=False, server_default="[]"),  # JSON list; empty: all
    Column("funding", String(24)),  # NULL: whatever it is
    Column("locale", String(5), nullable=False, server_default="en"),
    Column("made_by", ForeignKey("person.id"), nullable=False),
    Column("made_at", Double, nullable=False),
    Column("ended_at", Double),
    CheckConstraint("every IN ('month','quarter')", name="known_every"),
)

pack = Table(  # a grant pack to download: small counts are hidden in it, and nobody is named
    "pack",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("program_id", ForeignKey("program.id"), nullable=False),
    Column("plan_id", ForeignKey("pack_plan.id"), nullable=False),
    Column("first_day", String(10), nullable=False),  # of the period, as the program's days go
    Column("last_day", String(10), nullable=False),
    Column("made_at", Double, nullable=False),
    Column("told_at", Double),  # whoever wanted it knows
    Column("body", LargeBinary, nullable=False),
    Index("pack_of_program", "program_id", "made_at"),
    Index("one_pack_per_period", "plan_id", "first_day", unique=True),
)
