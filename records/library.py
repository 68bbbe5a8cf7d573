"""Which questionnaires this site has: ours, and those that it imported with its licensed wording.

A version never changes once it is here, so what was read is kept. What was imported last of a form,
whatever its version is called, is what new answers are given to; the others stay for the records
that were answered with them, and importing one of them again puts it in its place again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Literal

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from records import instruments
from records.errors import BadInput, NotFound
from records.instruments.questionnaire import Instrument
from records.schema import instrument as table

_known: dict[tuple[str, str, str], Instrument] = {}  # with the digest: there may be more databases


async def current(conn: AsyncConnection) -> Mapping[str, Instrument]:
    """What new answers are given to, by code: ours in their order, then the site's."""
    columns = (table.c.code, table.c.version, table.c.digest)
    rows = await conn.execute(select(*columns).order_by(table.c.code, table.c.imported_at))
    newest = {row.code: row for row in rows}
    return {
        **instruments.newest(),
        **{code: await _read(conn, *row) for code, row in newest.items()},
    }


async def find(conn: AsyncConnection, code: str, version: str | None = None) -> Instrument:
    """One version, or the one that new answers are given to. Raises NotFound."""
    if version is None:
        found = (await current(conn)).get(code)
    elif (code, version) in instruments.shipped():
        found = instruments.shipped()[code, version]
    else:
        columns = (table.c.code, table.c.version, table.c.digest)
        wanted = select(*columns).where(table.c.code == code, table.c.version == version)
        row = (await conn.execute(wanted)).first()
        found = await _read(conn, *row) if row is not None else None
    if found is None:
        raise NotFound("There is no such questionnaire here.")
    return found


async def open_codes(conn: AsyncConnection) -> frozenset[str]:
    """The codes of questionnaires that never were about substances, in no version that is here."""
    rows = await conn.execute(select(table.c.code, table.c.version, table.c.digest))
    imported = [await _read(conn, *row) for row in rows.all()]
    known = [*instruments.shipped().values(), *imported]
    about = {one.code for one in known if one.about_substances}
    return frozenset(one.code for one in known) - about


async def _read(conn: AsyncConnection, code: str, version: str, digest: str) -> Instrument:
    key = (code, version, digest)
    if key not in _known:
        body = await conn.scalar(
            select(table.c.body).where(table.c.code == code, table.c.version == version)
        )
        _known[key] = Instrument(code, version, json.loads(str(body)))
    return _known[key]


async def is_new(conn: AsyncConnection, form: Instrument, digest: str) -> bool:
    """Whether the form could be kept; False: this very file is here already.

    Raises BadInput for a code of ours, and for other content under a version that is here.
    """
    if form.code in instruments.newest():
        raise BadInput("This name is one of our own forms. Give the file's `id` another one.")
    known = await conn.scalar(
        select(table.c.digest).where(table.c.code == form.code, table.c.version == form.version)
    )
    if known is not None:
        if known == digest:
            return False
        raise BadInput("This version is here with other content. Give the file a new `version`.")
    return True


Added = Literal["new", "again", "known"]


async def add(conn: AsyncConnection, form: Instrument, digest: str, now: float) -> Added:
    """Keep an imported form, and give new answers to it. Raises as `is_new` does.

    `again`: this very file was here before, and another version had taken its place since; `known`:
    it was here, and in its place.
    """
    if not await is_new(conn, form, digest):
        if (await find(conn, form.code)).version == form.version:
            return "known"
        mine = (table.c.code == form.code) & (table.c.version == form.version)
        await conn.execute(update(table).where(mine).values(imported_at=now))
        return "again"
    await conn.execute(
        insert(table).values(
            code=form.code,
            version=form.version,
            body=json.dumps(form.body, ensure_ascii=False, separators=(",", ":")),
            digest=digest,
            imported_at=now,
        )
    )
    return "new"
