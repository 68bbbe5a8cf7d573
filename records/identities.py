"""Who a session was about: sealed, found again by a keyed hash, joined and taken apart by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, and_, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from records import sessions
from records.crypto import Vault
from records.errors import BadInput, Conflict, NotFound
from records.identity_rules import BadIdentity, Identity, checked, known_by
from records.ids import new_id
from records.schema import provider, session
from records.schema_identities import identity as table
from records.schema_identities import identity_merge as merges
from records.sessions import SessionRow
from records.vocabulary import JOIN_REASONS

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
    """Sessions that somebody joined to a person by hand.

    `reason`: None of one that was made before it was asked. `open`: it can be taken apart from
    here; one of before a later join waits until that one is taken apart.
    """

    id: str
    sessions: tuple[str, ...]
    made_by: str
    made_at: float
    reason: str | None
    undone_by: str | None
    undone_at: float | None
    open: bool


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
    await _one_at_a_time(conn, row.provider_id)
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
    conn: AsyncConnection,
    session_id: str,
    into_session: str,
    reason: str,
    revs: tuple[int, int],
    by: str,
    now: float,
) -> tuple[str, ...]:
    """Say that two sessions were about one person; the first one's other sessions come along.

    Whoever calls holds both sessions. `revs`: what of each was on the page on which a human
    compared them. The ids of the sessions
    that moved. Raises NotFound where nothing is written of one of them, Conflict where somebody
    has written since, BadInput when they are one person already or of two providers, or for a
    reason that is none.
    """
    if reason not in JOIN_REASONS:
        raise BadInput("Say why they are one person. Nothing was joined.")
    await _one_at_a_time(conn, (await _whose(conn, session_id)).provider_id)
    ours, theirs = await _whose(conn, session_id), await _whose(conn, into_session)
    if (ours.rev, theirs.rev) != revs:
        raise Conflict({})
    if ours.subject_id == theirs.subject_id or ours.provider_id != theirs.provider_id:
        raise BadInput("These sessions are one person already, or of two providers.")
    moved = await _of_subject(conn, ours.subject_id)
    free = await _free(conn, [*moved, into_session])
    await _move(conn, moved, theirs.subject_id)
    # what a human has compared stays joined when its name is corrected later
    await conn.execute(update(table).where(table.c.session_id == into_session).values(pinned=True))
    await conn.execute(
        insert(merges).values(
            id=new_id("mrg"), from_subject=ours.subject_id, into_subject=theirs.subject_id,
            sessions=json.dumps(moved), free=json.dumps(free), reason=reason, made_by=by,
            made_at=now,
        )
    )  # fmt: skip
    return tuple(moved)


async def joins(conn: AsyncConnection, subject_id: str) -> list[Merge]:
    """What was ever joined to this person by hand, or taken from it again, the newest first.

    With what had been joined before to those who were joined to it.
    """
    found: dict[str, Merge] = {}
    asked: set[str] = set()
    queue = [subject_id]
    while queue and len(asked) < MOST_EARLIER:
        one = queue.pop()
        asked.add(one)
        undone = merges.c.undone_at.is_not(None)
        mine = or_(merges.c.into_subject == one, and_(merges.c.from_subject == one, undone))
        for row in (await conn.execute(select(merges).where(mine))).all():
            still = row.undone_at is None
            found[row.id] = _merge(row, can_end=still and row.into_subject == subject_id)
            if still and row.from_subject not in asked:
                queue.append(row.from_subject)
    return sorted(found.values(), key=lambda one: (-one.made_at, one.id))


def _merge(row: Row[Any], *, can_end: bool) -> Merge:
    ids = tuple(json.loads(row.sessions))
    return Merge(
        row.id, ids, row.made_by, row.made_at, row.reason, row.undone_by, row.undone_at, can_end
    )


async def take_apart(
    conn: AsyncConnection, session_id: str, merge_id: str, by: str, now: float
) -> tuple[str, ...]:
    """Undo one join of this session's person. The ids that moved back. Raises NotFound.

    Whoever calls holds the session. Who was recognised since by the name of somebody who moves
    back goes along.
    """
    await _one_at_a_time(conn, (await _whose(conn, session_id)).provider_id)
    ours = (await _whose(conn, session_id)).subject_id
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
    since = await _known_by_these(conn, ours, moved)
    moved += since
    await _move(conn, moved, row.from_subject)
    await conn.execute(
        update(merges).where(merges.c.id == merge_id).values(undone_by=by, undone_at=now)
    )
    await _let_go(conn, ours, moved, [*json.loads(row.free or "[]"), *since])
    return tuple(moved)


async def _known_by_these(
    conn: AsyncConnection, subject_id: str, moved: Sequence[str]
) -> list[str]:
    """Sessions that the hash alone put to this person, by a name that one of these has."""
    tags = select(table.c.tag).where(table.c.session_id.in_(moved), table.c.tag.is_not(None))
    rows = select(table.c.session_id).where(
        table.c.subject_id == subject_id,
        table.c.pinned.is_(False),
        table.c.tag.in_(tags),
    )
    return list((await conn.execute(rows.order_by(table.c.session_id))).scalars())


async def _let_go(
    conn: AsyncConnection, subject_id: str, moved: Sequence[str], free: Sequence[str]
) -> None:
    """The hash may move again what it could move before, but for what another join holds."""
    others = select(merges.c.id).where(
        merges.c.into_subject == subject_id, merges.c.undone_at.is_(None)
    )
    held = (await conn.execute(others.limit(1))).first() is not None
    ids = [one for one in free if one in moved or not held]
    await conn.execute(update(table).where(table.c.session_id.in_(ids)).values(pinned=False))


async def forget(conn: AsyncConnection, session_id: str) -> None:
    """A session is deleted: what was joined by hand names it no more."""
    named = or_(
        merges.c.sessions.contains(session_id, autoescape=True),
        merges.c.free.contains(session_id, autoescape=True),
    )
    for row in (await conn.execute(select(merges).where(named))).all():
        left, free = (
            json.dumps([one for one in json.loads(text or "[]") if one != session_id])
            for text in (row.sessions, row.free)
        )
        mine = merges.c.id == row.id
        await conn.execute(
            update(merges).where(mine).values(sessions=left, free=free)
            if json.loads(left)
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


async def _one_at_a_time(conn: AsyncConnection, provider_id: str) -> None:
    """Nobody else changes whose sessions of this provider are until this transaction ends.

    A person's sessions are read and then moved, and a name is looked for and then kept: between the
    two somebody else could move one of them, or write the same name. Always after the sessions
    themselves are held, never before. SQLite has one writer anyway.
    """
    mine = select(provider.c.id).where(provider.c.id == provider_id)
    await conn.execute(mine.with_for_update(key_share=True))


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


async def _whose(conn: AsyncConnection, session_id: str) -> Row[str, str, int]:
    """The person, provider and revision of a session. Raises NotFound where nothing is written."""
    columns = (table.c.subject_id, table.c.provider_id, table.c.rev)
    found = await conn.execute(select(*columns).where(table.c.session_id == session_id))
    row = found.first()
    if row is None:
        raise NotFound
    return row


async def _free(conn: AsyncConnection, ids: Sequence[str]) -> list[str]:
    """Those of them that nobody has placed by hand."""
    rows = select(table.c.session_id).where(table.c.session_id.in_(ids), table.c.pinned.is_(False))
    return list((await conn.execute(rows.order_by(table.c.session_id))).scalars())


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
