"""The roster's pages: the week and its gaps, shifts and exceptions by right, refusals in place."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import select, update

from records import roster, schema
from tests.web.cast import AWAY_MANAGER, AWAY_SUPERVISOR, NOW, Site
from web.dev import cast as demo

# NOW is Friday 2027-01-15, 02:00 in Chicago
SHIFTS = "/manager/roster/shifts"
HOUR = 3600.0
MIDNIGHT = NOW - 2 * HOUR


async def page(site: Site, path: str, status: int = 200) -> str:
    response = await site.client.get(path)
    assert response.status == status, path
    return await response.text()


async def plan(site: Site) -> tuple[list[roster.RosterRow], list[roster.OverrideRow]]:
    async with site.services.db.read() as conn:
        return await roster.entries(conn, demo.PROVIDER_ID), await roster.overrides(conn, 0.0)


async def nobody_else(site: Site) -> None:
    """Only Dana stays in the plan."""
    table = schema.roster_entry
    await site.services.db.write(
        lambda conn: conn.execute(
            update(table).where(table.c.person_id != demo.DANA.id).values(ended_at=NOW)
        )
    )


def weekly(**more: str) -> dict[str, str]:
    return {
        "person": demo.PRIYA.id, "tier": "1", "starts": "22:00", "ends": "06:00", "day0": "1",
        "day4": "1", "from": "", "until": "", "timezone": "America/Chicago", **more,
    }  # fmt: skip


def special(**more: str) -> dict[str, str]:
    return {
        "kind": "remove", "comes": "", "goes": demo.DANA.id, "tier": "1",
        "starts": "2027-01-16T08:00", "ends": "2027-01-16T20:00", **more,
    }  # fmt: skip


async def add(site: Site, form: dict[str, str], what: str = "overrides") -> Any:
    return await site.post(f"/manager/roster/{what}", form, page=SHIFTS)


async def test_the_week_says_who_is_on_call_and_that_nothing_is_uncovered(site: Site) -> None:
    await site.sign_in(demo.LENA)
    html = await page(site, "/manager/roster")
    assert html.count('class="week__day"') == 7
    assert "2027-01-11" in html  # the Monday
    assert "Dana, Miguel" in html
    assert "Every hour until" in html
    later = re.search(r'rel="next" href="([^"]+)"', html)
    assert later is not None
    assert "2027-01-18" in await page(site, later[1].replace("&amp;", "&"))


async def test_uncovered_hours_stand_on_top_and_in_the_week(site: Site) -> None:
    await nobody_else(site)
    await site.sign_in(demo.ADA)
    assert (await add(site, special())).status == 303
    html = await page(site, "/manager/roster")
    assert "One gap." in html
    assert "Sat 2027-01-16 08:00 – 20:00" in html
    assert "12:00 h" in html
    assert 'data-gap="nobody"' in html


async def test_hours_without_the_first_tier_are_marked_apart(site: Site) -> None:
    await site.sign_in(demo.ADA)
    for person in (demo.DANA, demo.MIGUEL):
        await add(site, special(goes=person.id))
    html = await page(site, "/manager/roster")
    assert 'data-kind="no_first_tier"' in html
    assert 'data-kind="nobody"' not in html


async def test_hours_of_somebody_whose_licence_runs_out_are_uncovered(site: Site) -> None:
    await nobody_else(site)
    await site.licensed(demo.DANA, "SD", MIDNIGHT + 24 * HOUR)
    await site.sign_in(demo.LENA)
    assert "Sat 2027-01-16 00:00 – Fri 2027-01-29 02:00" in await page(site, "/manager/roster")


async def test_a_weekly_shift_is_added_changed_and_removed_by_plain_forms(site: Site) -> None:
    await site.sign_in(demo.LENA)
    response = await add(site, weekly(), "shifts")
    assert response.status == 303
    assert "Added." in await page(site, response.headers["Location"])
    (added,) = [row for row in (await plan(site))[0] if row.tier == 1 and row.days == 0b10001]
    assert (added.starts_minute, added.ends_minute) == (22 * 60, 6 * 60)

    form = await page(site, f"{SHIFTS}/{added.id}")
    assert 'value="22:00"' in form
    changed = weekly(ends="07:30", day4="", until="2027-06-30")
    response = await site.post(f"{SHIFTS}/{added.id}", changed, page=SHIFTS)
    assert response.status == 303
    (row,) = [row for row in (await plan(site))[0] if row.days == 1]
    assert row.ends_minute == 7 * 60 + 30
    assert row.valid_until is not None
    assert row.id != added.id  # what was planned before is kept

    response = await site.post(f"{SHIFTS}/{row.id}/end", {}, page=SHIFTS)
    assert response.status == 303
    assert row.id not in {one.id for one in (await plan(site))[0]}
    assert site.desk.roster_changes == 3


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"day0": "", "day4": ""}, "at least one day"),
        ({"starts": "25:00"}, "from which the shift runs"),
        ({"ends": ""}, "until which the shift runs"),
        ({"tier": "0"}, "tier from 1 to 9"),
        ({"timezone": "Mars/Olympus"}, "time zone from the list"),
        ({"from": "2027-02-01", "until": "2027-01-01"}, "not before the first"),
        ({"from": "soon"}, "first day as a date"),
        ({"person": demo.SAM.id}, "active clinician of this provider"),
        ({"person": "per_nobody"}, "active clinician of this provider"),
        ({"person": demo.ADA.id}, "active clinician of this provider"),
    ],
)
async def test_a_shift_that_cannot_be_is_refused_in_place_and_keeps_what_was_typed(
    site: Site, wrong: dict[str, str], words: str
) -> None:
    await site.sign_in(demo.LENA)
    before = await plan(site)
    response = await add(site, weekly(**wrong), "shifts")
    html = await response.text()
    assert response.status == 422
    assert words in html
    if "starts" not in wrong:
        assert 'value="22:00"' in html
    assert await plan(site) == before
    assert site.desk.roster_changes == 0


@pytest.mark.parametrize(
    ("form", "status", "words"),
    [
        (special(goes=""), 422, "Choose who is meant"),
        (special(kind="replace", comes=demo.DANA.id), 422, "Choose who is meant"),
        (special(kind="nonsense"), 422, "Choose who is meant"),
        (special(ends="2027-01-16T08:00"), 422, "end after it begins"),
        (special(starts="tomorrow"), 422, "from which it holds"),
        (special(ends="2028-01-16T08:00"), 422, "within a quarter"),
        (special(kind="replace", comes=demo.ADA.id), 422, "active clinician"),
        (special(kind="replace", comes=demo.PRIYA.id), 409, "on call at that time already"),
    ],
)
async def test_an_exception_that_cannot_be_is_refused_in_place(
    site: Site, form: dict[str, str], status: int, words: str
) -> None:
    await site.sign_in(demo.ADA)
    response = await add(site, form)
    assert (response.status, words in await response.text()) == (status, True)
    assert (await plan(site))[1] == []


async def test_somebody_on_call_already_takes_a_second_place_only_when_it_is_said(
    site: Site,
) -> None:
    await site.sign_in(demo.ADA)
    form = special(kind="replace", comes=demo.PRIYA.id)
    asked = await (await add(site, form)).text()
    assert 'name="both"' in asked
    assert (await add(site, {**form, "both": "1"})).status == 303
    (override,) = (await plan(site))[1]
    assert (override.person_id, override.instead_of_id) == (demo.PRIYA.id, demo.DANA.id)
    assert "Priya Nair in place of Dana Whitefeather" in await page(site, SHIFTS)
    response = await add(site, {}, f"overrides/{override.id}/end")
    assert response.status == 303
    assert (await plan(site))[1] == []


async def test_somebody_without_a_licence_to_the_end_cannot_come_in(site: Site) -> None:
    await nobody_else(site)
    await site.licensed(demo.PRIYA, "SD", MIDNIGHT + 40 * HOUR)
    await site.sign_in(demo.ADA)
    form = special(kind="replace", comes=demo.PRIYA.id)
    response = await add(site, form)  # to Saturday 20:00, 44 hours after midnight
    assert (response.status, "no licence" in await response.text()) == (409, True)
    assert (await add(site, {**form, "ends": "2027-01-16T15:00"})).status == 303


async def test_another_providers_roster_can_neither_be_read_nor_changed(site: Site) -> None:
    row = (await plan(site))[0][0]
    for member in (AWAY_MANAGER, AWAY_SUPERVISOR):
        await site.sign_in(member)
        html = await page(site, "/manager/roster")
        assert "Dana" not in html
        await page(site, f"/manager/roster?provider={demo.PROVIDER_ID}", 404)
        await page(site, f"{SHIFTS}/{row.id}", 404)
        form = {**weekly(), "provider": demo.PROVIDER_ID}
        assert (await add(site, form, "shifts")).status == 404
        assert (await add(site, {}, f"shifts/{row.id}/end")).status in (404, 409)
    assert row in (await plan(site))[0]


async def test_reading_and_changing_are_on_record(site: Site) -> None:
    await site.sign_in(demo.LENA)
    await page(site, "/manager/roster")
    await add(site, special())
    audit = schema.audit
    async with site.services.db.read() as conn:
        rows = await conn.execute(
            select(audit.c.action, audit.c.outcome).where(audit.c.object_kind == "roster")
        )
        noted = {(one.action, one.outcome) for one in rows}
    assert {("roster.read", "allowed"), ("roster.add_override", "allowed")} <= noted


@pytest.mark.parametrize("week", ["tomorrow", "9999-12-31", "0001-01-01"])
async def test_a_week_that_is_none_is_refused(site: Site, week: str) -> None:
    await site.sign_in(demo.LENA)
    await page(site, f"/manager/roster?week={week}", 400)
