"""The roster's rows: weekly shifts, exceptions, offered turns, calendar feeds, alarms told.

Rules of this file:
1. What is taken out of the plan is marked and kept, so that the past can be told.
2. Every change of the plan counts `version` up in the same transaction; readers compare it.
3. Who may change what, and whether a plan is wise, is decided above; here are rows only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records.errors import NotFound, SwapDecided, SwapOpen
from records.ids import new_id
from records.refusals import already_there
from records.schema import (
    person,
    roster_alarm,
    roster_entry,
    roster_feed,
    roster_override,
    roster_swap,
    roster_version,
)


@dataclass(frozen=True, slots=True)
class RosterRow:
    """One weekly shift on call. `days` is a bit mask, Monday = 1; minutes are local.

    `valid_from` and `valid_until`: the first and the last local day on which it may begin.
    """

    id: str
    provider_id: str
    person_id: str
    tier: int
    days: int
    starts_minute: int
    ends_minute: int
    timezone: str
    valid_from: date | None = None
    valid_until: date | None = None


@dataclass(frozen=True, slots=True)
class OverrideRow:
    """One exception: `person_id` comes, `instead_of_id` goes. UTC seconds."""

    id: str
    provider_id: str
    person_id: str | None
    instead_of_id: str | None
    starts_at: float
    ends_at: float
    tier: int | None
    made_at: float
    made_by: str


@dataclass(frozen=True, slots=True)
class SwapRow:
    """A turn that a clinician offers; `back_…` is the colleague's turn taken in exchange."""

    id: str
    provider_id: str
    from_id: str
    to_id: str | None
    starts_at: float
    ends_at: float
    back_starts_at: float | None
    back_ends_at: float | None
    state: str
    made_at: float
    decided_at: float | None
    decided_by: str | None
    taken_by: str | None

    @property
    def back(self) -> tuple[float, float] | None:
        """The span that is given in exchange."""
        if self.back_starts_at is None or self.back_ends_at is None:
            return None
        return self.back_starts_at, self.back_ends_at


@dataclass(frozen=True, slots=True)
class FeedRow:
    """A private calendar address; `person_id` None: everybody of the provider."""

    id: str
    provider_id: str
    person_id: str | None
    owner_id: str
    made_at: float


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """A gap that somebody was told of."""

    provider_id: str
    kind: str
    starts_at: float
    ends_at: float


_VERSION = select(roster_version.c.version)


async def version(conn: AsyncConnection) -> int:
    """Grows with each change of weekly shifts and exceptions, in whichever process it is made."""
    return (await conn.execute(_VERSION)).scalar_one_or_none() or 0


async def changed(conn: AsyncConnection) -> None:
    """Count the version up; part of every change of the plan."""
    await conn.execute(update(roster_version).values(version=roster_version.c.version + 1))


async def hold(conn: AsyncConnection) -> None:
    """Let nobody else change the plan until this transaction ends: what was checked stays true."""
    await conn.execute(select(roster_version.c.version).with_for_update())


# --- weekly shifts --------------------------------------------------------------------------------


async def entries(conn: AsyncConnection, provider_id: str | None = None) -> list[RosterRow]:
    """The weekly shifts of active people, of one provider or of all."""
    statement = (
        select(*(roster_entry.c[name] for name in RosterRow.__slots__))
        .join(person, person.c.id == roster_entry.c.person_id)
        .where(person.c.active.is_(True), roster_entry.c.ended_at.is_(None))
        .order_by(roster_entry.c.id)
    )
    if provider_id is not None:
        statement = statement.where(roster_entry.c.provider_id == provider_id)
    return [RosterRow(**row._mapping) for row in await conn.execute(statement)]


async def entries_ever(
    conn: AsyncConnection, provider_id: str, since: float
) -> list[tuple[RosterRow, float | None]]:
    """A provider's weekly shifts with those that were taken out after `since`, and when."""
    rows = await conn.execute(
        select(*(roster_entry.c[name] for name in RosterRow.__slots__), roster_entry.c.ended_at)
        .where(
            roster_entry.c.provider_id == provider_id,
            or_(roster_entry.c.ended_at.is_(None), roster_entry.c.ended_at > since),
        )
        .order_by(roster_entry.c.id)
    )
    return [(RosterRow(*row[:-1]), row[-1]) for row in rows]


async def add_entry(conn: AsyncConnection, **values: object) -> str:
    """A weekly shift: the fields of RosterRow without its id; the new id."""
    entry_id = new_id("ros")
    await conn.execute(insert(roster_entry).values(id=entry_id, **values))
    await changed(conn)
    return entry_id


