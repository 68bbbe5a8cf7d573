"""Signing in and out, setting a tablet up, and shifts, as a browser would do them."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from auth.tablets import make_enrolment
from records import schema
from tests.devices import Device
from tests.web.cast import NOW, ORIGIN, PASSWORD, Site
from web.answers import is_local
from web.dev import cast as demo

HOMES = [
    (demo.DANA, "/console"),
    (demo.ADA, "/manager"),
    (demo.LENA, "/manager"),
    (demo.TOM, "/manager/tablets"),
]


@pytest.mark.parametrize(("member", "home"), HOMES, ids=lambda one: getattr(one, "role", one))
async def test_signing_in_leads_to_the_roles_own_page(
    site: Site, member: demo.Member, home: str
) -> None:
    form = {"email": f" {member.email.upper()} ", "password": PASSWORD, "next": ""}
    response = await site.post("/sign-in", form)
    assert (response.status, response.headers["Location"]) == (303, home)
    cookie = next(one for one in response.headers.getall("Set-Cookie") if "cb_login" in one)
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


async def test_signing_in_leads_back_to_the_page_that_was_asked_for(site: Site) -> None:
    asked = await site.client.get("/manager/tablets", allow_redirects=False)
    assert asked.headers["Location"] == "/sign-in?next=/manager/tablets"
    page = await (await site.client.get(asked.headers["Location"])).text()
    assert 'name="next" value="/manager/tablets"' in page
    form = {"email": demo.LENA.email, "password": PASSWORD, "next": "/manager/tablets"}
    assert (await site.post("/sign-in", form)).headers["Location"] == "/manager/tablets"


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/a?b=//c",
        "/a\r\nX: y",
        "x",
        "",
    ],
)
async def test_no_address_of_another_site_is_followed(site: Site, address: str) -> None:
    assert not is_local(address)
    form = {"email": demo.LENA.email, "password": PASSWORD, "next": address}
    assert (await site.post("/sign-in", form)).headers["Location"] == "/manager"


async def test_a_wrong_password_and_an_unknown_name_read_the_same(site: Site) -> None:
    texts = []
    for email in (demo.LENA.email, "nobody@demo.invalid"):
        response = await site.post(
            "/sign-in", {"email": email, "password": "wrong", "next": "/manager"}
        )
        assert response.status == 401
        text = await response.text()
        assert email not in text
        texts.append(text.split('id="sign-in-error"')[1][:120])
    assert texts[0] == texts[1]


async def test_five_wrong_passwords_lock_the_sign_in(site: Site) -> None:
    for _ in range(5):
        form = {"email": demo.LENA.email, "password": "wrong", "next": ""}
        response = await site.post("/sign-in", form)
    assert response.status == 423
    form = {"email": demo.LENA.email, "password": PASSWORD, "next": ""}
    assert (await site.post("/sign-in", form)).status == 423


async def test_signing_out_ends_the_sign_in_and_its_open_pages(site: Site) -> None:
    await site.sign_in(demo.LENA)
    cookies = {one.key: one.value for one in site.client.session.cookie_jar}
    response = await site.post("/sign-out", {}, page="/manager")
    assert (response.status, response.headers["Location"]) == (303, "/sign-in")
    assert site.desk.dismissed == [(demo.LENA.id, "signed_out")]
    site.client.session.cookie_jar.clear()
    kept = {"Cookie": f"cb_login={cookies['cb_login']}"}  # a copy of the cookie is worth nothing
    again = await site.client.get("/manager", headers=kept, allow_redirects=False)
    assert again.status == 303


async def test_a_second_sign_in_ends_the_one_before(site: Site) -> None:
    await site.sign_in(demo.LENA)
    await site.sign_in(demo.ADA)
    login = schema.login
    async with site.services.db.read() as conn:
        rows = (await conn.execute(select(login.c.person_id, login.c.revoked_at))).all()
    assert {(row.person_id, row.revoked_at) for row in rows} == {
        (demo.LENA.id, NOW),
        (demo.ADA.id, None),
    }


async def test_a_forged_or_foreign_cookie_is_no_sign_in(site: Site) -> None:
    await site.enrol()
    cookies = {one.key: one.value for one in site.client.session.cookie_jar}
    site.client.session.cookie_jar.clear()
    for value in ("", "x", "a.b.c", cookies["cb_tablet"]):
        headers = {"Cookie": f"cb_login={value}"}
        response = await site.client.get("/manager", headers=headers, allow_redirects=False)
        assert response.status == 303


# --- tablets --------------------------------------------------------------------------------------


async def code_for(site: Site, unit: demo.Unit) -> str:
    return await site.services.db.write(lambda conn: make_enrolment(conn, unit.id, NOW))


async def test_a_code_makes_this_device_the_tablet_once(site: Site) -> None:
    code = await code_for(site, demo.UNIT_12)
    response = await site.json("/api/v1/enrol", {"code": code.lower()}, page="/enrol")
    assert (response.status, (await response.json())["next"]) == (200, "/tablet")
    cookie = next(one for one in response.headers.getall("Set-Cookie") if "cb_tablet" in one)
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    page = await site.client.get("/tablet")
    assert page.status == 200
    assert site.desk.dismissed == [(demo.UNIT_12.id, "replaced")]
    site.client.session.cookie_jar.clear()
    again = await site.json("/api/v1/enrol", {"code": code}, page="/enrol")
    assert (again.status, (await again.json())["code"]) == (401, "bad-code")


async def test_the_typed_form_works_without_a_script(site: Site) -> None:
    wrong = await site.post("/enrol", {"code": "AAAA-AAAA"}, page="/enrol")
    assert wrong.status == 401
    assert "Ask for a new one" in await wrong.text()
    code = await code_for(site, demo.UNIT_12)
    response = await site.post("/enrol", {"code": code}, page="/enrol")
    assert (response.status, response.headers["Location"]) == (303, "/tablet")
    assert (await site.client.get("/tablet")).status == 200


async def test_an_expired_code_is_refused(site: Site) -> None:
    code = await code_for(site, demo.UNIT_12)
    site.clock[0] += 3601
    response = await site.json("/api/v1/enrol", {"code": code}, page="/enrol")
    assert response.status == 401


async def test_the_device_before_is_sent_to_set_up_again(site: Site) -> None:
    await site.enrol()
    old = next(one for one in site.client.session.cookie_jar if one.key == "cb_tablet").value
    site.client.session.cookie_jar.clear()
    await site.enrol()
    site.client.session.cookie_jar.clear()
    headers = {"Cookie": f"cb_tablet={old}"}
    response = await site.client.get("/tablet", headers=headers, allow_redirects=False)
    assert (response.status, response.headers["Location"]) == (303, "/enrol?why=ended")


async def test_an_officer_checks_the_tablet_out_and_in(site: Site) -> None:
    await site.enrol(demo.UNIT_21)
    body = {"officer": demo.JO.id, "pin": demo.JO.pin}
    response = await site.json("/api/v1/shift", body, page="/tablet")
    assert (response.status, (await response.json())["officer"]) == (200, demo.JO.id)
    assert [one.officer_id for one in site.desk.changed] == [demo.JO.id]
    response = await site.json("/api/v1/shift/end", {}, page="/tablet")
    assert (response.status, (await response.json())["officer"]) == (200, None)
    assert [one.officer_id for one in site.desk.changed] == [demo.JO.id, None]


async def test_a_wrong_pin_checks_nobody_out_and_locks_in_the_end(site: Site) -> None:
    await site.enrol(demo.UNIT_21)
    token = await site.csrf("/tablet")
    headers = {"Origin": ORIGIN, "X-CSRF-Token": token}
    codes = []
    for _ in range(5):
        response = await site.client.post(
            "/api/v1/shift", json={"officer": demo.JO.id, "pin": "0000"}, headers=headers
        )
        codes.append((await response.json())["code"])
    assert codes == ["bad-pin"] * 4 + ["pin-locked"]
    assert site.desk.changed == []


async def test_a_tablet_on_which_many_pins_were_wrong_waits_and_another_need_not(
    site: Site,
) -> None:
    """Whoever found it could try a few PINs of each officer, and lock all of them out."""

    async def tried(officer: str, pin: str | None) -> str:
        response = await site.client.post(
            "/api/v1/shift",
            json={"officer": officer, "pin": pin},
            headers={"Origin": ORIGIN, "X-CSRF-Token": token},
        )
        return str((await response.json()).get("code", "in"))

    await site.enrol(demo.UNIT_21)
    token = await site.csrf("/tablet")
    assert [await tried(demo.JO.id, demo.JO.pin) for _ in range(15)] == ["in"] * 15
    wrong = [await tried(f"per_{number}", "0000") for number in range(13)]
    assert wrong == ["bad-pin"] * 12 + ["too-often"]
    assert await tried(demo.JO.id, demo.JO.pin) == "too-often"
    site.clock[0] += 301
    assert await tried(demo.JO.id, demo.JO.pin) == "in"
    assert [await tried("per_13", "0000") for _ in range(2)] == ["bad-pin", "too-often"]
    site.clock[0] += 301
    copied = {"officer": "Nobody", "pin": "0000", "key": Device().key}
    for _ in range(14):  # a copy of the cookie has tries of its own
        await site.json("/api/v1/tablet/key", copied, page="/tablet")
    assert await tried(demo.JO.id, demo.JO.pin) == "in"
    await site.enrol(demo.UNIT_12)
    token = await site.csrf("/tablet")
    assert await tried(demo.SAM.id, demo.SAM.pin) == "in"


async def test_a_tablet_in_a_call_is_not_checked_in(site: Site) -> None:
    await site.enrol()
    await site.session(
        state="waiting", close_reason=None, lead_id=None, ended_at=None, closed_at=None
    )
    response = await site.json("/api/v1/shift/end", {}, page="/tablet")
    assert (response.status, (await response.json())["code"]) == (409, "shift-in-use")
    assert site.desk.changed == []
