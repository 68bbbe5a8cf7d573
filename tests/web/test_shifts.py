"""Clinicians offer their turns, swap them and take them over; nobody lands where they must not."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import insert, select, update

from records import roster, schema
from records.roster import SwapRow
from tests.web.cast import NOW, Site
from web.dev import cast as demo

HOUR = 3600.0
# NOW is Friday 2027-01-15, 02:00 in Chicago
SATURDAY = NOW + 22 * HOUR  # its midnight
NOON = SATURDAY + 12 * HOUR


@pytest.fixture(autouse=True)
async def days_and_nights(site: Site) -> None:
    """Dana has the days and Miguel the nights in tier 1, Priya stands behind both."""
    table = schema.roster_entry
    for member, starts in ((demo.DANA, 0), (demo.MIGUEL, 720)):
        change = update(table).where(table.c.person_id == member.id)
        values = {"starts_minute": starts, "ends_minute": 720 - starts}
        await site.services.db.write(
            lambda conn, change=change, values=values: conn.execute(change.values(values))  # type: ignore[misc]
        )


async def on_call(site: Site, at: float) -> dict[str, int]:
    from signaling.rosters import read_plan

    async with site.services.db.read() as conn:
        return (await read_plan(conn, demo.PROVIDER_ID, 0.0)).on_call(at)


async def offer(site: Site, to: str, starts: float = SATURDAY) -> str:
    form = {"starts": str(starts), "to": to}
    response = await site.post("/shifts/offer", form, page="/shifts")
    assert response.status == 303, await response.text()
    return (await swaps(site))[-1].id


async def swaps(site: Site) -> list[SwapRow]:
    async with site.services.db.read() as conn:
        rows = await conn.execute(select(schema.roster_swap).order_by(schema.roster_swap.c.made_at))
        return [SwapRow(**row._mapping) for row in rows]


async def answer(site: Site, swap: str, how: str, **form: str) -> tuple[int, str]:
    response = await site.post(f"/shifts/offers/{swap}/{how}", form, page="/shifts")
    return response.status, await response.text()


async def html(site: Site, path: str = "/shifts") -> str:
    response = await site.client.get(path)
    assert response.status == 200
    return await response.text()


async def test_the_next_fourteen_days_are_listed_with_a_way_to_offer_each(site: Site) -> None:
    await site.sign_in(demo.DANA)
    listed = await html(site)
    assert "Fri 2027-01-15 00:00 – 12:00" in listed  # runs now
    assert "Sat 2027-01-16 00:00 – 12:00" in listed
    assert listed.count("/shifts/offer?starts=") == 15
    form = await html(site, re.findall(r'href="(/shifts/offer[^"]+)"', listed)[1])
    assert "Miguel Ortiz takes it over" in form
    assert "Swap with Miguel: Sat 2027-01-16 12:00 – 24:00" in form


async def test_a_turn_offered_to_anybody_is_taken_by_one_and_changes_the_roster(
    site: Site,
) -> None:
    await site.sign_in(demo.DANA)
    swap = await offer(site, "any")
    assert await on_call(site, SATURDAY) == {demo.DANA.id: 1, demo.PRIYA.id: 2}
    await site.sign_in(demo.MIGUEL)
    assert "From Dana Whitefeather." in await html(site)
    assert (await answer(site, swap, "take"))[0] == 303
    assert await on_call(site, SATURDAY) == {demo.MIGUEL.id: 1, demo.PRIYA.id: 2}
    assert await on_call(site, NOON) == {demo.MIGUEL.id: 1, demo.PRIYA.id: 2}
    assert await on_call(site, SATURDAY - 1) == {demo.MIGUEL.id: 1, demo.PRIYA.id: 2}
    await site.sign_in(demo.DANA)
    listed = await html(site)
    assert "Sat 2027-01-16 00:00 – 12:00, Miguel Ortiz" in " ".join(listed.split())
    assert site.desk.roster_changes >= 1


async def test_a_swap_exchanges_both_turns_or_none(site: Site) -> None:
    await site.sign_in(demo.DANA)
    swap = await offer(site, f"swap:{demo.MIGUEL.id}:{NOON}")
    await site.sign_in(demo.MIGUEL)
    assert "In exchange they take your shift" in await html(site)
    assert (await answer(site, swap, "take"))[0] == 303
    assert demo.MIGUEL.id in await on_call(site, SATURDAY)
    assert demo.DANA.id in await on_call(site, NOON)
    assert demo.MIGUEL.id not in await on_call(site, NOON)


async def test_who_is_on_call_then_takes_a_turn_only_when_they_say_so(site: Site) -> None:
    await site.sign_in(demo.DANA)
    swap = await offer(site, "any")
    await site.sign_in(demo.PRIYA)
    status, text = await answer(site, swap, "take")
    assert (status, 'name="both"' in text) == (409, True)
    assert await on_call(site, SATURDAY) == {demo.DANA.id: 1, demo.PRIYA.id: 2}
    assert (await answer(site, swap, "take", both="1"))[0] == 303
    assert await on_call(site, SATURDAY) == {demo.PRIYA.id: 1}


@pytest.mark.parametrize(("state", "until"), [(None, None), ("ND", None), ("SD", NOON - 60)])
async def test_nobody_unlicensed_takes_a_turn(
    site: Site, state: str | None, until: float | None
) -> None:
    await site.sign_in(demo.DANA)
    swap = await offer(site, "any")
    await site.licensed(demo.MIGUEL, state, until)
    await site.sign_in(demo.MIGUEL)
    status, text = await answer(site, swap, "take")
    assert (status, "no licence" in text) == (409, True)
    assert demo.DANA.id in await on_call(site, SATURDAY)
    assert (await swaps(site))[0].state == "proposed"


async def test_a_turn_offered_to_one_is_theirs_to_refuse_and_nobody_elses_to_take(
    site: Site,
) -> None:
    await site.sign_in(demo.DANA)
    swap = await offer(site, f"give:{demo.MIGUEL.id}")
    await site.sign_in(demo.PRIYA)
    assert swap not in await html(site)
    assert (await answer(site, swap, "take", both="1"))[0] == 404
    assert (await answer(site, swap, "refuse"))[0] == 404
    await site.sign_in(demo.MIGUEL)
    assert (await answer(site, swap, "refuse"))[0] == 303
    assert (await answer(site, swap, "take"))[0] == 409
    assert (await swaps(site))[0].state == "refused"


async def test_an_offer_is_withdrawn_by_who_made_it_only(site: Site) -> None:
    await site.sign_in(demo.DANA)
    swap = await offer(site, "any")
    await site.sign_in(demo.MIGUEL)
    assert (await answer(site, swap, "withdraw"))[0] == 404
    await site.sign_in(demo.DANA)
    assert (await answer(site, swap, "withdraw"))[0] == 303
    await offer(site, "any")  # and again


async def test_a_turn_is_offered_once_and_only_ones_own(site: Site) -> None:
    await site.sign_in(demo.DANA)
    await offer(site, "any")
    for starts, to in (
        (SATURDAY, "any"),  # is offered
        (NOON, "any"),  # is Miguel's
        (SATURDAY + 24 * HOUR, f"swap:{demo.MIGUEL.id}:{SATURDAY}"),  # is not Miguel's
        (SATURDAY + 24 * HOUR, f"give:{demo.LENA.id}"),
        (SATURDAY + 24 * HOUR, f"give:{demo.DANA.id}"),
        (SATURDAY + 24 * HOUR, "nonsense"),
        (float("nan"), "any"),
    ):
        response = await site.post(
            "/shifts/offer", {"starts": str(starts), "to": to}, page="/shifts"
        )
        assert response.status in (409, 422), (starts, to)
    assert len(await swaps(site)) == 1


async def test_a_turn_that_the_roster_has_given_away_meanwhile_cannot_be_taken(
    site: Site,
) -> None:
    await site.sign_in(demo.DANA)
    swap = await offer(site, "any")
    values = {
        "id": "ovr_1", "provider_id": demo.PROVIDER_ID, "instead_of_id": demo.DANA.id,
        "starts_at": SATURDAY + 60, "ends_at": SATURDAY + 3600, "made_at": NOW,
        "made_by": demo.ADA.id,
    }  # fmt: skip
    await site.services.db.write(
        lambda conn: conn.execute(insert(schema.roster_override).values(values))
    )
    await site.sign_in(demo.MIGUEL)
    status, text = await answer(site, swap, "take")
    assert (status, "not theirs any more" in text) == (409, True)


async def test_a_running_turn_is_handed_on_from_now_and_one_that_is_over_not_at_all(
    site: Site,
) -> None:
    await site.sign_in(demo.DANA)
    swap = await offer(site, "any", starts=NOW - 2 * HOUR)
    site.clock[0] = NOW + 3 * HOUR
    await site.sign_in(demo.MIGUEL)
    assert (await answer(site, swap, "take"))[0] == 303
    assert demo.DANA.id in await on_call(site, NOW + 2 * HOUR)  # what was, was
    assert demo.MIGUEL.id in await on_call(site, NOW + 3 * HOUR)
    await site.sign_in(demo.DANA)
    late = await offer(site, "any")
    site.clock[0] = NOON
    await site.sign_in(demo.MIGUEL)
    assert (await answer(site, late, "take"))[0] == 409


async def test_the_supervisor_gives_an_offered_turn_to_somebody(site: Site) -> None:
    await site.sign_in(demo.DANA)
    swap = await offer(site, f"give:{demo.PRIYA.id}")
    await site.sign_in(demo.ADA)
    listed = await html(site, "/manager/roster/shifts")
    assert "Dana Whitefeather offers" in listed
    path = f"/manager/roster/swaps/{swap}/assign"
    for person, status in ((demo.LENA.id, 422), ("", 422), (demo.DANA.id, 409)):
        response = await site.post(path, {"person": person}, page="/manager/roster")
        assert response.status == status, person
    response = await site.post(path, {"person": demo.MIGUEL.id}, page="/manager/roster")
    assert response.status == 303
    assert demo.MIGUEL.id in await on_call(site, SATURDAY)
    async with site.services.db.read() as conn:
        done = await roster.swap(conn, demo.PROVIDER_ID, swap)
    assert (done.decided_by, done.taken_by) == (demo.ADA.id, demo.MIGUEL.id)


async def test_managers_have_no_shifts_and_clinicians_do_not_manage(site: Site) -> None:
    await site.sign_in(demo.LENA)
    assert (await site.client.get("/shifts")).status == 403
    await site.sign_in(demo.DANA)
    assert (await site.client.get("/manager/roster")).status == 403
