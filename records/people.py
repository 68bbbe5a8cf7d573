"""Small tables about people and tablets: rows in, rows out."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Row, Table, exists, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from records.schema import person, role_grant, session, shift, tablet
from records.schema_parties import participant
from records.states import OPEN

OFFICER = "officer"


async def add(conn: AsyncConnection, table: Table, **values: object) -> None:
    """Insert one row of the small tables (agency, provider, person, tablet, roster …)."""
    await conn.execute(insert(table).values(values))


async def tablet_seen(conn: AsyncConnection, tablet_id: str, now: float) -> None:
    """The tablet's page was here."""
    await conn.execute(update(tablet).where(tablet.c.id == tablet_id).values(last_seen_at=now))


async def revoked_in_call(conn: AsyncConnection) -> list[str]:
    """The tablets that were revoked while their session is open."""
    rows = await conn.execute(
        select(tablet.c.id)
        .join(session, session.c.tablet_id == tablet.c.id)
        .where(OPEN, tablet.c.revoked_at.is_not(None))
    )
    return list(rows.scalars())


async def works_here(conn: AsyncConnection, person_id: str) -> bool:
    """Whether somebody may still answer or attend calls: neither shut out nor without the role."""
    rows = await conn.execute(
        select(role_grant.c.role)
        .join(person, person.c.id == role_grant.c.person_id)
        .where(
            person.c.id == person_id,
            person.c.active.is_(True),
            role_grant.c.role.in_(("clinician", "supervisor")),
        )
        .limit(1)
    )
    return rows.first() is not None


async def shut_out_in_call(conn: AsyncConnection) -> list[str]:
    """The people who sit in a call and may not: shut out, or without the role for their seat."""
    may_lead = role_grant.c.role.in_(("clinician", "supervisor"))
    fits = or_(
        role_grant.c.role == "supervisor", may_lead & participant.c.role.in_(("lead", "receiver"))
    )
    may_sit = exists().where(role_grant.c.person_id == person.c.id, fits)
    rows = await conn.execute(
        select(participant.c.person_id)
        .join(person, person.c.id == participant.c.person_id)
        .where(participant.c.left_at.is_(None), or_(person.c.active.is_(False), ~may_sit))
    )
    return list(rows.scalars())


async def shifts_over(conn: AsyncConnection) -> dict[str, str]:
    """Shifts of whom is no officer any more, by the tablet; one with a session is not over yet."""
    in_use = select(session.c.tablet_id).where(OPEN)
    is_officer = exists().where(role_grant.c.person_id == person.c.id, role_grant.c.role == OFFICER)
    rows = await conn.execute(
        select(shift.c.tablet_id, shift.c.id)
        .join(person, person.c.id == shift.c.person_id)
        .where(
            shift.c.ended_at.is_(None),
            shift.c.tablet_id.not_in(in_use),
            or_(person.c.active.is_(False), ~is_officer),
        )
    )
    return {row.tablet_id: row.id for row in rows}


async def roles_of(conn: AsyncConnection, ids: Collection[str]) -> dict[str, frozenset[str]]:
    """The roles of each of these people as they are now."""
    found: dict[str, set[str]] = {one: set() for one in ids}
    grants = select(role_grant.c.person_id, role_grant.c.role)
    for row in await conn.execute(grants.where(role_grant.c.person_id.in_(sorted(found)))):
        found[row.person_id].add(row.role)
    return {one: frozenset(roles) for one, roles in found.items()}


async def find_person(conn: AsyncConnection, person_id: str) -> Row[Any] | None:
    return (await conn.execute(select(person).where(person.c.id == person_id))).first()
