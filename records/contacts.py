"""The ways to reach a person outside the open console: sealed, ordered by their owner.

What a way needs (a push subscription, a number, an address, a token) is sealed with the vault's own
key and is gone when the way is removed; the row stays, because pages name it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, and_, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from records.crypto import Vault
from records.errors import BadInput, NotFound
from records.ids import new_id
from records.schema import contact_point, person

KINDS = ("push", "sms", "voice", "email", "chat")
MOST = 12  # of one person
GONE = "gone"  # the push service says that the browser has ended it
BY_OWNER = "by_owner"


@dataclass(frozen=True, slots=True)
class Way:
    """A way without what it needs: enough to plan and to list."""

    id: str
    person_id: str
    kind: str
    place: int
    created_at: float
    verified_at: float | None
    tested_at: float | None
    removed_at: float | None
    removed_reason: str | None


@dataclass(frozen=True, slots=True)
class NewWay:
    """`subject` is what makes it the same way as another one: endpoint, number, address."""

    kind: str
    subject: str
    details: Mapping[str, Any]


_PLAIN = [
    contact_point.c[name]
    for name in (
        "id",
        "person_id",
        "kind",
        "place",
        "created_at",
        "verified_at",
        "tested_at",
        "removed_at",
        "removed_reason",
    )
]


def _way(row: Row[Any]) -> Way:
    return Way(**{column.name: row._mapping[column.name] for column in _PLAIN})


async def ways(conn: AsyncConnection, people: Iterable[str] | None = None) -> list[Way]:
    """All ways that can be used, of these people or of everybody, in their owners' order."""
    statement = (
        select(*_PLAIN)
        .where(contact_point.c.removed_at.is_(None))
        .order_by(contact_point.c.person_id, contact_point.c.place, contact_point.c.id)
    )
    if people is not None:
        statement = statement.where(contact_point.c.person_id.in_(list(people)))
    return [_way(row) for row in await conn.execute(statement)]


async def ended(conn: AsyncConnection, person_id: str, since: float) -> list[Way]:
    """Ways that ended by themselves after `since`: their owner should know."""
    rows = await conn.execute(
        select(*_PLAIN)
        .where(
            contact_point.c.person_id == person_id,
            contact_point.c.removed_reason == GONE,
            contact_point.c.removed_at > since,
        )
        .order_by(contact_point.c.removed_at.desc())
    )
    return [_way(row) for row in rows]


async def get(conn: AsyncConnection, contact_id: str) -> Way | None:
    """A way, removed or not."""
    row = (await conn.execute(select(*_PLAIN).where(contact_point.c.id == contact_id))).first()
    return _way(row) if row is not None else None


async def details(conn: AsyncConnection, vault: Vault, contact_id: str) -> Mapping[str, Any] | None:
    """What a way needs, opened; None when it was removed. Raises KeyWrong."""
    row = (
        await conn.execute(
            select(contact_point.c.details_enc, contact_point.c.kek_id).where(
                contact_point.c.id == contact_id, contact_point.c.removed_at.is_(None)
            )
        )
    ).first()
    if row is None or row.details_enc is None:
        return None
    place = ("contact_point", "details", contact_id)
    opened: Mapping[str, Any] = json.loads(
        await vault.open_own(*place, row.details_enc, row.kek_id)
    )
    return opened


async def add(
    conn: AsyncConnection, vault: Vault, person_id: str, new: NewWay, now: float
) -> tuple[Way, bool]:
    """Add a way at the end of the person's order; whether it is new.

    The same way again keeps its place and its checks, and takes the newer details. Raises BadInput
    for a thirteenth way or a kind that does not exist.
    """
    if new.kind not in KINDS:
        raise BadInput("There is no such kind of way.")
    await hold_person(conn, person_id)
    digest = vault.tag("contact", f"{person_id}\0{new.kind}\0{new.subject}").hex()
    known = (
        await conn.execute(
            select(contact_point.c.id).where(
                contact_point.c.person_id == person_id,
                contact_point.c.digest == digest,
                contact_point.c.removed_at.is_(None),
            )
        )
    ).scalar()
    contact_id = known or new_id("con")
    plain = json.dumps(dict(new.details), separators=(",", ":")).encode()
    own = await vault.own(conn)
    values = {
        "details_enc": own.seal("contact_point", "details", contact_id, plain),
        "kek_id": own.id,
    }
    if known is not None:
        await conn.execute(
            update(contact_point).where(contact_point.c.id == known).values(**values)
        )
    else:
        count, last = (
            await conn.execute(
                select(func.count(), func.max(contact_point.c.place)).where(
                    contact_point.c.person_id == person_id, contact_point.c.removed_at.is_(None)
                )
            )
        ).one()
        if count >= MOST:
            raise BadInput(f"Nobody needs more than {MOST} ways. Remove one first.")
        await conn.execute(
            insert(contact_point).values(
                id=contact_id,
                person_id=person_id,
                kind=new.kind,
                place=(last or 0) + 1,
                digest=digest,
                created_at=now,
                **values,
            )
        )
    made = await get(conn, contact_id)
    if made is None:
        raise NotFound
    return made, known is None


async def remove(
    conn: AsyncConnection, contact_id: str, reason: str, now: float, owner: str | None = None
) -> bool:
    """Take a way out of use and destroy what it held; False when it was removed already."""
    mine = [contact_point.c.person_id == owner] if owner is not None else []
    done = await conn.execute(
        update(contact_point)
        .where(contact_point.c.id == contact_id, contact_point.c.removed_at.is_(None), *mine)
        .values(details_enc=None, removed_at=now, removed_reason=reason)
    )
    return done.rowcount == 1


async def move_up(conn: AsyncConnection, person_id: str, contact_id: str) -> None:
    """One place nearer to the first. Raises NotFound for a way that is not this person's."""
    await hold_person(conn, person_id)
    order = [way.id for way in await ways(conn, [person_id])]
    if contact_id not in order:
        raise NotFound
    at = order.index(contact_id)
    if at > 0:
        order[at - 1], order[at] = order[at], order[at - 1]
    for place, one in enumerate(order, start=1):
        await conn.execute(
            update(contact_point).where(contact_point.c.id == one).values(place=place)
        )


async def tested(conn: AsyncConnection, contact_id: str, now: float) -> None:
    """A test page goes there now."""
    await conn.execute(
        update(contact_point)
        .where(and_(contact_point.c.id == contact_id, contact_point.c.removed_at.is_(None)))
        .values(tested_at=now)
    )


async def verified(conn: AsyncConnection, contact_id: str, now: float) -> None:
    """Somebody opened a page that went there."""
    await conn.execute(
        update(contact_point)
        .where(contact_point.c.id == contact_id, contact_point.c.removed_at.is_(None))
        .values(verified_at=now)
    )


async def hold_person(conn: AsyncConnection, person_id: str) -> None:
    """One change of a person's ways, or of their pages, after the other."""
    await conn.execute(
        select(person.c.id).where(person.c.id == person_id).with_for_update(key_share=True)
    )
