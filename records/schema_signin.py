"""The tables of signing in: passkeys, one-time codes, recovery codes, directories, invitations.

A part of `records.schema`, whose rules hold here too. Of secrets that somebody types only a hash is
kept; the secret of one-time codes must be read again, so it is sealed with the vault's own key.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from records.schema import metadata

passkey = Table(
    "passkey",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("person_id", ForeignKey("person.id"), nullable=False, index=True),
    Column("credential_id", LargeBinary, nullable=False, unique=True),
    Column("public_key", LargeBinary, nullable=False),  # COSE; public, so in the clear
    Column("sign_count", BigInteger, nullable=False),
    Column("name", Text, nullable=False),  # what its owner calls it
    Column("made_at", Double, nullable=False),
    Column("used_at", Double),
    # set up after a PIN alone: it checks tablets out, and signs nobody in to the pages
    Column("tablets_only", Boolean, nullable=False, server_default=text("false")),
)

totp = Table(  # one-time codes of an app; at most one secret a person
    "totp",
    metadata,
    Column("person_id", ForeignKey("person.id"), primary_key=True),
    Column("secret_enc", LargeBinary, nullable=False),
    Column("kek_id", String(16), nullable=False),
    Column("made_at", Double, nullable=False),
    Column("confirmed_at", Double),  # NULL: shown, and no code of it was typed yet
    Column("last_step", BigInteger, nullable=False, server_default="-1"),  # each code once only
)

recovery_code = Table(
    "recovery_code",
    metadata,
    Column("person_id", ForeignKey("person.id"), primary_key=True),
    Column("no", Integer, primary_key=True),
    Column("code_hash", Text, nullable=False),
    Column("made_at", Double, nullable=False),
    Column("used_at", Double),
    CheckConstraint("no BETWEEN 0 AND 9", name="no"),
)

spent_challenge = Table(  # a passkey's answer counts once; gone when the challenge has run out
    "spent_challenge",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("expires_at", Double, nullable=False, index=True),
)

issuer_link = Table(  # who somebody is at a directory: by its issuer and its own name for them
    "issuer_link",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("person_id", ForeignKey("person.id"), nullable=False, index=True),
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("issuer_id", String(40), nullable=False),  # its id in the settings' file
    Column(
        "alone", Boolean, nullable=False, server_default=text("false")
    ),  # no other way to sign in
    Column("made_at", Double, nullable=False),
    Column("used_at", Double, nullable=False),
    UniqueConstraint("issuer", "subject", name="subject_of_issuer"),
)

invitation = Table(  # a link by which somebody chooses a password; only its digest is kept
    "invitation",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("person_id", ForeignKey("person.id"), nullable=False, index=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("made_at", Double, nullable=False),
    Column("made_by", ForeignKey("person.id")),  # NULL: from the server's command line
    Column("expires_at", Double, nullable=False),
    Column("used_at", Double),
    Column("revoked_at", Double),
)
