"""The directory of help near by: kept per program, chosen by the place of the incident."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import (
    BindParameter,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from records.catchments import Place
from records.errors import BadInput, Conflict, NotFound
from records.ids import new_id
from records.resource_entries import COLUMNS, MOST, Entry
from records.schema_resources import resource as table
from records.schema_resources import resource_place as where

FULL = "The directory is full. Remove entries that nobody needs."
STALE_SECONDS = 180 * 86_400.0  # unchecked for half a year: shown as such


@dataclass(frozen=True, slots=True)
class ResourceRow:
    """One entry, with who last looked after it."""

    id: str
    program_id: str
    rev: int
    entry: Entry
    checked_at: float
    changed_at: float

    def stale(self, now: float) -> bool:
        return now - self.checked_at > STALE_SECONDS


@dataclass(frozen=True, slots=True)
class Replaced:
    """What reading a file into the directory changes."""

    added: int
    changed: int
    same: int
    removed: int


_WORDS = tuple(name for name in COLUMNS if name != "places")


async def of_programs(conn: AsyncConnection, program_ids: Iterable[str]) -> list[ResourceRow]:
    """All entries of these programs, by kind and name."""
    known = table.c.program_id.in_(sorted(program_ids)) & table.c.removed_at.is_(None)
    return await _rows(conn, select(table).where(known))


async def near(conn: AsyncConnection, program_id: str, place: Place) -> list[ResourceRow]:
    """The entries that serve this county, or its whole state."""
    here = (
        select(where.c.resource_id)
        .where(
            where.c.state == place.state,
            or_(where.c.county == "", func.lower(where.c.county) == place.county.strip().lower()),
        )
        .distinct()
    )
    known = and_(
        table.c.program_id == program_id, table.c.removed_at.is_(None), table.c.id.in_(here)
    )
    return await _rows(conn, select(table).where(known))


async def save(
    conn: AsyncConnection,
    program_id: str,
    resource_id: str | None,
    rev: int,
    entry: Entry,
    by: str,
    now: float,
) -> str:
    """A new entry, or the revision after `rev` of one. Raises Conflict, NotFound, BadInput."""
    values = _values(entry) | {"checked_at": now, "changed_at": now, "changed_by": by}
    if resource_id is None:
        counted = select(func.count()).where(
            table.c.program_id == program_id, table.c.removed_at.is_(None)
        )
        if (await conn.scalar(counted) or 0) >= MOST:
            raise BadInput(FULL)
        resource_id = new_id("res")
        await conn.execute(
            insert(table).values(id=resource_id, program_id=program_id, rev=1, **values)
        )
    else:
        await _change(conn, program_id, resource_id, rev, values)
    await _put(conn, resource_id, entry)
    return resource_id


async def remove(
    conn: AsyncConnection, program_id: str, resource_id: str, rev: int, by: str, now: float
) -> None:
    """Nobody picks it any more; cards that name it keep what they say. Raises as `save`."""
    values = {"removed_at": now, "changed_at": now, "changed_by": by}
    await _change(conn, program_id, resource_id, rev, values)


async def checked(
    conn: AsyncConnection, program_id: str, resource_id: str, rev: int, by: str, now: float
) -> None:
    """Somebody has called there: what stands here is right. Raises as `save`."""
    await _change(conn, program_id, resource_id, rev, {"checked_at": now, "changed_by": by})


async def replace_all(
    conn: AsyncConnection, program_id: str, entries: Sequence[Entry], by: str, now: float
) -> Replaced:
    """Make the directory what the file says: by name and kind, what is missing there goes.

    In a few statements, however many entries there are: nothing else is written meanwhile.
    Raises BadInput for more entries than a directory has.
    """
    if len(entries) > MOST:
        raise BadInput(FULL)
    mine = and_(table.c.program_id == program_id, table.c.removed_at.is_(None))
    # PostgreSQL: who changes one of them now waits, and finds it changed
    await conn.execute(select(table.c.id).where(mine).order_by(table.c.id).with_for_update())
    known = {one.entry.key: one for one in await of_programs(conn, [program_id])}
    fresh: list[tuple[str, Entry]] = []
    changed: list[tuple[str, Entry]] = []
    same = 0
    for entry in entries:
        before = known.pop(entry.key, None)
        if before is None:
            fresh.append((new_id("res"), entry))
        elif before.entry != entry:
            changed.append((before.id, entry))
        else:
            same += 1
    when = {"changed_at": now, "changed_by": by}
    await _change_all(conn, [(one.id, {"removed_at": now, **when}) for one in known.values()])
    when["checked_at"] = now
    await _change_all(conn, [(one, _values(entry) | when) for one, entry in changed])
    new = [{"id": one, "program_id": program_id, "rev": 1} | _values(e) | when for one, e in fresh]
    if new:
        await conn.execute(insert(table), new)
    await _put_all(conn, [*fresh, *changed])
    return Replaced(len(fresh), len(changed), same, len(known))


def compared(rows: Iterable[ResourceRow], entries: Sequence[Entry]) -> Replaced:
    """What `replace_all` would do."""
    known = {one.entry.key: one.entry for one in rows}
    wanted = {one.key: one for one in entries}
    both = known.keys() & wanted.keys()
    changed = sum(known[key] != wanted[key] for key in both)
    return Replaced(len(wanted) - len(both), changed, len(both) - changed, len(known) - len(both))


async def _rows(conn: AsyncConnection, query: Select[tuple[object, ...]]) -> list[ResourceRow]:
    rows = (await conn.execute(query.order_by(table.c.kind, table.c.name, table.c.id))).all()
    ids = [row._mapping["id"] for row in rows]
    there: dict[str, list[tuple[str, str]]] = {one: [] for one in ids}
    for at in range(0, len(ids), 500):
        part = where.c.resource_id.in_(ids[at : at + 500])
        for place in await conn.execute(select(where).where(part)):
            there[place.resource_id].append((place.county, place.state))
    return [
        ResourceRow(
            id=row._mapping["id"],
            program_id=row._mapping["program_id"],
            rev=row._mapping["rev"],
            entry=Entry(
                places=tuple(
                    sorted(there[row._mapping["id"]], key=lambda p: (p[1], p[0].casefold()))
                ),
                **{name: row._mapping[name] for name in _WORDS},
            ),
            checked_at=row._mapping["checked_at"],
            changed_at=row._mapping["changed_at"],
        )
        for row in rows
    ]


async def _change(
    conn: AsyncConnection, program_id: str, resource_id: str, rev: int, values: dict[str, object]
) -> None:
    mine = and_(
        table.c.id == resource_id, table.c.program_id == program_id, table.c.removed_at.is_(None)
    )
    done = await conn.execute(
        update(table).where(mine, table.c.rev == rev).values(rev=rev + 1, **values)
    )
    if done.rowcount == 1:
        return
    if (await conn.execute(select(table.c.id).where(mine))).first() is None:
        raise NotFound
    raise Conflict({})


async def _change_all(
    conn: AsyncConnection, changes: Sequence[tuple[str, Mapping[str, object]]]
) -> None:
    """Change many entries that this transaction holds, all of them in the same columns."""
    if not changes:
        return
    columns: dict[str, BindParameter[Any]] = {
        name: bindparam(f"new_{name}") for name in changes[0][1]
    }
    one = update(table).where(table.c.id == bindparam("which"))
    await conn.execute(
        one.values(rev=table.c.rev + 1, **columns),
        [
            {"which": which, **{f"new_{name}": value for name, value in values.items()}}
            for which, values in changes
        ],
    )


async def _put(conn: AsyncConnection, resource_id: str, entry: Entry) -> None:
    await _put_all(conn, [(resource_id, entry)])


async def _put_all(conn: AsyncConnection, those: Sequence[tuple[str, Entry]]) -> None:
    """Where these entries help, in the place of what stood there."""
    if not those:
        return
    await conn.execute(
        delete(where).where(where.c.resource_id == bindparam("which")),
        [{"which": one} for one, _ in those],
    )
    await conn.execute(
        insert(where),
        [
            {"resource_id": one, "county": county, "state": state}
            for one, entry in those
            for county, state in entry.places
        ],
    )


def _values(entry: Entry) -> dict[str, object]:
    values = asdict(entry)
    del values["places"]
    return values
