"""The pages of help near by: kept by the manager, read by the session's clinician, on the card."""

from __future__ import annotations

import html
from typing import Any

import pytest
from aiohttp import FormData
from sqlalchemy import select

from records import recommendations
from records.resource_entries import COLUMNS
from records.schema_resources import resource
from tests.web.cast import AWAY, AWAY_MANAGER, NOW, ORIGIN, XSS, Site
from tests.web.test_takeaway import made, opened, planned
from web.dev import cast as demo

PAGE = "/manager/resources"
TYPED = dict.fromkeys(COLUMNS, "") | {
    "name": "Harbor House", "kind": "shelter", "places": "Prairie SD", "phone": "605-555-0100",
    "hours": "every night", "hours_es": "cada noche",
}  # fmt: skip


async def add(site: Site, **typed: str) -> int:
    """What the manager types."""
    response = await site.post(f"{PAGE}/new", {**TYPED, **typed, "rev": "0"}, page=PAGE)
    return response.status


async def text(site: Site, path: str = PAGE) -> str:
    response = await site.client.get(path)
    assert response.status == 200, (path, response.status)
    return html.unescape(await response.text())


async def near(site: Site, session: str) -> list[dict[str, Any]]:
    response = await site.client.get(f"/api/v1/sessions/{session}/resources")
    assert response.status == 200
    found: list[dict[str, Any]] = (await response.json())["resources"]
    return found


async def upload(site: Site, body: str | bytes) -> tuple[int, str]:
    form = FormData({"csrf": await site.csrf(PAGE)})
    raw = body if isinstance(body, bytes) else body.encode()
    form.add_field("file", raw, filename="x.csv", content_type="text/csv")
    response = await site.client.post(f"{PAGE}/import", data=form, headers={"Origin": ORIGIN})
    return response.status, html.unescape(await response.text())


async def test_the_manager_keeps_an_entry_and_the_clinician_of_a_session_there_reads_it(
    site: Site,
) -> None:
    row = await site.session()
    await site.sign_in(demo.LENA)
    assert await add(site) == 303
    assert await add(site, name="Far away", places="Hughes SD") == 303
    assert await add(site, name="Detox", kind="detox", places="* SD") == 303
    shown = await text(site)
    assert "Harbor House" in shown
    assert "Harbor House" not in await text(site, f"{PAGE}?county=Hughes")
    await site.sign_in(demo.DANA)
    found = await near(site, row.id)
    assert [(one["name"], one["protected"]) for one in found] == [
        ("Detox", True),
        ("Harbor House", False),
    ]


async def test_what_cannot_be_kept_is_named_at_its_field_and_stays_typed(site: Site) -> None:
    await site.sign_in(demo.LENA)
    response = await site.post(
        f"{PAGE}/new", {**TYPED, "places": f"nowhere {XSS}", "rev": "0"}, page=PAGE
    )
    shown = await response.text()
    assert response.status == 422
    assert 'id="r-places-error"' in shown
    assert XSS not in shown
    assert XSS in html.unescape(shown)
    assert "The directory is empty" in await text(site)


async def test_a_change_of_what_somebody_else_has_changed_is_refused(site: Site) -> None:
    await site.sign_in(demo.LENA)
    await add(site)
    async with site.services.db.read() as conn:
        (entry,) = (await conn.execute(select(resource.c.id))).scalars()
    for status in (303, 409):
        form = {**TYPED, "name": "Another name", "rev": "1"}
        response = await site.post(f"{PAGE}/{entry}", form, page=PAGE)
        assert response.status == status
    assert (await site.client.get(f"{PAGE}/res_nobody")).status == 404
    response = await site.post(f"{PAGE}/{entry}/remove", {"rev": "2"}, page=PAGE)
    assert response.status == 303
    assert "Another name" not in await text(site)


