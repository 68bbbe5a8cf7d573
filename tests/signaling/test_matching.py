"""Who is rung for whom, on a real desk: flags, languages, licences, turns, and rings missed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from auth import matching
from oncall import policy
from records import catchments, clinicians, offers, sessions
from records.catchments import Place, SettingsRow
from records.clinicians import LicenceRow, Profile
from records.offers import OfferRow
from tests.signaling.conftest import ACTORS, House
from tests.signaling.pages import BOUND, Page
from web.dev.cast import AGENCY_ID, PROVIDER_ID

SOUTH = LicenceRow("LPC-MH", "SD", "4102", None)
NORTH = LicenceRow("LPC-MH", "ND", "77", None)


async def profile(house: House, who: str, **changes: object) -> None:
    """What a clinician is from now on; licensed in South Dakota unless `changes` say otherwise."""
    base = Profile(licences=(SOUTH,))
    made = replace(base, **changes)  # type: ignore[arg-type]
    await house.db.write(lambda conn: clinicians.replace(conn, f"per_{who}", made))


async def settings(house: House, **values: object) -> None:
    row = SettingsRow(**values)  # type: ignore[arg-type]
    await house.db.write(lambda conn: catchments.replace_settings(conn, PROVIDER_ID, row))


async def rung(house: House, session: str) -> dict[str, OfferRow]:
    """Clinician to their open ring for this session."""
    async with house.db.read() as conn:
        found = await offers.open_offers(conn)
    return {o.clinician_id.removeprefix("per_"): o for o in found if o.session_id == session}


async def timeline(house: House, session: str) -> list[tuple[str, object]]:
    async with house.db.read() as conn:
        rows = await sessions.timeline_of(conn, session)
    return [(row.kind, row.data.get("widened")) for row in rows]


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(BOUND):
        while not await true():
            await asyncio.sleep(0.05)


async def rings_only(house: House, session: str, *who: str) -> None:
    async def so() -> bool:
        return set(await rung(house, session)) == set(who)

    await until(so)


async def settled(house: House) -> None:
    """The line has looked at everything as it is now."""
    line = house.desk.line
    for _ in range(2):  # the first round may have begun before
        before = line.settled
        line.wake()

        async def so(before: int = before) -> bool:
            return line.settled > before

        await until(so)


async def pass_time(house: House, seconds: float) -> None:
    """Time goes on, and every open page goes on beating."""
    ends = house.clock.now + seconds
    while house.clock.now < ends:
        house.clock.advance(min(5.0, ends - house.clock.now))
        for page in house.pages:
            await page.send("beat")
        await settled(house)


async def stay_away(page: Page) -> None:
    await page.send("activity.set", activity="paused", reason=None)


async def test_who_speaks_the_persons_language_is_rung_first_and_a_flag_turns_a_ring(
    house: House,
) -> None:
    await profile(house, "miguel", languages=frozenset({"es"}))
    dana, miguel, tablet = [await house.page(who) for who in ("dana", "miguel", "tablet")]
    session = await house.pressed(tablet)
    await rings_only(house, session, "dana", "miguel")
    await tablet.send("session.language", session=session, language="es")
    await rings_only(house, session, "miguel")
    await miguel.until_view(lambda v: v["offers"])
    await dana.until_view(lambda v: not v["offers"])
    assert ("session.language", None) in await timeline(house, session)


async def test_with_nobody_who_speaks_it_others_ring_at_once_and_the_timeline_says_so(
    house: House,
) -> None:
    await house.page("dana")
    tablet = await house.page("tablet")
    session = await house.pressed(tablet)
    await rings_only(house, session, "dana")
    house.clock.advance(1)
    await tablet.send("session.language", session=session, language="so")

    async def said() -> bool:
        return ("queue.relaxed", "language") in await timeline(house, session)

    await until(said)
    kinds = [kind for kind, _ in await timeline(house, session)]
    assert kinds.count("queue.relaxed") == 1


async def test_a_licence_of_another_state_rings_only_after_its_time_and_an_expired_one_never(
    house: House,
) -> None:
    clock = house.clock
    await profile(house, "dana", licences=(NORTH,))
    await profile(house, "miguel", licences=(replace(SOUTH, expires_at=clock.now - 1),))
    await house.page("dana")
    await house.page("miguel")
    tablet = await house.page("tablet")
    session = await house.pressed(tablet)

    async def explained() -> bool:
        return any(kind == "queue.nobody" for kind, _ in await timeline(house, session))

    await until(explained)
    assert await rung(house, session) == {}
    await pass_time(house, 46)
    await rings_only(house, session, "dana")
    assert (await rung(house, session))["dana"].relaxed[0][0] == "licence_state"
    assert ("queue.relaxed", "licence_state") in await timeline(house, session)


async def test_a_console_says_that_no_licence_is_valid_any_more(house: House) -> None:
    await profile(house, "dana", licences=(NORTH, replace(SOUTH, expires_at=house.clock.now + 60)))
    dana, miguel = [await house.page(who) for who in ("dana", "miguel")]
    await dana.until_view(lambda v: v["me"]["licensed"])
    await profile(house, "dana", licences=(replace(SOUTH, expires_at=house.clock.now + 60),))
    house.clock.advance(61)
    await miguel.send("activity.set", activity="paused", reason="break")  # a look at all consoles
    await dana.until_view(lambda v: not v["me"]["licensed"])


async def test_the_tablet_counts_nobody_whose_licence_has_run_out(house: House) -> None:
    await profile(house, "dana", licences=(SOUTH,))
    await profile(house, "miguel", licences=(replace(SOUTH, expires_at=house.clock.now + 60),))
    for who in ("dana", "miguel"):
        await house.page(who)
    tablet = await house.page("tablet")
    await tablet.until_view(lambda v: v["ready_clinicians"] == 2)
    await pass_time(house, 61)
    house.desk.screens.touch_all()  # time alone does it, too, in seconds
    await tablet.until_view(lambda v: v["ready_clinicians"] == 1)


async def test_the_place_of_the_incident_decides_which_licence_is_needed(house: House) -> None:
    await house.db.write(
        lambda conn: catchments.replace_places(conn, AGENCY_ID, [Place("Adams", "ND")])
    )
    await profile(house, "miguel", licences=(NORTH,))
    await house.page("dana")
    await house.page("miguel")
    tablet = await house.page("tablet")
    session = await house.pressed(tablet)
    await rings_only(house, session, "dana")
    await tablet.send("session.place", session=session, place=1)
    await rings_only(house, session, "miguel")
    view = await tablet.until_view(lambda v: v["session"] and v["session"]["place"] == 1)
    assert view["session"]["id"] == session


async def test_who_sees_no_juveniles_is_not_rung_for_one_while_another_is_there(
    house: House,
) -> None:
    await profile(house, "dana", serves_juvenile=False)
    await house.page("dana")
    await house.page("miguel")
    tablet = await house.page("tablet")
    session = await house.pressed(tablet)
    await tablet.send("session.intake", session=session, tiles=["juvenile"])
    await rings_only(house, session, "miguel")


async def test_danger_goes_before_those_who_waited_longer(house: House) -> None:
    dana = await house.page("dana")
    await stay_away(dana)
    first, second = await house.page("tablet"), await house.page("elsewhere")
    one = await house.pressed(first)
    two = await house.pressed(second, key="s" * 20)
    await second.send("session.intake", session=two, tiles=["danger"])
    await dana.send("activity.set", activity="available", reason=None)
    await rings_only(house, two, "dana")
    assert await rung(house, one) == {}


async def test_one_at_a_time_rings_one_and_then_the_next(house: House) -> None:
    await settings(house, ring="one")
    await house.page("dana")
    await house.page("miguel")
    tablet = await house.page("tablet")
    session = await house.pressed(tablet)

    async def one() -> bool:
        return len(await rung(house, session)) == 1

    await until(one)
    (first,) = await rung(house, session)
    await pass_time(house, 21)

    async def next_one() -> bool:
        now = await rung(house, session)
        return len(now) == 1 and first not in now

    await until(next_one)


async def missed_once(house: House, session: str, who: str) -> None:
    """The ring is heard there, and nobody answers it."""

    async def rings() -> bool:
        return who in await rung(house, session)

    await until(rings)
    offer = (await rung(house, session))[who]
    page = next(p for p in house.pages if p.who == who)
    await page.send("offer.delivered", offer=offer.id)
    await pass_time(house, 21)

    async def over() -> bool:
        found = await rung(house, session)
        return who not in found or found[who].id != offer.id

    await until(over)


async def test_missed_rings_stay_on_the_console_until_they_are_read(house: House) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session = await house.pressed(tablet)
    await missed_once(house, session, "dana")
    view = await dana.until_view(lambda v: v["missed"])
    (missed,) = view["missed"]
    assert (missed["state"], missed["agency"]) == ("expired", "Prairie County Sheriff")
    await dana.send("missed.read", until=missed["at"])
    await dana.until_view(lambda v: not v["missed"])


async def test_two_missed_rings_pause_a_clinician_while_another_could_be_rung(
    house: House,
) -> None:
    await settings(house, ring="one")
    dana = await house.page("dana")
    tablet = await house.page("tablet")
    session = await house.pressed(tablet)
    await missed_once(house, session, "dana")
    await missed_once(house, session, "dana")
    view = await dana.until_view(lambda v: len(v["missed"]) == 2)
    assert view["me"]["activity"] == "available", "the last one is never paused"
    await house.page("miguel")
    await pass_time(house, 21)  # what rings now may ring on
    view = await dana.until_view(lambda v: v["me"]["activity"] == "paused")
    assert view["me"]["reason"] == "missed"
    await rings_only(house, session, "miguel")
    await dana.send("activity.set", activity="available", reason=None)
    await settled(house)
    view = await dana.until_view(lambda v: v["me"]["activity"] == "available")
    assert view["me"]["reason"] is None, "who is back is not paused for old rings"


async def test_a_pause_that_was_decided_before_somebody_was_back_is_dropped(house: House) -> None:
    dana, tablet = await house.page("dana"), await house.page("tablet")
    session = await house.pressed(tablet)
    await missed_once(house, session, "dana")
    await missed_once(house, session, "dana")
    late = policy.PauseMissing(ACTORS["dana"].id, 2)
    await dana.send("activity.set", activity="paused", reason=None)
    await dana.send("activity.set", activity="available", reason=None)
    assert not await house.desk.line._act(late)
    live = await house.desk.live.snapshot(house.desk.now())
    assert live[ACTORS["dana"].id].activity is policy.Activity.AVAILABLE


async def test_what_a_manager_saves_changes_whom_the_next_session_rings(house: House) -> None:
    for who in ("dana", "miguel"):
        await house.page(who)
    tablet = await house.page("tablet")
    north = Profile(licences=(NORTH,))
    await matching.set_person(
        house.db, ACTORS["ada"], PROVIDER_ID, "per_dana", north, house.clock.now
    )
    house.desk.roster_changed()
    session = await house.pressed(tablet)
    await rings_only(house, session, "miguel")