async def end_entry(conn: AsyncConnection, provider_id: str, entry_id: str, now: float) -> None:
    """Take a weekly shift out of the plan. Raises NotFound."""
    done = await conn.execute(
        update(roster_entry)
        .where(roster_entry.c.id == entry_id, roster_entry.c.provider_id == provider_id)
        .where(roster_entry.c.ended_at.is_(None))
        .values(ended_at=now)
    )
    if done.rowcount != 1:
        raise NotFound
    await changed(conn)


async def emails(conn: AsyncConnection, provider_id: str) -> dict[str, str]:
    """The provider's people by their e-mail address in lower case."""
    found = await conn.execute(
        select(person.c.email, person.c.id).where(person.c.provider_id == provider_id)
    )
    return {row.email.lower(): row.id for row in found}


# --- exceptions -----------------------------------------------------------------------------------


async def overrides(
    conn: AsyncConnection, since: float, provider_id: str | None = None
) -> list[OverrideRow]:
    """The exceptions that end after `since`, in the order in which they were made.

    Of somebody whose account is closed nobody expects anything: they come no more.
    """
    inactive = select(person.c.id).where(person.c.active.is_(False))
    statement = (
        select(*(roster_override.c[name] for name in OverrideRow.__slots__))
        .where(roster_override.c.ended_at.is_(None), roster_override.c.ends_at > since)
        .where(
            or_(
                roster_override.c.person_id.is_(None),
                roster_override.c.person_id.not_in(inactive),
            )
        )
        .order_by(roster_override.c.made_at, roster_override.c.id)
    )
    if provider_id is not None:
        statement = statement.where(roster_override.c.provider_id == provider_id)
    return [OverrideRow(**row._mapping) for row in await conn.execute(statement)]


async def overrides_ever(
    conn: AsyncConnection, provider_id: str, since: float
) -> list[tuple[OverrideRow, float | None]]:
    """A provider's exceptions with those that were taken out after `since`, and when."""
    own = roster_override.c
    rows = await conn.execute(
        select(*(own[name] for name in OverrideRow.__slots__), own.ended_at)
        .where(own.provider_id == provider_id, own.ends_at > since)
        .where(or_(own.ended_at.is_(None), own.ended_at > since))
        .order_by(own.made_at, own.id)
    )
    return [(OverrideRow(*row[:-1]), row[-1]) for row in rows]


async def add_override(conn: AsyncConnection, **values: object) -> str:
    """An exception: the fields of OverrideRow without its id; the new id."""
    override_id = new_id("ovr")
    await conn.execute(insert(roster_override).values(id=override_id, **values))
    await changed(conn)
    return override_id


async def end_override(
    conn: AsyncConnection, provider_id: str, override_id: str, now: float
) -> None:
    """Take an exception back. Raises NotFound."""
    done = await conn.execute(
        update(roster_override)
        .where(roster_override.c.id == override_id, roster_override.c.provider_id == provider_id)
        .where(roster_override.c.ended_at.is_(None))
        .values(ended_at=now)
    )
    if done.rowcount != 1:
        raise NotFound
    await changed(conn)


# --- offered turns --------------------------------------------------------------------------------

_SWAP = tuple(roster_swap.c[name] for name in SwapRow.__slots__)


async def swaps(
    conn: AsyncConnection, provider_id: str, now: float, *, involving: str | None = None
) -> list[SwapRow]:
    """The open offers of turns, the next one first; with `involving`, also decided ones of a person
    whose turn is not over.
    """
    alive: ColumnElement[bool] = roster_swap.c.state == "proposed"
    if involving is not None:
        alive = or_(alive, roster_swap.c.from_id == involving, roster_swap.c.to_id == involving)
    statement = (
        select(*_SWAP)
        .where(roster_swap.c.provider_id == provider_id, roster_swap.c.ends_at > now, alive)
        .order_by(roster_swap.c.starts_at, roster_swap.c.id)
    )
    return [SwapRow(**row._mapping) for row in await conn.execute(statement)]


async def swap(conn: AsyncConnection, provider_id: str, swap_id: str) -> SwapRow:
    """One offer of a turn. Raises NotFound."""
    found = await conn.execute(
        select(*_SWAP).where(roster_swap.c.id == swap_id, roster_swap.c.provider_id == provider_id)
    )
    row = found.first()
    if row is None:
        raise NotFound
    return SwapRow(**row._mapping)


async def propose(conn: AsyncConnection, **values: object) -> str:
    """Offer a turn: provider_id, from_id, to_id, the spans, made_at; its id. Raises SwapOpen."""
    swap_id = new_id("swp")
    try:
        async with conn.begin_nested():
            await conn.execute(insert(roster_swap).values(id=swap_id, state="proposed", **values))
    except IntegrityError as error:
        if already_there(error):
            raise SwapOpen from error
        raise
    return swap_id


