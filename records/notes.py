"""The signed note: who vouches for a session's record, and what was added afterwards.

Signing closes the record. What was signed is kept as a digest, itself sealed: answers are few and
could be guessed from a bare one. What comes later is an addendum beside it, never a change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records import assessments, library, recommendations, sessions, signatures
from records.clinicians import LicenceRow
from records.crypto import Vault
from records.errors import AddendumRefused, BadInput, NotSigned, Signed, Unjustified
from records.ids import new_id
from records.instruments import OFFICERS
from records.refusals import already_there
from records.schema import addendum, note_signature, session
from records.sessions import SessionRow

MOST_ADDENDA: Final = 200  # of one note
LONGEST: Final = 10_000  # letters of an addendum
LISTED: Final = 100
DUE_SECONDS: Final = 86_400.0  # after the wrap-up; clinical.md: "note signed within 24 h"


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed, with name and licences as they were at that moment."""

    name: str
    licences: tuple[LicenceRow, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    signer_id: str
    signer: Signer
    signed_at: float
    intact: bool  # the record is still what was signed


@dataclass(frozen=True, slots=True)
class Addendum:
    author_id: str
    at: float
    body: str


@dataclass(frozen=True, slots=True)
class NoteRow:
    """A closed session of a clinician, for the list of what is to be signed."""

    session_id: str
    code: str
    agency_id: str
    pressed_at: float
    closed_at: float
    test: bool
    signed_at: float | None

    def overdue(self, now: float) -> bool:
        return self.signed_at is None and now - self.closed_at > DUE_SECONDS


async def sign(
    conn: AsyncConnection, vault: Vault, row: SessionRow, signer_id: str, signer: Signer, now: float
) -> None:
    """Close the record with a name under it.

    Raises Signed when it has one, Unjustified when a judged level differs from the computed one
    and nothing says why.
    """
    await sessions.lock(conn, row.id)
    await signatures.still_open(conn, row.id)
    await _justified(conn, vault, row.id)
    digest = await _digest(conn, vault, row)
    try:
        await conn.execute(
            insert(note_signature).values(
                session_id=row.id,
                signer_id=signer_id,
                signed_at=now,
                signer=json.dumps(asdict(signer)),
                digest_enc=await vault.seal(
                    conn, row.id, "note_signature", "digest_enc", row.id, digest
                ),
            )
        )
    except IntegrityError as error:
        raise (Signed() if already_there(error) else BadInput()) from error


async def _justified(conn: AsyncConnection, vault: Vault, session_id: str) -> None:
    for one in await assessments.of_session(conn, vault, session_id):
        judged = one.answers.get("judged-level")
        why = str(one.answers.get("judged-reason") or "").strip()
        if judged is not None and judged != one.result.get("level") and not why:
            form = await library.find(conn, one.instrument, one.instrument_version)
            if "judged-reason" in form.items:
                raise Unjustified


async def _digest(conn: AsyncConnection, vault: Vault, row: SessionRow) -> bytes:
    """SHA-256 of everything that a clinician vouches for."""
    card = await recommendations.get(conn, vault, row.id)
    content = {
        "session": row.id,
        "lead": row.lead_id,
        "recommended": row.recommended_disposition,
        "assessments": [
            [one.instrument, one.instrument_version, one.rev, one.answers, one.result]
            for one in await assessments.of_session(conn, vault, row.id)
            if one.instrument not in OFFICERS  # the officer's own word, and may come later
        ],
        "card": None if card is None else [card.rev, card.card, card.sent_rev, card.sent_card],
    }
    plain = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).digest()


async def signature(conn: AsyncConnection, vault: Vault, row: SessionRow) -> Signature | None:
    """Who signed, and whether the record is still what was signed; None while nobody has."""
    found = await signatures.find(conn, row.id)
    if found is None:
        return None
    signed = await vault.open(
        conn, row.id, "note_signature", "digest_enc", row.id, found.digest_enc
    )
    plain: Mapping[str, Any] = json.loads(found.signer)
    licences = tuple(LicenceRow(**one) for one in plain["licences"])
    return Signature(
        signer_id=found.signer_id,
        signer=Signer(plain["name"], licences),
        signed_at=found.signed_at,
        intact=signed == await _digest(conn, vault, row),
    )


async def add(
    conn: AsyncConnection, vault: Vault, session_id: str, author_id: str, body: str, now: float
) -> None:
    """Add words to a signed note. Raises NotSigned before, AddendumRefused."""
    await sessions.lock(conn, session_id)
    if await signatures.find(conn, session_id) is None:
        raise NotSigned
    if not body.strip() or len(body) > LONGEST:
        raise AddendumRefused
    counted = select(func.count()).where(addendum.c.session_id == session_id)
    if (await conn.scalar(counted) or 0) >= MOST_ADDENDA:
        raise AddendumRefused("This note has too many addenda. Nothing was added.")
    row_id = new_id("add")
    sealed = await vault.seal(
        conn, session_id, "addendum", "body_enc", row_id, body.strip().encode()
    )
    await conn.execute(
        insert(addendum).values(
            id=row_id, session_id=session_id, author_id=author_id, at=now, body_enc=sealed
        )
    )


async def addenda(conn: AsyncConnection, vault: Vault, session_id: str) -> list[Addendum]:
    """What was added, the oldest first."""
    rows = await conn.execute(
        select(addendum)
        .where(addendum.c.session_id == session_id)
        .order_by(addendum.c.at, addendum.c.id)
    )
    found = []
    for row in rows.all():
        body = await vault.open(conn, session_id, "addendum", "body_enc", row.id, row.body_enc)
        found.append(Addendum(row.author_id, row.at, body.decode()))
    return found


_LISTED = (
    session.c.id,
    session.c.code,
    session.c.agency_id,
    session.c.pressed_at,
    session.c.closed_at,
    session.c.test,
)


async def own(conn: AsyncConnection, lead_id: str) -> list[NoteRow]:
    """A clinician's closed sessions, those without a signature first, the oldest of these first."""
    signed = select(note_signature.c.session_id).where(note_signature.c.session_id == session.c.id)
    waiting = await conn.execute(
        select(*_LISTED)
        .where(session.c.lead_id == lead_id, session.c.state == "closed", ~signed.exists())
        .order_by(session.c.closed_at)
        .limit(LISTED)
    )
    done = await conn.execute(
        select(*_LISTED, note_signature.c.signed_at)
        .join(session, session.c.id == note_signature.c.session_id)
        .where(note_signature.c.signer_id == lead_id, session.c.lead_id == lead_id)
        .order_by(note_signature.c.signed_at.desc())
        .limit(LISTED)
    )
    open_ones = [
        NoteRow(r.id, r.code, r.agency_id, r.pressed_at, r.closed_at, r.test, None) for r in waiting
    ]
    return open_ones + [
        NoteRow(r.id, r.code, r.agency_id, r.pressed_at, r.closed_at, r.test, r.signed_at)
        for r in done
    ]