async def test_a_file_is_shown_before_it_is_kept_and_comes_back_as_it_was(site: Site) -> None:
    await site.sign_in(demo.LENA)
    await add(site, name="Old")
    body = f"name,kind,places,phone,accepts\n{XSS},shelter,Prairie SD,605-555-0100,=1+1\n"
    status, shown = await upload(site, body)
    assert (status, "1 new" in shown, "One entry goes out" in shown) == (200, True, True)
    assert "Old" in await text(site), "nothing is kept yet"
    response = await site.post(f"{PAGE}/import/apply", {"text": body}, page=PAGE)
    assert response.status == 303
    listed = await (await site.client.get(PAGE)).text()
    assert "Old" not in listed
    assert XSS not in listed
    answer = await site.client.get(f"{PAGE}.csv")
    table = (await answer.read()).decode()
    assert table.startswith("\ufeff")
    assert "'=1+1" in table
    status, shown = await upload(site, table)
    assert (status, "1 as before" in shown) == (200, True)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"\xff\xfe\x00n", "UTF-8"),
        ("", "no entries"),
        ("a,b\n1,2\n", "columns as in the heading"),
        ("name,kind,places\n", "no entries"),
        ("name,kind,places,phone\nA,castle,Prairie SD,605-555-0100\n", "Line 2"),
        ("name,kind,places\n" + "x" * 1_000_001, "1 MB"),
    ],
)
async def test_a_file_that_cannot_be_read_changes_nothing_and_says_why(
    site: Site, body: str | bytes, says: str
) -> None:
    await site.sign_in(demo.LENA)
    await add(site)
    status, shown = await upload(site, body)
    assert status == 422
    assert says in shown
    assert "Harbor House" in await text(site)


async def test_another_program_neither_sees_nor_changes_the_directory(site: Site) -> None:
    row = await site.session()
    away = {**AWAY, "tablet_id": "tab_away", "officer_id": None, "lead_id": None}
    other = await site.session(**away)
    await site.sign_in(demo.LENA)
    await add(site)
    async with site.services.db.read() as conn:
        (entry,) = (await conn.execute(select(resource.c.id))).scalars()
    await site.sign_in(AWAY_MANAGER)
    assert "Harbor House" not in await text(site)
    assert (await site.client.get(f"{PAGE}/{entry}")).status == 404
    response = await site.post(f"{PAGE}/{entry}/remove", {"rev": "1"}, page=PAGE)
    assert response.status == 404
    for member, session in ((demo.DANA, other.id), (demo.MIGUEL, row.id), (demo.DANA, "ses_no")):
        await site.sign_in(member)
        response = await site.client.get(f"/api/v1/sessions/{session}/resources")
        assert response.status == 404, (member.id, session)
    response = await site.client.get(PAGE)
    assert response.status == 403


async def test_the_person_reads_the_help_of_the_card_and_a_manager_not_what_tells_of_substances(
    site: Site,
) -> None:
    row = await planned(site)
    facts = dict.fromkeys(("text_line", "address", "website", "hours", "accepts", "accepts_es"), "")
    card = {
        "level": "soon", "disposition": "remain_in_place", "actions": [], "words": "",
        "resources": [
            {"id": "res_1", "kind": "shelter", "name": f"House {XSS}", "phone": "605-555-0100",
             **facts, "hours": "nights", "hours_es": "noches"},
            {"id": "res_2", "kind": "detox", "name": "Quiet Rooms", "phone": "605-555-0101",
             **facts, "hours_es": ""},
        ],
    }  # fmt: skip
    await site.services.db.write(
        lambda conn: recommendations.save(
            conn, site.services.vault, row.id, 0, card, demo.DANA.id, NOW, send=True
        )
    )
    await site.sign_in(demo.DANA)
    secret = await made(site, row)
    own = await text(site, f"/manager/sessions/{row.id}")
    assert "Quiet Rooms" in own
    assert XSS not in await (await site.client.get(f"/manager/sessions/{row.id}")).text()
    status, body = await opened(site, secret)
    assert status == 200
    assert [one["name"] for one in body["plan"]["resources"]] == [f"House {XSS}", "Quiet Rooms"]
    assert body["plan"]["resources"][0]["hours"] == "nights"
    await site.sign_in(demo.LENA)
    managers = await text(site, f"/manager/sessions/{row.id}")
    assert "House" in managers
    assert "Quiet Rooms" not in managers
