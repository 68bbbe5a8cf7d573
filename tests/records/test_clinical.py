"""Chat, assessments, recommendations and follow-ups: sealed, revised one at a time, never half."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
from sqlalchemy import select

from records import assessments, chat, followups, recommendations, schema
from records.assessments import AssessmentRow
from records.crypto import Vault
from records.engine import Database
from records.errors import BadInput, Conflict, NotFound
from records.followups import NewFollowup
from records.recommendations import RecommendationRow
from tests.records.cast import NOW, pressed

CARD = {"disposition": "remain_in_place", "words": "sit with him"}


async def _answer(
    db: Database, vault: Vault, session_id: str, rev: int, changes: dict[str, object]
) -> AssessmentRow:
    return await db.write(
        lambda conn: assessments.save(
            conn, vault, session_id, "field-safety", rev, changes, "per_dana", NOW + rev
        )
    )


async def _card(
    db: Database, vault: Vault, session_id: str, rev: int, words: str, *, send: bool = False
) -> RecommendationRow:
    return await db.write(
        lambda conn: recommendations.save(
            conn, vault, session_id, rev, CARD | {"words": words}, "per_dana", NOW + rev, send=send
        )
    )


async def test_answers_given_one_by_one_are_merged_and_scored(db: Database, vault: Vault) -> None:
    row = await pressed(db)
    await _answer(db, vault, row.id, 0, {"thoughts": "yes", "notes": "quiet"})
    saved = await _answer(db, vault, row.id, 1, {"plan": "yes", "notes": None})
    assert saved.answers == {"thoughts": "yes", "plan": "yes"}
    assert (saved.rev, saved.result["level"], saved.instrument_version) == (2, "high", "1.1")
    async with db.read() as conn:
        assert await assessments.of_session(conn, vault, row.id) == [saved]
        stored = (await conn.execute(select(schema.assessment))).one()
    assert b"thoughts" not in stored.answers_enc
    assert b"high" not in stored.result_enc


async def test_a_stale_revision_is_refused_with_what_is_stored(db: Database, vault: Vault) -> None:
    row = await pressed(db)
    await _answer(db, vault, row.id, 0, {"thoughts": "yes"})
    for rev in (0, 2):
        with pytest.raises(Conflict) as refused:
            await _answer(db, vault, row.id, rev, {"thoughts": "no"})
        assert refused.value.data == {"rev": 1, "answers": {"thoughts": "yes"}}
    with pytest.raises(Conflict) as refused:
        await _card(db, vault, row.id, 3, "never")
    assert refused.value.data == {"rev": 0, "card": None}


async def test_of_two_saves_at_once_one_is_kept_and_the_other_reads_it(
    db: Database, vault: Vault
) -> None:
    row = await pressed(db)
    for rev in (0, 1):
        outcomes = await asyncio.gather(
            *(_answer(db, vault, row.id, rev, {"notes": f"by {n} {rev}"}) for n in range(2)),
            return_exceptions=True,
        )
        kept = next(o for o in outcomes if isinstance(o, AssessmentRow))
        lost = next(o for o in outcomes if isinstance(o, Conflict))
        assert lost.data == {"rev": rev + 1, "answers": kept.answers}


async def test_a_wrong_answer_saves_none_of_the_others(db: Database, vault: Vault) -> None:
    row = await pressed(db)
    with pytest.raises(BadInput):
        await _answer(db, vault, row.id, 0, {"thoughts": "no", "plan": "perhaps"})
    with pytest.raises(NotFound):
        await db.write(
            lambda conn: assessments.save(conn, vault, row.id, "x", 0, {}, "per_dana", NOW)
        )
    async with db.read() as conn:
        assert await assessments.of_session(conn, vault, row.id) == []


async def test_the_tablet_keeps_the_sent_card_while_the_draft_goes_on(
    db: Database, vault: Vault
) -> None:
    row = await pressed(db)
    assert (await _card(db, vault, row.id, 0, "draft")).sent_card is None
    await _card(db, vault, row.id, 1, "sent", send=True)
    saved = await _card(db, vault, row.id, 2, "draft again")
    assert (saved.rev, saved.card["words"]) == (3, "draft again")
    assert saved.sent_card is not None
    assert (saved.sent_rev, saved.sent_card["words"], saved.sent_at) == (2, "sent", NOW + 1)


async def test_only_the_card_that_is_shown_is_acknowledged_and_the_first_time_stands(
    db: Database, vault: Vault
) -> None:
    row = await pressed(db)

    async def acknowledge(rev: int, at: float) -> bool:
        return await db.write(lambda conn: recommendations.acknowledge(conn, row.id, rev, NOW + at))

    assert not await acknowledge(1, 1)
    await _card(db, vault, row.id, 0, "one", send=True)
    assert await acknowledge(1, 2)
    assert await acknowledge(1, 9)
    assert not await acknowledge(2, 9)
    async with db.read() as conn:
        shown = await recommendations.get(conn, vault, row.id)
    assert shown is not None
    assert (shown.acknowledged_rev, shown.acknowledged_at) == (1, NOW + 2)
    await _card(db, vault, row.id, 1, "two", send=True)
    assert not await acknowledge(1, 10)
    assert await acknowledge(2, 11)


async def test_followups_are_kept_by_due_time_with_sealed_notes(db: Database, vault: Vault) -> None:
    row = await pressed(db)
    new = [
        NewFollowup("warm_handoff", "per_miguel", NOW + 200, " call the sister "),
        NewFollowup("contact_24h", "per_dana", NOW + 100),
    ]
    await db.write(lambda conn: followups.add_many(conn, vault, row.id, new, NOW))
    async with db.read() as conn:
        found = await followups.of_session(conn, vault, row.id)
        sealed = (await conn.execute(select(schema.followup.c.note_enc))).scalars().all()
    assert [(f.kind, f.note, f.status) for f in found] == [
        ("contact_24h", "", "open"),
        ("warm_handoff", "call the sister", "open"),
    ]
    assert all(note is None or b"sister" not in note for note in sealed)


@pytest.mark.parametrize(
    "wrong",
    [
        NewFollowup("holiday", "per_dana", NOW),
        NewFollowup("contact_24h", "per_nobody", NOW),
        NewFollowup("contact_24h", "per_dana", math.nan),
        NewFollowup("contact_24h", "per_dana", math.inf),
    ],
    ids=str,
)
async def test_one_wrong_followup_stores_none(
    db: Database, vault: Vault, wrong: NewFollowup
) -> None:
    row = await pressed(db)
    new = [NewFollowup("contact_24h", "per_dana", NOW), wrong]
    with pytest.raises(BadInput):
        await db.write(lambda conn: followups.add_many(conn, vault, row.id, new, NOW))
    async with db.read() as conn:
        assert await followups.of_session(conn, vault, row.id) == []


async def test_lines_said_at_once_are_all_kept_in_one_order(
    db: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = await pressed(db)

    async def say(body: str, **more: Any) -> int:
        values: dict[str, Any] = {"sender": "officer", "sender_id": "per_sam", "now": NOW} | more
        return await db.write(lambda conn: chat.add(conn, vault, row.id, body=body, **values))

    numbers = await asyncio.gather(*(say(f"line {n}") for n in range(6)))
    assert sorted(numbers) == [1, 2, 3, 4, 5, 6]
    async with db.read() as conn:
        lines = await chat.of_session(conn, vault, row.id)
    assert {line.body for line in lines} == {f"line {n}" for n in range(6)}
    monkeypatch.setattr(chat, "MOST_LINES", 6)
    for body, more in (("too many", {}), ("  ", {}), ("x", {"sender": "stranger"})):
        with pytest.raises(BadInput):
            await say(body, **more)
