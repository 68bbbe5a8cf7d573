"""A clinician's notes: the list, signing, adding; who may do neither."""

from __future__ import annotations

import html

import pytest
from sqlalchemy import select

from records import assessments, notes, schema
from tests.web.cast import AWAY_SUPERVISOR, NOW, XSS, Site
from web.dev import cast as demo


async def text(site: Site, path: str) -> str:
    response = await site.client.get(path)
    assert response.status == 200, path
    return html.unescape(await response.text())


async def test_a_note_waits_is_signed_and_can_be_added_to(site: Site) -> None:
    row = await site.session()
    await site.sign_in(demo.DANA)
    assert row.id in await text(site, "/notes")
    answer = await (await site.client.get("/api/v1/notes/waiting")).json()
    assert (answer["waiting"], answer["late"]) == (1, 0)

    done = await site.post(f"/notes/{row.id}/sign", {}, page="/notes")
    assert (done.status, done.headers["Location"]) == (303, f"/manager/sessions/{row.id}#note")
    shown = await text(site, f"/manager/sessions/{row.id}")
    assert "Signed" in shown
    assert "Dana Whitefeather" in shown
    again = await site.post(f"/notes/{row.id}/sign", {}, page="/notes")
    assert again.status == 409
    assert "This note is signed and closed." in html.unescape(await again.text())

    await site.post(f"/notes/{row.id}/addenda", {"words": XSS}, page="/notes")
    shown = await (await site.client.get(f"/manager/sessions/{row.id}")).text()
    assert XSS not in shown
    assert html.escape(XSS) in shown or "&lt;script&gt;" in shown
    answer = await (await site.client.get("/api/v1/notes/waiting")).json()
    assert answer["waiting"] == 0


async def test_what_was_typed_survives_a_refusal(site: Site) -> None:
    row = await site.session()
    await site.sign_in(demo.DANA)
    early = await site.post(f"/notes/{row.id}/addenda", {"words": "Her sister"}, page="/notes")
    assert early.status == 409
    await site.post(f"/notes/{row.id}/sign", {}, page="/notes")
    long = "Her sister " * 1000
    refused = await site.post(f"/notes/{row.id}/addenda", {"words": long}, page="/notes")
    assert refused.status == 422
    assert long.strip() in await refused.text()


async def test_a_judged_level_without_a_reason_is_not_signed(site: Site) -> None:
    row = await site.session()
    told = {"thoughts": "yes", "judged-level": "high"}
    await site.services.db.write(
        lambda conn: assessments.save(
            conn, site.services.vault, row.id, "field-safety", 0, told, demo.DANA.id, NOW
        )
    )
    await site.sign_in(demo.DANA)
    refused = await site.post(f"/notes/{row.id}/sign", {}, page="/notes")
    assert refused.status == 409
    assert "nothing says why" in await refused.text()
    assert row.id in await text(site, "/notes")


async def test_a_note_without_a_signature_after_a_day_is_said_to_be_late(site: Site) -> None:
    row = await site.session()
    await site.sign_in(demo.DANA)
    assert "Not signed yet" in await text(site, "/notes")
    site.clock[0] = NOW + 1500 + notes.DUE_SECONDS + 1
    await site.sign_in(demo.DANA)
    assert "Not signed after 24 hours" in await text(site, "/notes")
    assert "Not signed after 24 hours" in await text(site, f"/manager/sessions/{row.id}")


@pytest.mark.parametrize(
    ("member", "status"),
    [(demo.MIGUEL, 404), (demo.ADA, 404), (demo.LENA, 403), (AWAY_SUPERVISOR, 404)],
    ids=lambda one: getattr(one, "role", str(one)),
)
async def test_nobody_signs_for_somebody_else(site: Site, member: demo.Member, status: int) -> None:
    row = await site.session()
    await site.sign_in(member)
    page = "/manager" if member.role == "manager" else "/notes"
    refused = await site.post(f"/notes/{row.id}/sign", {}, page=page)
    assert refused.status == status
    async with site.services.db.read() as conn:
        assert (await conn.execute(select(schema.note_signature))).first() is None


async def test_the_supervisor_adds_to_a_note_and_the_manager_reads_no_addendum(site: Site) -> None:
    row = await site.session()
    await site.sign_in(demo.DANA)
    await site.post(f"/notes/{row.id}/sign", {}, page="/notes")
    await site.sign_in(demo.ADA)
    added = await site.post(f"/notes/{row.id}/addenda", {"words": "Reviewed."}, page="/notes")
    assert added.status == 303
    assert "Reviewed." in await text(site, f"/manager/sessions/{row.id}")
    await site.sign_in(demo.LENA)
    shown = await text(site, f"/manager/sessions/{row.id}")
    assert "Reviewed." not in shown
    assert "Addenda are open to the treating provider only." in shown


async def test_a_form_about_substance_use_is_not_shown_to_the_manager_at_all(
    site: Site,
) -> None:
    row = await site.session()
    told = {"cut-off": "men", "often": "4", "many": "4", "six": "4"}
    await site.services.db.write(
        lambda conn: assessments.save(
            conn, site.services.vault, row.id, "audit-c", 0, told, demo.DANA.id, NOW
        )
    )
    await site.sign_in(demo.DANA)
    assert "Positive, 12" in await text(site, f"/manager/sessions/{row.id}")
    await site.sign_in(demo.LENA)
    shown = await text(site, f"/manager/sessions/{row.id}")
    assert "Positive" not in shown
    assert "AUDIT-C" not in shown


async def test_a_form_is_given_in_the_version_that_is_asked_for(site: Site) -> None:
    await site.sign_in(demo.DANA)
    for version, status in (("1.0", 200), ("1.1", 200), ("9.9", 404)):
        answer = await site.client.get(f"/api/v1/forms/field-safety/{version}")
        assert answer.status == status
        if status == 200:
            assert (await answer.json())["form"]["version"] == version
