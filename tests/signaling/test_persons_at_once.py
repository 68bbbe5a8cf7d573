"""Two people who say at the same moment who sessions were about, where writers meet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from pathlib import Path

import pytest
from sqlalchemy import func, select

from auth import audit
from records.errors import BadInput, NotFound
from records.identity_rules import Identity
from records.schema_identities import identity, identity_merge
from signaling import person_commands
from tests.records import servers
from tests.signaling.conftest import ACTORS, House, a_house

ROUNDS = 8
ADA = ACTORS["ada"]


@pytest.fixture
async def house(postgres: servers.Server, tmp_path: Path) -> AsyncIterator[House]:
    async with a_house(postgres.make(), tmp_path) as made:
        yield made


async def sessions_of(house: House, count: int) -> list[str]:
    """Calls of the past, one after another."""
    tablet = await house.page("tablet")
    made = []
    for no in range(count):
        made.append(await house.pressed(tablet, f"key-{no:016d}"))
        await tablet.send("session.cancel", session=made[-1])
    return made


async def told(house: House, session: str, who: Identity) -> None:
    await person_commands.save(house.desk, ADA, session, 0, who)


async def joined(house: House, one: str, into: str) -> None:
    await person_commands.join(house.desk, ADA, one, into, "name_spelt", (1, 1))


async def at_once(*doings: Awaitable[object]) -> list[BaseException]:
    """All of them together; what was refused."""
    outcomes = await asyncio.gather(*doings, return_exceptions=True)
    return [one for one in outcomes if isinstance(one, BaseException)]


async def persons(house: House, of: Sequence[str]) -> dict[str, str]:
    """Whose each of these sessions is."""
    wanted = select(identity.c.session_id, identity.c.subject_id)
    async with house.db.read() as conn:
        rows = (await conn.execute(wanted.where(identity.c.session_id.in_(of)))).all()
    return {row.session_id: row.subject_id for row in rows}


async def joins(house: House) -> int:
    async with house.db.read() as conn:
        return int(await conn.scalar(select(func.count()).select_from(identity_merge)) or 0)


async def test_of_two_who_join_the_same_two_sessions_crosswise_one_joins_and_one_is_told_it_is_done(
    house: House,
) -> None:
    made = await sessions_of(house, 2 * ROUNDS)
    for no in range(ROUNDS):
        one, other = made[2 * no : 2 * no + 2]
        await told(house, one, Identity(f"Jon Doe {no}", "1990-02-03"))
        await told(house, other, Identity(f"John Doe {no}", "1990-02-03"))
        refused = await at_once(joined(house, one, other), joined(house, other, one))
        assert [type(error) for error in refused] == [BadInput], refused
        assert len(set((await persons(house, (one, other))).values())) == 1
        assert await joins(house) == no + 1
    async with house.db.read() as conn:
        assert await audit.verify(conn) is None


async def test_two_persons_joined_crosswise_by_different_sessions_are_one_and_do_not_swap_theirs(
    house: House,
) -> None:
    made = await sessions_of(house, 4 * ROUNDS)
    for no in range(ROUNDS):
        four = made[4 * no : 4 * no + 4]
        for session, name in zip(four, ("Jon", "Jon", "John", "John"), strict=True):
            await told(house, session, Identity(f"{name} Doe {no}", "1990-02-03"))
        jon, jon_too, john, john_too = four
        refused = await at_once(joined(house, jon, john), joined(house, john_too, jon_too))
        assert [type(error) for error in refused] == [BadInput], refused
        assert len(set((await persons(house, four)).values())) == 1
        assert await joins(house) == no + 1


async def test_one_name_written_in_two_sessions_at_once_is_one_person(house: House) -> None:
    made = await sessions_of(house, 2 * ROUNDS)
    for no in range(ROUNDS):
        pair = made[2 * no : 2 * no + 2]
        john = Identity(f"John Doe {no}", "1990-02-03")
        assert await at_once(*(told(house, one, john) for one in pair)) == []
        assert len(set((await persons(house, pair)).values())) == 1


async def test_who_is_recognised_while_the_person_is_joined_comes_along(house: House) -> None:
    made = await sessions_of(house, 3 * ROUNDS)
    for no in range(ROUNDS):
        jon, john, late = made[3 * no : 3 * no + 3]
        await told(house, jon, Identity(f"Jon Doe {no}", "1990-02-03"))
        await told(house, john, Identity(f"John Doe {no}", "1990-02-03"))
        again = told(house, late, Identity(f"Jon Doe {no}", "1990-02-03"))
        assert await at_once(joined(house, jon, john), again) == []
        assert len(set((await persons(house, (jon, john, late))).values())) == 1


async def test_of_two_who_take_one_join_apart_one_does(house: House) -> None:
    made = await sessions_of(house, 2 * ROUNDS)
    for no in range(ROUNDS):
        one, other = made[2 * no : 2 * no + 2]
        await told(house, one, Identity(f"Jon Doe {no}", "1990-02-03"))
        await told(house, other, Identity(f"John Doe {no}", "1990-02-03"))
        await joined(house, one, other)
        async with house.db.read() as conn:
            newest = select(identity_merge.c.id).where(identity_merge.c.undone_at.is_(None))
            merge = str(await conn.scalar(newest))
        refused = await at_once(
            *(person_commands.take_apart(house.desk, ADA, at, merge) for at in (one, other))
        )
        assert [type(error) for error in refused] == [NotFound], refused
        assert len(set((await persons(house, (one, other))).values())) == 2
