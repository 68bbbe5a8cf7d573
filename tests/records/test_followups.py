"""Follow-ups as they are worked on: attempts, the end, another owner; and the board of them."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Update, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records import followup_board, followups, schema
from records.crypto import Vault
from records.engine import Database
from records.errors import BadInput, Conflict, NotFound, NotOpen, TooFewAttempts
from records.followup_board import BoardFilter, BoardPage
from records.followups import FollowupRow, NewFollowup
from records.log import Scope
from records.vocabulary import ATTEMPT_OUTCOMES, FOLLOWUP_REASONS
from tests.records.cast import NOW, pressed

ALL = Scope(everything=True)
DAY = 86_400.0


async def planned(
    db: Database, vault: Vault, *due: float, owner: str = "per_dana", tablet: str = "tab_1"
) -> list[FollowupRow]:
    """Follow-ups of one session, by due time."""
    row = await pressed(db, tablet)
    tasks = [NewFollowup("contact_24h", owner, at, "call the sister") for at in due]
    await db.write(lambda conn: followups.add_many(conn, vault, row.id, tasks, NOW))
    async with db.read() as conn:
        return await followups.of_session(conn, vault, row.id)


async def now_is(db: Database, vault: Vault, row: FollowupRow) -> FollowupRow:
    async with db.read() as conn:
        found = await followups.get(conn, vault, row.id)
    assert found is not None
    return found


async def tried(
    db: Database, vault: Vault, row: FollowupRow, outcome: str = "no_answer", note: str = ""
) -> FollowupRow:
    await db.write(
        lambda conn: followups.attempt(
            conn, vault, row, row.rev,
            by_id="per_dana", channel="phone", outcome=outcome, note=note, now=NOW + 5,
        )
    )  # fmt: skip
    return await now_is(db, vault, row)


async def closed(db: Database, vault: Vault, row: FollowupRow, reason: str) -> FollowupRow:
    await db.write(lambda conn: followups.close(conn, row, row.rev, reason, "per_dana", NOW + 9))
    return await now_is(db, vault, row)


async def test_attempts_are_kept_in_order_and_their_notes_sealed(
    db: Database, vault: Vault
) -> None:
    (row,) = await planned(db, vault, NOW + DAY)
    row = await tried(db, vault, row, "no_answer", "rang out")
    row = await tried(db, vault, row, "reached", " at her sister's ")
    assert (row.attempts, row.rev, row.status) == (2, 3, "open")
    async with db.read() as conn:
        found = await followups.attempts(conn, vault, row)
        stored = (await conn.execute(select(schema.followup_attempt.c.note_enc))).scalars().all()
    assert [(one.no, one.outcome, one.note) for one in found] == [
        (1, "no_answer", "rang out"),
        (2, "reached", "at her sister's"),
    ]
    assert not any(b"sister" in (one or b"") for one in stored)


async def test_it_ends_as_done_or_with_a_reason_and_can_be_opened_again(
    db: Database, vault: Vault
) -> None:
    done, other = await planned(db, vault, NOW + 1, NOW + 2)
    done = await closed(db, vault, done, "done")
    other = await closed(db, vault, other, "jailed")
    assert (done.status, done.closed_reason, done.closed_by, done.closed_at) == (
        "done", "done", "per_dana", NOW + 9,
    )  # fmt: skip
    assert (other.status, other.closed_reason) == ("closed", "jailed")
    for again in (tried(db, vault, done), closed(db, vault, done, "done")):
        with pytest.raises(NotOpen):
            await again
    await db.write(lambda conn: followups.reopen(conn, done, done.rev))
    opened = await now_is(db, vault, done)
    assert (opened.status, opened.closed_reason, opened.closed_at) == ("open", None, None)
    assert (await tried(db, vault, opened)).attempts == 1


async def test_nobody_is_unreachable_before_three_attempts(db: Database, vault: Vault) -> None:
    (row,) = await planned(db, vault, NOW + 1)
    for _ in range(followups.ENOUGH_ATTEMPTS):
        with pytest.raises(TooFewAttempts):
            await closed(db, vault, row, "unreachable")
        row = await tried(db, vault, row)
    assert (await closed(db, vault, row, "unreachable")).closed_reason == "unreachable"


@pytest.mark.parametrize(
    ("channel", "outcome", "note"),
    [("fax", "reached", ""), ("phone", "gone", ""), ("phone", "reached", "x" * 2001)],
)
async def test_an_attempt_that_is_none_is_refused(
    db: Database, vault: Vault, channel: str, outcome: str, note: str
) -> None:
    (row,) = await planned(db, vault, NOW + 1)
    with pytest.raises(BadInput):
        await db.write(
            lambda conn: followups.attempt(
                conn, vault, row, 1,
                by_id="per_dana", channel=channel, outcome=outcome, note=note, now=NOW,
            )
        )  # fmt: skip
    with pytest.raises(BadInput):
        await closed(db, vault, row, "forgotten")
    assert (await now_is(db, vault, row)).rev == 1


async def test_of_two_who_change_it_at_once_the_second_is_told(db: Database, vault: Vault) -> None:
    (row,) = await planned(db, vault, NOW + 1)

    async def one(kind: str) -> None:
        async def write(conn: Any) -> None:
            held = await followups.held(conn, vault, row.id)
            if kind == "close":
                await followups.close(conn, held, row.rev, "done", "per_dana", NOW)
            else:
                await followups.assign(conn, held, row.rev, "per_miguel")

        await db.write(write)

    outcomes = await asyncio.gather(one("close"), one("assign"), return_exceptions=True)
    assert [type(one) for one in outcomes if one] == [Conflict]
    assert (await now_is(db, vault, row)).rev == 2


async def test_what_is_not_there_cannot_be_held(db: Database, vault: Vault) -> None:
    with pytest.raises(NotFound):
        await db.write(lambda conn: followups.held(conn, vault, "fup_nobody"))


async def _run(statement: Update, conn: AsyncConnection) -> None:
    await conn.execute(statement)


async def test_the_database_itself_keeps_no_follow_up_closed_without_a_reason(
    db: Database, vault: Vault
) -> None:
    (row,) = await planned(db, vault, NOW + 1)
    for values in ({"status": "done"}, {"closed_reason": "done"}, {"status": "lost"}):
        statement = update(schema.followup).where(schema.followup.c.id == row.id).values(**values)
        with pytest.raises(IntegrityError):
            await db.write(partial(_run, statement))


def test_every_outcome_after_which_nobody_can_be_reached_can_close_a_follow_up() -> None:
    ending = set(ATTEMPT_OUTCOMES) - {"reached", "no_answer", "wrong_number"}
    assert ending <= set(FOLLOWUP_REASONS)


@pytest.mark.parametrize(
    ("disposition", "owner", "added"),
    [
        ("voluntary_transport", "per_dana", True),
        ("involuntary_hold", "per_dana", True),
        ("medical_ed", "per_dana", True),
        ("remain_in_place", "per_dana", False),
        ("arrest_custody", "per_dana", False),
        (None, "per_dana", False),
        ("medical_ed", None, False),
    ],
)
async def test_a_transport_has_its_arrival_confirmed_once(
    db: Database, vault: Vault, disposition: str | None, owner: str | None, added: bool
) -> None:
    row = await pressed(db)
    for wanted in (added, False):
        assert wanted is await db.write(
            lambda conn: followups.arrival_to_confirm(conn, vault, row.id, disposition, owner, NOW)
        )
    async with db.read() as conn:
        found = await followups.of_session(conn, vault, row.id)
    assert [(one.kind, one.due_at) for one in found] == [("confirm_arrival", NOW + DAY)] * added


# --- the board ------------------------------------------------------------------------------------


async def board(
    db: Database, wanted: BoardFilter, after: str | None = None, limit: int = 50, scope: Scope = ALL
) -> BoardPage:
    async with db.read() as conn:
        return await followup_board.page(conn, scope, wanted, after, limit)


async def test_the_board_goes_on_page_by_page_and_shows_each_open_one_once_overdue_first(
    db: Database, vault: Vault
) -> None:
    due = [NOW - 5, NOW - 5, NOW - 1, NOW + 1, NOW + 2]
    rows = await planned(db, vault, *due)
    await closed(db, vault, rows[3], "done")
    seen, after = [], None
    while True:
        page = await board(db, BoardFilter(), after, limit=2)
        seen += [(one.due_at, one.overdue(NOW)) for one in page.rows]
        after = page.after
        if after is None:
            break
    assert seen == [(NOW - 5, True), (NOW - 5, True), (NOW - 1, True), (NOW + 2, False)]
    (ended,) = (await board(db, BoardFilter(closed=True))).rows
    assert (ended.id, ended.closed_reason) == (rows[3].id, "done")
    for key in ("", "x", "nan~a", "1e999~a", "5"):
        with pytest.raises(BadInput):
            await board(db, BoardFilter(), key)


async def test_the_board_keeps_to_its_scope_and_owner(db: Database, vault: Vault) -> None:
    await planned(db, vault, NOW + 1)
    await planned(db, vault, NOW - 1, owner="per_miguel", tablet="tab_2")
    both = Scope(providers=frozenset({"prv_1"}))
    assert len((await board(db, BoardFilter(), scope=both)).rows) == 2
    assert not (await board(db, BoardFilter(), scope=Scope(providers=frozenset({"x"})))).rows
    assert [one.owner_id for one in (await board(db, BoardFilter(owner_id="per_miguel"))).rows] == [
        "per_miguel"
    ]
    async with db.read() as conn:
        counts = await followup_board.counts(conn, both, NOW)
        mine = await followup_board.counts(conn, both, NOW, "per_dana")
        assert await followup_board.counts(conn, Scope(), NOW) == followup_board.Counts(0, 0, 0)
    assert (counts.open, counts.overdue, counts.without_owner) == (2, 1, 0)
    assert (mine.open, mine.overdue) == (1, 0)


async def test_an_owner_who_left_leaves_follow_ups_without_anybody_and_that_is_found(
    db: Database, vault: Vault
) -> None:
    (row,) = await planned(db, vault, NOW + 1)
    gone = update(schema.person).where(schema.person.c.id == "per_dana").values(active=False)
    await db.write(lambda conn: conn.execute(gone))
    async with db.read() as conn:
        assert (await followup_board.counts(conn, ALL, NOW)).without_owner == 1
        assert [one.id for one in await followup_board.without_owner(conn)] == [row.id]
    assert await db.write(lambda c: followup_board.remember(c, row.id, "no_owner", NOW))
    assert not await db.write(lambda c: followup_board.remember(c, row.id, "no_owner", NOW))
    async with db.read() as conn:
        assert not await followup_board.without_owner(conn)


async def test_each_step_is_told_once_and_anew_after_another_owner_or_time(
    db: Database, vault: Vault
) -> None:
    (row,) = await planned(db, vault, NOW)

    async def due() -> list[str]:
        async with db.read() as conn:
            return [one.id for one in await followup_board.to_tell(conn, "owner", NOW)]

    assert await due() == [row.id]
    await db.write(lambda c: followup_board.remember(c, row.id, "owner", NOW))
    assert await due() == []
    await db.write(lambda c: followups.assign(c, row, 1, "per_miguel"))
    assert await due() == [row.id]
    row = await now_is(db, vault, row)
    await db.write(lambda c: followups.move(c, row, 2, NOW + DAY))
    assert await due() == []
