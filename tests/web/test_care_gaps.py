"""The board shows sessions that nobody follows up; planning a follow-up, or saying why none."""

from __future__ import annotations

import html
from typing import Any

from sqlalchemy import update

from records import care_gaps, followups, schema
from records.care_gaps import NewGap
from records.followups import NewFollowup
from records.sessions import SessionRow
from tests.web.cast import AWAY_SUPERVISOR, NOW, XSS, Site
from web.dev import cast as demo

SOON = "2027-01-17T09:00"


async def gap(site: Site, kind: str = "no_followup", **more: Any) -> SessionRow:
    row = await site.session(**more)
    await site.services.db.write(lambda conn: care_gaps.open_all(conn, [NewGap(row.id, kind)], NOW))
    return row


async def text(site: Site, path: str) -> str:
    response = await site.client.get(path)
    assert response.status == 200, (path, response.status)
    return html.unescape(await response.text())


async def press(site: Site, row: SessionRow, what: str, **form: str) -> tuple[int, str]:
    path = f"/followups/without/{row.id}/{what}"
    response = await site.post(path, form, page="/followups")
    return response.status, html.unescape(await response.text())


async def planned(site: Site, row: SessionRow) -> list[tuple[str, str]]:
    async with site.services.db.read() as conn:
        found = await followups.of_session(conn, site.services.vault, row.id)
    return [(one.kind, one.owner_id) for one in found]


async def test_the_board_shows_what_nobody_follows_up_and_a_plan_fills_it(site: Site) -> None:
    row = await gap(site)
    await site.sign_in(demo.DANA)
    assert f'data-gap="{row.id}"' in await text(site, "/followups")
    page = await text(site, f"/followups/without/{row.id}")
    assert "No follow-up" in page
    status, _ = await press(site, row, "plan", kind="warm_handoff", owner=demo.MIGUEL.id, due=SOON)
    assert status == 303
    assert await planned(site, row) == [("warm_handoff", demo.MIGUEL.id)]
    assert "data-gap" not in await text(site, "/followups?whose=all")
    assert (await site.client.get(f"/followups/without/{row.id}")).status == 404
    assert "Follow-up added" in await text(site, f"/manager/sessions/{row.id}")


async def test_a_reason_why_none_is_needed_closes_it_and_stands_on_the_timeline(
    site: Site,
) -> None:
    row = await gap(site)
    await site.sign_in(demo.DANA)
    assert (await press(site, row, "none", reason="forgotten"))[0] == 422
    assert (await press(site, row, "none", reason="elsewhere"))[0] == 303
    assert "data-gap" not in await text(site, "/followups")
    session = await text(site, f"/manager/sessions/{row.id}")
    assert "No follow-up needed: Another service follows up" in session
    assert (await press(site, row, "none", reason="elsewhere"))[0] == 404


async def test_an_arrival_stays_missing_until_somebody_is_to_confirm_it(site: Site) -> None:
    row = await gap(site, "no_arrival", actual_disposition="medical_ed")
    await site.sign_in(demo.ADA)
    page = await text(site, f"/followups/without/{row.id}")
    assert '<option value="confirm_arrival" selected>' in page
    await press(site, row, "plan", kind="contact_24h", owner=demo.DANA.id, due=SOON)
    assert "Nobody confirms the arrival" in await text(site, "/followups?whose=all")
    await press(site, row, "plan", kind="confirm_arrival", owner=demo.DANA.id, due=SOON)
    assert "Nobody confirms" not in await text(site, "/followups?whose=all")


async def test_what_cannot_be_planned_is_refused_with_what_was_typed(site: Site) -> None:
    row = await gap(site)
    await site.sign_in(demo.DANA)
    good = {"kind": "contact_24h", "owner": demo.DANA.id, "due": SOON}
    for wrong in (
        {"kind": f"x{XSS}"}, {"owner": demo.SAM.id}, {"owner": ""}, {"due": "2020-01-01T00:00"},
        {"due": "tomorrow"},
    ):  # fmt: skip
        status, page = await press(site, row, "plan", **{**good, **wrong})
        assert status == 422, wrong
        assert 'role="alert"' in page
    assert await planned(site, row) == []


async def test_who_may_not_treat_says_no_reason_and_a_manager_may_give_it_to_somebody(
    site: Site,
) -> None:
    row = await gap(site)
    await site.sign_in(demo.MIGUEL)  # another clinician of the provider: sees it, and no more
    page = await text(site, f"/followups/without/{row.id}")
    assert 'id="plan"' not in page
    assert 'id="none"' not in page
    assert (await press(site, row, "none", reason="declined"))[0] == 404
    await site.sign_in(demo.LENA)
    page = await text(site, f"/followups/without/{row.id}")
    assert 'id="plan"' in page
    assert 'id="none"' not in page
    assert (await press(site, row, "none", reason="declined"))[0] == 403
    status, _ = await press(site, row, "plan", kind="contact_24h", owner=demo.MIGUEL.id, due=SOON)
    assert status == 303


async def test_another_provider_and_an_employer_see_none_of_it(site: Site) -> None:
    row = await gap(site, wellness=True)
    await site.sign_in(demo.LENA)
    assert row.id not in await text(site, "/followups")
    assert (await site.client.get(f"/followups/without/{row.id}")).status == 404
    await site.sign_in(AWAY_SUPERVISOR)
    assert (await site.client.get(f"/followups/without/{row.id}")).status == 404
    await site.sign_in(demo.ADA)
    assert row.id in await text(site, "/followups?whose=all")


async def test_an_owner_who_works_for_another_provider_now_is_an_owner_who_has_left(
    site: Site,
) -> None:
    row = await site.session()
    task = NewFollowup("contact_24h", demo.DANA.id, NOW + 90_000)
    vault = site.services.vault
    await site.services.db.write(lambda conn: followups.add_many(conn, vault, row.id, [task], NOW))
    await site.sign_in(demo.ADA)
    assert "has left" not in await text(site, "/followups?whose=all")
    moved = (
        update(schema.person)
        .where(schema.person.c.id == demo.DANA.id)
        .values(provider_id="prv_away")
    )
    await site.services.db.write(lambda conn: conn.execute(moved))
    shown = await text(site, "/followups?whose=all")
    assert "has left" in shown
    assert "1 without an owner" in shown
