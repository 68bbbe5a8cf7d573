"""Who a session was about: sealed, found again by a keyed hash, joined and taken apart by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, and_, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from records import sessions
from records.crypto import Vault
from records.errors import BadInput, Conflict, NotFound
from records.identity_rules import BadIdentity, Identity, checked, known_by
from records.ids import new_id
from records.schema import session
from records.schema_identities import identity as table
from records.schema_identities import identity_merge as merges
from records.sessions import SessionRow

MOST_EARLIER = 20


@dataclass(frozen=True, slots=True)
class IdentityRow:
    """One session's person, opened."""

    session_id: str
    subject_id: str
    rev: int
    identity: Identity
    author_id: str
    updated_at: float


@dataclass(frozen=True, slots=True)
class Visit:
    """Another session of the same person."""

    session_id: str
    code: str
    pressed_at: float
    lead_id: str | None


@dataclass(frozen=True, slots=True)
class Merge:
    """Sessions that somebody joined to a person by hand."""

    id: str
    sessions: tuple[str, ...]
    made_by: str
    made_at: float


async def get(conn: AsyncConnection, vault: Vault, session_id: str) -> IdentityRow | None:
    """Who a session was about; None while nothing was written."""
    row = (await conn.execute(select(table).where(table.c.session_id == session_id))).first()
    return None if row is None else await _opened(conn, vault, row)


async def save(
    conn: AsyncConnection,
    vault: Vault,
    row: SessionRow,
    expected_rev: int,
    typed: Identity,
    author_id: str,
    now: float,
) -> IdentityRow:
    """Keep what is known now, as the revision after `expected_rev`.

    A person who was here before is recognised, unless the session was joined to somebody by hand.
    Raises BadInput, Conflict with what is stored.
    """
    await sessions.lock(conn, row.id)  # who saves at the same moment reads what we stored
    one = _checked(typed, now)
    known = (await conn.execute(select(table).where(table.c.session_id == row.id))).first()
    if (known.rev if known else 0) != expected_rev:
        stored = (await _opened(conn, vault, known)).identity if known else Identity()
        raise Conflict({"rev": known.rev if known else 0, "person": _plain(stored)})
    same = known_by(one)
    tag = None if same is None else vault.tag("identity", f"{row.provider_id}|{same}")
    values = {
        "rev": expected_rev + 1,
        "subject_id": await _subject(conn, row.id, known, tag),
        "provider_id": row.provider_id,
        "tag": tag,
        "author_id": author_id,
        "updated_at": now,
    }
    for name, text in _plain(one).items():
        column = f"{name}_enc"
        values[column] = await vault.seal(conn, row.id, "identity", column, row.id, text.encode())
    if known is None:
        await conn.execute(insert(table).values(session_id=row.id, **values))
    else:
        await conn.execute(update(table).where(table.c.session_id == row.id).values(**values))
    return IdentityRow(row.id, str(values["subject_id"]), expected_rev + 1, one, author_id, now)


async def visits(conn: AsyncConnection, row: IdentityRow) -> list[Visit]:
    """The other sessions of this person, the newest first."""
    found = await conn.execute(
        select(session.c.id, session.c.code, session.c.pressed_at, session.c.lead_id)
        .join(table, table.c.session_id == session.c.id)
        .where(table.c.subject_id == row.subject_id, session.c.id != row.session_id)
        .order_by(session.c.pressed_at.desc())
        .limit(MOST_EARLIER)
    )
    return [Visit(*one) for one in found]


async def join(
    conn: AsyncConnection, session_id: str, into_session: str, by: str, now: float
) -> tuple[str, ...]:
    """Say that two sessions were about one person; the first one's other sessions come along.

    The ids of the sessions that moved. Raises NotFound where nothing is written of one of them,
    BadInput when they are one person already or of two providers.
    """
    ours, our_provider = await _whose(conn, session_id)
    theirs, their_provider = await _whose(conn, into_session)
    if ours == theirs or our_provider != their_provider:
        raise BadInput("These sessions are one person already, or of two providers.")
    moved = await _of_subject(conn, ours)
    await _move(conn, moved, theirs)
    await conn.execute(
        insert(merges).values(
            id=new_id("mrg"), from_subject=ours, into_subject=theirs,
            sessions=json.dumps(moved), made_by=by, made_at=now,
        )
    )  # fmt: skip
    return tuple(moved)


