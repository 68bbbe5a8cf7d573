"""The look-out over closed sessions: at the close, every night, after a downtime; once each."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from records import care_gaps, followups, schema
from records.schema_misses import care_gap, look_out, near_miss
from records.vocabulary import GAP_FILLED
from signaling import misswatch
from tests.robots import Refused
from tests.signaling.conftest import House
from tests.signaling.test_desk import kinds_of

DAY = 86_400.0


async def kinds(house: House) -> list[str]:
    async with house.db.read() as conn:
        return list(
            (await conn.execute(select(near_miss.c.kind).order_by(near_miss.c.kind))).scalars()
        )


async def gaps(house: House) -> list[tuple[str, str | None]]:
    async with house.db.read() as conn:
        rows = await conn.execute(
            select(care_gap.c.kind, care_gap.c.reason).order_by(care_gap.c.kind)
        )
        return [(row.kind, row.reason) for row in rows]


async def given_up(house: House, seconds: float = 90, key: str = "q" * 20) -> str:
    """A press that is taken back after a long wait."""
    tablet = await house.page("tablet")
    session = await house.pressed(tablet, key)
    house.clock.advance(seconds)
    await tablet.send("session.cancel", session=session)
    return session


async def answered(house: House, disposition: str = "remain_in_place", **more: object) -> str:
    """A call that was answered and closed, without a follow-up of the clinician's."""
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session, epoch = await house.in_call(tablet, dana)
    at = {"session": session, "epoch": epoch}
    await dana.send("session.end", **at)
    await dana.send("wrapup.finish", **at, disposition=disposition, followups=[], **more)
    return session


async def left(house: House, person: str) -> None:
    gone = update(schema.person).where(schema.person.c.id == person).values(active=False)
    await house.db.write(lambda conn: conn.execute(gone))


async def test_what_a_close_leaves_is_found_at_once_and_once(house: House) -> None:
    await given_up(house)
    await house.desk.misses.look()
    assert await kinds(house) == ["unanswered"]
    assert await house.desk.misses.look() == 0
    await answered(house)
    await house.desk.misses.look()
    assert await kinds(house) == ["unanswered"]
    assert await gaps(house) == [("no_followup", None)]


async def test_the_running_desk_looks_when_a_session_closes(house: House) -> None:
    """Without anybody calling the look-out: the desk's own loop does."""
    await given_up(house)
    for _ in range(200):
        if await kinds(house):
            break
        await asyncio.sleep(0.05)
    assert await kinds(house) == ["unanswered"]


async def test_what_closed_while_no_server_ran_is_looked_at_afterwards(house: House) -> None:
    await given_up(house)
    house.clock.advance(20 * DAY)

    async def forget(conn: AsyncConnection) -> None:
        await conn.execute(delete(near_miss))
        await conn.execute(update(look_out).values(until=house.clock.now - 25 * DAY))

    await house.db.write(forget)
    await house.desk.misses.look()  # or the desk's own loop, whichever is first
    assert await kinds(house) == ["unanswered"]


async def test_a_long_absence_is_caught_up_batch_after_batch(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(misswatch, "BATCH", 2)
    for number in range(5):
        await given_up(house, key=f"{number}" * 20)
    await house.db.write(lambda conn: conn.execute(delete(near_miss)))
    await house.desk.misses.look()
    assert await kinds(house) == ["unanswered"] * 5


async def test_a_transported_person_has_somebody_who_confirms_the_arrival(house: House) -> None:
    await answered(house, "medical_ed")
    await house.desk.misses.look()
    assert await gaps(house) == []
    await house.db.write(lambda conn: conn.execute(delete(schema.followup)))
    house.clock.advance(DAY)
    await house.desk.misses.look()
    assert await gaps(house) == [("no_arrival", None)]


async def test_every_night_owners_who_left_and_forgotten_wrap_ups_are_found(house: House) -> None:
    session = await answered(house, "medical_ed")  # with a follow-up of Dana's
    await house.desk.misses.look()
    await left(house, "per_dana")
    await house.desk.misses.look()
    assert await kinds(house) == [], "the night has not come yet"
    house.clock.advance(DAY)
    await house.desk.misses.look()
    assert await kinds(house) == ["no_owner"]
    undone = (
        update(schema.session)
        .where(schema.session.c.id == session)
        .values(state="wrap_up", close_reason=None, closed_at=None)
    )
    await house.db.write(lambda conn: conn.execute(undone))
    house.clock.advance(DAY)
    await house.desk.misses.look()
    assert await gaps(house) == [("no_wrapup", None)]
    assert await house.desk.misses.look() == 0


async def test_a_gap_that_was_filled_is_closed_by_the_next_night(house: House) -> None:
    session = await answered(house)
    await house.desk.misses.look()
    task = followups.NewFollowup("contact_24h", "per_dana", house.clock.now + DAY)
    vault = house.desk.vault
    await house.db.write(
        lambda conn: followups.add_many(conn, vault, session, [task], house.clock.now)
    )
    house.clock.advance(DAY)
    await house.desk.misses.look()
    assert await gaps(house) == [("no_followup", GAP_FILLED)]
    async with house.db.read() as conn:
        assert await care_gaps.counts(conn) == {}


async def test_a_reason_in_the_wrap_up_leaves_no_gap_and_stands_on_the_timeline(
    house: House,
) -> None:
    session = await answered(house, no_followup="declined")
    await house.desk.misses.look()
    assert await gaps(house) == [("no_followup", "declined")]
    assert "followup.none" in await kinds_of(house, session)


async def test_a_reason_counts_for_nothing_where_an_arrival_is_to_be_confirmed(
    house: House,
) -> None:
    session = await answered(house, "medical_ed", no_followup="declined")
    await house.desk.misses.look()
    assert await gaps(house) == []
    assert "followup.none" not in await kinds_of(house, session)


async def test_a_reason_that_is_none_or_stands_beside_a_follow_up_is_refused(
    house: House,
) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session, epoch = await house.in_call(tablet, dana)
    at = {"session": session, "epoch": epoch}
    await dana.send("session.end", **at)
    task = {"kind": "contact_24h", "owner": "per_dana", "due_at": house.clock.now + DAY, "note": ""}
    finish = {**at, "disposition": "remain_in_place"}
    for wrong in (
        {"followups": [], "no_followup": "forgotten"},
        {"followups": [task], "no_followup": "declined"},
    ):
        with pytest.raises(Refused) as refused:
            await dana.send("wrapup.finish", **finish, **wrong)
        assert refused.value.code == "unknown-code"
    assert await gaps(house) == []
