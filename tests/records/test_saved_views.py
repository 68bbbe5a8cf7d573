"""Saved views: one's own, shared if one says so, and the one that the log begins with."""

from __future__ import annotations

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from records import people, saved_views, schema
from records.engine import Database
from records.errors import BadInput, NotFound
from records.saved_views import Reader
from tests.records.cast import NOW

PROGRAM, PROVIDER = frozenset({"prg_1"}), frozenset({"prv_1"})
DANA = Reader("per_dana", PROGRAM, frozenset())
MIGUEL = Reader("per_miguel", PROGRAM, frozenset())
AWAY = Reader("per_sam", frozenset({"prg_2"}), frozenset())
HOME = ("prg_1", None)


async def add(
    db: Database, name: str, reader: Reader = DANA, *, shared: bool = False, chosen: str = "a=1"
) -> str:
    return await db.write(
        lambda conn: saved_views.add(conn, reader, HOME, name, chosen, shared=shared, now=NOW)
    )


async def names(db: Database, reader: Reader) -> list[str]:
    async with db.read() as conn:
        return [one.name for one in await saved_views.listed(conn, reader)]


async def begins(db: Database, reader: Reader) -> str | None:
    async with db.read() as conn:
        view = await saved_views.first(conn, reader)
    return view.name if view is not None else None


async def test_views_are_ones_own_unless_they_are_shared_where_one_works(db: Database) -> None:
    mine = await add(db, "  long   waits ")
    await add(db, "Open misses", shared=True)
    assert await names(db, DANA) == ["long waits", "Open misses"]
    assert await names(db, MIGUEL) == ["Open misses"]
    assert await names(db, AWAY) == []
    assert await names(db, Reader("per_miguel", frozenset(), PROVIDER)) == []
    for reader in (MIGUEL, AWAY):
        async with db.read() as conn:
            with pytest.raises(NotFound):
                await saved_views.get(conn, reader, mine)


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "two\x00parts", "\x1b[31m"])
async def test_a_name_that_is_none_is_refused(db: Database, name: str) -> None:
    with pytest.raises(BadInput):
        await add(db, name)
    assert await names(db, DANA) == []


async def test_a_name_is_taken_once_by_each_and_a_failed_change_changes_nothing(
    db: Database,
) -> None:
    await add(db, "nights")
    other = await add(db, "days")
    with pytest.raises(BadInput):
        await add(db, "nights")
    await add(db, "nights", MIGUEL)

    async def rename(conn: AsyncConnection) -> None:
        await saved_views.change(conn, DANA, other, "nights", shared=True, now=NOW)

    with pytest.raises(BadInput):
        await db.write(rename)
    assert await names(db, DANA) == ["days", "nights"]
    assert await names(db, MIGUEL) == ["nights"]


async def test_only_its_owner_changes_or_removes_one(db: Database) -> None:
    view = await add(db, "nights", shared=True)
    for reader in (MIGUEL, AWAY):
        with pytest.raises(NotFound):
            await db.write(
                lambda c, r=reader: saved_views.change(c, r, view, "x", shared=False, now=NOW)  # type: ignore[misc]
            )
        with pytest.raises(NotFound):
            await db.write(lambda c, r=reader: saved_views.remove(c, r, view))  # type: ignore[misc]
    await db.write(lambda c: saved_views.change(c, DANA, view, "late", shared=False, now=NOW))
    assert await names(db, DANA) == ["late"]
    assert await names(db, MIGUEL) == []


async def test_the_log_begins_with_what_somebody_chose_as_long_as_they_may_use_it(
    db: Database,
) -> None:
    view = await add(db, "nights", shared=True)
    assert await begins(db, MIGUEL) is None
    await db.write(lambda c: saved_views.begin_with(c, MIGUEL, view))
    assert await begins(db, MIGUEL) == "nights"
    assert await begins(db, DANA) is None
    await db.write(lambda c: saved_views.change(c, DANA, view, "nights", shared=False, now=NOW))
    assert await begins(db, MIGUEL) is None
    with pytest.raises(NotFound):
        await db.write(lambda c: saved_views.begin_with(c, MIGUEL, view))
    await db.write(lambda c: saved_views.begin_with(c, DANA, view))
    await db.write(lambda c: saved_views.remove(c, DANA, view))
    assert await begins(db, DANA) is None


async def test_nobody_has_more_views_than_a_page_can_show(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_views, "MOST", 2)
    await add(db, "one")
    await add(db, "two")
    with pytest.raises(BadInput):
        await add(db, "three")
    with pytest.raises(BadInput):
        await add(db, "long", MIGUEL, chosen="x" * 1001)


async def test_a_person_who_is_taken_in_later_sees_what_is_shared(db: Database) -> None:
    await add(db, "nights", shared=True)
    await db.write(
        lambda conn: people.add(
            conn, schema.person, id="per_new", name="N", short_name="N",
            email="n@demo.invalid", program_id="prg_1",
        )
    )  # fmt: skip
    assert await names(db, Reader("per_new", PROGRAM, frozenset())) == ["nights"]
