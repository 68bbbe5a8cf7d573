"""Puts a sample log into a database that holds sample people only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final, TypeVar

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from records import schema
from records.engine import Database
from records.schema_reports import session_fact
from web.dev import cast, sample
from web.dev.sample import DAY, Unit, World

T = TypeVar("T")

AGENCIES: Final = 40  # beside the demo's own
UNITS, OFFICERS, CLINICIANS = 3, 4, 30  # of each agency; of the provider
BATCH: Final = 5_000  # sessions of one transaction
UTC_OFFSET: Final = -6 * 3600.0
COUNTIES: Final = (
    "Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Gooseberry", "Hazel", "Juniper", "Larch",
)  # fmt: skip
SIDES: Final = ("North", "South", "East", "West")


class NotASample(Exception):
    """There are people in this database who are no sample: nothing was written."""

    def __init__(self) -> None:
        super().__init__(
            "This database holds people who are not sample people. A sample log is made in a "
            "demo's folder, or in an empty database; nothing was written."
        )


async def refuse_strangers(db: Database) -> None:
    """Raises NotASample when anybody here is no sample; to be asked before anything is written."""
    people = schema.person
    strangers = select(func.count()).select_from(people).where(people.c.demo.is_(False))
    async with db.read() as conn:
        if await conn.scalar(strangers):
            raise NotASample


async def fill(
    db: Database,
    count: int,
    days: int,
    now: float,
    *,
    seed: int = 1,
    told: Callable[[int], None] = lambda _: None,
) -> int:
    """Add `count` sessions of the last `days` days; how many follow-ups came with them.

    `told` hears after each batch how many sessions there are. Raises NotASample.
    """
    await refuse_strangers(db)
    async with db.read() as conn:
        seq = (await conn.scalar(select(func.max(schema.session.c.seq))) or 0) + 1
    world = await db.write(lambda conn: _world(conn, now))
    made = sample.sessions(world, count, now - days * DAY, now - 1, seq, seed + seq)
    done = followups = 0
    while batch := list(islice(made, BATCH)):
        tasks = [task for _, own in batch for task in own]
        rows = [row for row, _ in batch]

        async def write(
            conn: AsyncConnection, rows: list[Any] = rows, tasks: list[Any] = tasks
        ) -> None:
            await conn.execute(insert(schema.session), rows)
            await conn.execute(insert(session_fact), [sample.fact(row) for row in rows])
            for part in _parts(tasks, BATCH):
                await conn.execute(insert(schema.followup), part)

        await db.write(write)
        done, followups = done + len(rows), followups + len(tasks)
        told(done)
    return followups


def _parts(items: list[T], size: int) -> Iterator[list[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


async def _world(conn: AsyncConnection, now: float) -> World:
    """Agencies, tablets, officers and clinicians of the sample; made once."""
    units, officers = [], []
    agencies = [f"agy_sample{no:02d}" for no in range(AGENCIES)]
    for agency in agencies:
        own = tuple(f"per_{agency[4:]}o{no}" for no in range(OFFICERS))
        officers += [(person, agency) for person in own]
        units += [Unit(f"tab_{agency[4:]}u{no}", agency, own) for no in range(UNITS)]
    clinicians = tuple(f"per_samplec{no:02d}" for no in range(CLINICIANS))
    world = World(cast.PROVIDER_ID, cast.PROGRAM_ID, tuple(units), clinicians, UTC_OFFSET)
    known = select(schema.agency.c.id).where(schema.agency.c.id == agencies[0])
    if (await conn.execute(known)).first() is None:
        await _agencies(conn, agencies)
        await _people(conn, officers, clinicians, now)
        await conn.execute(
            insert(schema.tablet),
            [
                {"id": one.tablet_id, "agency_id": one.agency_id, "label": f"Unit {no + 100}",
                 "demo": True}
                for no, one in enumerate(units)
            ],
        )  # fmt: skip
    return world


async def _agencies(conn: AsyncConnection, ids: list[str]) -> None:
    rows = []
    for no, agency in enumerate(ids):
        county = f"{COUNTIES[no % len(COUNTIES)]} {SIDES[no // len(COUNTIES)]}"
        rows.append(
            {
                "id": agency, "name": f"{county} County Sheriff", "county": county,
                "state": cast.STATE, "timezone": cast.TIMEZONE,
                "regional_line": cast.REGIONAL_LINE, "intake_tiles": sample.tiles(),
            }
        )  # fmt: skip
    await conn.execute(insert(schema.agency), rows)
    await conn.execute(
        insert(schema.coverage),
        [
            {"agency_id": agency, "provider_id": cast.PROVIDER_ID, "program_id": cast.PROGRAM_ID}
            for agency in ids
        ],
    )


async def _people(
    conn: AsyncConnection, officers: list[tuple[str, str]], clinicians: tuple[str, ...], now: float
) -> None:
    """Nobody of them has a password or a PIN: they are names in a log."""
    rows: list[dict[str, Any]] = [
        {"id": person, "name": f"Officer {no + 1}", "short_name": f"Officer {no + 1}",
         "email": f"{person}@demo.invalid", "agency_id": agency, "provider_id": None, "demo": True}
        for no, (person, agency) in enumerate(officers)
    ]  # fmt: skip
    rows += [
        {"id": person, "name": f"Clinician {no + 1}", "short_name": f"Clinician {no + 1}",
         "email": f"{person}@demo.invalid", "agency_id": None, "provider_id": cast.PROVIDER_ID,
         "demo": True}
        for no, person in enumerate(clinicians)
    ]  # fmt: skip
    await conn.execute(insert(schema.person), rows)
    grants = [(person, "officer") for person, _ in officers]
    grants += [(person, "clinician") for person in clinicians]
    await conn.execute(
        insert(schema.role_grant),
        [{"person_id": person, "role": role, "granted_at": now} for person, role in grants],
    )
