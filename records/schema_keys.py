"""The tables of keys. A part of `records.schema`, whose rules hold here too.

No table holds a key in the clear: `kek` holds names of keys, what is wrapped is worth nothing
without the key of that name.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Double, Index, LargeBinary, String, Table, text

from records.schema import metadata

kek = Table(  # the keys that wrap all others: which one seals now, and which ones are still needed
    "kek",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("state", String(8), nullable=False),  # current | old | retired
    Column("since", Double, nullable=False),  # when it became the current one
    Column("backup_at", Double),  # the newest backup that cannot be read without it
    Column("retired_at", Double),
    CheckConstraint("state IN ('current','old','retired')", name="known_state"),
    CheckConstraint("(state = 'retired') = (retired_at IS NOT NULL)", name="retired_when"),
    Index(
        "one_current_kek",
        "state",
        unique=True,
        sqlite_where=text("state = 'current'"),
        postgresql_where=text("state = 'current'"),
    ),
)

tag_key = Table(  # keys of blind indexes: they outlive the key that they once came from
    "tag_key",
    metadata,
    Column("purpose", String(40), primary_key=True),
    Column("key_enc", LargeBinary, nullable=False),
    Column("kek_id", String(16), nullable=False),
)

token_key = Table(  # Ed25519; each signs for a while and verifies until its last token has run out
    "token_key",
    metadata,
    Column("kid", String(43), primary_key=True),
    Column("public", LargeBinary, nullable=False),  # public, so in the clear
    Column("private_enc", LargeBinary),  # NULL: it signs no more
    Column("kek_id", String(16), nullable=False),
    Column("made_at", Double, nullable=False),
    Column("signs_from", Double, nullable=False),
    Column("verifies_until", Double),  # NULL: nothing came after it yet
)
