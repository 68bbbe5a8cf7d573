"""Small tables about people, tablets and the roster: rows in, rows out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Table, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from records.schema import person, roster_entry, tablet


@dataclass(frozen=True, slots=True)
class RosterRow:
    """One weekly shift on call. `days` is a bit mask, Monday = 1; minutes are local."""

    id: str
    provider_id: str
    person_id: str
    tier: int
    days: int
    starts_minute: int
    ends_minute: int
    timezone: str


async def add(conn: AsyncConnection, table: Table, **values: object) -> None:
    """Insert one row of the small tables (agency, provider, person, tablet, roster …)."""
    await conn.execute(insert(table).values(values))


async def roster(conn: AsyncConnection, provider_id: str | None = None) -> list[RosterRow]:
    """The weekly roster of active people, of one provider or of all."""
    statement = (
        select(roster_entry)
        .join(person, person.c.id == roster_entry.c.person_id)
        .where(person.c.active.is_(True))
        .order_by(roster_entry.c.id)
    )
    if provider_id is not None:
        statement = statement.where(roster_entry.c.provider_id == provider_id)
    return [RosterRow(**row._mapping) for row in await conn.execute(statement)]


async def tablet_seen(conn: AsyncConnection, tablet_id: str, now: float) -> None:
    """The tablet's page was here."""
    await conn.execute(update(tablet).where(tablet.c.id == tablet_id).values(last_seen_at=now))


async def find_person(conn: AsyncConnection, person_id: str) -> Row[Any] | None:
    return (await conn.execute(select(person).where(person.c.id == person_id))).first()
