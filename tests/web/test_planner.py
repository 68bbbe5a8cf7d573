"""The planner's page: what each hour needs beside who is on call, for those who may see it."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import delete, select, update

from records import schema
from tests.web.cast import NOW, Site
from web.dev import cast as demo

HOUR = 3600.0


async def page(site: Site, query: str = "") -> str:
    response = await site.client.get(f"/manager/planner{query}")
    assert response.status == 200
    return await response.text()


def cells(html: str) -> list[tuple[int, int]]:
    """Needed and on call, hour by hour."""
    found = re.findall(r"<td[^>]*><strong>(\d+)</strong>.*?</span> (\d+)</span>", html)
    return [(int(needed), int(there)) for needed, there in found]


async def test_every_hour_of_the_week_says_what_it_needs_and_who_is_on_call(site: Site) -> None:
    await site.sign_in(demo.LENA)
    html = await page(site)
    assert len(cells(html)) == 7 * 24
    assert set(cells(html)) == {(1, 3)}
    assert "Enough" in html


async def test_an_hour_without_enough_clinicians_is_said_in_words(site: Site) -> None:
    await site.services.db.write(lambda conn: conn.execute(delete(schema.roster_entry)))
    await site.sign_in(demo.LENA)
    html = await page(site)
    assert set(cells(html)) == {(1, 0)}
    assert html.count("data-short") == 7 * 24
    assert "1 short" in html
    assert "168 hours of the coming week" in html


async def test_whose_licence_runs_out_is_on_call_until_then(site: Site) -> None:
    over = NOW + 3 * 86_400
    dana = schema.licence.c.person_id == demo.DANA.id
    await site.services.db.write(
        lambda conn: conn.execute(update(schema.licence).where(dana).values(expires_at=over))
    )
    await site.sign_in(demo.LENA)
    there = [one for _, one in cells(await page(site))]
    assert (there.count(3), there.count(2)) == (3 * 24, 4 * 24)


async def test_many_calls_in_one_hour_need_more_clinicians_there(site: Site) -> None:
    for week in range(1, 5):
        for number in range(8):
            at = NOW - week * 7 * 86_400 + 60 * number
            await site.session(
                press_key=f"planner-{week}-{number}-pad",
                tablet_id=demo.UNIT_14.id,
                pressed_at=at,
                alerted_at=at,
                accepted_at=at + 5,
                media_at=at + 6,
                ended_at=at + 2000,
                closed_at=at + 2400,
            )
    site.clock[0] = NOW + 1
    await site.sign_in(demo.LENA)
    needed = [one for one, _ in cells(await page(site, "?weeks=4"))]
    assert max(needed) > 3
    assert needed.count(max(needed)) == 1
    assert max(n for n, _ in cells(await page(site, "?weeks=4&share=80"))) <= max(needed)


@pytest.mark.parametrize("query", ["?weeks=3", "?share=100", "?seconds=x", "?share=-1"])
async def test_a_target_that_the_form_does_not_offer_is_refused(site: Site, query: str) -> None:
    await site.sign_in(demo.LENA)
    assert (await site.client.get(f"/manager/planner{query}")).status == 400


async def test_a_provider_of_somebody_else_s_is_as_unknown_as_one_that_is_not(site: Site) -> None:
    await site.sign_in(demo.LENA)
    for provider in ("prv_away", "prv_nobody"):
        response = await site.client.get(f"/manager/planner?provider={provider}")
        assert response.status == 404
    async with site.services.db.read() as conn:
        audit = schema.audit.c
        rows = await conn.execute(
            select(audit.object_id, audit.outcome).where(audit.action == "plan.read")
        )
        assert [tuple(row) for row in rows] == [("prv_away", "refused"), (None, "refused")]


async def test_a_clinician_has_no_planner(site: Site) -> None:
    await site.sign_in(demo.DANA)
    assert (await site.client.get("/manager/planner")).status == 403
