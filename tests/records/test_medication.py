"""Medication for opioid use disorder: what leaves the seal are large numbers, and right ones."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records import assessments, medication, schema
from records.crypto import Vault
from records.engine import Database
from records.log import Scope
from records.medication_rules import LEAST, OUTCOMES, Count, Place, Told, begins, month_of, told
from records.schema_reports import medication_count
from tests.records.cast import finished
from tests.records.test_measures import EVERYTHING

DAY = 86_400.0
FIRST = 2025 * 12 + 2  # March 2025
MONTHS = range(FIRST, FIRST + 6)
PLACES = (Place("prg_1", "prv_1", "agy_1"), Place("prg_1", "prv_1", "agy_2"))
ANSWERS = {
    "arranged": {"now": "no", "start": "bridge-clinic", "where": "Xq7heroin clinic, Tuesday"},
    "continued": {"now": "methadone", "start": "not-needed"},
    "declined": {"now": "stopped", "start": "declined"},
    "not-offered": {"now": "no", "start": "none-near"},
    "not-needed": {"now": "no", "start": "not-needed"},
    "incomplete": {"now": "no"},
}


# --- the rules, by themselves ---------------------------------------------------------------------


def by_hand(sessions: list[Told], months: range, answered: Any) -> list[Count]:
    """The same slowly: month by month, one heap of sessions for each number, told when large."""
    found = []
    for place in PLACES:
        for outcome in OUTCOMES:
            heap = 0
            for month in months:
                for one in sessions:
                    heap += (one.place, one.outcome, one.month) == (place, outcome, month)
                if heap > 10 and answered(place, month) > 10:
                    found.append(Count(month, place, outcome, heap))
                    heap = 0
    return sorted(found)


def in_turn(sessions: list[Told], answered: Any) -> list[Count]:
    found: list[Count] = []
    for month in MONTHS:
        last = {(one.place, one.outcome): one.month for one in found}
        found += told(month, sessions, {p: answered(p, month) for p in PLACES}, last)
    return sorted(found)


one_told = st.builds(
    Told, st.sampled_from(PLACES), st.sampled_from(MONTHS), st.sampled_from([*OUTCOMES[:2], "x"])
)


@given(st.lists(one_told, max_size=200), st.integers(0, 40), st.integers(0, 2**31))
def test_the_numbers_are_those_that_are_found_slowly_and_nobody_is_found_by_subtracting(
    sessions: list[Told], busy: int, seed: int
) -> None:
    dice = random.Random(seed)
    crowd = {(place, month): dice.randint(0, busy) for place in PLACES for month in MONTHS}

    def answered(place: Place, month: int) -> int:
        return crowd[place, month]

    counts = in_turn(sessions, answered)
    assert counts == by_hand(sessions, MONTHS, answered)
    whole = Counter((one.place, one.outcome) for one in sessions)
    for place in PLACES:
        for outcome in OUTCOMES:
            own = [c for c in counts if (c.place, c.outcome) == (place, outcome)]
            assert sum(one.count for one in own) <= whole[place, outcome]
            spans = {
                (first, end): sum(one.count for one in own if first <= one.month < end)
                for first, end in combinations([*MONTHS, MONTHS.stop], 2)
            }
            for (a, b), inner in spans.items():
                for (c, d), outer in spans.items():
                    if c <= a and b <= d:
                        assert outer - inner == 0 or outer - inner >= LEAST


def test_months_are_those_of_the_calendar() -> None:
    assert [month_of(begins(one)) for one in MONTHS] == list(MONTHS)
    assert month_of(begins(FIRST) - 0.001) == FIRST - 1
    assert begins(2027 * 12) == 1_798_761_600.0


# --- from sealed answers --------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A session of the log below."""

    id: str
    agency: str
    at: float
    outcome: str
    counts: bool


async def a_log(db: Database, vault: Vault, seed: int) -> list[Case]:
    """Half a year of two agencies, of which one is small."""
    dice, found = random.Random(seed), []
    await cast_of_two(db)
    for month in MONTHS:
        for number in range(50):
            agency = "agy_2" if number % 5 == 0 else "agy_1"
            at = begins(month) + dice.random() * 27 * DAY
            outcome = dice.choice([*ANSWERS, "arranged", ""])
            kind = dice.choice(["plain"] * 12 + ["test", "wellness", "unanswered"])
            row = await finished(db, now=at)
            values: dict[str, object] = {"agency_id": agency}
            values |= {kind: True} if kind in ("test", "wellness") else {}
            values |= {"media_at": None} if kind == "unanswered" else {}

            async def write(
                conn: AsyncConnection,
                one: str = row.id,
                said: str = outcome,
                v: Any = values,
                at: float = at,
            ) -> None:
                await conn.execute(
                    schema.session.update().where(schema.session.c.id == one).values(v)
                )
                if said:
                    await assessments.save(
                        conn, vault, one, "moud", 0, ANSWERS[said], "per_dana", at
                    )

            await db.write(write)
            found.append(Case(row.id, agency, float(row.closed_at or 0), outcome, kind == "plain"))
    return found


