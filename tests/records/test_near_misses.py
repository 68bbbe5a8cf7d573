"""Near misses on record: once each, newest first within a scope, closed with a sealed note."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records import near_misses, schema
from records.crypto import Vault
from records.engine import Database
from records.errors import BadInput, Conflict
from records.log import Scope
from records.near_misses import MissFilter, MissRow, NewMiss
from records.schema_misses import near_miss, near_miss_note
from records.sessions import SessionRow
from tests.records.cast import NOW, changed, finished, pressed, put, rung

MINE = Scope(programs=frozenset({"prg_1"}))
OPEN, ALL = MissFilter(), MissFilter(closed=None)
BOTH = frozenset({"provider", "program"})


async def given_up(db: Database, now: float = NOW, waited: float = 90, **more: Any) -> SessionRow:
    row = await pressed(db, now=now)
    return await changed(
        db, row, state="closed", close_reason="cancelled_by_officer", ended_at=now + waited,
        closed_at=now + waited, **more,
    )  # fmt: skip


async def looked(db: Database, *rows: SessionRow, now: float = NOW + 999) -> list[NewMiss]:
    """What the look-out does with sessions that have closed; what was new."""
    async with db.read() as conn:
        found = await near_misses.of_sessions(conn, rows, lambda _: 6)
        new = await near_misses.missing(conn, found)
    await db.write(lambda conn: near_misses.open_all(conn, found, now))
    return new


async def listed(
    db: Database, wanted: MissFilter = OPEN, scope: Scope = MINE, after: str | None = None,
    limit: int = 50,
) -> near_misses.MissPage:  # fmt: skip
    async with db.read() as conn:
        return await near_misses.page(conn, scope, wanted, after, limit)


async def only(db: Database) -> MissRow:
    (row,) = (await listed(db, ALL)).rows
    return row


async def closed(db: Database, vault: Vault, row: MissRow, note: str, side: str) -> None:
    await db.write(
        lambda conn: near_misses.close(
            conn, vault, row, row.rev, by_id="per_dana", side=side, note=note, now=NOW + 2000
        )
    )


async def test_each_is_on_record_once_however_often_it_is_looked_at(
    db: Database, vault: Vault
) -> None:
    row = await given_up(db)
    assert [one.kind for one in await looked(db, row)] == ["unanswered"]
    assert await looked(db, row) == []
    await closed(db, vault, await only(db), "seen", "program")
    await looked(db, row)
    assert (await only(db)).closed_at == NOW + 2000
    assert (await listed(db)).rows == ()


async def test_the_database_itself_keeps_one_of_a_session_and_kind(db: Database) -> None:
    row = await given_up(db)
    values = {"session_id": row.id, "kind": "to_phone", "at": NOW, "pressed_at": NOW,
              "opened_at": NOW}  # fmt: skip
    await put(db, near_miss, id="nms_1", **values)
    with pytest.raises(IntegrityError):
        await put(db, near_miss, id="nms_2", **values)
    for wrong in ({"closed_at": NOW}, {"closed_by": "per_dana"}):
        statement = update(near_miss).values(**wrong)

        async def run(conn: AsyncConnection, statement: Any = statement) -> None:
            await conn.execute(statement)

        with pytest.raises(IntegrityError):
            await db.write(run)


async def test_who_answered_by_a_widened_search_is_read_from_the_accepted_ring(
    db: Database,
) -> None:
    row = await pressed(db)
    ring = await rung(db, row)

    async def widened(conn: AsyncConnection) -> None:
        table = schema.offer
        await conn.execute(
            update(table)
            .where(table.c.id == ring)
            .values(state="accepted", ended_at=NOW, relaxed='[["licence_state",45.0]]')
        )

    await db.write(widened)
    row = await changed(
        db, row, state="connected", lead_id="per_dana", epoch=1, accepted_at=NOW + 50,
        media_at=NOW + 51,
    )  # fmt: skip
    row = await changed(
        db, row, state="closed", close_reason="completed", ended_at=NOW + 90, closed_at=NOW + 99
    )
    assert [one.kind for one in await looked(db, row)] == ["licence_relaxed"]


async def test_test_calls_and_calls_without_trouble_have_none(db: Database) -> None:
    fine = await finished(db)
    drill = await given_up(db, NOW + 1)
    async with db.read() as conn:
        found = await near_misses.of_sessions(conn, [fine], lambda _: 6)
    assert found == []
    assert [one.kind for one in await looked(db, drill)] == ["unanswered"]


async def test_the_list_goes_on_page_by_page_newest_first_and_each_once(db: Database) -> None:
    rows = [await given_up(db, NOW + at) for at in (0, 5, 5, 9)]
    await looked(db, *rows)
    seen: list[tuple[float, str]] = []
    after = None
    while True:
        page = await listed(db, after=after, limit=2)
        seen += [(one.at, one.id) for one in page.rows]
        after = page.after
        if after is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 4
    for key in ("", "x", "nan~a", "1e999~a", "5", "1;DROP TABLE near_miss~a"):
        with pytest.raises(BadInput):
            await listed(db, after=key)


async def test_filters_narrow_the_list_and_scopes_keep_to_their_own(
    db: Database, vault: Vault
) -> None:
    early = await given_up(db, NOW)
    own = await given_up(db, NOW + 100, wellness=True)
    await looked(db, early, own)
    assert [one.session_id for one in (await listed(db)).rows] == [early.id]
    provider = Scope(providers=frozenset({"prv_1"}))
    assert len((await listed(db, scope=provider)).rows) == 2
    assert not (await listed(db, scope=Scope())).rows
    for wanted, count in (
        (MissFilter(kind="unanswered"), 1),
        (MissFilter(kind="to_phone"), 0),
        (MissFilter(kind="' OR 1=1 --"), 0),
        (MissFilter(since=NOW + 91), 0),
        (MissFilter(until=NOW + 91), 1),
        (MissFilter(closed=True), 0),
    ):
        assert len((await listed(db, wanted)).rows) == count, wanted
    async with db.read() as conn:
        assert await near_misses.count_open(conn, MINE) == 1
        assert await near_misses.count_open(conn, provider) == 2
        assert await near_misses.count_open(conn, Scope()) == 0
        assert len(await near_misses.of_session(conn, own.id)) == 1
    await closed(db, vault, (await listed(db)).rows[0], "looked", "program")
    assert len((await listed(db, MissFilter(closed=True))).rows) == 1


async def test_more_open_ones_than_anybody_counts_are_counted_so_far(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await looked(db, *[await given_up(db, NOW + at) for at in range(3)])
    monkeypatch.setattr(near_misses, "MOST_COUNTED", 2)
    async with db.read() as conn:
        assert await near_misses.count_open(conn, MINE) == 2


async def test_it_is_closed_with_a_sealed_note_and_opened_again_with_the_notes_kept(
    db: Database, vault: Vault
) -> None:
    await looked(db, await given_up(db))
    await closed(db, vault, await only(db), " two on call were asleep ", "provider")
    row = await only(db)
    assert (row.closed_by, row.rev) == ("per_dana", 2)
    await db.write(
        lambda conn: near_misses.reopen(
            conn, vault, row, 2, by_id="per_miguel", side="program", now=NOW + 3000
        )
    )
    row = await only(db)
    assert (row.closed_at, row.closed_by, row.rev) == (None, None, 3)
    await closed(db, vault, row, "phones were swapped", "program")
    async with db.read() as conn:
        stored = (await conn.execute(select(near_miss_note.c.note_enc))).scalars().all()
        whole = await near_misses.notes(conn, vault, row, BOTH)
        program = await near_misses.notes(conn, vault, row, frozenset({"program"}))
    assert not any(b"asleep" in (one or b"") for one in stored)
    assert [(one.act, one.by_id, one.note) for one in whole] == [
        ("closed", "per_dana", "two on call were asleep"),
        ("reopened", "per_miguel", ""),
        ("closed", "per_dana", "phones were swapped"),
    ]
    assert [one.note for one in program] == [None, "", "phones were swapped"]


async def test_a_note_is_needed_and_who_saw_an_older_state_changes_nothing(
    db: Database, vault: Vault
) -> None:
    await looked(db, await given_up(db))
    row = await only(db)
    for note in ("", "  \n ", "x" * 2001):
        with pytest.raises(BadInput):
            await closed(db, vault, row, note, "program")
    with pytest.raises(Conflict):
        await db.write(
            lambda conn: near_misses.reopen(
                conn, vault, row, 1, by_id="per_dana", side="program", now=NOW
            )
        )
    await closed(db, vault, row, "first", "program")
    with pytest.raises(Conflict):
        await closed(db, vault, row, "second", "program")
    async with db.read() as conn:
        assert [one.note for one in await near_misses.notes(conn, vault, row, BOTH)] == ["first"]
