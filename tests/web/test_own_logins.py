"""My sign-in: another password, where I am signed in, and signing out there."""

from __future__ import annotations

import re

import pytest

from tests.web.cast import PASSWORD, Site
from tests.web.test_account import set_up_app
from tests.web.test_renewals import cookies, status
from web.dev import cast as demo

NEW = "seven quiet herons wading"


async def change(site: Site, old: str, new: str) -> tuple[int, str, str]:
    form = {"old": old, "new": new}
    response = await site.post("/account/password", form, page="/account")
    return response.status, response.headers.get("Location", ""), await response.text()


async def two_browsers(site: Site) -> dict[str, str]:
    """Lena signs in twice; gives the cookies of the first browser."""
    await site.sign_in(demo.LENA)
    first = cookies(site)
    site.client.session.cookie_jar.clear()
    site.clock[0] += 60
    await site.sign_in(demo.LENA)
    return first


async def test_a_new_password_ends_every_other_sign_in_and_works_from_then_on(site: Site) -> None:
    elsewhere = await two_browsers(site)
    assert await status(site, elsewhere) == "ok"
    assert (await change(site, PASSWORD, NEW))[:2] == (303, "/account?done=password")
    assert await status(site, elsewhere) == "login-revoked"
    assert (await site.client.get("/account?done=password")).status == 200
    site.client.session.cookie_jar.clear()
    for password, expected in ((PASSWORD, 401), (NEW, 303)):
        form = {"email": demo.LENA.email, "password": password, "next": ""}
        assert (await site.post("/sign-in", form)).status == expected


@pytest.mark.parametrize(
    ("old", "new", "expected", "told"),
    [
        ("wrong", NEW, 401, "is not right"),
        (PASSWORD, "short", 422, "8 to 128"),
        (PASSWORD, "password123", 422, "8 to 128"),
        (PASSWORD, demo.LENA.name, 422, "8 to 128"),
        (PASSWORD, f"{demo.PROGRAM} 1", 422, "8 to 128"),
        (PASSWORD, demo.AGENCY.upper(), 422, "8 to 128"),
        (PASSWORD, NEW * 12, 422, "8 to 128"),
        (PASSWORD + "x" * 300, NEW, 401, "is not right"),
    ],
)
async def test_a_wrong_or_a_weak_password_changes_nothing(
    site: Site, old: str, new: str, expected: int, told: str
) -> None:
    elsewhere = await two_browsers(site)
    code, _, text = await change(site, old, new)
    assert code == expected
    assert told in text
    assert await status(site, elsewhere) == "ok"


async def test_a_way_that_is_removed_ends_every_other_sign_in(site: Site) -> None:
    elsewhere = await two_browsers(site)
    await set_up_app(site)
    assert await status(site, elsewhere) == "ok"
    removed = await site.post("/account/app/remove", {}, page="/account")
    assert removed.headers["Location"] == "/account?done=removed"
    assert await status(site, elsewhere) == "login-revoked"
    assert (await site.client.get("/account?done=removed")).status == 200


async def test_guessing_the_old_password_locks_as_at_the_sign_in(site: Site) -> None:
    await site.sign_in(demo.LENA)
    codes = [(await change(site, "wrong", NEW))[0] for _ in range(5)]
    assert codes == [401, 401, 401, 401, 423]
    assert (await change(site, PASSWORD, NEW))[0] == 423


async def test_one_sees_where_one_is_signed_in_and_signs_out_there(site: Site) -> None:
    elsewhere = await two_browsers(site)
    page = await (await site.client.get("/account")).text()
    assert re.findall(r'data-login="(\w+)"', page) == ["here", "open"]
    assert "from 127.0.0.1" in page
    other = re.search(r'action="(/account/logins/\w+/end)"', page)
    assert other is not None
    response = await site.post(other[1], {}, page="/account")
    assert response.headers["Location"] == "/account?done=ended"
    assert await status(site, elsewhere) == "login-revoked"
    page = await (await site.client.get("/account?done=ended")).text()
    assert re.findall(r'data-login="(\w+)"', page) == ["here", "over"]


async def test_nobody_ends_somebody_else_s_sign_in(site: Site) -> None:
    elsewhere = await two_browsers(site)
    page = await (await site.client.get("/account")).text()
    other = re.search(r'action="(/account/logins/\w+/end)"', page)
    assert other is not None
    site.client.session.cookie_jar.clear()
    await site.sign_in(demo.DANA)
    assert (await site.post(other[1], {}, page="/account")).status == 404
    assert await status(site, elsewhere) == "ok"


async def test_who_was_refused_under_my_name_is_shown_to_me(site: Site) -> None:
    form = {"email": demo.LENA.email, "password": "a guess of somebody", "next": ""}
    await site.post("/sign-in", form)
    await site.sign_in(demo.DANA)
    assert 'id="refused"' not in await (await site.client.get("/account")).text()
    site.client.session.cookie_jar.clear()
    await site.sign_in(demo.LENA)
    page = await (await site.client.get("/account")).text()
    assert page.partition('id="refused"')[2].count("<li>") == 1
