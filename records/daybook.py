"""Sums of days that are over: made once, and again when something of the day changed.

The database says what changed (triggers write to `report_change`). A day's sums replace the ones
before in one step that only succeeds if nobody else replaced them meanwhile, and what was marked
after they were read stays marked. So several processes may do this, and a reader finds right sums
or none.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, fields
from typing import Any, Final

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records import reports, tally
from records.engine import Database
from records.refusals import already_there
from records.reports import BLOCK_DAYS, Kind, stamps
from records.schema import session
from records.schema_reports import (
    report_block,
    report_block_built,
    report_built,
    report_change,
    report_day,
)
from records.tally import DAY, Tally

SETTLE_SECONDS: Final = 3600.0  # after a day's end before it is summed up
AGAIN_SECONDS: Final = 900.0  # a day that changes all the time is summed up no more often
AT_ONCE: Final = 500  # rows of one statement


async def due(conn: AsyncConnection, now: float) -> list[int]:
    """The days that should be summed up, the newest first."""
    oldest = await conn.scalar(select(func.min(session.c.pressed_at)))
    if oldest is None:
        return []
    built = {row.day: row for row in await conn.execute(select(report_built))}
    changed = frozenset(
        (await conn.execute(select(report_change.c.day).distinct())).scalars().all()
    )
    days = range(int((now - SETTLE_SECONDS) // DAY) - 1, int(oldest // DAY) - 1, -1)

    def is_due(day: int) -> bool:
        row = built.get(day)
        if row is None or row.rules != tally.RULES:
            return True
        turned = row.turns_at is not None and row.turns_at <= now
        return (turned or day in changed) and row.built_at <= now - AGAIN_SECONDS

    return [day for day in days if is_due(day)]


async def build(db: Database, day: int, now: float) -> bool:
    """Sum one day up; False when another process was faster."""
    async with db.read() as conn:
        await reports.steady(conn)
        builds = await conn.scalar(select(report_built.c.builds).where(report_built.c.day == day))
        marks = select(report_change.c.id).where(report_change.c.day == day)
        marked = list((await conn.execute(marks)).scalars())
        conditions = [
            session.c.test.is_(False),
            session.c.state == "closed",
            session.c.pressed_at >= day * DAY,
            session.c.pressed_at < (day + 1) * DAY,
        ]
        rows = await reports.seen(conn, conditions)

    def summed() -> tuple[list[dict[str, Any]], float | None]:
        kinds: dict[Kind, Tally] = {}
        for kind, one in rows:
            kinds.setdefault(kind, Tally()).add(one, now)
        turns = [own.turns_at for own in kinds.values() if own.turns_at is not None]
        bodies = [
            {"day": day, **asdict(kind), "body": tally.stored(own)} for kind, own in kinds.items()
        ]
        return bodies, min(turns, default=None)

    bodies, turns_at = await asyncio.to_thread(summed)

    async def write(conn: AsyncConnection) -> bool:
        if not await _claimed(conn, day, builds, turns_at, now):
            return False
        await conn.execute(delete(report_day).where(report_day.c.day == day))
        for start in range(0, len(bodies), AT_ONCE):
            await conn.execute(insert(report_day), bodies[start : start + AT_ONCE])
        for start in range(0, len(marked), AT_ONCE):
            part = marked[start : start + AT_ONCE]
            await conn.execute(delete(report_change).where(report_change.c.id.in_(part)))
        return True

    return await db.write(write)


async def due_blocks(conn: AsyncConnection, now: float) -> list[int]:
    """Blocks of days whose sums should be added up."""
    fresh = await reports.fresh_days(conn, 0, int(now // DAY), now)
    rows = await conn.execute(
        select(report_block_built.c.block, report_block_built.c.stamp).where(
            report_block_built.c.rules == tally.RULES
        )
    )
    known = {(block, stamp) for block, stamp in rows}
    return [one[0] for one in sorted(stamps(fresh).items()) if one not in known]


async def build_block(db: Database, block: int, now: float) -> bool:
    """Add up a block's days; False when they are not all right at this moment.

    Another process may do the same: each writes its stamp with its sums, and one whose stamp is
    not that of the days is not read.
    """
    first, last = block * BLOCK_DAYS, (block + 1) * BLOCK_DAYS
    async with db.read() as conn:
        await reports.steady(conn)
        stamp = stamps(await reports.fresh_days(conn, first, last, now)).get(block)
        rows = await conn.execute(
            select(report_day).where(report_day.c.day >= first, report_day.c.day < last)
        )
        days = rows.mappings().all()
    if stamp is None:
        return False

    def summed() -> list[dict[str, Any]]:
        kinds: dict[Kind, list[bytes]] = {}
        for row in days:
            kind = Kind(*(row[one.name] for one in fields(Kind)))
            kinds.setdefault(kind, []).append(row["body"])
        return [
            {"block": block, **asdict(kind), "body": tally.stored(tally.added(bodies))}
            for kind, bodies in kinds.items()
        ]

    bodies = await asyncio.to_thread(summed)

    async def write(conn: AsyncConnection) -> bool:
        for table in (report_block, report_block_built):
            await conn.execute(delete(table).where(table.c.block == block))
        try:
            async with conn.begin_nested():
                values = {"block": block, "stamp": stamp, "rules": tally.RULES}
                await conn.execute(insert(report_block_built).values(values))
        except IntegrityError as error:
            if already_there(error):
                return False
            raise
        for start in range(0, len(bodies), AT_ONCE):
            await conn.execute(insert(report_block), bodies[start : start + AT_ONCE])
        return True

    return await db.write(write)


async def _claimed(
    conn: AsyncConnection, day: int, builds: int | None, turns_at: float | None, now: float
) -> bool:
    values = {
        "builds": (builds or 0) + 1, "built_at": now, "turns_at": turns_at, "rules": tally.RULES,
    }  # fmt: skip
    if builds is not None:
        done = await conn.execute(
            update(report_built)
            .where(report_built.c.day == day, report_built.c.builds == builds)
            .values(values)
        )
        return done.rowcount == 1
    try:
        async with conn.begin_nested():
            await conn.execute(insert(report_built).values(day=day, **values))
    except IntegrityError as error:
        if already_there(error):
            return False
        raise
    return True
