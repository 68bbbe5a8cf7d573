"""Who was given what of a session, on which basis: written as it is given, never changed.

Every way out that names a session or its person writes here, in the transaction that lets it out.
Counts and de-identified lists do not: the audit log has them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from records.consent_rules import CONTENT, PURPOSES, RECIPIENTS
from records.crypto import Vault
from records.errors import BadInput
from records.ids import new_id
from records.schema_consents import disclosure as table

WAYS: Final = ("card", "plan", "fhir", "csv", "webhook", "paper")
TO: Final = (*RECIPIENTS, "person")
FOR: Final = (*PURPOSES, "safety", "own_copy")
BASES: Final = (
    "consent",  # a consent that covers it, named by its id
    "safety",  # 45 CFR 164.512(j): those at the scene need it to avert harm
    "treatment",  # 45 CFR 164.506(c): those who treat the person next
    "individual",  # 45 CFR 164.502(a)(1)(i): to the person themselves
    "emergency",  # 42 CFR 2.51: a medical emergency
    "law",  # 45 CFR 164.512(a): required by law
)


@dataclass(frozen=True, slots=True)
class Given:
    """One disclosure."""

    way: str
    recipient: str
    purpose: str
    basis: str
    content: tuple[str, ...]
    recipient_name: str = ""
    consents: tuple[str, ...] = ()  # ids


@dataclass(frozen=True, slots=True)
class DisclosureRow:
    id: str
    at: float
    actor_kind: str
    actor_id: str | None
    given: Given


async def record(
    conn: AsyncConnection,
    vault: Vault,
    session_id: str,
    given: Given,
    actor_kind: str,
    actor_id: str | None,
    now: float,
) -> str:
    """Write a disclosure in the transaction that lets it out; its id.

    Raises BadInput for codes that nobody knows, and for a consent as its basis that is not named.
    """
    known = (
        given.way in WAYS
        and given.recipient in TO
        and given.purpose in FOR
        and given.basis in BASES
        and bool(given.content)
        and set(given.content) <= set(CONTENT)
    )
    if not known or (given.basis == "consent") != bool(given.consents):
        raise BadInput
    row_id = new_id("dis")
    plain = json.dumps(
        {
            "content": given.content,
            "recipient_name": given.recipient_name,
            "consents": given.consents,
        },
        separators=(",", ":"),
    )
    sealed = await vault.seal(conn, session_id, "disclosure", "terms_enc", row_id, plain.encode())
    await conn.execute(
        insert(table).values(
            id=row_id, session_id=session_id, at=now, actor_kind=actor_kind, actor_id=actor_id,
            way=given.way, recipient=given.recipient, purpose=given.purpose, basis=given.basis,
            terms_enc=sealed,
        )
    )  # fmt: skip
    return row_id


async def of_session(conn: AsyncConnection, vault: Vault, session_id: str) -> list[DisclosureRow]:
    """What was given out of a session, the oldest first."""
    rows = await conn.execute(
        select(table).where(table.c.session_id == session_id).order_by(table.c.at, table.c.id)
    )
    found = []
    for row in rows.all():
        sealed = row.terms_enc
        text = await vault.open(conn, session_id, "disclosure", "terms_enc", row.id, sealed)
        plain: dict[str, Any] = json.loads(text)
        given = Given(
            row.way, row.recipient, row.purpose, row.basis, tuple(plain["content"]),
            plain["recipient_name"], tuple(plain["consents"]),
        )  # fmt: skip
        found.append(DisclosureRow(row.id, row.at, row.actor_kind, row.actor_id, given))
    return found
