"""The number under which dispatch knows an incident: one a session, in one form."""

from __future__ import annotations

import pytest

from records import case_numbers
from records.engine import Database
from records.errors import BadInput
from tests.records.cast import NOW, pressed


async def save(db: Database, session_id: str, typed: str) -> bool:
    return await db.write(
        lambda conn: case_numbers.save(conn, session_id, typed, "per_sam", NOW + 5)
    )


async def test_a_number_is_kept_replaced_and_taken_away(db: Database) -> None:
    one, other = await pressed(db), await pressed(db, "tab_2")
    assert await save(db, one.id, "  2026-00 4711\t") is True
    assert await save(db, one.id, "2026-00 4711") is False
    async with db.read() as conn:
        assert await case_numbers.get(conn, one.id) == "2026-00 4711"
        assert await case_numbers.get(conn, other.id) is None
    assert await save(db, one.id, "A1") is True
    await save(db, other.id, "'; DROP TABLE case_number;--")
    async with db.read() as conn:
        known = await case_numbers.of_sessions(conn, [one.id, other.id, "ses_nobody"])
    assert known == {one.id: "A1", other.id: "'; DROP TABLE case_number;--"}
    assert await save(db, one.id, "   ") is True
    async with db.read() as conn:
        assert await case_numbers.get(conn, one.id) is None


@pytest.mark.parametrize("typed", ["x" * 41, "a\x00b", "a\u202eb"], ids=repr)
async def test_what_is_no_number_is_refused_and_the_known_one_stays(
    db: Database, typed: str
) -> None:
    one = await pressed(db)
    await save(db, one.id, "A1")
    with pytest.raises(BadInput):
        await save(db, one.id, typed)
    async with db.read() as conn:
        assert await case_numbers.get(conn, one.id) == "A1"
