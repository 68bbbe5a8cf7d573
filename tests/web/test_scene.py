"""The live table of people at the scene: as a page, as JSON, and who saw whom."""

from __future__ import annotations

import html
from typing import Any

from sqlalchemy import select

from auth.actors import Actor
from auth.scene import Glances
from records import schema
from tests.web.cast import AWAY, AWAY_MANAGER, NOW, XSS, Site
from web.dev import cast as demo

WAITING: dict[str, Any] = {
    "state": "waiting", "close_reason": None, "lead_id": None, "media_at": None,
    "accepted_at": None, "ended_at": None, "closed_at": None,
    "recommended_disposition": None, "actual_disposition": None, "difference_reason": None,
}  # fmt: skip


async def rows(site: Site) -> list[dict[str, Any]]:
    response = await site.client.get("/api/v1/board")
    assert response.status == 200
    found: list[dict[str, Any]] = (await response.json())["scene"]["rows"]
    return found


async def looks(site: Site, session_id: str) -> int:
    """How often a look at the live table is on record for this session."""
    async with site.services.db.read() as conn:
        found = await conn.execute(
            select(schema.audit.c.no).where(
                schema.audit.c.action == "board.read", schema.audit.c.object_id == session_id
            )
        )
        return len(found.all())


async def test_the_table_says_who_waits_since_when_and_where_and_nothing_clinical(
    site: Site,
) -> None:
    row = await site.session(**WAITING, place_county="Hand", place_state="SD")
    site.clock[0] = NOW + 75
    await site.sign_in(demo.LENA)
    (one,) = await rows(site)
    assert one == {
        "id": row.id, "code": "482 913", "unit": "Unit 12", "agency": demo.AGENCY,
        "county": "Hand", "state": "waiting", "step": None, "clinician": None, "again": False,
        "pressed": "2027-01-15T08:00:00Z", "clock": "02:00:00", "seconds": 75.0,
    }  # fmt: skip
    shown = html.unescape(await (await site.client.get("/manager")).text())
    assert f'data-scene="{row.id}" data-state="waiting"' in shown
    assert '<span class="badge badge--wait" data-cell="state">Waiting</span>' in shown
    assert "1:15" in shown


async def test_each_session_is_on_record_once_for_each_sign_in_that_saw_it(site: Site) -> None:
    row = await site.session(**WAITING)
    await site.sign_in(demo.LENA)
    for _ in range(3):
        await rows(site)
    assert await looks(site, row.id) == 1
    await site.sign_in(demo.LENA)
    await rows(site)
    assert await looks(site, row.id) == 2


async def test_another_program_and_clinicians_see_nobody(site: Site) -> None:
    await site.session(**WAITING)
    away = {**AWAY, "tablet_id": "tab_away", "officer_id": None}
    other = await site.session(**{**WAITING, **away})
    await site.sign_in(AWAY_MANAGER)
    (one,) = await rows(site)
    assert one["id"] == other.id
    page = await (await site.client.get("/manager")).text()
    assert XSS not in page
    assert XSS in html.unescape(page)
    await site.sign_in(demo.DANA)
    assert (await site.client.get("/api/v1/board")).status == 403


async def test_an_officer_who_called_for_themselves_is_not_on_the_programs_table(
    site: Site,
) -> None:
    row = await site.session(**WAITING, wellness=True)
    await site.sign_in(demo.LENA)
    assert await rows(site) == []
    assert row.id not in await (await site.client.get("/manager")).text()
    await site.sign_in(demo.ADA)
    assert [one["id"] for one in await rows(site)] == [row.id]


def test_glances_are_forgotten_when_there_are_too_many() -> None:
    who = Actor("person", "per_1", "A", "A", frozenset({"manager"}), login_id="lgn_1")
    glances = Glances(2)
    glances.remember(who, ["a", "b", "c"])
    assert glances.new(who, ["a", "b", "c"]) == ["a"]
