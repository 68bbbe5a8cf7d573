"""The look-out for follow-ups: the owner is reminded, then those responsible; nobody twice."""

from __future__ import annotations

from sqlalchemy import select, update

from records import followups, schema
from records.contacts import NewWay
from tests.signaling.conftest import House
from tests.signaling.test_desk import kinds_of
from tests.signaling.test_pager import add

DAY = 86_400.0


async def told(house: House) -> list[tuple[str, str]]:
    """Whom pages that are no call went to, and what they say."""
    async with house.db.read() as conn:
        rows = await conn.execute(
            select(schema.page.c.person_id, schema.page.c.text_key)
            .where(
                schema.page.c.purpose == "alarm", schema.page.c.step.in_(("reminder", "followup"))
            )
            .order_by(schema.page.c.queued_at, schema.page.c.id)
        )
    return [(row.person_id, row.text_key.removeprefix("alert.words.followup_")) for row in rows]


async def reachable(house: House, person: str) -> None:
    """Somebody with a way to be told."""
    await add(
        house, NewWay("email", f"{person}@demo.invalid", {"to": f"{person}@demo.invalid"}), person
    )


async def planned(house: House, *due: float) -> str:
    """A closed session with follow-ups that Dana owns."""
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session, epoch = await house.in_call(tablet, dana)
    at = {"session": session, "epoch": epoch}
    await dana.send("session.end", **at)
    rows = [
        {"kind": "contact_24h", "owner": "per_dana", "due_at": when, "note": ""} for when in due
    ]
    await dana.send("wrapup.finish", **at, disposition="remain_in_place", followups=rows)
    return str(session)


async def test_the_owner_is_reminded_once_of_all_that_is_due_and_then_supervisors(
    house: House,
) -> None:
    for person in ("per_dana", "per_ada"):
        await reachable(house, person)
    start = house.clock.now
    await planned(house, start + 60, start + 61)
    assert await house.desk.follows.look() == 0
    house.clock.advance(120)
    assert await house.desk.follows.look() == 2
    assert await told(house) == [("per_dana", "due")]
    assert await house.desk.follows.look() == 0
    house.clock.advance(DAY)
    assert await house.desk.follows.look() == 2
    assert await told(house) == [("per_dana", "due"), ("per_ada", "late")]
    assert await house.desk.follows.look() == 0


async def test_a_follow_up_whose_owner_has_left_is_told_to_supervisors_before_it_is_due(
    house: House,
) -> None:
    await reachable(house, "per_ada")
    await planned(house, house.clock.now + 10 * DAY)
    gone = update(schema.person).where(schema.person.c.id == "per_dana").values(active=False)
    await house.db.write(lambda conn: conn.execute(gone))
    assert await house.desk.follows.look() == 1
    assert await house.desk.follows.look() == 0
    assert await told(house) == [("per_ada", "no_owner")]


async def test_a_recommended_transport_has_its_arrival_confirmed(house: House) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session, epoch = await house.in_call(tablet, dana)
    at = {"session": session, "epoch": epoch}
    await dana.send("session.end", **at)
    await dana.send("wrapup.finish", **at, disposition="medical_ed", followups=[])
    await tablet.send("disposition.record", session=session, actual="medical_ed")
    assert (await kinds_of(house, session)).count("followup.added") == 1
    async with house.db.read() as conn:
        found = await followups.of_session(conn, house.desk.vault, session)
    assert [(one.kind, one.owner_id) for one in found] == [("confirm_arrival", "per_dana")]


async def test_nobody_is_to_confirm_the_arrival_of_somebody_who_stayed(house: House) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session, epoch = await house.in_call(tablet, dana)
    at = {"session": session, "epoch": epoch}
    await dana.send("session.end", **at)
    await tablet.send("disposition.record", session=session, actual="remain_in_place")
    await dana.send("wrapup.finish", **at, disposition="medical_ed", followups=[])
    async with house.db.read() as conn:
        assert await followups.of_session(conn, house.desk.vault, session) == []


async def test_an_actual_transport_that_nobody_advised_has_it_too(house: House) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session, epoch = await house.in_call(tablet, dana)
    at = {"session": session, "epoch": epoch}
    await dana.send("session.end", **at)
    await dana.send("wrapup.finish", **at, disposition="remain_in_place", followups=[])
    await tablet.send(
        "disposition.record", session=session, actual="medical_ed", reason="medical_need"
    )
    async with house.db.read() as conn:
        found = await followups.of_session(conn, house.desk.vault, session)
    assert [one.kind for one in found] == ["confirm_arrival"]
