"""Records that somebody opened in an emergency: opened for an hour, listed, reviewed once."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from records.crypto import Vault
from records.errors import BadInput
from records.ids import new_id
from records.log import Scope, within
from records.schema import session
from records.schema_openings import opening
from records.sessions import SessionRow, get

OPEN_SECONDS = 3600.0
SHORTEST, LONGEST = 15, 500  # letters of a reason
MOST = 200


@dataclass(frozen=True, slots=True)
class OpeningRow:
    """One opening with as much of its session as a list shows. Times are UTC epoch seconds."""

    id: str
    session_id: str
    code: str
    agency_id: str
    provider_id: str
    program_id: str
    wellness: bool
    person_id: str
    reason: str | None  # None: not for this reader
    opened_at: float
    expires_at: float
    reviewed_at: float | None
    reviewed_by: str | None


def clean(typed: str) -> str:
    """A reason in whole words. Raises BadInput for one that says too little or too much."""
    reason = " ".join(typed.split())
    if not SHORTEST <= len(reason) <= LONGEST:
        raise BadInput("reason")
    return reason


async def newest_by_code(conn: AsyncConnection, provider_id: str, code: str) -> SessionRow | None:
    """The provider's newest session with this spoken code."""
    found = await conn.execute(
        select(session.c.id)
        .where(session.c.provider_id == provider_id, session.c.code == code)
        .order_by(session.c.pressed_at.desc())
        .limit(1)
    )
    session_id = found.scalar()
    return await get(conn, session_id) if session_id is not None else None


async def add(
    conn: AsyncConnection, vault: Vault, session_id: str, person_id: str, reason: str, now: float
) -> str:
    """Open a session's record to somebody for an hour; the opening's id."""
    opening_id = new_id("opn")
    sealed = await vault.seal(
        conn, session_id, "opening", "reason_enc", opening_id, clean(reason).encode()
    )
    await conn.execute(
        insert(opening).values(
            id=opening_id,
            session_id=session_id,
            person_id=person_id,
            reason_enc=sealed,
            opened_at=now,
            expires_at=now + OPEN_SECONDS,
        )
    )
    return opening_id


async def open_to(conn: AsyncConnection, session_id: str, now: float) -> dict[str, float]:
    """To whom a session's record is open at this moment, and until when."""
    rows = await conn.execute(
        select(opening.c.person_id, opening.c.expires_at).where(
            opening.c.session_id == session_id,
            opening.c.opened_at <= now,
            opening.c.expires_at > now,
        )
    )
    until: dict[str, float] = {}
    for row in rows:
        until[row.person_id] = max(row.expires_at, until.get(row.person_id, 0.0))
    return until


async def listed(
    conn: AsyncConnection, vault: Vault, scope: Scope, *, reasons_of: frozenset[str]
) -> list[OpeningRow]:
    """The openings within a scope, those to be reviewed first, then the newest.

    A reason is opened for the providers in `reasons_of` only.
    """
    columns = (session.c.code, session.c.agency_id, session.c.provider_id, session.c.program_id)
    rows = await conn.execute(
        select(opening, *columns, session.c.wellness)
        .join(session, session.c.id == opening.c.session_id)
        .where(within(scope))
        .order_by(opening.c.reviewed_at.is_not(None), opening.c.opened_at.desc(), opening.c.id)
        .limit(MOST)
    )
    found = []
    for row in rows.all():
        reason = None
        if row.provider_id in reasons_of:
            place = (row.session_id, "opening", "reason_enc", row.id)
            reason = (await vault.open(conn, *place, row.reason_enc)).decode()
        values = {name: getattr(row, name) for name in OpeningRow.__slots__ if name != "reason"}
        found.append(OpeningRow(**values, reason=reason))
    return found


async def review(conn: AsyncConnection, opening_id: str, by: str, now: float) -> bool:
    """Somebody has looked at it; False when somebody had before, or it is their own."""
    done = await conn.execute(
        update(opening)
        .where(
            opening.c.id == opening_id,
            opening.c.reviewed_at.is_(None),
            opening.c.person_id != by,
        )
        .values(reviewed_at=now, reviewed_by=by)
    )
    return done.rowcount == 1
