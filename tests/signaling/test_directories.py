"""The kept reading of the directory is never older than the record."""

from __future__ import annotations

from sqlalchemy import update

from oncall.facts import Rules
from records import schema
from tests.signaling.conftest import House


async def test_what_is_read_again_without_a_change_is_the_same_reading(house: House) -> None:
    reader, rules = house.desk.directories, house.desk.rules
    async with house.db.read() as conn:
        first = await reader.read(conn, rules, house.clock())
        assert await reader.read(conn, rules, house.clock()) is first


async def test_a_change_by_whatever_way_is_in_the_next_reading(house: House) -> None:
    reader, rules = house.desk.directories, house.desk.rules
    person = schema.person
    changed = update(person).where(person.c.id == "per_dana").values(short_name="Dee")
    await house.db.write(lambda conn: conn.execute(changed))
    async with house.db.read() as conn:
        known = await reader.read(conn, rules, house.clock())
    assert known.directory.short_name("per_dana") == "Dee"


async def test_other_rules_of_the_house_are_another_reading(house: House) -> None:
    reader = house.desk.directories
    async with house.db.read() as conn:
        first = await reader.read(conn, Rules(), house.clock())
        other = await reader.read(conn, Rules(round_seconds=7.0), house.clock())
    assert other is not first
