"""The nightly look that deletes what is due: on record, whole, stopped by a hold at any time."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import audit
from auth.erasures import ERASED
from auth.errors import AuditFailed
from records import retention, schema, sessions
from records.retention_rules import YEAR, Rule
from signaling import keeper
from signaling.keeper import Keeper
from tests.signaling.conftest import House


async def over(house: House, count: int = 1) -> list[str]:
    """Sessions that closed, and a rule by which their time is over long since."""
    tablet = await house.page("tablet")
    found = []
    for number in range(count):
        session = await house.pressed(tablet, f"{number:020}")
        await tablet.send("session.cancel", session=session)
        found.append(session)

    async def write(conn: AsyncConnection) -> None:
        row = await sessions.get(conn, found[0])
        assert row is not None
        rule = Rule(7, 25, 30, keep_numbers=False)
        await retention.save_rule(
            conn, row.provider_id, 0, rule, "per_dana", house.clock.now, program=False
        )
        then = house.clock.now - 30 * YEAR
        await conn.execute(update(schema.session).values(closed_at=then, pressed_at=then))

    await house.db.write(write)
    return found


async def there(house: House) -> set[str]:
    async with house.db.read() as conn:
        return set((await conn.execute(select(schema.session.c.id))).scalars())


async def test_what_is_due_is_deleted_once_and_the_audit_says_so_and_stays_whole(
    house: House,
) -> None:
    found = await over(house, 2)
    async with house.db.read() as conn:
        before = await audit.head(conn)
    second = Keeper(house.desk)
    assert await house.desk.keeper.look() == 2
    assert await second.look() == 0
    assert not set(found) & await there(house)
    entries = schema.audit.c
    async with house.db.read() as conn:
        told = (
            await conn.execute(
                select(entries.object_id, entries.actor_kind).where(entries.action == ERASED)
            )
        ).all()
        assert await audit.verify(conn, before) is None
    assert sorted(one.object_id for one in told) == sorted(found)
    assert {one.actor_kind for one in told} == {"system"}


async def test_a_hold_that_is_set_while_the_look_runs_stops_its_deletion(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await over(house, 2)
    real = retention.erase

    async def held_meanwhile(
        conn: AsyncConnection, _vault: object, session_id: str, now: float
    ) -> object:
        if not holds:
            other = second if session_id == first else first
            await retention.hold(conn, house.desk.vault, other, "Subpoena", "per_dana", now)
            holds.append(other)
        return await real(conn, house.desk.vault, session_id, now)

    holds: list[str] = []
    monkeypatch.setattr(retention, "erase", held_meanwhile)
    assert await house.desk.keeper.look() == 1
    assert {first, second} & await there(house) == set(holds)


async def test_one_look_deletes_a_bounded_batch(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "BATCH", 2)
    await over(house, 3)
    looks = [await house.desk.keeper.look() for _ in range(3)]
    assert looks == [2, 1, 0]


async def test_a_failed_audit_undoes_the_deletion(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    (session,) = await over(house)

    async def broken(*_: object) -> None:
        raise AuditFailed

    monkeypatch.setattr(keeper, "record", broken)
    with pytest.raises(AuditFailed):
        await house.desk.keeper.look()
    assert session in await there(house)
