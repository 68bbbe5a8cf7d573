"""Consents of a session: added once, revoked once, never changed; what they let out is sealed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from records import sessions
from records.consent_rules import GIVEN, WRITTEN, BadConsent, Consent, checked
from records.crypto import Vault
from records.errors import BadInput, Conflict, NotFound
from records.ids import new_id
from records.schema_consents import consent as table

MOST = 80  # of one session


@dataclass(frozen=True, slots=True)
class ConsentRow:
    """A decision with who recorded it."""

    consent: Consent
    recorded_by: str
    recorded_at: float
    revoked_by: str | None


async def of_session(conn: AsyncConnection, vault: Vault, session_id: str) -> list[ConsentRow]:
    """A session's decisions, opened, the oldest first."""
    rows = await conn.execute(
        select(table)
        .where(table.c.session_id == session_id)
        .order_by(table.c.given_at, table.c.recorded_at, table.c.id)
    )
    return [await _opened(conn, vault, row) for row in rows.all()]


async def decisions(conn: AsyncConnection, vault: Vault, session_id: str) -> list[Consent]:
    """What `consent_rules.covering` asks for."""
    return [row.consent for row in await of_session(conn, vault, session_id)]


async def add(
    conn: AsyncConnection,
    vault: Vault,
    session_id: str,
    said: Consent,
    by: str,
    now: float,
    *,
    known: int | None = None,
) -> ConsentRow:
    """Keep a decision. `known`: how many the page showed; None does not ask.

    Raises BadInput for one that cannot be, Conflict when somebody wrote another one meanwhile.
    """
    await sessions.lock(conn, session_id)  # who saves at the same moment reads what we stored
    try:
        one = replace(checked(said, now), id=new_id("con"))
    except BadConsent as bad:
        raise BadInput(_SENTENCES.get(bad.field)) from bad
    before = await of_session(conn, vault, session_id)
    if known is not None and known != len(before):
        raise Conflict({"known": len(before)})
    if len(before) >= MOST:
        raise BadInput("This session has too many consents. Nothing was saved.")
    row = ConsentRow(one, by, now, None)
    plain = json.dumps(
        {
            "recipients": one.recipients,
            "scope": one.scope,
            "giver": one.giver,
            "recipient_name": one.recipient_name,
            "signature": one.signature,
        },
        separators=(",", ":"),
    )
    sealed = await vault.seal(conn, session_id, "consent", "terms_enc", one.id, plain.encode())
    await conn.execute(
        insert(table).values(
            id=one.id, session_id=session_id, participant=one.participant, purpose=one.purpose,
            method=one.method, terms_enc=sealed, wording=one.wording, language=one.language,
            given_at=one.given_at, expires_at=one.expires_at, recorded_by=by, recorded_at=now,
        )
    )  # fmt: skip
    return row


async def revoke(
    conn: AsyncConnection, session_id: str, consent_id: str, by: str, now: float
) -> bool:
    """The person took it back; False when that was known. Raises NotFound for none that was given.

    What was given out before stays given out: the list of disclosures says what that was.
    """
    mine = (table.c.id == consent_id) & (table.c.session_id == session_id)
    done = await conn.execute(
        update(table)
        .where(mine, table.c.revoked_at.is_(None), table.c.method.in_(GIVEN))
        .values(revoked_at=now, revoked_by=by)
    )
    if done.rowcount == 1:
        return True
    found = await conn.scalar(select(table.c.revoked_at).where(mine))
    if found is None:
        raise NotFound
    return False


def newest(rows: Sequence[ConsentRow], now: float) -> dict[str, str]:
    """The state of each participant's last word on each purpose; `rows` come the oldest first."""
    return {
        f"{row.consent.participant}.{row.consent.purpose}": row.consent.state(now) for row in rows
    }


def signed(rows: Sequence[ConsentRow], now: float) -> list[str]:
    """Of which participant and purpose the last word is a signature in force."""
    last = {f"{row.consent.participant}.{row.consent.purpose}": row.consent for row in rows}
    return [
        field for field, one in last.items() if one.method in WRITTEN and one.state(now) == "given"
    ]


async def _opened(conn: AsyncConnection, vault: Vault, row: Row[Any]) -> ConsentRow:
    plain = json.loads(
        await vault.open(conn, row.session_id, "consent", "terms_enc", row.id, row.terms_enc)
    )
    one = Consent(
        participant=row.participant,
        purpose=row.purpose,
        method=row.method,
        given_at=row.given_at,
        recipients=tuple(plain["recipients"]),
        scope=tuple(plain["scope"]),
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        wording=row.wording,
        language=row.language,
        giver=plain["giver"],
        recipient_name=plain["recipient_name"],
        id=row.id,
        signature=plain.get("signature", ""),  # those of before were signed on paper
    )
    return ConsentRow(one, row.recorded_by, row.recorded_at, row.revoked_by)


_SENTENCES = {
    "giver": "A name has at most 120 characters. Nothing was saved.",
    "recipient_name": "A name has at most 120 characters. Nothing was saved.",
    "signature": "A signature is a name of at most 120 characters. Nothing was saved.",
    "recipients": "A consent names who receives what. Nothing was saved.",
    "scope": "A consent names what may be given out. Nothing was saved.",
    "method": "Answers about alcohol and drugs need a signed consent. Nothing was saved.",
    "given_at": "A consent is given at a time that has passed. Nothing was saved.",
    "expires_at": "A consent ends within five years. Nothing was saved.",
}
