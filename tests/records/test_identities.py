"""Who a session was about: recognised by a keyed hash, sealed, joined and taken apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from records import identities, reports, schema
from records.crypto import Vault
from records.engine import Database
from records.errors import BadInput, Conflict, NotFound
from records.identities import IdentityRow, Merge
from records.identity_rules import DAY, BadIdentity, Identity, checked, known_by
from records.log import Scope
from records.measures import Rate
from records.reports import Wanted
from records.schema_identities import identity, identity_merge
from records.sessions import SessionRow
from records.tally import Tally
from tests.records.cast import NOW, pressed

TODAY = date(2026, 9, 21)
JOHN = Identity("John Doe", "1990-02-03")


@pytest.mark.parametrize(
    "name", ["john doe", "Doe, John", "  JOHN   DOE ", "Jöhn Doe", "John-Doe", "Doe  John."]
)
def test_one_name_in_many_writings_is_one_person(name: str) -> None:
    assert known_by(Identity(name, "1990-02-03")) == known_by(JOHN)


@pytest.mark.parametrize(
    "other",
    [Identity("John Doe", "1990-02-04"), Identity("Jon Doe", "1990-02-03"), Identity("John Doe"),
     Identity("", "1990-02-03"), Identity("?!", "1990-02-03"), Identity(alias="John Doe")],
)  # fmt: skip
def test_another_name_another_birth_or_too_little_is_not_the_same_person(other: Identity) -> None:
    assert known_by(other) != known_by(JOHN)


@pytest.mark.parametrize(
    ("field", "typed"),
    [("name", "x" * 121), ("alias", "x" * 81), ("name", "a\u202eb"), ("born", "1899-12-31"),
     ("born", "2026-09-22"), ("born", "1990-02-30"), ("born", "3.2.1990"), ("born", "19900203")],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_field(field: str, typed: str) -> None:
    texts = {"name": "", "born": "", "alias": ""} | {field: typed}
    with pytest.raises(BadIdentity) as bad:
        checked(**texts, today=TODAY)
    assert bad.value.field == field


visits = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 200).map(lambda days: days * DAY)), max_size=12
)


@given(visits, st.integers(1, 90))
def test_repeats_are_what_a_slow_look_at_each_persons_visits_says(
    those: list[tuple[str, float]], days: int
) -> None:
    persons = {who for who, _ in those}
    again = {
        who
        for who in persons
        if any(
            later - earlier <= days * DAY
            for earlier, later in pairwise(sorted(at for one, at in those if one == who))
        )
    }
    total = Tally()
    for who, at in those:
        total.persons.append(ord(who))
        total.visits.append(float(at))
    assert total.repeats((days,)) == {days: Rate(len(again), len(persons))}


async def told(
    db: Database, vault: Vault, row: SessionRow, typed: Identity, rev: int = 0
) -> IdentityRow:
    return await db.write(
        lambda conn: identities.save(conn, vault, row, rev, typed, "per_dana", NOW)
    )


async def others(db: Database, row: IdentityRow) -> list[str]:
    async with db.read() as conn:
        return [one.session_id for one in await identities.visits(conn, row)]


async def of(db: Database, vault: Vault, row: SessionRow | IdentityRow) -> IdentityRow:
    async with db.read() as conn:
        at = row.id if isinstance(row, SessionRow) else row.session_id
        found = await identities.get(conn, vault, at)
    assert found is not None
    return found


async def joined(
    db: Database,
    row: SessionRow,
    into: SessionRow,
    reason: str = "was_unknown",
    revs: tuple[int, int] | None = None,
) -> tuple[str, ...]:
    async def write(conn: AsyncConnection) -> tuple[str, ...]:
        rev = {r.session_id: r.rev for r in await conn.execute(select(identity))}
        seen = revs or (rev[row.id], rev[into.id])
        at = NOW + len((await conn.execute(select(identity_merge))).all())
        return await identities.join(conn, row.id, into.id, reason, seen, "per_dana", at)

    return await db.write(write)


async def known_joins(db: Database, subject_id: str) -> list[Merge]:
    async with db.read() as conn:
        return await identities.joins(conn, subject_id)


async def apart(db: Database, row: SessionRow, join: Merge) -> tuple[str, ...]:
    return await db.write(
        lambda conn: identities.take_apart(conn, row.id, join.id, "per_dana", NOW + 1)
    )


async def three(db: Database) -> tuple[SessionRow, SessionRow, SessionRow]:
    first, second, third = [await pressed(db, f"tab_{no}") for no in (1, 2, 3)]
    return first, second, third


async def test_a_person_who_was_here_before_is_found_again_and_no_name_stands_in_clear(
    db: Database, vault: Vault
) -> None:
    first, second, third = await three(db)
    a = await told(db, vault, first, JOHN)
    b = await told(db, vault, second, Identity("DOE, John", "1990-02-03", "green coat"))
    c = await told(db, vault, third, Identity("Jane Doe", "1990-02-03"))
    assert a.subject_id == b.subject_id != c.subject_id
    assert await others(db, a) == [second.id]
    assert await others(db, c) == []
    async with db.read() as conn:
        stored = [dict(r._mapping) for r in await conn.execute(select(identity))]
        opened = await identities.get(conn, vault, second.id)
    assert opened is not None
    assert opened.identity == Identity("DOE, John", "1990-02-03", "green coat")
    text = repr(stored).casefold()
    assert not [word for word in ("john", "doe", "1990", "green") if word in text]
    assert "John" not in repr(opened)


async def test_another_provider_never_finds_the_same_person(db: Database, vault: Vault) -> None:
    first, second, _ = await three(db)

    async def provider(conn: Any) -> None:
        await conn.execute(
            insert(schema.provider).values(
                id="prv_2", name="Other", timezone="UTC", bridge_line="605-555-0101"
            )
        )  # fmt: skip

    await db.write(provider)
    a = await told(db, vault, first, JOHN)
    b = await told(db, vault, replace(second, provider_id="prv_2"), JOHN)
    assert a.subject_id != b.subject_id


async def test_a_slip_that_is_corrected_leaves_the_person_whom_it_hit(
    db: Database, vault: Vault
) -> None:
    first, second, _ = await three(db)
    a = await told(db, vault, first, JOHN)
    b = await told(db, vault, second, JOHN)
    b = await told(db, vault, second, replace(JOHN, born="1991-02-03"), b.rev)
    assert a.subject_id != b.subject_id
    again = await told(db, vault, second, replace(JOHN, born="1991-02-03", alias="tall"), b.rev)
    assert again.subject_id == b.subject_id, "a person of one session stays who they were"


async def test_two_who_write_at_once_do_not_overwrite_each_other(
    db: Database, vault: Vault
) -> None:
    first, _, _ = await three(db)
    await told(db, vault, first, JOHN)
    with pytest.raises(Conflict) as refused:
        await told(db, vault, first, Identity("Jim"))
    assert refused.value.data == {
        "rev": 1, "person": {"name": "John Doe", "born": "1990-02-03", "alias": ""}
    }  # fmt: skip
    with pytest.raises(BadInput):
        await told(db, vault, first, Identity("Jim", "1990-13-01"), 1)


async def test_sessions_of_an_unknown_person_are_joined_by_hand_and_taken_apart_again(
    db: Database, vault: Vault
) -> None:
    first, second, third = await three(db)
    unknown = await told(db, vault, first, Identity(alias="green coat"))
    john = await told(db, vault, second, JOHN)
    await told(db, vault, third, JOHN)
    assert await joined(db, first, second) == (first.id,)
    assert set(await others(db, john)) == {first.id, third.id}
    with pytest.raises(BadInput):
        await joined(db, first, third)
    kept = await told(db, vault, first, Identity(alias="blue coat"), unknown.rev)
    assert kept.subject_id == john.subject_id, "what was joined by hand stays joined"
    (join,) = await known_joins(db, john.subject_id)
    assert (join.sessions, join.made_by, join.reason) == ((first.id,), "per_dana", "was_unknown")
    assert await apart(db, second, join) == (first.id,)
    assert await others(db, john) == [third.id]
    with pytest.raises(NotFound):
        await apart(db, second, join)
    for subject in (john.subject_id, unknown.subject_id):  # and both read that it was
        (undone,) = await known_joins(db, subject)
        assert (undone.undone_by, undone.undone_at, undone.open) == ("per_dana", NOW + 1, False)


async def test_nothing_is_joined_without_a_reason_or_after_somebody_wrote_once_more(
    db: Database, vault: Vault
) -> None:
    first, second, _ = await three(db)
    await told(db, vault, first, Identity("Jon Doe", "1990-02-03"))
    before = await told(db, vault, second, JOHN)
    await told(db, vault, second, replace(JOHN, alias="tall"), before.rev)
    with pytest.raises(BadInput):
        await joined(db, first, second, reason="because", revs=(1, 2))
    with pytest.raises(Conflict):
        await joined(db, first, second, revs=(1, 1))
    assert await known_joins(db, before.subject_id) == []


async def test_a_name_that_is_corrected_after_the_joining_takes_nobody_apart(
    db: Database, vault: Vault
) -> None:
    first, second, third = await three(db)
    jon = await told(db, vault, first, Identity("Jon Doe", "1990-02-03"))
    john = await told(db, vault, second, JOHN)
    await joined(db, first, second)
    await told(db, vault, second, Identity("Johnny Doe", "1990-02-03"), john.rev)
    assert await others(db, jon_now := await of(db, vault, first)) == [second.id]
    assert jon_now.subject_id == john.subject_id
    # whoever is recognised by the misspelt name meanwhile is that person, and goes back with it
    late = await told(db, vault, third, Identity("Jon Doe", "1990-02-03"))
    assert late.subject_id == john.subject_id
    (join,) = await known_joins(db, john.subject_id)
    assert set(await apart(db, second, join)) == {first.id, third.id}
    assert (await of(db, vault, third)).subject_id == jon.subject_id
    # and by then the hash decides again, as before
    again = await told(db, vault, first, Identity("Johnny Doe", "1990-02-03"), jon.rev)
    assert again.subject_id == john.subject_id


async def test_of_joins_upon_joins_the_newest_is_taken_apart_first_and_all_are_told(
    db: Database, vault: Vault
) -> None:
    first, second, third = await three(db)
    names = ("Jon", "John", "Johan")
    rows = [
        await told(db, vault, row, Identity(f"{name} Doe", "1990-02-03"))
        for row, name in zip((first, second, third), names, strict=True)
    ]
    await joined(db, first, second)
    await joined(db, second, third)
    last, old = await known_joins(db, rows[2].subject_id)
    assert [(one.sessions, one.open) for one in (last, old)] == [
        (tuple(sorted((first.id, second.id))), True), ((first.id,), False),
    ]  # fmt: skip
    with pytest.raises(NotFound):
        await apart(db, third, old)
    await apart(db, third, last)
    await apart(db, second, old)
    for before in rows:
        now = await of(db, vault, before)
        assert now.subject_id == before.subject_id
        assert await others(db, now) == []


async def test_a_report_counts_persons_who_are_known_and_no_aliases(
    db: Database, vault: Vault
) -> None:
    first, second, third = await three(db)
    await told(db, vault, first, JOHN)
    await told(db, vault, second, JOHN)
    await told(db, vault, third, Identity(alias="green coat"))
    wanted = Wanted(Scope(programs=frozenset({"prg_1"})), NOW - DAY, NOW + DAY)
    async with db.read() as conn:
        assert (await reports.total(conn, wanted, NOW)).repeats((7,)) == {7: Rate(1, 1)}
        nothing = replace(wanted, scope=Scope(programs=frozenset({"prg_2"})))
        assert (await reports.total(conn, nothing, NOW)).repeats((7,)) == {7: Rate(0, 0)}
