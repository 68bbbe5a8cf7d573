"""Who somebody is at a directory. By its issuer and its own name for them, never by an e-mail:
addresses are given out anew, and a directory may say any of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.errors import ByDirectory
from auth.sso_rules import PLACES, Issuer
from records import schema
from records.ids import new_id
from records.schema_signin import issuer_link


async def find(conn: AsyncConnection, issuer: Issuer, subject: str) -> Row[Any] | None:
    """The link of whom the issuer calls `subject`."""
    found = await conn.execute(
        select(issuer_link).where(
            issuer_link.c.issuer == issuer.url, issuer_link.c.subject == subject
        )
    )
    return found.first()


async def add(
    conn: AsyncConnection, issuer: Issuer, subject: str, person_id: str, now: float
) -> None:
    """From now on `subject` is this person."""
    await conn.execute(
        insert(issuer_link).values(
            id=new_id("isl"),
            person_id=person_id,
            issuer=issuer.url,
            subject=subject,
            issuer_id=issuer.id,
            alone=not issuer.other_ways,
            made_at=now,
            used_at=now,
        )
    )


async def used(conn: AsyncConnection, link_id: str, issuer: Issuer, now: float) -> None:
    """Somebody signed in by it; what the settings say now holds for it."""
    await conn.execute(
        update(issuer_link)
        .where(issuer_link.c.id == link_id)
        .values(used_at=now, issuer_id=issuer.id, alone=not issuer.other_ways)
    )


async def of_person(conn: AsyncConnection, person_id: str) -> list[Row[Any]]:
    """The links of a person."""
    found = await conn.execute(
        select(issuer_link).where(issuer_link.c.person_id == person_id).order_by(issuer_link.c.id)
    )
    return list(found)


async def is_alone(conn: AsyncConnection, person_id: str) -> bool:
    """Whether this person signs in by a directory and in no other way."""
    return any(link.alone for link in await of_person(conn, person_id))


async def require_other_ways(conn: AsyncConnection, person_id: str) -> None:
    """Raises ByDirectory for somebody who signs in by a directory and in no other way."""
    if await is_alone(conn, person_id):
        raise ByDirectory


async def follow_settings(conn: AsyncConnection, issuers: Sequence[Issuer]) -> None:
    """At the start: what the settings say about other ways holds for everybody. Who came by a
    directory that is no more may be invited, and then signs in like all others."""
    alone = [one.url for one in issuers if not one.other_ways]
    await conn.execute(update(issuer_link).values(alone=issuer_link.c.issuer.in_(alone)))


async def unknown_places(conn: AsyncConnection, issuers: Sequence[Issuer]) -> list[str]:
    """The ids of organisations that rules name and nobody has, each with its issuer."""
    tables = (schema.agency, schema.provider, schema.program)
    known = {
        place: set((await conn.execute(select(table.c.id))).scalars())
        for place, table in zip(PLACES, tables, strict=True)
    }
    return sorted(
        {
            f"[{issuer.id}] {place.removesuffix('_id')} {named}"
            for issuer in issuers
            for rule in issuer.rules
            for place in PLACES
            if (named := getattr(rule, place)) is not None and named not in known[place]
        }
    )
