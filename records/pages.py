"""Pages: queued once, claimed by one process at a time, and only ever moved forward.

Every change is a compare-and-set on the state (and on the attempt while it is being sent), so that
several processes can run the same queue: what one of them did, the others find done.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, and_, func, insert, literal_column, or_, select, union, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records.contacts import hold_person
from records.crypto import Vault
from records.errors import BadInput
from records.ids import new_id
from records.refusals import already_there
from records.schema import page, session
from records.states import WAITING

REACHED = ("sent", "delivered", "opened", "acknowledged")
LOST = ("failed", "withdrawn")
TOKEN_SECONDS = 1800.0  # a link to a page works this long

# what a page may have been before; one that we think failed may have arrived all the same
_BEFORE = {
    "delivered": ("queued", "sent", "failed"),
    "opened": ("queued", "sent", "delivered", "failed"),
    "acknowledged": ("queued", "sent", "delivered", "opened", "failed"),
}


@dataclass(frozen=True, slots=True)
class PageRow:
    """One page, as stored."""

    id: str
    key: str
    purpose: str
    session_id: str | None
    provider_id: str | None
    person_id: str
    contact_id: str
    step: str
    text_key: str
    round: int
    state: str
    reason: str | None
    attempt: int
    token_hash: str
    queued_at: float
    due_at: float
    lease_until: float | None
    sent_at: float | None
    delivered_at: float | None
    opened_at: float | None
    acknowledged_at: float | None
    ended_at: float | None


@dataclass(frozen=True, slots=True)
class NewPage:
    """What a page is about. `key` makes it happen once."""

    key: str
    purpose: str
    provider_id: str | None
    person_id: str
    contact_id: str
    step: str
    text_key: str
    session_id: str | None = None
    round: int = 0


def _row(row: Row[Any]) -> PageRow:
    return PageRow(**row._mapping)


def token_of(vault: Vault, page_id: str) -> str:
    """The secret in a page's link: the same at each attempt, to be made by this vault only."""
    return vault.tag("page link", page_id)[:15].hex()


