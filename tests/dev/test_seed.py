"""The seed: the whole cast, once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from auth.passwords import verify
from auth.tokens import Tokens
from records import schema
from records.engine import Database
from tests.records import migrated
from web.dev import cast
from web.dev.seed import demo_people, seed

NOW = 1_800_000_000.0


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    url = migrated.put(tmp_path / "seed.db")
    database = Database(url)
    await database.start()
    yield database
    await database.close()


async def counts(db: Database) -> dict[str, int]:
    async with db.read() as conn:
        return {
            table.name: (await conn.execute(select(func.count()).select_from(table))).scalar_one()
            for table in schema.metadata.sorted_tables
        }


async def test_the_cast_is_there_after_the_first_time_and_the_same_after_the_second(
    db: Database,
) -> None:
    assert await seed(db, "abcd-efgh-2345", NOW)
    first = await counts(db)
    assert not await seed(db, "another-password", NOW + 60)
    assert await counts(db) == first
    assert first["person"] == len(cast.CAST)
    assert first["tablet"] == 3
    assert first["shift"] == 2
    assert first["roster_entry"] == 3
    async with db.read() as conn:
        person = schema.person
        dana = (await conn.execute(select(person).where(person.c.id == cast.DANA.id))).one()
        sam = (await conn.execute(select(person).where(person.c.id == cast.SAM.id))).one()
    assert await verify(dana.password_hash, "abcd-efgh-2345")
    assert dana.licence_expires_at > NOW
    assert sam.password_hash is None
    assert await verify(sam.pin_hash, "2468")


async def test_demo_people_are_counted_while_they_can_sign_in(db: Database) -> None:
    async with db.read() as conn:
        assert await demo_people(conn) == 0
    await seed(db, "abcd-efgh-2345", NOW)
    async with db.read() as conn:
        assert await demo_people(conn) == len(cast.CAST)

    await db.write(lambda conn: conn.execute(update(schema.person).values(active=False)))
    async with db.read() as conn:
        assert await demo_people(conn) == 0


async def test_each_of_the_cast_reaches_what_their_role_needs(db: Database) -> None:
    from auth.policy import Action, Target, allows
    from auth.signin import actor_for_login, sign_in

    tokens = Tokens("a secret of the tests, long enough to sign with")
    await seed(db, "abcd-efgh-2345", NOW)
    here = Target(cast.AGENCY_ID, cast.PROVIDER_ID, cast.PROGRAM_ID)
    wanted = {
        cast.DANA: Action.SESSION_ANSWER,
        cast.ADA: Action.RECORD_READ_CLINICAL,
        cast.LENA: Action.LOG_EXPORT,
        cast.TOM: Action.PERSON_MANAGE,
    }
    for member, action in wanted.items():
        signed = await sign_in(db, tokens, member.email, "abcd-efgh-2345", NOW)
        async with db.read() as conn:
            actor = await actor_for_login(conn, tokens, signed.token, NOW)
        assert allows(actor, action, here), member.name
