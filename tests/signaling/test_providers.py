"""A session that another provider answers: only where both are listed, in its time, as a whole."""

from __future__ import annotations

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from records import catchments, clinicians, roster, schema, sessions
from records.catchments import Place, SettingsRow
from records.clinicians import LicenceRow, Profile
from records.sessions import SessionRow
from signaling.rosters import REREAD_SECONDS
from tests.signaling.conftest import ACTORS, START, House
from tests.signaling.pages import Refused
from tests.signaling.test_matching import pass_time, rings_only, rung, settled, timeline, until
from web.dev.cast import AGENCY_ID, COUNTY, PROVIDER_ID, STATE

OTHER = "prv_other"
HOME = Place(COUNTY, STATE)
AWAY = Place("Adams", "ND")


async def next_door(
    house: House, *, own: list[tuple[Place, int]], other: list[tuple[Place, int]]
) -> None:
    """Another provider with one clinician, always on call, and where the two are listed."""
    stranger = ACTORS["stranger"]

    async def write(conn: AsyncConnection) -> None:
        await conn.execute(
            insert(schema.provider).values(
                id=OTHER, name="Other Care", timezone="UTC", bridge_line="605-555-0199"
            )
        )
        await conn.execute(
            insert(schema.person).values(
                id=stranger.id,
                name="Noor Stranger",
                short_name="Noor",
                email="noor@other.invalid",
                provider_id=OTHER,
            )
        )
        await conn.execute(
            insert(schema.role_grant).values(
                person_id=stranger.id, role="clinician", granted_at=START
            )
        )
        licences = tuple(LicenceRow("LPC", state, "9", None) for state in ("SD", "ND"))
        await clinicians.replace(conn, stranger.id, Profile(licences=licences))
        await conn.execute(
            insert(schema.roster_entry).values(
                id="ros_stranger",
                provider_id=OTHER,
                person_id=stranger.id,
                tier=1,
                days=127,
                starts_minute=0,
                ends_minute=0,
                timezone="UTC",
            )
        )
        await catchments.replace_catchments(conn, PROVIDER_ID, own)
        await catchments.replace_catchments(conn, OTHER, other)

    await house.db.write(write)
    house.clock.advance(REREAD_SECONDS + 1)  # rows put in by hand
    house.desk.roster_changed()


async def off_for_a_day(house: House, person: str) -> None:
    now = house.clock.now
    await house.db.write(
        lambda conn: roster.add_override(
            conn,
            provider_id=PROVIDER_ID,
            person_id=None,
            instead_of_id=person,
            starts_at=now,
            ends_at=now + 86_400,
            tier=None,
            made_at=now,
            made_by=person,
        )
    )


async def row_of(house: House, session: str) -> SessionRow:
    async with house.db.read() as conn:
        row = await sessions.get(conn, session)
    assert row is not None
    return row


async def test_another_provider_rings_after_its_time_and_has_the_session_from_the_answer_on(
    house: House,
) -> None:
    await next_door(house, own=[(HOME, 1)], other=[(HOME, 2)])
    dana, noor, tablet = [await house.page(who) for who in ("dana", "stranger", "tablet")]
    session = await house.pressed(tablet)
    await tablet.send("scene.tell", session=session, answers={"intoxicated": "yes"})
    heard: set[str] = set()
    for _ in range(8):  # 40 seconds, in which Dana hears each ring and answers none
        for who, ring in (await rung(house, session)).items():
            assert who == "dana"
            if ring.id not in heard:
                heard.add(ring.id)
                await dana.send("offer.delivered", offer=ring.id)
        await pass_time(house, 5)

    async def widened() -> bool:
        return "stranger" in await rung(house, session)

    await until(widened)
    assert ("queue.relaxed", "provider") in await timeline(house, session)
    offer = await house.rung(noor)
    assert offer["relaxed"] == ["provider"]
    shown = (await noor.until_view(lambda v: v["offers"]))["offers"][0]
    assert (shown["scene"], shown["stops"]) == ("stop", []), "why is Part 2, and not theirs yet"
    assert noor.view["waiting"] == [], "what waits is for its own provider to see"
    epoch = (await noor.send("offer.accept", offer=offer["offer"], token=offer["token"]))["epoch"]
    row = await row_of(house, session)
    assert (row.provider_id, row.lead_id) == (OTHER, "per_stranger")
    assert "session.provider" in [kind for kind, _ in await timeline(house, session)]
    await dana.until_view(lambda v: not v["waiting"] and not v["offers"])
    view = await tablet.until_view(lambda v: v["session"] and v["session"]["clinician"] == "Noor")
    assert view["provider_line"] == "605-555-0188", "the agency's own number stays"
    # it is theirs: what only the lead may do
    await noor.send(
        "assessment.save",
        session=session,
        epoch=epoch,
        instrument="field-safety",
        rev=0,
        answers={},
    )
    await noor.send("session.requeue", session=session, epoch=epoch, reason="unwell")
    await rings_only(house, session, "dana")  # its first provider is there as before


