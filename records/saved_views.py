"""Saved views: filters of the log under a name, each somebody's own, shared if they say so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records.errors import BadInput, NotFound
from records.ids import new_id
from records.refusals import already_there
from records.schema_views import first_view, saved_view

MOST: Final = 30  # of one person
LONGEST_NAME: Final = 60
LONGEST_FILTER: Final = 1000
NAME_TAKEN: Final = "You have a view of that name already. Nothing was changed."


@dataclass(frozen=True, slots=True)
class ViewRow:
    id: str
    owner_id: str
    program_id: str | None
    provider_id: str | None
    name: str
    filter: str
    shared: bool


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks, and where they may read the log: what is shared there is theirs to use."""

    id: str
    programs: frozenset[str]
    providers: frozenset[str]


_COLUMNS = [saved_view.c[name] for name in ViewRow.__dataclass_fields__]


def _visible(reader: Reader) -> ColumnElement[bool]:
    here = or_(
        saved_view.c.program_id.in_(reader.programs),
        saved_view.c.provider_id.in_(reader.providers),
    )
    return or_(saved_view.c.owner_id == reader.id, and_(saved_view.c.shared, here))


async def listed(conn: AsyncConnection, reader: Reader) -> list[ViewRow]:
    """Own ones and shared ones, by name."""
    rows = await conn.execute(
        select(*_COLUMNS)
        .where(_visible(reader))
        .order_by(func.lower(saved_view.c.name), saved_view.c.id)
    )
    return [ViewRow(**row) for row in rows.mappings()]


async def get(conn: AsyncConnection, reader: Reader, view_id: str) -> ViewRow:
    """One that this reader may use. Raises NotFound."""
    row = (
        await conn.execute(select(*_COLUMNS).where(_visible(reader), saved_view.c.id == view_id))
    ).first()
    if row is None:
        raise NotFound("There is no such view.")
    return ViewRow(**row._mapping)


async def first(conn: AsyncConnection, reader: Reader) -> ViewRow | None:
    """What this reader's log begins with, as long as they may still use it."""
    row = (
        await conn.execute(
            select(*_COLUMNS)
            .join(first_view, first_view.c.view_id == saved_view.c.id)
            .where(first_view.c.person_id == reader.id, _visible(reader))
        )
    ).first()
    return ViewRow(**row._mapping) if row is not None else None


def name_of(typed: str) -> str:
    """A name as it is kept. Raises BadInput."""
    name = " ".join(typed.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise BadInput("A view's name has 1 to 60 letters. Nothing was changed.")
    return name


async def add(
    conn: AsyncConnection,
    reader: Reader,
    home: tuple[str | None, str | None],
    typed: str,
    chosen: str,
    *,
    shared: bool,
    now: float,
) -> str:
    """A new view; `home`: the program and the provider in which it may be shared.

    Raises BadInput for a name that is none or is taken, and for one view too many.
    """
    name = name_of(typed)
    if len(chosen) > LONGEST_FILTER:
        raise BadInput("This filter is too long to be kept. Nothing was changed.")
    counted = select(func.count()).where(saved_view.c.owner_id == reader.id)
    if (await conn.scalar(counted) or 0) >= MOST:
        raise BadInput("You have 30 views already. Remove one first; nothing was changed.")
    view_id = new_id("viw")
    program_id, provider_id = home
    try:
        async with conn.begin_nested():
            await conn.execute(
                insert(saved_view).values(
                    id=view_id, owner_id=reader.id, program_id=program_id,
                    provider_id=provider_id, name=name, filter=chosen, shared=shared,
                    changed_at=now,
                )
            )  # fmt: skip
    except IntegrityError as error:
        if already_there(error):
            raise BadInput(NAME_TAKEN) from error
        raise
    return view_id


async def change(
    conn: AsyncConnection, reader: Reader, view_id: str, typed: str, *, shared: bool, now: float
) -> None:
    """Another name, shared or not. Raises BadInput, NotFound for one that is not the reader's."""
    name = name_of(typed)
    try:
        async with conn.begin_nested():
            done = await conn.execute(
                update(saved_view)
                .where(saved_view.c.id == view_id, saved_view.c.owner_id == reader.id)
                .values(name=name, shared=shared, changed_at=now)
            )
    except IntegrityError as error:
        if already_there(error):
            raise BadInput(NAME_TAKEN) from error
        raise
    if done.rowcount != 1:
        raise NotFound("There is no such view.")


async def remove(conn: AsyncConnection, reader: Reader, view_id: str) -> None:
    """Whoever began with it begins with the whole log. Raises NotFound."""
    mine = and_(saved_view.c.id == view_id, saved_view.c.owner_id == reader.id)
    if (await conn.execute(select(saved_view.c.id).where(mine))).first() is None:
        raise NotFound("There is no such view.")
    await conn.execute(delete(first_view).where(first_view.c.view_id == view_id))
    await conn.execute(delete(saved_view).where(mine))


async def begin_with(conn: AsyncConnection, reader: Reader, view_id: str | None) -> None:
    """The log begins with this view, or (None) with everything. Raises NotFound."""
    if view_id is not None:
        await get(conn, reader, view_id)
    await conn.execute(delete(first_view).where(first_view.c.person_id == reader.id))
    if view_id is not None:
        await conn.execute(insert(first_view).values(person_id=reader.id, view_id=view_id))