def hash_of(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


async def queue(conn: AsyncConnection, vault: Vault, new: NewPage, now: float) -> PageRow | None:
    """Put a page on the queue; None when one with its key was queued before, by whomever."""
    page_id = new_id("pag")
    values = {
        "id": page_id,
        "state": "queued",
        "token_hash": hash_of(token_of(vault, page_id)),
        "queued_at": now,
        "due_at": now,
        **{name: getattr(new, name) for name in NewPage.__dataclass_fields__},
    }
    try:
        async with conn.begin_nested():
            await conn.execute(insert(page).values(values))
    except IntegrityError as error:
        if already_there(error):
            return None
        raise BadInput from error
    return await get(conn, page_id)


async def queue_round(
    conn: AsyncConnection, vault: Vault, ways: Sequence[NewPage], now: float, gap: float
) -> list[PageRow]:
    """Queue one round of calls to one person, unless they have heard from us within `gap` seconds.

    The person is held meanwhile, so that two processes do not both find them undisturbed.
    """
    await hold_person(conn, ways[0].person_id)
    heard = (
        await conn.execute(
            select(func.max(page.c.queued_at)).where(
                page.c.person_id == ways[0].person_id,
                page.c.purpose == "call",
                page.c.state.not_in(LOST),
            )
        )
    ).scalar()
    if heard is not None and 0 <= now - heard < gap:
        return []
    made = [await queue(conn, vault, new, now) for new in ways]
    return [row for row in made if row is not None]


async def get(conn: AsyncConnection, page_id: str) -> PageRow | None:
    row = (await conn.execute(select(page).where(page.c.id == page_id))).first()
    return _row(row) if row is not None else None


async def by_token(conn: AsyncConnection, token: str, now: float) -> PageRow | None:
    """The page of a link that still works."""
    row = (
        await conn.execute(
            select(page).where(
                page.c.token_hash == hash_of(token), page.c.queued_at > now - TOKEN_SECONDS
            )
        )
    ).first()
    return _row(row) if row is not None else None


async def of_waiting(conn: AsyncConnection) -> list[PageRow]:
    """The calls for all sessions that wait, oldest first: what officers and consoles are told."""
    rows = await conn.execute(
        select(page)
        .join(session, session.c.id == page.c.session_id)
        .where(WAITING, page.c.purpose == "call")
        .order_by(page.c.queued_at, page.c.id)
    )
    return [_row(row) for row in rows]


async def for_plan(conn: AsyncConnection, since: float) -> list[PageRow]:
    """What the pager must know: pages of waiting sessions, and all of not long ago."""
    # each by its own index: together they would be looked for among all pages that ever were
    those = union(
        select(page.c.id).join(session, session.c.id == page.c.session_id).where(WAITING),
        select(page.c.id).where(page.c.queued_at > since),
        select(page.c.id).where(page.c.state == literal_column("'queued'")),
    ).subquery()
    rows = await conn.execute(
        select(page)
        .join(those, those.c.id == page.c.id)
        .where(page.c.purpose.in_(("call", "stand_down")))
        .order_by(page.c.queued_at, page.c.id)
    )
    return [_row(row) for row in rows]


async def stirrings(conn: AsyncConnection) -> tuple[object, ...]:
    """Changes whenever a session begins or ends to wait, or is worked on while it does: one cheap
    question, to be asked often."""
    waiting = select(func.count(), func.sum(session.c.version), func.sum(session.c.epoch)).where(
        WAITING, session.c.test.is_(False)
    )
    return tuple((await conn.execute(waiting)).one())


async def newest_tests(conn: AsyncConnection, person_id: str) -> dict[str, PageRow]:
    """The last test of each way."""
    rows = await conn.execute(
        select(page)
        .where(page.c.person_id == person_id, page.c.purpose == "test")
        .order_by(page.c.queued_at, page.c.id)
    )
    return {row.contact_id: _row(row) for row in rows}


# --- sending --------------------------------------------------------------------------------------


async def due(conn: AsyncConnection, now: float, most: int) -> list[str]:
    """Pages to send now that no process is sending, the longest waiting first."""
    rows = await conn.execute(
        select(page.c.id)
        .where(page.c.state == "queued", page.c.due_at <= now, _free(now))
        .order_by(page.c.due_at, page.c.id)
        .limit(most)
    )
    return list(rows.scalars())


async def next_due(conn: AsyncConnection) -> float | None:
    """When the next queued page may be sent, or its sender is given up."""
    found = await conn.execute(
        select(func.min(func.coalesce(page.c.lease_until, page.c.due_at))).where(
            page.c.state == "queued"
        )
    )
    return found.scalar()


async def claim(
    conn: AsyncConnection, page_id: str, now: float, lease_seconds: float
) -> PageRow | None:
    """Take a page for sending; None when another process has it, or it is not queued any more."""
    done = await conn.execute(
        update(page)
        .where(page.c.id == page_id, page.c.state == "queued", page.c.due_at <= now, _free(now))
        .values(lease_until=now + lease_seconds, attempt=page.c.attempt + 1)
    )
    return await get(conn, page_id) if done.rowcount == 1 else None


async def sent(conn: AsyncConnection, claimed: PageRow, now: float) -> bool:
    """The other side took it; False when the page moved on meanwhile."""
    return await _settle(conn, claimed, {"state": "sent", "sent_at": now, "reason": None})


async def again(conn: AsyncConnection, claimed: PageRow, reason: str, due_at: float) -> bool:
    """This attempt failed; the next one is not before `due_at`."""
    return await _settle(conn, claimed, {"due_at": due_at, "reason": reason})


async def failed(conn: AsyncConnection, claimed: PageRow, reason: str, now: float) -> bool:
    """Given up."""
    return await _settle(conn, claimed, {"state": "failed", "ended_at": now, "reason": reason})


async def withdraw(conn: AsyncConnection, page_id: str, now: float) -> bool:
    """Not needed any more. A page that is being sent is not withdrawn: it may have arrived."""
    done = await conn.execute(
        update(page)
        .where(page.c.id == page_id, page.c.state == "queued", _free(now))
        .values(state="withdrawn", ended_at=now)
    )
    return done.rowcount == 1


async def reached(conn: AsyncConnection, page_id: str, state: str, now: float) -> PageRow | None:
    """The page is delivered, opened or acknowledged; None when it was so, or more, before."""
    done = await conn.execute(
        update(page)
        .where(page.c.id == page_id, page.c.attempt > 0, page.c.state.in_(_BEFORE[state]))
        .values({"state": state, f"{state}_at": now, "reason": None, "ended_at": None})
    )
    return await get(conn, page_id) if done.rowcount == 1 else None


async def unanswered(conn: AsyncConnection, person_id: str, since: float) -> list[PageRow]:
    """A person's calls for sessions that still wait and that they have not acknowledged."""
    rows = await conn.execute(
        select(page)
        .join(session, session.c.id == page.c.session_id)
        .where(
            page.c.person_id == person_id,
            page.c.purpose == "call",
            page.c.attempt > 0,
            page.c.state.in_(_BEFORE["acknowledged"]),
            page.c.queued_at > since,
            WAITING,
        )
    )
    return [_row(row) for row in rows]


def _free(now: float) -> Any:
    return or_(page.c.lease_until.is_(None), page.c.lease_until <= now)


async def _settle(conn: AsyncConnection, claimed: PageRow, values: dict[str, object]) -> bool:
    done = await conn.execute(
        update(page)
        .where(
            and_(
                page.c.id == claimed.id,
                page.c.state == "queued",
                page.c.attempt == claimed.attempt,
            )
        )
        .values(lease_until=None, **values)
    )
    return done.rowcount == 1