async def test_with_nobody_of_their_own_the_other_provider_rings_at_once(house: House) -> None:
    await next_door(house, own=[(HOME, 1)], other=[(HOME, 2)])
    for who in ("dana", "miguel", "priya"):
        await off_for_a_day(house, f"per_{who}")
    tablet = await house.page("tablet")
    # Noor is on call, but nobody would page her: without her console there is nobody
    await tablet.until_view(lambda v: not v["on_call"] and v["comes_on"] is not None)
    await house.page("stranger")
    await tablet.until_view(lambda v: v["on_call"] and v["ready_clinicians"] == 1)
    assert await house.desk.ready_clinicians(AGENCY_ID) == 1
    session = await house.pressed(tablet)
    await rings_only(house, session, "stranger")


async def test_where_no_step_lets_another_provider_in_its_clinicians_are_not_counted_on_the_tablet(
    house: House,
) -> None:
    await next_door(house, own=[(HOME, 1)], other=[(HOME, 2)])
    own = SettingsRow(relaxations=(("language", 20.0, True),))
    await house.db.write(lambda conn: catchments.replace_settings(conn, PROVIDER_ID, own))
    await house.page("stranger")
    tablet = await house.page("tablet")
    view = await tablet.until_view(lambda v: v["on_call"])  # its own provider's, without a console
    assert view["ready_clinicians"] == 0


async def test_a_provider_that_lists_a_place_alone_gets_nobodys_sessions(house: House) -> None:
    await next_door(house, own=[], other=[(HOME, 1), (Place("", STATE), 1)])
    noor, tablet = await house.page("stranger"), await house.page("tablet")
    session = await house.pressed(tablet)
    await pass_time(house, 130)
    assert await rung(house, session) == {}
    assert noor.view["offers"] == []
    assert (await row_of(house, session)).provider_id == PROVIDER_ID


async def test_the_place_that_the_officer_names_decides_which_provider_is_first(
    house: House,
) -> None:
    await house.db.write(lambda conn: catchments.replace_places(conn, AGENCY_ID, [AWAY]))
    await next_door(house, own=[(AWAY, 2)], other=[(AWAY, 1)])
    dana, noor, tablet = [await house.page(who) for who in ("dana", "stranger", "tablet")]
    session = await house.pressed(tablet)
    await rings_only(house, session, "dana")
    view = await tablet.until_view(lambda v: v["places"] == [HOME.words, AWAY.words])
    with pytest.raises(Refused) as caught:  # the list was another when the officer chose
        await tablet.send("session.place", session=session, place=1, words=HOME.words)
    assert caught.value.code == "unknown-code"
    await tablet.send("session.place", session=session, place=1, words=view["places"][1])
    await rings_only(house, session, "stranger")
    assert (await row_of(house, session)).provider_id == OTHER
    offer = await house.rung(noor)
    assert (offer["county"], offer["place_state"], offer["relaxed"]) == ("Adams", "ND", [])
    await dana.until_view(lambda v: not v["offers"])
    # and back: an answer to the ring that ended in between is too late
    house.clock.advance(1)
    await tablet.send("session.place", session=session, place=0)
    with pytest.raises(Refused) as late:
        await noor.send("offer.accept", offer=offer["offer"], token=offer["token"])
    assert late.value.code == "offer-gone"
    await rings_only(house, session, "dana")
    assert (await row_of(house, session)).provider_id == PROVIDER_ID
    await settled(house)