async def cast_of_two(db: Database) -> None:
    async def write(conn: AsyncConnection) -> None:
        one = (await conn.execute(select(schema.agency))).mappings().one()
        await conn.execute(insert(schema.agency).values({**one, "id": "agy_2", "name": "Small"}))

    await db.write(write)


async def counted(db: Database, vault: Vault, now: float) -> None:
    while True:
        async with db.read() as conn:
            month = await medication.due(conn, now)
        if month is None:
            return
        assert await medication.count(db, vault, month, now)


async def stored(db: Database) -> list[Count]:
    async with db.read() as conn:
        rows = (await conn.execute(select(medication_count))).all()
    return sorted(
        Count(r.month, Place(r.program_id, r.provider_id, r.agency_id), r.outcome, r[-1])
        for r in rows
    )


def expected(log: list[Case], months: range, gone: frozenset[str] = frozenset()) -> list[Count]:
    seen = [
        Told(Place("prg_1", "prv_1", one.agency), month_of(one.at), one.outcome)
        for one in log
        if one.counts and one.outcome in OUTCOMES and one.id not in gone
    ]

    def answered(place: Place, month: int) -> int:
        return sum(
            1 for c in log if c.counts and c.agency == place.agency_id and month_of(c.at) == month
        )

    return by_hand(seen, months, answered)


async def shred(db: Database, vault: Vault, ids: list[str]) -> None:
    keys = schema.session_key
    await db.write(lambda conn: conn.execute(delete(keys).where(keys.c.session_id.in_(ids))))
    for one in ids:
        vault.forget(one)


async def test_counts_are_those_of_the_sealed_answers_and_outlive_their_keys(
    db: Database, vault: Vault
) -> None:
    log = await a_log(db, vault, seed=5)
    await counted(db, vault, begins(FIRST + 3) + medication.SETTLE_SECONDS)
    early = await stored(db)
    assert early == expected(log, MONTHS[:3])
    assert early
    assert any(one.month > FIRST for one in early)
    # keys of half of the first months are destroyed: what was told stays, what waited is lost
    gone = [one.id for one in log if month_of(one.at) < FIRST + 3][::2]
    await shred(db, vault, gone)
    await counted(db, vault, begins(FIRST + 7))
    after = await stored(db)
    assert [one for one in after if one.month < FIRST + 3] == early
    told_then = {(c.place, c.outcome): c.month for c in early}
    lost = frozenset(
        one.id
        for one in log
        if one.id in gone
        and month_of(one.at) > told_then.get((Place("prg_1", "prv_1", one.agency), one.outcome), -1)
    )
    assert lost
    assert after == expected(log, MONTHS, lost)
    async with db.read() as conn:
        everything = await medication.total(conn, EVERYTHING, begins(FIRST), begins(FIRST + 6))
        other = Scope(programs=frozenset({"prg_other"}))
        assert await medication.total(conn, other, begins(FIRST), begins(FIRST + 6)) == {}
        part = await medication.total(
            conn, Scope(programs=frozenset({"prg_1"})), begins(FIRST + 1) + 6 * 3600,
            begins(FIRST + 3) + 6 * 3600, {"agy_1"},
        )  # fmt: skip
    assert everything == dict(sum_of(after))
    assert part == dict(
        sum_of([c for c in after if c.place.agency_id == "agy_1" and FIRST < c.month < FIRST + 3])
    )


def sum_of(counts: list[Count]) -> Counter[str]:
    total: Counter[str] = Counter()
    for one in counts:
        total[one.outcome] += one.count
    return total


async def test_a_month_is_counted_once_when_it_is_over_and_settled(
    db: Database, vault: Vault
) -> None:
    async with db.read() as conn:
        assert await medication.due(conn, begins(FIRST + 9)) is None, "nobody ever answered"
    row = await finished(db, now=begins(FIRST) + DAY)
    await db.write(
        lambda conn: assessments.save(
            conn, vault, row.id, "moud", 0, ANSWERS["declined"], "per_dana", begins(FIRST)
        )
    )
    over = begins(FIRST + 1) + medication.SETTLE_SECONDS
    async with db.read() as conn:
        assert await medication.due(conn, over - 1) is None
        assert await medication.due(conn, over) == FIRST
    assert await medication.count(db, vault, FIRST, over)
    assert not await medication.count(db, vault, FIRST, over), "another process was faster"
    assert await stored(db) == [], "one is not told"


async def test_the_database_itself_refuses_a_small_number(db: Database) -> None:
    values = {"month": FIRST, "program_id": "p", "provider_id": "q", "agency_id": "a"}
    small = insert(medication_count).values(**values, outcome="arranged", count=10)
    with pytest.raises(IntegrityError):
        await db.write(lambda conn: conn.execute(small))
