"""Grant packs: which a manager wants regularly, which are made, and who pays for whom."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records.errors import BadInput, NotFound
from records.ids import new_id
from records.refusals import already_there
from records.schema import coverage
from records.schema_reports import pack, pack_plan
from records.vocabulary import FUNDING

EVERY: Final = ("month", "quarter")
MOST_PLANS: Final = 10  # of one program at a time
KEPT: Final = 12  # packs of one plan; the oldest go


@dataclass(frozen=True, slots=True)
class Plan:
    """A pack of each month or quarter; no agencies: all of the program's; no funding: any."""

    id: str
    program_id: str
    every: str
    agencies: tuple[str, ...]
    funding: str | None
    locale: str
    made_by: str
    made_at: float


@dataclass(frozen=True, slots=True)
class PackRow:
    """A pack that is made, without its body. The days are those of the program's time zone."""

    id: str
    program_id: str
    plan_id: str
    first_day: str
    last_day: str
    made_at: float
    told_at: float | None


async def funding(conn: AsyncConnection, program_id: str) -> dict[str, str]:
    """Who pays, by agency."""
    rows = await conn.execute(
        select(coverage.c.agency_id, coverage.c.funding).where(coverage.c.program_id == program_id)
    )
    return {row.agency_id: row.funding for row in rows}


async def set_funding(conn: AsyncConnection, program_id: str, told: Mapping[str, str]) -> int:
    """Say who pays from now on; how many agencies that changed. Raises BadInput, NotFound."""
    if not set(told.values()) <= set(FUNDING):
        raise BadInput
    known = await funding(conn, program_id)
    if not told.keys() <= known.keys():
        raise NotFound
    changed = {agency: code for agency, code in told.items() if known[agency] != code}
    for agency_id, code in changed.items():
        await conn.execute(
            update(coverage)
            .where(coverage.c.agency_id == agency_id, coverage.c.program_id == program_id)
            .values(funding=code)
        )
    return len(changed)


# --- plans ----------------------------------------------------------------------------------------


async def plans(conn: AsyncConnection, program_id: str | None = None) -> list[Plan]:
    """What is wanted, of one program or of all, the oldest first."""
    wanted = select(pack_plan).where(pack_plan.c.ended_at.is_(None))
    if program_id is not None:
        wanted = wanted.where(pack_plan.c.program_id == program_id)
    rows = await conn.execute(wanted.order_by(pack_plan.c.made_at, pack_plan.c.id))
    return [_plan(row) for row in rows]


def _plan(row: Row[Any]) -> Plan:
    return Plan(
        row.id, row.program_id, row.every, tuple(json.loads(row.agencies)), row.funding,
        row.locale, row.made_by, row.made_at,
    )  # fmt: skip


async def add_plan(
    conn: AsyncConnection,
    program_id: str,
    every: str,
    agencies: Sequence[str],
    source: str | None,
    locale: str,
    made_by: str,
    now: float,
) -> str:
    """Want a pack of each month or quarter from now on. Raises BadInput, NotFound."""
    if every not in EVERY or (source is not None and source not in FUNDING):
        raise BadInput
    if not set(agencies) <= (await funding(conn, program_id)).keys():
        raise NotFound
    if len(await plans(conn, program_id)) >= MOST_PLANS:
        raise BadInput("There are as many regular packs as there can be. Nothing was added.")
    plan_id = new_id("pln")
    await conn.execute(
        insert(pack_plan).values(
            id=plan_id, program_id=program_id, every=every,
            agencies=json.dumps(sorted(set(agencies))), funding=source, locale=locale,
            made_by=made_by, made_at=now,
        )
    )  # fmt: skip
    return plan_id


async def end_plan(conn: AsyncConnection, program_id: str, plan_id: str, now: float) -> None:
    """Want it no more; what is made stays. Raises NotFound."""
    done = await conn.execute(
        update(pack_plan)
        .where(pack_plan.c.id == plan_id, pack_plan.c.program_id == program_id)
        .where(pack_plan.c.ended_at.is_(None))
        .values(ended_at=now)
    )
    if done.rowcount != 1:
        raise NotFound


# --- packs ----------------------------------------------------------------------------------------

_LISTED = tuple(pack.c[name] for name in PackRow.__slots__)


async def made(conn: AsyncConnection, program_id: str) -> list[PackRow]:
    """The packs of a program, the newest first."""
    rows = await conn.execute(
        select(*_LISTED)
        .where(pack.c.program_id == program_id)
        .order_by(pack.c.made_at.desc(), pack.c.id)
    )
    return [PackRow(*row) for row in rows]


async def newest(conn: AsyncConnection, plan_id: str) -> str | None:
    """The first day of the newest period that has its pack."""
    found: str | None = await conn.scalar(
        select(func.max(pack.c.first_day)).where(pack.c.plan_id == plan_id)
    )
    return found


async def body(conn: AsyncConnection, program_id: str, pack_id: str) -> bytes:
    """The file of a pack. Raises NotFound."""
    found = await conn.scalar(
        select(pack.c.body).where(pack.c.id == pack_id, pack.c.program_id == program_id)
    )
    if found is None:
        raise NotFound
    return bytes(found)


async def keep(
    conn: AsyncConnection, plan: Plan, first_day: str, last_day: str, file: bytes, now: float
) -> PackRow | None:
    """Keep the pack of one period; None when another process was first. The oldest go."""
    row = PackRow(new_id("pck"), plan.program_id, plan.id, first_day, last_day, now, None)
    try:
        async with conn.begin_nested():
            await conn.execute(
                insert(pack).values(
                    id=row.id, program_id=row.program_id, plan_id=row.plan_id,
                    first_day=first_day, last_day=last_day, made_at=now, body=file,
                )
            )  # fmt: skip
    except IntegrityError as error:
        if already_there(error):
            return None
        raise
    days = await conn.execute(
        select(pack.c.first_day)
        .where(pack.c.plan_id == plan.id)
        .order_by(pack.c.first_day.desc())
        .limit(KEPT)
    )
    oldest = min(days.scalars())
    await conn.execute(delete(pack).where(pack.c.plan_id == plan.id, pack.c.first_day < oldest))
    return row


async def untold(conn: AsyncConnection) -> list[tuple[PackRow, str]]:
    """Packs of which whoever wanted them was not told yet, with that person's id."""
    rows = await conn.execute(
        select(*_LISTED, pack_plan.c.made_by)
        .join(pack_plan, pack_plan.c.id == pack.c.plan_id)
        .where(pack.c.told_at.is_(None))
        .order_by(pack.c.made_at)
    )
    return [(PackRow(*row[:-1]), row[-1]) for row in rows]


async def told(conn: AsyncConnection, pack_id: str, now: float) -> None:
    await conn.execute(update(pack).where(pack.c.id == pack_id).values(told_at=now))
