"""Sessions that somebody should follow up and nobody does: found, listed, closed for a reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from records import care_gaps, followups, look_outs
from records.care_gaps import NewGap, missing
from records.crypto import Vault
from records.engine import Database
from records.errors import BadInput
from records.followups import NewFollowup
from records.log import Scope
from records.sessions import SessionRow
from tests.records.cast import NOW, changed, finished

MINE = Scope(programs=frozenset({"prg_1"}))
DAY = 86_400.0
LATER = NOW + 3 * DAY


async def gaps(db: Database, *rows: SessionRow, now: float = LATER) -> list[NewGap]:
    async with db.read() as conn:
        found = await care_gaps.of_sessions(conn, rows, now)
    await db.write(lambda conn: care_gaps.open_all(conn, found, now))
    return found


async def shown(db: Database, scope: Scope = MINE, lead: str | None = None) -> list[str]:
    async with db.read() as conn:
        found, _ = await care_gaps.still_open(conn, scope, lead)
    return [one.kind for one in found]


@pytest.mark.parametrize(
    ("more", "kinds", "expected"),
    [
        ({}, set(), {"no_followup"}),
        ({}, {"contact_24h"}, set()),
        ({"test": True}, set(), set()),
        ({"media_at": None}, set(), set()),  # never answered: nobody was assessed
        ({"actual_disposition": "medical_ed"}, {"contact_24h"}, {"no_arrival"}),
        ({"actual_disposition": "medical_ed"}, set(), {"no_arrival"}),
        ({"actual_disposition": "medical_ed"}, {"confirm_arrival"}, set()),
        ({"actual_disposition": "medical_ed", "media_at": None}, set(), {"no_arrival"}),
        ({"recommended_disposition": "involuntary_hold"}, {"warm_handoff"}, {"no_arrival"}),
        (
            {"recommended_disposition": "medical_ed", "actual_disposition": "remain_in_place"},
            {"contact_24h"},
            set(),
        ),
        ({"state": "wrap_up", "closed_at": None}, set(), {"no_wrapup"}),
        ({"state": "wrap_up", "closed_at": None, "ended_at": LATER - 60}, set(), set()),
        ({"state": "connected"}, set(), set()),
    ],
)
async def test_what_a_session_should_have_and_does_not(
    db: Database, more: dict[str, Any], kinds: set[str], expected: set[str]
) -> None:
    row = await finished(db)
    assert missing(replace(row, **more), kinds, LATER) == expected


async def test_a_gap_is_on_record_once_and_a_reason_closes_it_for_good(db: Database) -> None:
    row = await finished(db)
    assert await gaps(db, row) == [NewGap(row.id, "no_followup")]
    await gaps(db, row)
    assert await shown(db) == ["no_followup"]
    with pytest.raises(BadInput):
        await db.write(lambda c: care_gaps.close(c, row.id, None, "forgotten", "per_dana", NOW))
    assert (
        await db.write(lambda c: care_gaps.close(c, row.id, None, "declined", "per_dana", NOW)) == 1
    )
    await gaps(db, row)
    assert await shown(db) == []
    async with db.read() as conn:
        assert await care_gaps.unknown(conn, [NewGap(row.id, "no_followup")]) == []
        assert await care_gaps.counts(conn) == {}


async def test_a_gap_that_somebody_has_filled_is_found_to_be_none(
    db: Database, vault: Vault
) -> None:
    row, other = await finished(db), await finished(db, now=NOW + 5000)
    await gaps(db, row, other)
    task = NewFollowup("contact_24h", "per_dana", NOW + DAY)
    await db.write(lambda conn: followups.add_many(conn, vault, row.id, [task], NOW))
    async with db.read() as conn:
        assert await care_gaps.filled(conn, LATER) == [NewGap(row.id, "no_followup")]


async def test_the_list_keeps_to_its_scope_and_clinician(db: Database) -> None:
    await gaps(db, await finished(db))
    hidden = await finished(db, now=NOW + 5000)
    hidden = await changed(db, hidden, kind="disposition.recorded", wellness=True)
    await gaps(db, hidden)
    assert await shown(db) == ["no_followup"]
    assert await shown(db, Scope(providers=frozenset({"prv_1"}))) == ["no_followup"] * 2
    assert await shown(db, Scope()) == []
    assert await shown(db, lead="per_dana") == ["no_followup"]
    assert await shown(db, lead="per_miguel") == []


async def test_a_look_out_reads_closed_sessions_in_their_order_and_never_goes_back(
    db: Database,
) -> None:
    rows = [await finished(db, now=NOW + at) for at in (9, 0, 0)]
    expected = sorted(rows, key=lambda row: (row.closed_at or 0, row.id))
    seen: list[SessionRow] = []
    key = (0.0, "")
    while True:
        async with db.read() as conn:
            found = await look_outs.closed(conn, key, LATER, 2)
        if not found:
            break
        seen += found
        key = (found[-1].closed_at or 0, found[-1].id)
    assert seen == expected
    for to, stands in ((5.0, 5.0), (3.0, 5.0), (9.0, 9.0)):
        await db.write(lambda conn, to=to: look_outs.move(conn, "night", to))  # type: ignore[misc]
        async with db.read() as conn:
            assert await look_outs.until(conn, "night") == stands
            assert await look_outs.until(conn, "other") is None
