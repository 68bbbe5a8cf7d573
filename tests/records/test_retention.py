"""How long sessions are kept: rules, legal holds, and a deletion that leaves nothing to read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import String, false, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from records import (
    assessments,
    chat,
    consents,
    followups,
    identities,
    retention,
    schema,
    sessions,
)
from records.consent_rules import Consent
from records.crypto import Vault
from records.engine import Database
from records.errors import BadInput, Conflict, KeyMissing, NotFound
from records.followups import NewFollowup
from records.identity_rules import Identity
from records.log import Scope
from records.retention import Candidate
from records.retention_rules import (
    DAY,
    YEAR,
    BadRule,
    Rule,
    checked,
    due,
    group_of,
    numbers_stay,
    year_of,
)
from records.schema_reports import report_change
from records.schema_retention import legal_hold, retention_rule
from records.sessions import SessionRow
from tests.records.cast import NOW, finished, pressed

ALL = Scope(everything=True)
RULE = Rule(7, 25, 30, keep_numbers=False)
LATER = NOW + 30 * YEAR


# --- the rules, without a database ----------------------------------------------------------------


def test_nothing_is_due_without_a_rule_and_with_two_the_longer_holds() -> None:
    assert not due([], "adult", 0.0, 1000 * YEAR)
    short, long = Rule(7, 25, 30), Rule(10, 25, 90)
    assert due([short], "adult", NOW, NOW + 8 * YEAR)
    assert not due([short, long], "adult", NOW, NOW + 8 * YEAR)
    assert due([short, long], "adult", NOW, NOW + 10 * YEAR)
    assert not due([short], "juvenile", NOW, NOW + 24 * YEAR)
    assert due([short], "test", NOW, NOW + 30 * DAY)
    assert not due([short, long], "test", NOW, NOW + 31 * DAY)
    assert numbers_stay([Rule(keep_numbers=False), Rule(keep_numbers=True)])
    assert not numbers_stay([])


@pytest.mark.parametrize(
    ("intake", "born", "group"),
    [
        (("adult",), "", "adult"), (("juvenile",), "", "juvenile"), ((), "", "juvenile"),
        (("adult", "juvenile"), "", "juvenile"), (("adult",), "2015-01-01", "juvenile"),
        ((), "1990-01-01", "adult"), (("juvenile",), "1990-01-01", "adult"),
        (("adult",), "no day", "juvenile"),
    ],
)  # fmt: skip
def test_who_is_not_known_to_be_an_adult_is_kept_as_long_as_a_child(
    intake: tuple[str, ...], born: str, group: str
) -> None:
    assert group_of(test=False, intake=intake, born=born, pressed_at=NOW) == group
    assert group_of(test=True, intake=intake, born=born, pressed_at=NOW) == "test"


@given(st.dates(date(1930, 1, 1), date(2026, 9, 20)))
def test_a_birthday_makes_an_adult_on_the_very_day(born: date) -> None:
    day = date(2026, 9, 21)  # of NOW, in UTC
    try:
        eighteenth = born.replace(year=born.year + 18)
    except ValueError:  # the 29th of February
        eighteenth = date(born.year + 18, 3, 1)
    wanted = "adult" if eighteenth <= day else "juvenile"
    assert group_of(test=False, intake=(), born=born.isoformat(), pressed_at=NOW) == wanted


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (Rule(5, 25, 30), "adult_years"), (Rule(101, 101, 30), "adult_years"),
        (Rule(10, 9, 30), "juvenile_years"), (Rule(10, 101, 30), "juvenile_years"),
        (Rule(10, 25, 0), "test_days"), (Rule(10, 25, 3651), "test_days"),
    ],
)  # fmt: skip
def test_times_that_cannot_be_are_refused_with_their_field(rule: Rule, field: str) -> None:
    with pytest.raises(BadRule) as bad:
        checked(rule)
    assert bad.value.field == field


# --- as stored ------------------------------------------------------------------------------------


async def ruled(db: Database, rule: Rule = RULE, owner: str = "prv_1", rev: int = 0) -> None:
    await db.write(
        lambda conn: retention.save_rule(
            conn, owner, rev, rule, "per_dana", NOW, program=owner.startswith("prg")
        )
    )


async def full(db: Database, vault: Vault, tablet: str = "tab_1") -> SessionRow:
    """A closed session of an adult with something in each table that people write to."""
    row = await finished(db, tablet)

    async def write(conn: AsyncConnection) -> None:
        await assessments.save(
            conn, vault, row.id, "field-safety", 0, {"danger-now": "no"}, "per_dana", NOW
        )
        await chat.add(
            conn, vault, row.id, sender="officer", sender_id="per_sam", body="Calm.", now=NOW
        )
        task = NewFollowup("contact_24h", "per_dana", NOW + DAY, "Call")
        await followups.add_many(conn, vault, row.id, [task], NOW)
        (one,) = await followups.of_session(conn, vault, row.id)
        await followups.attempt(
            conn, vault, one, one.rev,
            by_id="per_dana", channel="phone", outcome="reached", note="Fine", now=NOW,
        )  # fmt: skip
        (one,) = await followups.of_session(conn, vault, row.id)
        await followups.close(conn, one, one.rev, "done", "per_dana", NOW)
        who = Identity("John Doe", "1990-02-03")
        await identities.save(conn, vault, row, 0, who, "per_dana", NOW)
        no = Consent("person", "treatment", "refused", NOW)
        await consents.add(conn, vault, row.id, no, "per_dana", NOW)

    await db.write(write)
    return row


async def due_now(
    db: Database,
    vault: Vault,
    now: float = LATER,
    scope: Scope = ALL,
    proposed: Mapping[str, Rule] | None = None,
) -> list[Candidate]:
    async with db.read() as conn:
        found = retention.candidates(conn, vault, now, scope=scope, proposed=proposed)
        return [one async for one in found]


async def erased(db: Database, vault: Vault, row: SessionRow, now: float = LATER) -> bool:
    return await db.write(lambda conn: retention.erase(conn, vault, row.id, now)) is not None


async def left(db: Database, session_id: str) -> dict[str, int]:
    """How many rows of a session each table has."""
    found = {}
    async with db.read() as conn:
        for table, condition in retention.hanging(session_id):
            found[table.name] = await conn.scalar(
                select(func.count()).select_from(table).where(condition)
            )
    return {name: count for name, count in found.items() if count}


async def test_without_a_rule_nothing_is_ever_due(db: Database, vault: Vault) -> None:
    row = await full(db, vault)
    assert await due_now(db, vault) == []
    assert not await erased(db, vault, row)
    assert await left(db, row.id)


async def test_a_session_whose_time_is_over_goes_with_its_key_and_all_that_hangs_on_it(
    db: Database, vault: Vault
) -> None:
    row, other = await full(db, vault), await full(db, vault, "tab_2")
    await ruled(db)
    before = await left(db, other.id)
    assert {"assessment", "followup_attempt", "identity", "consent", "session_key"} <= set(before)
    assert [one.row.id for one in await due_now(db, vault)] == sorted(
        (row.id, other.id), key=lambda one: (NOW + 900, one)
    )
    assert await erased(db, vault, row)
    assert await left(db, row.id) == {}
    async with db.read() as conn:
        assert await sessions.get(conn, row.id) is None
    assert await left(db, other.id) == before
    assert not await erased(db, vault, row), "a second process finds it gone"


async def named_at(db: Database, session_id: str) -> set[str]:
    """The tables in which this id stands, in whatever column."""
    found = set()
    async with db.read() as conn:
        for table in schema.metadata.sorted_tables:
            texts = [one for one in table.c if isinstance(one.type, String)]
            named = or_(false(), *(one.contains(session_id, autoescape=True) for one in texts))
            rows = select(func.count()).select_from(table).where(named)
            if texts and await conn.scalar(rows):
                found.add(table.name)
    return found


async def test_no_table_names_a_session_that_is_gone_nor_whose_others_it_was_joined_with(
    db: Database, vault: Vault
) -> None:
    row, other = await full(db, vault), await full(db, vault, "tab_2")
    nobody = Identity("", "", "red cap")

    async def joined(conn: AsyncConnection) -> None:
        await identities.save(conn, vault, row, 1, nobody, "per_dana", NOW)
        await identities.join(conn, row.id, other.id, "told_so", (2, 1), "per_dana", NOW)

    await db.write(joined)
    assert {"identity_merge", "session"} <= await named_at(db, row.id) | await named_at(
        db, other.id
    )
    await ruled(db)
    for one in (row, other):
        assert await erased(db, vault, one)
        assert await named_at(db, one.id) == set()


async def test_its_day_is_not_over_before_its_time(db: Database, vault: Vault) -> None:
    row = await full(db, vault)
    await ruled(db)
    closed = NOW + 900
    assert not await erased(db, vault, row, closed + 7 * YEAR - 1)
    assert await due_now(db, vault, closed + 7 * YEAR - 1) == []
    assert await erased(db, vault, row, closed + 7 * YEAR)


async def test_a_child_is_kept_longer_and_so_is_whoever_nobody_knows(
    db: Database, vault: Vault
) -> None:
    nobody = await finished(db)
    await ruled(db)
    assert not await erased(db, vault, nobody, NOW + 10 * YEAR)
    child = await finished(db, "tab_2")
    who = Identity("Ann Doe", "2016-02-03")
    await db.write(lambda conn: identities.save(conn, vault, child, 0, who, "per_dana", NOW))
    assert not await erased(db, vault, child, NOW + 24 * YEAR)
    assert await erased(db, vault, child, NOW + 26 * YEAR)


async def test_of_a_program_and_a_provider_the_longer_rule_holds(
    db: Database, vault: Vault
) -> None:
    row = await full(db, vault)
    await ruled(db)
    await ruled(db, Rule(12, 30, 30, keep_numbers=False), "prg_1")
    assert not await erased(db, vault, row, NOW + 11 * YEAR)
    assert await erased(db, vault, row, NOW + 13 * YEAR)


async def test_what_is_open_owed_or_on_hold_stays(db: Database, vault: Vault) -> None:
    await ruled(db)
    waiting = await pressed(db, "tab_3", NOW)
    assert not await erased(db, vault, waiting)
    owed = await full(db, vault)
    task = NewFollowup("contact_48h", "per_dana", NOW + DAY, "")
    await db.write(lambda conn: followups.add_many(conn, vault, owed.id, [task], NOW))
    assert not await erased(db, vault, owed)
    (one,) = await due_now(db, vault)
    assert (one.owed, one.held, one.goes) == (True, False, False)


async def test_a_hold_stops_the_deletion_until_it_is_lifted_and_says_who_and_why(
    db: Database, vault: Vault
) -> None:
    row = await full(db, vault)
    await ruled(db)
    hold = await db.write(
        lambda conn: retention.hold(conn, vault, row.id, " Case  17 ", "per_dana", NOW)
    )
    assert not await erased(db, vault, row)
    (one,) = await due_now(db, vault)
    assert (one.held, one.goes) == (True, False)
    async with db.read() as conn:
        (read,) = await retention.holds(conn, vault, row.id)
        stored = (await conn.execute(select(legal_hold))).one()
    assert (read.reason, read.set_by, read.set_at) == ("Case 17", "per_dana", NOW)
    assert b"Case" not in stored.reason_enc
    assert await db.write(lambda c: retention.lift(c, row.id, hold, "per_miguel", NOW + 5))
    assert not await db.write(lambda c: retention.lift(c, row.id, hold, "per_dana", NOW + 6))
    assert await erased(db, vault, row)
    with pytest.raises(NotFound):
        await db.write(lambda c: retention.hold(c, vault, row.id, "Late", "per_dana", NOW))


async def test_a_hold_needs_a_reason_and_a_session(db: Database, vault: Vault) -> None:
    row = await finished(db)
    for reason in ("", "   ", "x" * 1001):
        with pytest.raises(BadInput):
            await db.write(
                lambda c, reason=reason: retention.hold(c, vault, row.id, reason, "per_dana", NOW)  # type: ignore[misc]
            )
    with pytest.raises(NotFound):
        await db.write(lambda c: retention.lift(c, row.id, "hld_none", "per_dana", NOW))
    with pytest.raises(NotFound):
        await db.write(lambda c: retention.hold(c, vault, "ses_none", "Why", "per_dana", NOW))


async def test_the_row_of_numbers_names_nobody_and_keeps_its_distances(
    db: Database, vault: Vault
) -> None:
    row = await full(db, vault)
    await ruled(db, Rule(7, 25, 30, keep_numbers=True))
    assert await erased(db, vault, row)
    assert await left(db, row.id) == {"session_fact": 1}
    async with db.read() as conn:
        kept = await sessions.get(conn, row.id)
        days = set((await conn.execute(select(report_change.c.day))).scalars())
    assert kept is not None
    assert (kept.code, kept.officer_id, kept.shift_id, kept.lead_id) == ("", None, None, None)
    assert (kept.intake, kept.place_county, kept.language) == ((), None, None)
    assert row.press_key not in kept.press_key
    assert kept.pressed_at == year_of(NOW)
    assert kept.erased_at == LATER
    assert kept.media_at is not None
    assert row.media_at is not None
    assert kept.media_at - kept.pressed_at == row.media_at - row.pressed_at
    assert {int(NOW // DAY), int(kept.pressed_at // DAY)} <= days, "both days are counted anew"
    assert await due_now(db, vault, LATER + 50 * YEAR) == [], "never twice"


async def test_tests_and_drills_go_soon_and_leave_no_numbers(db: Database, vault: Vault) -> None:
    row = await finished(db)
    await db.write(
        lambda c: c.execute(
            update(schema.session).where(schema.session.c.id == row.id).values(test=True)
        )
    )
    await ruled(db, Rule(7, 25, 30, keep_numbers=True))
    assert not await erased(db, vault, row, NOW + 29 * DAY)
    assert await erased(db, vault, row, NOW + 31 * DAY)
    async with db.read() as conn:
        assert await sessions.get(conn, row.id) is None


async def test_what_was_sealed_opens_no_more_from_the_moment_that_the_key_is_gone(
    db: Database, vault: Vault
) -> None:
    """Rows alone, as a lost transaction of another program would leave them, tell nothing."""
    row = await full(db, vault)
    async with db.read() as conn:
        assert await assessments.of_session(conn, vault, row.id)
    keys = schema.session_key
    await db.write(lambda c: c.execute(keys.delete().where(keys.c.session_id == row.id)))
    vault.forget(row.id)
    async with db.read() as conn:
        with pytest.raises(KeyMissing):
            await assessments.of_session(conn, vault, row.id)
    await ruled(db)
    assert await erased(db, vault, row), "without a birth it is a child's: its time is over, too"
    assert await left(db, row.id) == {}


async def test_a_crash_in_the_middle_of_a_deletion_has_deleted_nothing(
    db: Database, vault: Vault
) -> None:
    row = await full(db, vault)
    await ruled(db)
    before = await left(db, row.id)

    async def crash(conn: AsyncConnection) -> None:
        assert await retention.erase(conn, vault, row.id, LATER) is not None
        raise OSError("the lights went out")

    with pytest.raises(OSError, match="lights"):
        await db.write(crash)
    assert await left(db, row.id) == before
    async with db.read() as conn:
        assert await assessments.of_session(conn, vault, row.id), "the key is there as well"


async def test_a_preview_counts_proposed_times_as_if_they_were_saved_and_saves_nothing(
    db: Database, vault: Vault
) -> None:
    row = await full(db, vault)
    proposed = {"prv_1": RULE}
    assert [o.row.id for o in await due_now(db, vault, proposed=proposed)] == [row.id]
    away = Scope(providers=frozenset({"prv_other"}))
    assert await due_now(db, vault, proposed=proposed, scope=away) == []
    async with db.read() as conn:
        assert await retention.rules(conn) == {}


async def test_many_are_read_in_pieces_and_each_once(
    db: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    rows = []
    for number in range(5):
        row = await finished(db, "tab_1", NOW + number // 2)
        rows.append(row.id)
    await ruled(db)
    found = [one.row.id for one in await due_now(db, vault)]
    assert sorted(found) == sorted(rows)


async def test_a_rule_is_changed_by_who_saw_it_last_only(db: Database, vault: Vault) -> None:
    await ruled(db)
    with pytest.raises(Conflict):
        await ruled(db)
    await ruled(db, Rule(8, 25, 30), rev=1)
    with pytest.raises(Conflict):
        await ruled(db, Rule(9, 25, 30), rev=1)
    with pytest.raises(BadInput):
        await ruled(db, Rule(5, 25, 30), rev=2)
    async with db.read() as conn:
        known = await retention.rules(conn)
    assert (known["prv_1"].rule, known["prv_1"].rev) == (Rule(8, 25, 30), 2)


async def test_the_database_itself_refuses_a_rule_that_is_too_short(db: Database) -> None:
    with pytest.raises(IntegrityError):
        await db.write(
            lambda c: c.execute(
                insert(retention_rule).values(
                    id="prv_1", provider_id="prv_1", rev=1, adult_years=1, juvenile_years=25,
                    test_days=30, keep_numbers=True, changed_by="per_dana", changed_at=NOW,
                )
            )
        )  # fmt: skip


def test_every_table_that_says_of_which_session_it_is_goes_with_it() -> None:
    named = {t.name for t in schema.metadata.sorted_tables if "session_id" in t.columns}
    hanging = {table.name for table, _ in retention.hanging("ses_1")}
    assert named <= hanging
    assert {"followup_attempt", "followup_told", "near_miss_note"} <= hanging
    assert not {"session", "audit", "person", "contact_point"} & hanging


async def test_two_processes_delete_each_session_once_and_a_hold_in_between_wins(
    db: Database, vault: Vault, url: str
) -> None:
    row, held = await full(db, vault), await full(db, vault, "tab_2")
    await ruled(db)
    other = Database(url)
    await other.start()
    try:
        due_ones = [one.row.id for one in await due_now(other, vault)]
        assert set(due_ones) == {row.id, held.id}
        await db.write(lambda c: retention.hold(c, vault, held.id, "Subpoena", "per_dana", LATER))
        done = [await erased(one, vault, row) for one in (db, other)]
        assert done == [True, False]
        assert not await erased(other, vault, held), "listed before, held since"
        assert await left(db, held.id)
    finally:
        await other.close()
