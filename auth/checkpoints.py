"""Signed heads of the audit chain, so that a chain whose end was cut off is found.

The chain proves its own order; only something outside of it can prove its length. Every hour its
head is signed (Ed25519) with a key that comes from the record's key file, which no database holds,
and is kept twice: in the database, and in a file that only grows. Within a second of each entry the
newest head is signed, too, and noted in a small file beside that one. So whoever can write to the
database alone cuts off a second at most unseen. Copy the file that grows to another place: whoever
can write to both here can still cut both.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit
from records import schema
from records.crypto import Vault
from records.schema_audit import audit_checkpoint as table

_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The chain had this entry as its newest at this moment."""

    no: int
    digest: str
    at: float
    signature: str  # hexadecimal


@dataclass(frozen=True, slots=True)
class Broken:
    """What is wrong: with the entry of that number, or with a checkpoint about it."""

    no: int
    why: str  # entry | signature | missing | other


class Signer:
    """Signs and checks heads with the key that belongs to this record."""

    def __init__(self, vault: Vault) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(vault.tag("audit checkpoints", "1"))

    @property
    def public(self) -> str:
        """The public key, hexadecimal: for whoever checks checkpoints without the key file."""
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return raw.hex()

    def sign(self, no: int, digest: str, at: float) -> Checkpoint:
        return Checkpoint(no, digest, at, self._key.sign(_text(no, digest, at)).hex())

    def genuine(self, one: Checkpoint) -> bool:
        try:
            signature = bytes.fromhex(one.signature)
            self._key.public_key().verify(signature, _text(one.no, one.digest, one.at))
        except (InvalidSignature, ValueError):
            return False
        return True


def _text(no: int, digest: str, at: float) -> bytes:
    return f"crisisbridge audit {no} {digest} {at!r}".encode()


async def make(conn: AsyncConnection, signer: Signer, now: float) -> Checkpoint | None:
    """Sign the head and keep it, in the caller's write transaction; None when nothing is new."""
    head = await audit.head(conn)
    newest = (await conn.execute(select(table.c.no).order_by(table.c.no.desc()).limit(1))).scalar()
    if head.no == 0 or newest == head.no:
        return None
    one = signer.sign(head.no, head.digest, now)
    await conn.execute(insert(table).values(**asdict(one)))
    return one


def append(path: Path, one: Checkpoint) -> None:
    """Add a line to the file, durably. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(json.dumps(asdict(one)) + "\n")
        file.flush()
        os.fsync(file.fileno())


def note(path: Path, one: Checkpoint) -> None:
    """Put a head in the place of the one before, whole or not at all. Raises OSError."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(json.dumps(asdict(one)) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def noted(path: Path) -> Checkpoint | None:
    """The head that was noted last. Raises OSError, and ValueError for a file that holds none."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    found = read(text.splitlines())
    if len(found) != 1:
        raise ValueError("not one checkpoint")
    return found[0]


async def contains(conn: AsyncConnection, one: Checkpoint) -> bool:
    """Whether the chain still has the entry that was its newest then."""
    return (await _digests(conn, [one.no])).get(one.no) == one.digest


def read(lines: Iterable[str]) -> list[Checkpoint]:
    """The checkpoints of a file. Raises ValueError with the number of a line that is none."""
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            one = json.loads(line)
            made = Checkpoint(
                int(one["no"]), str(one["digest"]), float(one["at"]), str(one["signature"])
            )
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"line {number} is no checkpoint") from error
        if not math.isfinite(made.at):
            raise ValueError(f"line {number} is no checkpoint")
        found.append(made)
    return found


async def verify(
    conn: AsyncConnection, signer: Signer, kept: Iterable[Checkpoint] = ()
) -> Broken | None:
    """The first thing that is wrong with the chain or against its signed heads; None if whole.

    `kept`: checkpoints from a file, beside those in the database.
    """
    at = await audit.verify(conn)
    if at is not None:
        return Broken(at, "entry")
    stored = [Checkpoint(**row) for row in (await conn.execute(select(table))).mappings()]
    wanted = sorted({*stored, *kept}, key=lambda one: (one.no, one.at))
    for first in range(0, len(wanted), _BATCH):
        some = wanted[first : first + _BATCH]
        digests = await _digests(conn, [one.no for one in some])
        for one in some:
            if not signer.genuine(one):
                return Broken(one.no, "signature")
            if one.no not in digests:
                return Broken(one.no, "missing")
            if digests[one.no] != one.digest:
                return Broken(one.no, "other")
    return None


async def _digests(conn: AsyncConnection, numbers: list[int]) -> dict[int, str]:
    rows = await conn.execute(
        select(schema.audit.c.no, schema.audit.c.digest).where(schema.audit.c.no.in_(numbers))
    )
    return {row.no: row.digest for row in rows}
