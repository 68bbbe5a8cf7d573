"""Whether pages that are open may stay open."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.actors import Actor
from auth.logins import open_logins
from records import schema
from records.parties import in_call
from records.schema_parties import guest_link


async def still_welcome(conn: AsyncConnection, actors: Collection[Actor]) -> set[Actor]:
    """Whose pages that are open may stay: their sign-in or their tablet was not taken away.

    A sign-in that merely ran out ends no call; the next page asks for a new one.
    """
    welcome = set()
    of_kind: dict[str, list[Actor]] = {"tablet": [], "guest": [], "person": []}
    for actor in actors:
        of_kind[actor.kind].append(actor)
    tablets = await _not_revoked(conn, schema.tablet, {one.id for one in of_kind["tablet"]})
    links = await _not_revoked(conn, guest_link, {one.id for one in of_kind["guest"]})
    welcome |= {one for one in of_kind["tablet"] if one.id in tablets}
    welcome |= {one for one in of_kind["guest"] if one.id in links}
    logins = await open_logins(conn, {one.login_id or "" for one in of_kind["person"]})
    for person in of_kind["person"]:
        ends_after_call = logins.get(person.login_id or "")
        if ends_after_call is False or (ends_after_call and await in_call(conn, person.id)):
            welcome.add(person)
    return welcome


async def _not_revoked(conn: AsyncConnection, table: Table, ids: Collection[str]) -> set[str]:
    found = select(table.c.id).where(table.c.id.in_(sorted(ids)), table.c.revoked_at.is_(None))
    return set((await conn.execute(found)).scalars())
