"""My sign-in, the step after the password, and the proof before a page is uncovered."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from auth import logins, totp
from records import schema
from records.engine import Database
from tests.auth.authenticator import Authenticator
from tests.web.cast import NOW, ORIGIN, PASSWORD, Site, open_site
from web.dev import cast as demo

EVERYBODY = frozenset({"clinician", "supervisor", "manager", "admin"})


@pytest.fixture
async def strict(db: Database, tmp_path: Path) -> AsyncIterator[Site]:
    opened = await open_site(tmp_path, db, second_factor=EVERYBODY, idle_minutes=15.0)
    yield opened
    await opened.client.close()


async def enter(site: Site, member: demo.Member, back: str = "") -> str:
    """Where the password leads."""
    form = {"email": member.email, "password": PASSWORD, "next": back}
    response = await site.post("/sign-in", form)
    assert response.status == 303
    return response.headers["Location"]


async def set_up_app(site: Site) -> bytes:
    shown = await (await site.post("/account/app", {}, page="/account")).text()
    found = re.search(r'id="app-secret">([A-Z2-7 ]+)<', shown)
    assert found is not None
    secret = base64.b32decode(found[1].replace(" ", ""))
    form = {"code": code(secret, site.clock[0])}
    response = await site.post("/account/app/confirm", form, page="/account")
    assert (response.status, response.headers["Location"]) == (303, "/account?done=app")
    return secret


def code(secret: bytes, now: float) -> str:
    return totp.code_at(secret, int(now // 30))


async def asked(site: Site, path: str, page: str) -> dict[str, Any]:
    answer = await (await site.json(path, {}, page=page)).json()
    options: dict[str, Any] = answer["options"]
    return options


async def test_a_password_alone_leads_to_the_set_up_and_nowhere_else(strict: Site) -> None:
    assert await enter(strict, demo.LENA, "/manager/tablets") == "/account?next=/manager/tablets"
    page = await (await strict.client.get("/account")).text()
    assert "/manager/reports" not in page  # no way that does not open yet
    for path in ("/manager", "/manager/tablets", "/console"):
        response = await strict.client.get(path, allow_redirects=False)
        assert response.status == 303
        assert response.headers["Location"].startswith("/account")
    refused = await (await strict.client.get("/api/v1/board")).json()
    assert refused["code"] == "factor-missing"


async def test_after_the_set_up_everything_opens_by_a_fresh_sign_in(strict: Site) -> None:
    await enter(strict, demo.LENA)
    before = {one.key: one.value for one in strict.client.session.cookie_jar}["cb_login"]
    await set_up_app(strict)
    after = {one.key: one.value for one in strict.client.session.cookie_jar}["cb_login"]
    assert after != before
    assert (await strict.client.get("/manager")).status == 200
    strict.client.session.cookie_jar.clear()
    old = {"Cookie": f"cb_login={before}"}
    response = await strict.client.get("/account", headers=old, allow_redirects=False)
    assert response.headers["Location"].startswith("/sign-in")


async def test_the_step_after_the_password_leads_on_to_where_one_wanted(strict: Site) -> None:
    await enter(strict, demo.LENA)
    secret = await set_up_app(strict)
    strict.client.session.cookie_jar.clear()
    strict.clock[0] += 60
    assert await enter(strict, demo.LENA, "/manager/tablets") == (
        "/sign-in/second?next=/manager/tablets"
    )
    assert (await strict.client.get("/manager", allow_redirects=False)).status == 303
    wrong = await strict.post(
        "/sign-in/second", {"code": "000000", "next": ""}, page="/sign-in/second"
    )
    assert wrong.status == 401
    form = {"code": code(secret, strict.clock[0]), "next": "/manager/tablets"}
    response = await strict.post("/sign-in/second", form, page="/sign-in/second")
    assert response.headers["Location"] == "/manager/tablets"
    assert (await strict.client.get("/manager/tablets")).status == 200
    kept = {one.key: one.value for one in strict.client.session.cookie_jar}
    assert not kept.get("cb_step")


async def test_without_the_step_before_it_the_second_leads_back_to_the_first(
    strict: Site,
) -> None:
    response = await strict.client.get("/sign-in/second?next=/manager", allow_redirects=False)
    assert (response.status, response.headers["Location"]) == (303, "/sign-in?next=/manager")
    response = await strict.post("/sign-in/second", {"code": "000000", "next": ""})
    assert response.headers["Location"] == "/sign-in"


async def test_a_passkey_is_added_signs_in_and_proves(strict: Site) -> None:
    await enter(strict, demo.LENA)
    device = Authenticator()
    made = device.make(await asked(strict, "/api/v1/passkeys/add/ask", "/account"))
    body = {"credential": made, "name": "Laptop"}
    added = await strict.json("/api/v1/passkeys/add", body, page="/account")
    assert (added.status, (await added.json())["next"]) == (200, "/account?done=added")
    assert "Laptop" in await (await strict.client.get("/account")).text()

    strict.client.session.cookie_jar.clear()
    answer = device.answer(await asked(strict, "/api/v1/passkeys/sign-in/ask", "/sign-in"))
    entry = {"credential": answer, "next": "/manager/tablets"}
    response = await strict.json("/api/v1/passkeys/sign-in", entry, page="/sign-in")
    assert (await response.json())["next"] == "/manager/tablets"
    again = await strict.json("/api/v1/passkeys/sign-in", entry, page="/sign-in")
    assert (again.status, (await again.json())["code"]) == (401, "bad-passkey")

    strict.clock[0] += 15 * 60
    covered = await strict.client.get("/manager", allow_redirects=False)
    assert covered.headers["Location"] == "/prove?next=/manager"
    proof = device.answer(await asked(strict, "/api/v1/passkeys/prove/ask", "/prove"))
    proven = await strict.json("/api/v1/passkeys/prove", {"credential": proof}, page="/prove")
    assert proven.status == 200, await proven.text()
    assert (await strict.client.get("/manager")).status == 200


@pytest.mark.parametrize(
    "body",
    [{}, {"credential": 1}, {"credential": {}}, {"credential": {"response": {}}}, [], "x"],
)
async def test_what_is_no_passkey_is_refused_in_words(strict: Site, body: object) -> None:
    response = await strict.json("/api/v1/passkeys/sign-in", body, page="/sign-in")
    assert response.status in {400, 401}
    assert (await response.json())["message"]


async def test_recovery_codes_are_shown_once(strict: Site) -> None:
    await enter(strict, demo.LENA)
    await set_up_app(strict)
    page = await (await strict.post("/account/recovery", {}, page="/account")).text()
    codes = re.findall(r"<li>([0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4})</li>", page)
    assert len(codes) == 10
    assert codes[0] not in await (await strict.client.get("/account")).text()
    strict.client.session.cookie_jar.clear()
    await enter(strict, demo.LENA)
    form = {"code": codes[0], "next": ""}
    response = await strict.post("/sign-in/second", form, page="/sign-in/second")
    assert response.headers["Location"] == "/manager"


async def test_a_change_after_a_while_asks_for_a_whole_proof_first(strict: Site) -> None:
    await enter(strict, demo.LENA)
    secret = await set_up_app(strict)
    for _ in range(3):  # somebody is there all the time
        strict.clock[0] += logins.FRESH_SECONDS / 2
        assert (await strict.client.get("/manager")).status == 200
    response = await strict.post("/account/recovery", {}, page="/account")
    assert (response.status, response.headers["Location"]) == (
        303,
        "/prove?why=change&next=/account",
    )
    form = {"password": PASSWORD, "code": "", "next": "/account", "why": "change"}
    assert (await strict.post("/prove", form, page="/prove?why=change")).status == 401
    form["code"] = code(secret, strict.clock[0])
    proven = await strict.post("/prove", form, page="/prove?why=change")
    assert (proven.status, proven.headers["Location"]) == (303, "/account")
    assert (await strict.post("/account/recovery", {}, page="/account")).status == 200


async def test_the_last_factor_cannot_be_removed(strict: Site) -> None:
    await enter(strict, demo.LENA)
    await set_up_app(strict)
    refused = await strict.post("/account/app/remove", {}, page="/account")
    assert refused.status == 409
    page = await refused.text()
    assert "your last way to prove who you are" in page
    assert 'id="passkey-add"' in page  # another one is added there, which is what it says
    assert (await strict.client.get("/manager")).status == 200


async def test_a_page_that_covers_itself_covers_them_all_and_a_password_uncovers_them(
    strict: Site,
) -> None:
    await enter(strict, demo.LENA)
    await set_up_app(strict)
    said = await strict.json("/api/v1/cover", {}, page="/manager")
    assert (await said.json())["covered"] is True
    token = await strict.csrf("/prove")
    headers = {"Origin": ORIGIN, "X-CSRF-Token": token}
    for body, status in (({"password": "wrong"}, 401), ({"password": PASSWORD}, 200)):
        assert (await strict.client.get("/manager", allow_redirects=False)).status == 303
        response = await strict.client.post("/api/v1/prove", json=body, headers=headers)
        assert response.status == status
    assert (await strict.client.get("/manager")).status == 200


async def test_what_a_page_asks_by_itself_counts_for_nobody_and_a_beat_of_its_owner_does(
    strict: Site,
) -> None:
    await enter(strict, demo.LENA)
    await set_up_app(strict)
    token = await strict.csrf("/manager")
    for _ in range(3):
        strict.clock[0] += 14 * 60
        headers = {"Origin": ORIGIN, "X-CSRF-Token": token}
        response = await strict.client.post("/api/v1/here", json={}, headers=headers)
        assert response.status == 200
    for _ in range(14):
        strict.clock[0] += 60
        assert (await strict.client.get("/api/v1/board")).status == 200
    strict.clock[0] += 60
    assert (await strict.client.get("/api/v1/board")).status == 423


async def test_signing_out_works_from_a_covered_page(strict: Site) -> None:
    await enter(strict, demo.LENA)
    strict.clock[0] += 3600
    response = await strict.post("/sign-out", {}, page="/prove")
    assert response.headers["Location"] == "/sign-in"
    async with strict.services.db.read() as conn:
        ended = await conn.execute(select(schema.login.c.revoked_at))
        assert ended.scalar_one() == NOW + 3600


async def test_the_demo_says_that_the_password_is_enough_and_a_server_does_not(
    site: Site, strict: Site
) -> None:
    note = '<p class="banner__text">This is the demo'
    assert note in await (await site.client.get("/sign-in")).text()
    assert note not in await (await strict.client.get("/sign-in")).text()
