"""The log at a million sessions: pages and filters beside a look-up by key, reports, export.

    make bench-records                       SQLite and PostgreSQL, 1,000,000 sessions
    make bench-records ARGS="--sessions 100000 --stacks sqlite"

Everything goes through the same engine and connection pool as in the product, measured in one run:
a figure "in look-ups" is a 95th percentile over the 95th percentile of reading one session by its
key. Lists beside the log and counts are told in milliseconds. The last line is for machines.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
    Sequence,
)
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvloop
from sqlalchemy import create_engine, insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import reporting
from auth.reporting import Chosen
from records import (
    arrivals,
    assessments,
    care_gaps,
    daybook,
    followup_board,
    log,
    look_outs,
    near_misses,
    notes,
    scene,
    sessions,
)
from records.care_gaps import NewGap
from records.catchments import Place
from records.crypto import Vault
from records.engine import Database, upgrade
from records.export_columns import Names
from records.exports import sessions_csv
from records.followup_board import BoardFilter
from records.log import LogFilter, Scope
from records.log_filters import FLAGS_TO_FIND, County, Found
from records.near_misses import MissFilter, NewMiss
from records.schema_identities import identity
from records.schema_misses import near_miss
from records.upkeep import keep_up
from records.vocabulary import DISPOSITIONS, NEAR_MISSES
from tests.records import servers
from web import i18n
from web.dev import cast
from web.dev.fill import fill
from web.dev.seed import seed
from web.report_figures import Frame, drawn
from web.staffed import staffed_of

DAYS = 730
LOOKUPS, PAGES, SAVES = 500, 40, 100
DAY = 86_400.0
SCOPE = Scope(programs=frozenset({cast.PROGRAM_ID}))
Figures = dict[str, Any]
Read = Callable[[AsyncConnection], Awaitable[object]]


def p95(times: Sequence[float]) -> float:
    """Milliseconds."""
    return round(1000 * sorted(times)[math.ceil(0.95 * len(times)) - 1], 3)


async def timed(db: Database, reads: Sequence[Read]) -> list[float]:
    """Seconds of each read, one after another, each with a connection of its own."""
    times = []
    for read in reads:
        started = time.perf_counter()
        async with db.read() as conn:
            await read(conn)
        times.append(time.perf_counter() - started)
    return times


@dataclass(frozen=True, slots=True)
class World:
    """What there is to choose from: agencies with their counties, clinicians, units, officers."""

    agencies: Sequence[str]
    counties: Sequence[County]
    leads: Sequence[str]
    tablets: Sequence[str]
    officers: Sequence[str]


async def read_world(db: Database) -> World:
    async with db.read() as conn:

        async def all_of(sql: str) -> list[Any]:
            return list(await conn.execute(text(sql)))

        places = await all_of("SELECT id, county, state FROM agency")
        return World(
            agencies=[row.id for row in places],
            counties=[County(row.county, row.state, (row.id,)) for row in places],
            leads=[row[0] for row in await all_of("SELECT DISTINCT lead_id FROM session")],
            tablets=[row[0] for row in await all_of("SELECT id FROM tablet")],
            officers=[row[0] for row in await all_of("SELECT DISTINCT officer_id FROM session")],
        )


def filters(dice: random.Random, world: World, now: float) -> dict[str, list[LogFilter]]:
    """What a manager chooses, each so often with another value."""
    agencies = world.agencies
    leads = [one for one in world.leads if one is not None]

    def some(make: Callable[[], LogFilter]) -> list[LogFilter]:
        return [make() for _ in range(PAGES)]

    def day() -> float:
        return now - dice.uniform(1, DAYS) * DAY

    def span() -> LogFilter:
        first = day()
        return LogFilter(pressed_from=first, pressed_until=first + 30 * DAY)

    return {
        "newest": some(LogFilter),
        "days": some(span),
        "agency": some(lambda: LogFilter(agency_id=dice.choice(agencies))),
        "agency and days": some(
            lambda: LogFilter(agency_id=dice.choice(agencies), pressed_until=day())
        ),
        "actual": some(lambda: LogFilter(actual=dice.choice(DISPOSITIONS))),
        "recommended": some(lambda: LogFilter(recommended=dice.choice(DISPOSITIONS))),
        "state": some(lambda: LogFilter(state=dice.choice(["closed", "waiting", "wrap_up"]))),
        "code": some(lambda: LogFilter(code=f"{dice.randrange(10**6):06d}")),
        "tests too": some(lambda: LogFilter(tests=True)),
        "county": some(lambda: LogFilter(county=dice.choice(world.counties))),
        "clinician": some(lambda: LogFilter(lead_id=dice.choice(leads))),
        "flag": some(lambda: LogFilter(flag=dice.choice(FLAGS_TO_FIND))),
        "any near miss": some(lambda: LogFilter(miss="any", pressed_until=day())),
        "open near miss": some(lambda: LogFilter(miss="open")),
        "kind of near miss": some(lambda: LogFilter(miss=dice.choice(NEAR_MISSES))),
        "unit found": some(lambda: LogFilter(found=Found((dice.choice(world.tablets),)))),
        "officers found": some(
            lambda: LogFilter(found=Found((), tuple(dice.sample(world.officers, 5))))
        ),
        "county, flag and days": some(
            lambda: LogFilter(
                county=dice.choice(world.counties), flag="weapon_present", pressed_until=day()
            )
        ),
        "clinician and outcome": some(
            lambda: LogFilter(lead_id=dice.choice(leads), actual=dice.choice(DISPOSITIONS))
        ),
        "agency and outcome": some(
            lambda: LogFilter(agency_id=dice.choice(agencies), actual=dice.choice(DISPOSITIONS))
        ),
    }


async def look_over(db: Database, now: float) -> Figures:
    """What the look-out does with a log that it has never seen: sessions a second, and near misses
    found. Those of the first half are closed, as managers would have done."""
    key, looked, found = (0.0, ""), 0, 0
    started = time.perf_counter()
    while True:
        async with db.read() as conn:
            rows = await look_outs.closed(conn, key, now, 1000)
            if not rows:
                break
            new = await near_misses.of_sessions(conn, rows, lambda _: 6)
            gaps = await care_gaps.of_sessions(conn, rows, now)
        looked, found, key = looked + len(rows), found + len(new), (rows[-1].closed_at, rows[-1].id)  # type: ignore[assignment]

        async def write(
            conn: AsyncConnection, new: list[NewMiss] = new, gaps: list[NewGap] = gaps
        ) -> None:
            await near_misses.open_all(conn, new, now)
            await care_gaps.open_all(conn, gaps, now)

        await db.write(write)
    seconds = time.perf_counter() - started
    half = now - DAYS / 2 * DAY
    done = near_miss.update().where(near_miss.c.at < half)
    done = done.values(closed_at=now, closed_by=cast.LENA.id)
    await db.write(lambda conn: conn.execute(done))
    return {"sessions_per_second": round(looked / seconds), "near_misses": found}


def misses_of(dice: random.Random, now: float) -> dict[str, list[MissFilter]]:
    """What is chosen on the list of near misses."""

    def span() -> MissFilter:
        first = now - dice.uniform(1, DAYS) * DAY
        return MissFilter(closed=None, since=first, until=first + 7 * DAY)

    return {
        "near misses open": [MissFilter()] * PAGES,
        "near misses closed": [MissFilter(closed=True)] * PAGES,
        "near misses by kind": [
            MissFilter(closed=None, kind=dice.choice(NEAR_MISSES)) for _ in range(PAGES)
        ],
        "near misses of a week": [span() for _ in range(PAGES)],
    }


def page_of(wanted: LogFilter, after: str | None = None) -> Read:
    return lambda conn: log.page(conn, SCOPE, wanted, after)


async def measure(db: Database, vault: Vault, now: float) -> Figures:
    """All of it, on one filled database."""
    dice = random.Random(7)
    async with db.read() as conn:
        rows = await conn.execute(text("SELECT id FROM session ORDER BY press_key"))
        ids = list(rows.scalars())
    world = await read_world(db)
    lookup = await timed(db, [_lookup(dice.choice(ids)) for _ in range(LOOKUPS)])
    floor = p95(lookup)
    pages = {
        name: p95(await timed(db, [page_of(one) for one in wanted]))
        for name, wanted in filters(dice, world, now).items()
    }
    deep = [f"{now - dice.uniform(1, DAYS) * DAY!r}~ses_x" for _ in range(PAGES)]
    pages["deep"] = p95(await timed(db, [page_of(LogFilter(), one) for one in deep]))
    boards = await _boards(db, dice, world, now)
    since = now - 13 * 7 * DAY
    planner: Read = lambda c: arrivals.arrivals(c, cast.PROVIDER_ID, since, now)  # noqa: E731
    questions: dict[str, Read] = {"planner, 13 weeks": planner}
    seconds = {name: max(await timed(db, [one] * 3)) for name, one in questions.items()}
    built = await _built(db, now)
    seconds |= {name: await one for name, one in _reports(db, world.agencies, now).items()}
    return {
        "sessions": len(ids),
        **built,
        "lookup_p95_ms": floor,
        "pages_p95_ms": pages,
        "pages_in_lookups": {name: round(ms / floor, 1) for name, ms in pages.items()},
        "boards_p95_ms": boards,
        "reports_seconds": {name: round(one, 3) for name, one in seconds.items()},
        "autosave_p95_ms": p95(await _saves(db, vault, dice, ids, now)),
        "export": await _export(db),
    }


async def _boards(db: Database, dice: random.Random, world: World, now: float) -> Figures:
    """What stands beside the log: lists of work, and counts. Milliseconds."""
    reads: dict[str, Sequence[Read]] = {
        "four numbers": [lambda c: log.board(c, SCOPE)] * PAGES,
        "notes": [_own(dice.choice(world.leads)) for _ in range(PAGES)],
        "follow-ups open": [_board(BoardFilter()) for _ in range(PAGES)],
        "follow-ups closed": [_board(BoardFilter(closed=True)) for _ in range(PAGES)],
        "follow-ups counted": [lambda c: followup_board.counts(c, SCOPE, now)] * PAGES,
        **{name: [_misses(one) for one in chosen] for name, chosen in misses_of(dice, now).items()},
        "near misses counted": [lambda c: near_misses.count_open(c, SCOPE)] * PAGES,
        "nobody follows up": [lambda c: care_gaps.still_open(c, SCOPE)] * PAGES,
        "at the scene": [lambda c: scene.now(c, SCOPE)] * PAGES,
    }
    return {name: p95(await timed(db, those)) for name, those in reads.items()}


async def _built(db: Database, now: float) -> Figures:
    """Sum up the days that are over, as the server does behind everything else."""
    async with db.read() as conn:
        days = await daybook.due(conn, now)
    started = time.perf_counter()
    for day in days:
        await daybook.build(db, day, now)
    async with db.read() as conn:
        blocks = await daybook.due_blocks(conn, now)
    for block in blocks:
        await daybook.build_block(db, block, now)
    seconds = time.perf_counter() - started
    return {"days": len(days), "summed_up_ms_a_day": round(1000 * seconds / max(1, len(days)), 1)}


def _reports(
    db: Database, agencies: Sequence[str], now: float
) -> dict[str, Coroutine[Any, Any, float]]:
    """Whole pages, all their questions with the drawing: the slowest of three."""
    two_years = Chosen(now - DAYS * DAY, now)
    texts = i18n.load()["en"]

    async def page(chosen: Chosen) -> float:
        times = []
        for _ in range(3):
            started = time.perf_counter()
            report = await reporting.counted(db, SCOPE, chosen, now)
            staffed = await staffed_of(db, report, chosen, now)
            drawn(report, staffed, Frame(chosen.since, chosen.until, cast.TIMEZONE, True), texts)
            times.append(time.perf_counter() - started)
        return max(times)

    return {
        "report, two years": page(two_years),
        "report, a year": page(replace(two_years, since=now - 365 * DAY)),
        "report, 30 days": page(replace(two_years, since=now - 30 * DAY)),
        "report, one agency": page(replace(two_years, agencies=frozenset({agencies[-1]}))),
        "report, one county": page(replace(two_years, place=Place("Alder North", cast.STATE))),
    }


async def _known_people(db: Database, dice: random.Random, ids: Sequence[str]) -> None:
    """Every third session is of somebody known; one in eight of them was there before."""
    own = dice.sample(ids, len(ids) // 3)
    rows = [
        {
            "session_id": session_id,
            "subject_id": f"sub_{dice.randrange(len(own)) if dice.random() < 0.12 else no}",
            "provider_id": cast.PROVIDER_ID,
            "tag": b"t", "rev": 1, "name_enc": b"", "born_enc": b"", "alias_enc": b"",
            "author_id": cast.DANA.id, "updated_at": 0.0,
        }
        for no, session_id in enumerate(own)
    ]  # fmt: skip
    for start in range(0, len(rows), 10_000):
        part = rows[start : start + 10_000]
        await db.write(lambda conn, part=part: conn.execute(insert(identity), part))  # type: ignore[misc]


def _misses(wanted: MissFilter) -> Read:
    return lambda conn: near_misses.page(conn, SCOPE, wanted, None)


def _lookup(session_id: str) -> Read:
    return lambda conn: sessions.get(conn, session_id)


def _own(lead_id: str) -> Read:
    return lambda conn: notes.own(conn, lead_id)


def _board(wanted: BoardFilter) -> Read:
    return lambda conn: followup_board.page(conn, SCOPE, wanted, None)


async def _saves(
    db: Database, vault: Vault, dice: random.Random, ids: Sequence[str], now: float
) -> list[float]:
    """Autosaves of an assessment, each of another session: a key, two seals and a commit."""
    times = []
    for session_id in dice.sample(ids, SAVES):
        started = time.perf_counter()

        async def write(conn: AsyncConnection, session_id: str = session_id) -> None:
            told = {"thoughts": "no"}
            await assessments.save(
                conn, vault, session_id, "field-safety", 0, told, cast.DANA.id, now
            )

        await db.write(write)
        times.append(time.perf_counter() - started)
    return times


async def _export(db: Database) -> Figures:
    """Rows a second over 20 seconds, and what the process grew by meanwhile."""
    names = Names({}, {}, {})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, rows = time.perf_counter(), 0
    async with db.read() as conn:
        async for piece in sessions_csv(conn, SCOPE, LogFilter(), names, lambda _, code: code):
            rows += piece.count("\r\n")
            if time.perf_counter() - started > 20:
                break
    seconds = time.perf_counter() - started
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"rows_per_second": round(rows / seconds), "rows": rows, "grown_kib": grown}


@asynccontextmanager
async def database(url: str) -> AsyncIterator[Database]:
    await asyncio.to_thread(upgrade, url)
    db = Database(url)
    await db.start()
    try:
        yield db
    finally:
        await db.close()


def urls(stacks: Sequence[str], folder: Path, held: ExitStack) -> Iterator[tuple[str, str]]:
    """A fresh database of each kind."""
    if "sqlite" in stacks:
        yield "sqlite", f"sqlite:///{folder / 'sample.db'}"
    if "postgresql" in stacks:
        programs = servers.programs()
        if programs is None:
            sys.exit("PostgreSQL is not installed here.")
        server = held.enter_context(servers.running(programs, durable=True))
        yield "postgresql", server.make()


async def run(args: argparse.Namespace, folder: Path, held: ExitStack) -> Figures:
    figures: Figures = {}
    for stack, url in urls(args.stacks, folder, held):
        async with database(url) as db:
            now = time.time()
            await seed(db, "a sample's password", now)
            started = time.perf_counter()
            await fill(db, args.sessions, DAYS, now)
            filled = time.perf_counter() - started
            async with db.read() as conn:
                ids = list((await conn.execute(text("SELECT id FROM session"))).scalars())
            await _known_people(db, random.Random(11), ids)
            looked = await look_over(db, now)
            if not await keep_up(db):
                await asyncio.to_thread(vacuum, url)
            async with db.read() as conn:
                vault = Vault.from_key_file(folder / f"{stack}.key")
                await vault.check(conn)
            figures[stack] = {"filled_seconds": round(filled, 1), "look_out": looked}
            figures[stack] |= await measure(db, vault, now)
            print(stack, json.dumps(figures[stack]), flush=True)
    return figures


def vacuum(url: str) -> None:
    """What autovacuum would have done by then."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("VACUUM (ANALYZE)"))
    engine.dispose()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument(
        "--stacks", default=["sqlite", "postgresql"], type=lambda words: words.split(",")
    )
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="crisisbridge-bench-"))
    try:
        with ExitStack() as held:
            figures = uvloop.run(run(args, folder, held))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(figures, indent=2))
    worst = max(max(one["pages_in_lookups"].values()) for one in figures.values())
    slowest = max(max(one["reports_seconds"].values()) for one in figures.values())
    print(f"bench-records log_p95_lookups={worst} slowest_report_seconds={slowest}")


if __name__ == "__main__":
    main()
