"""Small tables about people and tablets: rows in, rows out."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, Table, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from records.schema import person, tablet


async def add(conn: AsyncConnection, table: Table, **values: object) -> None:
    """Insert one row of the small tables (agency, provider, person, tablet, roster …)."""
    await conn.execute(insert(table).values(values))


async def tablet_seen(conn: AsyncConnection, tablet_id: str, now: float) -> None:
    """The tablet's page was here."""
    await conn.execute(update(tablet).where(tablet.c.id == tablet_id).values(last_seen_at=now))


async def find_person(conn: AsyncConnection, person_id: str) -> Row[Any] | None:
    return (await conn.execute(select(person).where(person.c.id == person_id))).first()