async def joins(conn: AsyncConnection, subject_id: str) -> list[Merge]:
    """What was joined to this person by hand and still is, the newest first."""
    rows = await conn.execute(
        select(merges)
        .where(merges.c.into_subject == subject_id, merges.c.undone_at.is_(None))
        .order_by(merges.c.made_at.desc(), merges.c.id)
    )
    return [Merge(r.id, tuple(json.loads(r.sessions)), r.made_by, r.made_at) for r in rows]


async def take_apart(
    conn: AsyncConnection, session_id: str, merge_id: str, by: str, now: float
) -> tuple[str, ...]:
    """Undo one join of this session's person. The ids that moved back. Raises NotFound."""
    ours, _ = await _whose(conn, session_id)
    mine = and_(
        merges.c.id == merge_id,
        merges.c.into_subject == ours,
        merges.c.undone_at.is_(None),
    )
    row = (await conn.execute(select(merges).where(mine))).first()
    if row is None:
        raise NotFound
    still = set(await _of_subject(conn, ours))
    moved = [one for one in json.loads(row.sessions) if one in still]
    await _move(conn, moved, row.from_subject)
    await conn.execute(
        update(merges).where(merges.c.id == merge_id).values(undone_by=by, undone_at=now)
    )
    return tuple(moved)


async def forget(conn: AsyncConnection, session_id: str) -> None:
    """A session is deleted: what was joined by hand names it no more."""
    named = merges.c.sessions.contains(session_id, autoescape=True)
    for row in (await conn.execute(select(merges).where(named))).all():
        left = [one for one in json.loads(row.sessions) if one != session_id]
        mine = merges.c.id == row.id
        await conn.execute(
            update(merges).where(mine).values(sessions=json.dumps(left))
            if left
            else delete(merges).where(mine)
        )


async def _subject(
    conn: AsyncConnection, session_id: str, known: Row[Any] | None, tag: bytes | None
) -> str:
    """Whose session it is: by hand, else who has the same hash, else who it was, else a new one."""
    if known is not None and known.pinned:
        return str(known.subject_id)
    others = table.c.session_id != session_id
    if tag is not None:
        same = select(table.c.subject_id).where(table.c.tag == tag, others)
        found = (await conn.execute(same.order_by(table.c.updated_at.desc()).limit(1))).scalar()
        if found is not None:
            return str(found)
    if known is not None:
        shared = select(table.c.session_id).where(table.c.subject_id == known.subject_id, others)
        if (await conn.execute(shared.limit(1))).first() is None:
            return str(known.subject_id)
    return new_id("sub")


async def _opened(conn: AsyncConnection, vault: Vault, row: Row[Any]) -> IdentityRow:
    stored = row._mapping
    texts = {}
    for name in ("name", "born", "alias"):
        column, at = f"{name}_enc", stored["session_id"]
        texts[name] = (await vault.open(conn, at, "identity", column, at, stored[column])).decode()
    return IdentityRow(
        stored["session_id"], stored["subject_id"], stored["rev"], Identity(**texts),
        stored["author_id"], stored["updated_at"],
    )  # fmt: skip


async def _whose(conn: AsyncConnection, session_id: str) -> tuple[str, str]:
    """The person and the provider of a session. Raises NotFound where nothing is written."""
    columns = (table.c.subject_id, table.c.provider_id)
    found = await conn.execute(select(*columns).where(table.c.session_id == session_id))
    row = found.first()
    if row is None:
        raise NotFound
    return row.subject_id, row.provider_id


async def _of_subject(conn: AsyncConnection, subject_id: str) -> list[str]:
    rows = select(table.c.session_id).where(table.c.subject_id == subject_id)
    return list((await conn.execute(rows.order_by(table.c.session_id))).scalars())


async def _move(conn: AsyncConnection, ids: Sequence[str], subject_id: str) -> None:
    for one in ids:
        await conn.execute(
            update(table)
            .where(table.c.session_id == one)
            .values(subject_id=subject_id, pinned=True)
        )


def _checked(typed: Identity, now: float) -> Identity:
    # a day ahead: it may be tomorrow already where the person was born
    today = datetime.fromtimestamp(now + 86_400.0, UTC).date()
    try:
        return checked(typed.name, typed.born, typed.alias, today)
    except BadIdentity as bad:
        raise BadInput(_SENTENCES[bad.field]) from bad


def _plain(one: Identity) -> dict[str, str]:
    return {"name": one.name, "born": one.born, "alias": one.alias}


_SENTENCES = {
    "name": "A name has at most 120 characters. Nothing was saved.",
    "alias": "A description has at most 80 characters. Nothing was saved.",
    "born": "The day of birth is no day since 1900. Nothing was saved.",
}
