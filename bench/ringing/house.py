"""What is measured: real server processes on a database with as many people and waits as asked."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.tablets import _token_id as tablet_token_id
from auth.tokens import Tokens
from oncall.escalation import default_ladder
from oncall.policy import Rules
from oncall.steps import step_of
from records import schema, sessions
from records.engine import Database, upgrade
from records.sessions import NewSession

ROOT = Path(__file__).resolve().parents[2]
SECRET = "only-for-measuring-0123456789-abcdefghij"
DAY = 86_400.0
START_SECONDS = 60.0
WAIT_SECONDS = 600.0  # those who wait have pressed one after another, the first so long ago


async def until(look: Callable[[], object], seconds: float) -> None:
    """Look again and again, for so long. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not look():  # noqa: ASYNC110 - what is looked at has no event of its own
            await asyncio.sleep(0.05)


@dataclass(frozen=True, slots=True)
class Size:
    """How many wait already, how many clinicians are there beside the free ones, how many pairs."""

    waiting: int
    clinicians: int
    pairs: int  # tablets that press, and as many clinicians who are free for them
    racers: int = 0  # clinicians of another provider, who ring together, and a tablet for them


@dataclass(frozen=True, slots=True)
class Keys:
    """Cookies of everybody who takes part."""

    crowd: tuple[str, ...]  # of the waiting
    clinicians: tuple[str, ...]  # the free ones
    tablets: tuple[str, ...]  # the pressing ones
    racers: tuple[str, ...]
    race_tablet: str


async def furnish(url: str, size: Size) -> Keys:
    """Organisations, people, tablets, and sessions that wait already."""
    await asyncio.to_thread(upgrade, url)
    db = Database(url)
    await db.start()
    tokens, now = Tokens(SECRET), time.time()
    clinicians = [f"per_c{n}" for n in range(size.clinicians + size.pairs)]
    racers = [f"per_r{n}" for n in range(size.racers)]
    tablets = [f"tab_{n}" for n in range(size.waiting + size.pairs)]

    async def write(conn: AsyncConnection) -> None:
        await _organisations(conn)
        await _people(conn, clinicians, "prv", now)
        await _people(conn, racers, "prv_all", now)
        at = [*((t, "agy") for t in tablets), ("tab_race", "agy_all")]
        await conn.execute(
            insert(schema.tablet),
            [
                {"id": t, "agency_id": agency, "label": t, "credential": 1, "enrolled_at": now}
                for t, agency in at
            ],
        )
        for number, tablet in enumerate(tablets[: size.waiting]):
            new = NewSession(
                code=f"{number:06d}",
                press_key=f"bench:{number:012d}",
                agency_id="agy",
                provider_id="prv",
                program_id="prg",
                tablet_id=tablet,
                shift_id=None,
                officer_id=None,
                voice_only=False,
                test=False,
            )
            await _waits(conn, new, now, WAIT_SECONDS * (1 - number / size.waiting))

    try:
        await db.write(write)
    finally:
        await db.close()
    later = now + DAY

    def people(ids: list[str]) -> tuple[str, ...]:
        return tuple(tokens.issue("login", one, f"lgn_{one}", now, later) for one in ids)

    def tablet(one: str) -> str:
        return tokens.issue("tablet", one, tablet_token_id(one, 1), now, later)

    return Keys(
        crowd=people(clinicians[: size.clinicians]),
        clinicians=people(clinicians[size.clinicians :]),
        tablets=tuple(tablet(one) for one in tablets[size.waiting :]),
        racers=people(racers),
        race_tablet=tablet("tab_race"),
    )


async def _waits(conn: AsyncConnection, new: NewSession, now: float, age: float) -> None:
    """Somebody who pressed so many seconds ago, with the alarms that were due until now raised."""
    row, _ = await sessions.create(conn, new, now - age)
    ladder, level = default_ladder(Rules()), 0
    while step_of(level, ladder)[0] <= age:
        level += 1
    changed = update(schema.session).where(schema.session.c.id == row.id).values(level=level)
    await conn.execute(changed)


