"""Facts of sessions outside the seal: from the timeline, and from answers when they are saved."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, text, update

from records import assessments, fact_reading, instruments, sessions
from records.crypto import Vault
from records.engine import Database
from records.errors import BadInput
from records.fact_rules import RULES, SCREENS, Losses, Moment, Pair, losses, rated, told
from records.schema import coverage
from records.schema_reports import report_change, session_fact
from records.scoring.plans import PARTS
from records.sessions import Event, SessionRow
from tests.records.cast import NOW, changed, press, pressed


def moments(*events: tuple[float, str] | tuple[float, str, dict[str, Any]]) -> list[Moment]:
    return [Moment(one[0], one[1], one[2] if len(one) > 2 else {}) for one in events]


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([], Losses()),
        ([(0, "media.flowing"), (100, "session.ended")], Losses()),
        (
            [(0, "media.flowing"), (50, "clinician.lost", {"seconds": 4}),
             (58, "session.recovered"), (100, "session.ended")],
            Losses(12.0),
        ),
        (
            [(0, "media.flowing"), (50, "tablet.lost", {"seconds": 8.5}), (52, "tablet.back"),
             (60, "clinician.lost"), (90, "session.connected"), (100, "session.ended")],
            Losses(30.0),
        ),
        ([(0, "media.flowing"), (50, "tablet.lost"), (70, "session.ended")], Losses(20.0, True)),
        ([(0, "media.flowing"), (50, "clinician.lost"), (70, "session.requeued"),
          (95, "session.connected"), (99, "session.ended")], Losses(45.0)),
        ([(5, "tablet.lost"), (20, "media.flowing"), (25, "tablet.back"), (99, "session.ended")],
         Losses()),
        ([(0, "media.flowing"), (99, "session.ended"), (120, "tablet.lost"),
          (150, "session.closed")], Losses()),
        ([(0, "session.requeued", {"reason": "setup_failed"}), (9, "session.requeued",
          {"reason": "technical"}), (20, "session.closed")], Losses(None, False, 1)),
    ],
)  # fmt: skip
def test_losses_are_what_the_timeline_says(events: list[Any], found: Losses) -> None:
    assert losses(moments(*events)) == found


@pytest.mark.parametrize(
    ("code", "answers", "result", "found"),
    [
        ("safety-plan", {}, {"level": "made", "complete": True}, {"plan": "made"}),
        ("lethal-means", {}, {"level": "none", "complete": True}, {"means": "asked"}),
        ("lethal-means", {}, {"level": "unsecured", "complete": False}, {"means": "incomplete"}),
        ("bars", {"before": 6, "after": 3}, {"complete": True},
         {"bars_before": 6, "bars_after": 3}),
        ("bars", {"before": "5"}, {"complete": False}, {"bars_before": 5, "bars_after": None}),
        ("officer-activity", {"before": "7", "after": "4"}, {"complete": True},
         {"scene_before": 7, "scene_after": 4}),
        ("officer-scene", {"safe": "no"}, {"complete": False}, {}),
        ("officer-overdose", {"naloxone": "yes"}, {"complete": False}, {}),
        ("field-safety", {}, {"level": "high", "complete": False},
         {"screens_begun": (1, True), "screens_done": (1, False)}),
        ("scene-safety", {"safe": "no"}, {"level": "stop", "complete": True}, {}),
    ],
)  # fmt: skip
def test_what_a_form_says(
    code: str, answers: dict[str, object], result: dict[str, object], found: dict[str, object]
) -> None:
    assert told(instruments.newest()[code], answers, result) == found


@pytest.mark.parametrize(
    ("clinician", "officer", "counts"),
    [
        ((6, 4), (7, 2), (6, 4)),  # the clinician's, where both are there
        ((None, None), (7, 4), (7, 4)),  # else the officer's
        ((6, None), (7, 4), (7, 4)),
        ((None, 3), (7, 4), (7, 4)),
        ((6, None), (None, 3), (6, None)),  # never one person's less another's
        ((None, None), (7, None), (7, None)),
        ((None, None), (None, None), (None, None)),
    ],
)
def test_of_two_raters_one_counts_with_both_ratings(
    clinician: Pair, officer: Pair, counts: Pair
) -> None:
    assert rated(clinician, officer) == counts


@pytest.mark.parametrize(
    "code", ["overdose", "officer-overdose", "cows", "audit-c", "moud", "level-of-care"]
)
def test_nothing_about_substances_leaves_the_seal(code: str) -> None:
    form = instruments.newest()[code]
    assert told(form, {"doses": 2}, {"level": "high", "complete": True, "score": 9}) == {}


def test_the_bits_of_the_screens_never_move() -> None:
    assert SCREENS[:3] == ("field-safety-1", "cssrs-screener", "asq")


async def save(db: Database, vault: Vault, row: SessionRow, code: str, **answers: object) -> None:
    async def write(conn: Any) -> None:
        known = [
            a for a in await assessments.of_session(conn, vault, row.id) if a.instrument == code
        ]
        rev = known[0].rev if known else 0
        await assessments.save(conn, vault, row.id, code, rev, answers, "per_dana", NOW)

    await db.write(write)


async def fact(db: Database, row: SessionRow) -> Any:
    async with db.read() as conn:
        found = select(session_fact).where(session_fact.c.session_id == row.id)
        return (await conn.execute(found)).one_or_none()


async def test_saving_answers_keeps_their_facts_and_saving_again_changes_them(
    db: Database, vault: Vault
) -> None:
    row = await pressed(db)
    await save(db, vault, row, "audit-c")
    assert await fact(db, row) is None
    await save(db, vault, row, "safety-plan", made="yes", **dict.fromkeys(PARTS, "words"))
    await save(db, vault, row, "bars", before="6")
    await save(db, vault, row, "field-safety", thoughts="no")
    found = await fact(db, row)
    assert (found.plan, found.bars_before, found.bars_after) == ("made", 6, None)
    assert (found.screens_begun, found.screens_done) == (1, 0)
    await save(db, vault, row, "bars", after="4")
    await save(db, vault, row, "safety-plan", alone=None)
    found = await fact(db, row)
    assert (found.plan, found.bars_before, found.bars_after) == ("incomplete", 6, 4)


async def test_an_officers_ratings_stand_beside_the_clinicians(db: Database, vault: Vault) -> None:
    row = await pressed(db)

    def says(officer: str | None, **said: str) -> Any:
        return db.write(
            lambda conn: assessments.say(
                conn, vault, row.id, "officer-activity", said, officer, NOW
            )
        )

    await says("per_sam", before="7")
    await save(db, vault, row, "bars", before="6", after="5")
    found = await says(None, after="4")  # of a tablet that nobody has checked out
    assert (found.answers, found.rev, found.author_id) == ({"before": "7", "after": "4"}, 2, None)
    kept = await fact(db, row)
    assert (kept.bars_before, kept.bars_after) == (6, 5)
    assert (kept.scene_before, kept.scene_after) == (7, 4)
    with pytest.raises(BadInput):
        await says(None, after="8")


async def test_the_end_of_a_session_keeps_how_its_call_held(db: Database) -> None:
    row = await pressed(db)
    kinds = ("media.flowing", "tablet.lost", "tablet.back", "session.ended")
    for at, kind in zip((5.0, 50.0, 70.0, 90.0), kinds, strict=True):
        event = Event(kind, "system", None, {"seconds": 8.0} if kind == "tablet.lost" else {})
        row = await db.write(
            lambda conn, r=row, e=event, t=at: sessions.apply(conn, r, {}, [e], NOW + t)  # type: ignore[misc]
        )
    await changed(db, row, state="closed", close_reason="completed", kind="session.closed")
    found = await fact(db, row)
    assert (found.loss_seconds, found.lost_at_end, found.rules) == (28.0, False, RULES)


async def test_answers_from_before_there_were_facts_are_read_once(
    db: Database, vault: Vault
) -> None:
    row = await pressed(db)
    await save(db, vault, row, "bars", before="6", after="2")
    await save(db, vault, row, "lethal-means", firearm="no", medicine="no", other="no")
    await changed(db, row, state="closed", close_reason="completed")

    async def forget(conn: Any) -> None:  # as a migration leaves it
        await conn.execute(text("DELETE FROM session_fact"))
        await conn.execute(text(f"INSERT INTO session_fact (session_id) VALUES ('{row.id}')"))

    await db.write(forget)
    async with db.read() as conn:
        assert await fact_reading.waiting(conn, 10) == [row.id]
    await db.write(lambda conn: fact_reading.read(conn, vault, row.id))
    found = await fact(db, row)
    assert (found.bars_before, found.bars_after, found.means) == (6, 2, "asked")
    assert found.rules == RULES
    async with db.read() as conn:
        assert await fact_reading.waiting(conn, 10) == []


async def test_answers_whose_key_is_destroyed_stay_unknown(db: Database, vault: Vault) -> None:
    row = await pressed(db)
    await save(db, vault, row, "bars", before="6", after="2")

    async def destroy(conn: Any) -> None:
        await conn.execute(text("DELETE FROM session_key"))
        await conn.execute(update(session_fact).values(rules=0, bars_before=None))
        vault.forget(row.id)

    await db.write(destroy)
    await db.write(lambda conn: fact_reading.read(conn, vault, row.id))
    found = await fact(db, row)
    assert (found.rules, found.bars_before) == (-1, None)


async def test_a_session_takes_over_who_pays_at_its_press(db: Database) -> None:
    first = await pressed(db)
    await db.write(lambda conn: conn.execute(update(coverage).values(funding="opioid_settlement")))
    second = await pressed(db, "tab_2")
    assert (first.funding, second.funding) == ("unknown", "opioid_settlement")
    await db.write(lambda conn: conn.execute(update(coverage).values(funding="county")))
    async with db.read() as conn:
        again = await sessions.get(conn, second.id)
    assert again is not None
    assert again.funding == "opioid_settlement"
    await db.write(lambda conn: conn.execute(text("DELETE FROM coverage")))
    third, _ = await db.write(lambda conn: sessions.create(conn, press("tab_3"), NOW))
    assert third.funding == "unknown"


async def test_an_open_session_marks_no_day(db: Database, vault: Vault) -> None:
    row = await pressed(db)
    await save(db, vault, row, "bars", before="6")
    async with db.read() as conn:
        assert (await conn.execute(select(report_change))).all() == []
    await changed(db, row, state="closed", close_reason="completed")
    async with db.read() as conn:
        days = set((await conn.execute(select(report_change.c.day))).scalars())
    assert days == {int(NOW // 86_400)}
