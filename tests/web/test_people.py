"""The administrator's pages of people, and the door that an invitation opens."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from records import schema
from records.schema_parties import participant
from tests.web.cast import PASSWORD, XSS, Site
from web.dev import cast as demo

NOOR = {"name": f"Noor {XSS}", "short_name": "Noor", "email": "Noor@demo.invalid"}


async def invited(site: Site, role: str = "clinician") -> str:
    """Tom adds Noor; the secret of her invitation."""
    await site.sign_in(demo.TOM)
    form = {**NOOR, "role": role}
    response = await site.post("/manager/people", form, page="/manager/people")
    text = await response.text()
    assert response.status == 200, text
    assert XSS not in text
    found = re.search(r">https://bridge\.example\.org/welcome#([\w-]+)<", text)
    assert found is not None
    return found[1]


async def sits_aside(site: Site, person_id: str) -> None:
    """In some call, to take it over."""
    called = {"id": "ses_x", "code": "111111", "press_key": "press", "agency_id": demo.AGENCY_ID,
              "provider_id": demo.PROVIDER_ID, "program_id": demo.PROGRAM_ID, "seq": 1,
              "tablet_id": demo.UNIT_12.id, "state": "connected", "lead_id": demo.DANA.id,
              "pressed_at": 0.0}  # fmt: skip
    seat = {"id": "par_x", "session_id": "ses_x", "seat": "side1", "role": "receiver",
            "epoch": 1, "person_id": person_id, "joined_at": 0.0}  # fmt: skip

    async def work(conn: AsyncConnection) -> None:
        await conn.execute(insert(schema.session).values(**called))
        await conn.execute(insert(participant).values(**seat))

    await site.services.db.write(work)


async def test_somebody_is_added_by_a_link_that_is_shown_once_and_used_once(site: Site) -> None:
    token = await invited(site)
    listed = await (await site.client.get("/manager/people")).text()
    assert token not in listed
    assert "Invited" in listed
    site.client.session.cookie_jar.clear()
    page = await site.post("/welcome", {"token": token}, page="/welcome")
    text = await page.text()
    assert page.status == 200
    assert 'name="password" type="password"' in text
    weak = {"token": token, "password": "12345678", "pin": ""}
    assert (await site.post("/welcome/choose", weak, page="/welcome")).status == 422
    good = {"token": token, "password": PASSWORD, "pin": ""}
    assert (await site.post("/welcome/choose", good, page="/welcome")).status == 200
    assert (await site.post("/welcome/choose", good, page="/welcome")).status == 410
    assert (await site.post("/welcome", {"token": token}, page="/welcome")).status == 410
    form = {"email": "noor@demo.invalid", "password": PASSWORD, "next": ""}
    assert (await site.post("/sign-in", form)).headers["Location"] == "/console"


async def test_an_officers_invitation_asks_for_a_pin_only(site: Site) -> None:
    token = await invited(site, "officer")
    text = await (await site.post("/welcome", {"token": token}, page="/welcome")).text()
    assert 'name="pin" type="password"' in text
    assert 'name="password" type="password"' not in text
    good = {"token": token, "password": "", "pin": "2749"}
    assert (await site.post("/welcome/choose", good, page="/welcome")).status == 200


async def test_a_bad_form_adds_nobody_and_keeps_what_was_typed(site: Site) -> None:
    await site.sign_in(demo.TOM)
    for change, field in (({"email": "nowhere"}, "E-mail"), ({"role": "king"}, "role")):
        form = {**NOOR, "role": "clinician", **change}
        response = await site.post("/manager/people", form, page="/manager/people")
        assert response.status == 422
        text = await response.text()
        assert field.lower() in text.lower()
        assert 'value="Noor"' in text
    async with site.services.db.read() as conn:
        found = await conn.execute(
            select(schema.person).where(schema.person.c.short_name == "Noor")
        )
        assert found.first() is None


async def test_shutting_out_ends_the_open_pages_and_letting_in_again_works(site: Site) -> None:
    await site.sign_in(demo.TOM)
    page = f"/manager/people/{demo.DANA.id}"
    response = await site.post(f"{page}/close", {}, page=page)
    assert (response.status, response.headers["Location"]) == (303, f"{page}?done=closed")
    assert site.desk.dismissed == [(demo.DANA.id, "revoked")]
    assert "shut out" in (await (await site.client.get("/manager/people")).text())
    assert site.desk.roster_changes == 1, "their shifts are nobody's now"
    response = await site.post(f"{page}/open", {}, page=page)
    assert response.headers["Location"] == f"{page}?done=opened"
    assert site.desk.roster_changes == 2


async def test_a_lock_is_seen_and_released(site: Site) -> None:
    for _ in range(5):
        form = {"email": demo.DANA.email, "password": "wrong", "next": ""}
        await site.post("/sign-in", form)
    await site.sign_in(demo.TOM)
    page = f"/manager/people/{demo.DANA.id}"
    assert "Locked" in await (await site.client.get("/manager/people")).text()
    response = await site.post(f"{page}/release", {}, page=page)
    assert response.headers["Location"] == f"{page}?done=released"
    site.client.session.cookie_jar.clear()
    await site.sign_in(demo.DANA)


async def test_roles_are_saved_and_a_refusal_is_shown_on_the_page(site: Site) -> None:
    await site.sign_in(demo.TOM)
    page = f"/manager/people/{demo.DANA.id}"
    response = await site.post(f"{page}/roles", {"role": "supervisor"}, page=page)
    assert response.headers["Location"] == f"{page}?done=roles"
    response = await site.post(f"{page}/roles", {}, page=page)
    assert response.status == 422
    own = f"/manager/people/{demo.TOM.id}"
    text = await (await site.client.get(own)).text()
    assert f'action="{own}/close"' not in text
    response = await site.post(f"{own}/close", {}, page=own)
    assert response.status == 409
    assert "Another administrator can" in await response.text()


@pytest.mark.parametrize(
    ("left", "dismissed"), [("clinician", False), ("manager", True)], ids=["stays", "is out"]
)
async def test_fewer_roles_end_open_pages_but_not_those_of_a_call_that_may_go_on(
    site: Site, left: str, dismissed: bool
) -> None:
    await site.sign_in(demo.TOM)
    page = f"/manager/people/{demo.ADA.id}"
    roles = {"role": ["clinician", "supervisor", "manager"]}
    assert (await site.post(f"{page}/roles", roles, page=page)).status == 303
    site.desk.dismissed.clear()
    await sits_aside(site, demo.ADA.id)
    assert (await site.post(f"{page}/roles", {"role": left}, page=page)).status == 303
    assert site.desk.dismissed == ([(demo.ADA.id, "revoked")] if dismissed else [])
    assert site.desk.roles_of == ([] if dismissed else [demo.ADA.id])


@pytest.mark.parametrize("what", ["", "/invite", "/roles", "/release", "/reset", "/close", "/open"])
async def test_people_of_another_organisation_look_like_nobody(site: Site, what: str) -> None:
    await site.sign_in(demo.TOM)
    for person in ("per_amanda", "per_nobody"):
        path = f"/manager/people/{person}{what}"
        if what:
            response = await site.post(path, {"role": "officer"}, page="/manager/people")
        else:
            response = await site.client.get(path)
        assert response.status == 404
    assert site.desk.dismissed == []