async def _organisations(conn: AsyncConnection) -> None:
    for agency, provider in (("agy", "prv"), ("agy_all", "prv_all")):
        await conn.execute(
            insert(schema.agency).values(
                id=agency,
                name="Bench County",
                county="Bench",
                state="SD",
                timezone="UTC",
                regional_line="605-555-0100",
                intake_tiles=json.dumps(["adult"]),
            )
        )
        await conn.execute(
            insert(schema.provider).values(
                id=provider, name="Bench Care", timezone="UTC", bridge_line="605-555-0101"
            )
        )
    # one at a time: else those who wait ring everybody, and nobody is left for the next press
    await conn.execute(insert(schema.queue_settings).values(provider_id="prv", ring="one"))
    await conn.execute(insert(schema.program).values(id="prg", name="Bench"))
    for agency, provider in (("agy", "prv"), ("agy_all", "prv_all")):
        await conn.execute(
            insert(schema.coverage).values(agency_id=agency, provider_id=provider, program_id="prg")
        )


async def _people(conn: AsyncConnection, clinicians: list[str], provider: str, now: float) -> None:
    if not clinicians:
        return
    later = now + DAY
    people = [
        {
            "id": person,
            "name": person,
            "short_name": person,
            "email": f"{person}@bench.invalid",
            "provider_id": provider,
            "licence_state": "SD",
            "licence_expires_at": later,
        }
        for person in clinicians
    ]
    await conn.execute(insert(schema.person), people)
    rows: Mapping[object, list[dict[str, object]]] = {
        schema.role_grant: [
            {"person_id": p, "role": "clinician", "granted_at": now} for p in clinicians
        ],
        schema.login: [
            {"id": f"lgn_{p}", "person_id": p, "created_at": now, "expires_at": later}
            for p in clinicians
        ],
        schema.roster_entry: [
            {
                "id": f"ros_{p}",
                "provider_id": provider,
                "person_id": p,
                "tier": 1,
                "days": 127,
                "starts_minute": 0,
                "ends_minute": 0,
                "timezone": "UTC",
            }
            for p in clinicians
        ],
    }
    for table, values in rows.items():
        await conn.execute(insert(table), values)  # type: ignore[arg-type]


@contextlib.contextmanager
def process(
    module: str, *arguments: str, log: Path, **settings: str
) -> Iterator[subprocess.Popen[bytes]]:
    """One process of ours, ended and waited for afterwards."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CRISISBRIDGE_", "PYTHON"))
    }
    environment |= {f"CRISISBRIDGE_{name.upper()}": value for name, value in settings.items()}
    environment |= {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'queue'}", "PYTHONSAFEPATH": "1"}
    with log.open("ab") as out:
        started = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        yield started
    finally:
        if started.poll() is None:
            started.terminate()
            try:
                started.wait(20)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()


@contextlib.asynccontextmanager
async def server(
    folder: Path, port: int, url: str, name: str, **more: str
) -> AsyncIterator[subprocess.Popen[bytes]]:
    """One node, ready."""
    log = folder / f"{name}.log"
    data = folder / name
    with process(
        "crisisbridge",
        "serve",
        log=log,
        secret=SECRET,
        port=str(port),
        data_dir=str(data),
        kek_file=str(folder / "kek"),
        database_url=url,
        media_port="0",
        media_addresses="127.0.0.1",
        log_level="WARNING",
        **({"ring_seconds": "120"} | more),
    ) as running:
        async with asyncio.timeout(START_SECONDS), aiohttp.ClientSession() as http:
            while True:
                if running.poll() is not None:
                    raise RuntimeError(f"the server ended at once: {log.read_text()}")
                try:
                    async with http.get(f"http://127.0.0.1:{port}/readyz") as answer:
                        if answer.status == 200:
                            break
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.05)
        yield running