async def decide(
    conn: AsyncConnection,
    swap_id: str,
    state: str,
    now: float,
    *,
    by: str | None,
    taken_by: str | None = None,
) -> None:
    """proposed → accepted | refused | withdrawn | lapsed, once. Raises SwapDecided."""
    done = await conn.execute(
        update(roster_swap)
        .where(roster_swap.c.id == swap_id, roster_swap.c.state == "proposed")
        .values(state=state, decided_at=now, decided_by=by, taken_by=taken_by)
    )
    if done.rowcount != 1:
        raise SwapDecided


async def lapse(conn: AsyncConnection, now: float) -> int:
    """Close the offers of turns that are over, and of or to people who are shut out; how many."""
    out = select(person.c.id).where(person.c.active.is_(False))
    idle = or_(
        roster_swap.c.ends_at <= now, roster_swap.c.from_id.in_(out), roster_swap.c.to_id.in_(out)
    )
    done = await conn.execute(
        update(roster_swap)
        .where(roster_swap.c.state == "proposed", idle)
        .values(state="lapsed", decided_at=now)
    )
    return done.rowcount


# --- calendar feeds -------------------------------------------------------------------------------

_FEED = tuple(roster_feed.c[name] for name in FeedRow.__slots__)


def token_hash(token: str) -> str:
    """What is kept of a feed's token: nobody who reads the database can ask for the feed."""
    return hashlib.sha256(token.encode()).hexdigest()


async def add_feed(conn: AsyncConnection, token: str, **values: object) -> str:
    """A feed: provider_id, person_id, owner_id, made_at; the new id."""
    feed_id = new_id("fee")
    await conn.execute(
        insert(roster_feed).values(id=feed_id, token_hash=token_hash(token), **values)
    )
    return feed_id


async def feed_by_token(conn: AsyncConnection, token: str) -> FeedRow | None:
    """The feed of a token, unless it was revoked."""
    found = await conn.execute(
        select(*_FEED).where(
            roster_feed.c.token_hash == token_hash(token), roster_feed.c.revoked_at.is_(None)
        )
    )
    row = found.first()
    return FeedRow(**row._mapping) if row else None


async def feeds(conn: AsyncConnection, owner_id: str, provider_id: str) -> list[FeedRow]:
    """A person's own feeds that still work, the newest first."""
    found = await conn.execute(
        select(*_FEED)
        .where(roster_feed.c.owner_id == owner_id, roster_feed.c.provider_id == provider_id)
        .where(roster_feed.c.revoked_at.is_(None))
        .order_by(roster_feed.c.made_at.desc(), roster_feed.c.id)
    )
    return [FeedRow(**row._mapping) for row in found]


async def revoke_feed(conn: AsyncConnection, owner_id: str, feed_id: str, now: float) -> None:
    """End one of a person's own feeds. Raises NotFound."""
    done = await conn.execute(
        update(roster_feed)
        .where(roster_feed.c.id == feed_id, roster_feed.c.owner_id == owner_id)
        .where(roster_feed.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    if done.rowcount != 1:
        raise NotFound


# --- alarms about gaps ----------------------------------------------------------------------------


async def alarms_told(conn: AsyncConnection, provider_id: str) -> list[AlarmRow]:
    """The gaps that somebody was told of."""
    found = await conn.execute(
        select(
            roster_alarm.c.provider_id,
            roster_alarm.c.kind,
            roster_alarm.c.starts_at,
            roster_alarm.c.ends_at,
        )
        .where(roster_alarm.c.provider_id == provider_id)
        .order_by(roster_alarm.c.starts_at, roster_alarm.c.kind)
    )
    return [AlarmRow(**row._mapping) for row in found]


async def remember_alarm(conn: AsyncConnection, alarm: AlarmRow, now: float) -> bool:
    """Note that a gap is being told; False when another process has just done so."""
    key: Mapping[str, object] = {
        "provider_id": alarm.provider_id,
        "kind": alarm.kind,
        "starts_at": alarm.starts_at,
    }
    same = [roster_alarm.c[name] == value for name, value in key.items()]
    try:
        async with conn.begin_nested():
            await conn.execute(
                insert(roster_alarm).values(**key, ends_at=alarm.ends_at, told_at=now)
            )
    except IntegrityError as error:
        if not already_there(error):
            raise
        grown = await conn.execute(
            update(roster_alarm)
            .where(*same, roster_alarm.c.ends_at < alarm.ends_at)
            .values(ends_at=alarm.ends_at, told_at=now)
        )
        return grown.rowcount == 1
    return True


async def forget_alarms(conn: AsyncConnection, alarms: Sequence[AlarmRow]) -> None:
    """These are no gaps any more."""
    for alarm in alarms:
        await conn.execute(
            delete(roster_alarm).where(
                roster_alarm.c.provider_id == alarm.provider_id,
                roster_alarm.c.kind == alarm.kind,
                roster_alarm.c.starts_at == alarm.starts_at,
            )
        )
