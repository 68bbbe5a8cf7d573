"""The signed note: closed for good, with the signer as they were, and addenda beside it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import select, update

from records import assessments, notes, recommendations, schema
from records.clinicians import LicenceRow
from records.crypto import Vault
from records.engine import Database
from records.errors import AddendumRefused, NotSigned, Signed, Unjustified
from records.notes import Signature, Signer
from records.sessions import SessionRow
from tests.records.cast import NOW, changed, pressed

DANA = Signer(
    "Dana Whole", (LicenceRow("LPC", "SD", "4102", NOW + 100), LicenceRow("X", "ND", "7", None))
)
CARD = {"level": "soon", "disposition": "remain_in_place", "actions": [], "words": "sit with him"}


async def closed(db: Database, tablet: str = "tab_1") -> SessionRow:
    """A session that Dana led, over."""
    row = await pressed(db, tablet)
    return await changed(
        db, row, NOW + 60, kind="session.closed", state="closed", lead_id="per_dana",
        closed_at=NOW + 60, ended_at=NOW + 50, recommended_disposition="remain_in_place",
        close_reason="completed",
    )  # fmt: skip


async def answer(db: Database, vault: Vault, row: SessionRow, rev: int, **answers: object) -> None:
    named = {key.replace("_", "-"): value for key, value in answers.items()}
    await db.write(
        lambda conn: assessments.save(
            conn, vault, row.id, "field-safety", rev, named, "per_dana", NOW
        )
    )


async def sign(db: Database, vault: Vault, row: SessionRow, at: float = NOW + 70) -> None:
    await db.write(lambda conn: notes.sign(conn, vault, row, "per_dana", DANA, at))


async def signed(db: Database, vault: Vault, row: SessionRow) -> Signature | None:
    async with db.read() as conn:
        return await notes.signature(conn, vault, row)


async def test_a_signature_keeps_name_and_licences_as_they_were(db: Database, vault: Vault) -> None:
    row = await closed(db)
    assert await signed(db, vault, row) is None
    await sign(db, vault, row)
    assert await signed(db, vault, row) == Signature("per_dana", DANA, NOW + 70, intact=True)


async def test_nothing_of_a_signed_record_can_be_written_any_more(
    db: Database, vault: Vault
) -> None:
    row = await closed(db)
    await answer(db, vault, row, 0, thoughts="no")
    await sign(db, vault, row)
    with pytest.raises(Signed):
        await answer(db, vault, row, 1, thoughts="yes")
    with pytest.raises(Signed):
        await db.write(
            lambda conn: recommendations.save(
                conn, vault, row.id, 0, CARD, "per_dana", NOW, send=False
            )
        )
    with pytest.raises(Signed):
        await sign(db, vault, row)
    found = await signed(db, vault, row)
    assert found is not None
    assert found.intact


async def test_of_two_who_sign_at_once_one_does(db: Database, vault: Vault) -> None:
    row = await closed(db)
    outcomes = await asyncio.gather(
        sign(db, vault, row, NOW + 70), sign(db, vault, row, NOW + 71), return_exceptions=True
    )
    assert [type(one) for one in outcomes if one] == [Signed]


async def test_a_record_that_was_changed_behind_our_back_is_said_not_to_be_intact(
    db: Database, vault: Vault
) -> None:
    row, other = await closed(db), await closed(db, "tab_2")
    for one, told in ((row, "no"), (other, "yes")):
        await answer(db, vault, one, 0, thoughts=told)
        await sign(db, vault, one)
    assert (
        await signed(db, vault, replace(row, recommended_disposition="medical_ed"))
    ) == Signature("per_dana", DANA, NOW + 70, intact=False)
    await db.write(
        lambda conn: conn.execute(
            update(schema.assessment).where(schema.assessment.c.session_id == row.id).values(rev=2)
        )
    )
    states = [(await signed(db, vault, one)) for one in (row, other)]
    assert [one.intact for one in states if one] == [False, True]


async def test_what_was_signed_cannot_be_guessed_from_what_is_stored(
    db: Database, vault: Vault
) -> None:
    rows = [await closed(db, tablet) for tablet in ("tab_1", "tab_2")]
    for row in rows:
        await sign(db, vault, row)
    async with db.read() as conn:
        stored = (await conn.execute(select(schema.note_signature.c.digest_enc))).scalars().all()
    assert all(len(one) > 32 for one in stored), "sealed, not a bare digest"


@pytest.mark.parametrize("reason", [None, "", "   "])
async def test_another_level_than_the_computed_one_needs_a_reason_before_it_is_signed(
    db: Database, vault: Vault, reason: str | None
) -> None:
    row = await closed(db)
    await answer(db, vault, row, 0, thoughts="yes", judged_level="high", judged_reason=reason)
    with pytest.raises(Unjustified):
        await sign(db, vault, row)
    assert await signed(db, vault, row) is None
    await answer(db, vault, row, 1, judged_reason="known to us")
    await sign(db, vault, row)


async def test_the_computed_level_itself_needs_no_reason(db: Database, vault: Vault) -> None:
    row = await closed(db)
    await answer(db, vault, row, 0, thoughts="yes", judged_level="moderate")
    await sign(db, vault, row)


async def test_addenda_stand_beside_a_signed_note_in_order(db: Database, vault: Vault) -> None:
    row = await closed(db)

    async def add(words: str, at: float, who: str = "per_dana") -> None:
        await db.write(lambda conn: notes.add(conn, vault, row.id, who, words, at))

    with pytest.raises(NotSigned):
        await add("too early", NOW + 61)
    await sign(db, vault, row)
    await add(" Her sister called back. ", NOW + 80)
    await add("She is home.", NOW + 90, "per_miguel")
    for bad in ("", " \n ", "x" * 10_001):
        with pytest.raises(AddendumRefused):
            await add(bad, NOW + 95)
    async with db.read() as conn:
        found = await notes.addenda(conn, vault, row.id)
        stored = (await conn.execute(select(schema.addendum.c.body_enc))).scalars().all()
    assert [(one.author_id, one.at, one.body) for one in found] == [
        ("per_dana", NOW + 80, "Her sister called back."),
        ("per_miguel", NOW + 90, "She is home."),
    ]
    assert not any(b"sister" in one for one in stored)


async def test_the_list_has_what_is_to_be_signed_first_and_the_oldest_of_it_first(
    db: Database, vault: Vault
) -> None:
    first, second, third = [await closed(db, tablet) for tablet in ("tab_1", "tab_2", "tab_3")]
    older = update(schema.session).where(schema.session.c.id == second.id).values(closed_at=NOW)
    await db.write(lambda conn: conn.execute(older))
    await sign(db, vault, first)
    async with db.read() as conn:
        rows = await notes.own(conn, "per_dana")
        assert await notes.own(conn, "per_miguel") == []
    assert [one.session_id for one in rows] == [second.id, third.id, first.id]
    assert [one.signed_at for one in rows] == [None, None, NOW + 70]
    assert rows[0].overdue(NOW + 86_401)
    assert not rows[0].overdue(NOW + 86_400)
    assert not rows[2].overdue(NOW + 10**9)
