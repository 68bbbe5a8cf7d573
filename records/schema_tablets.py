"""What tablets tell of themselves as devices.

A part of `records.schema`, whose rules hold here too. Nothing in it concerns a person.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Double, ForeignKey, Integer, String, Table

from records.schema import metadata

tablet_report = Table(  # the newest that each tablet told of itself
    "tablet_report",
    metadata,
    Column("tablet_id", ForeignKey("tablet.id"), primary_key=True),
    Column("reported_at", Double, nullable=False),
    *(
        Column(name, String(40), nullable=False, server_default="")
        for name in ("browser", "system", "build")
    ),
    *(
        Column(name, String(12), nullable=False, server_default="unknown")
        for name in ("camera", "microphone", "storage")
    ),
    Column(
        "troubles", String(160), nullable=False, server_default=""
    ),  # codes: why it is not ready
    Column("battery", Integer),  # percent; null: the browser does not say
    Column("charging", Boolean),
    Column("tested_at", Double),
    *(
        Column(f"test_{name}", String(8))
        for name in ("picture", "microphone", "upload", "relay", "heard")
    ),
)
