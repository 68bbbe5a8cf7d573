"""Words that a password may not be: its owner's names and address, and the organisations here."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from records import schema


async def of_person(conn: AsyncConnection, person_id: str) -> list[str]:
    """These words, for `passwords.check_new_password`.

    Of all agencies, providers and programs: somebody of a program thinks of its sheriff as well.
    """
    person = schema.person
    names = select(person.c.name, person.c.short_name, person.c.email)
    own = (await conn.execute(names.where(person.c.id == person_id))).first()
    words = [word for word in own if word] if own is not None else []
    for table in (schema.agency, schema.provider, schema.program):
        words += (await conn.execute(select(table.c.name))).scalars()
    return words
