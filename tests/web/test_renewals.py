"""Short tokens in cookies, renewed by the way: nobody notices, and a copy is found out."""

from __future__ import annotations

from sqlalchemy import select

from auth.renewal_rules import ACCESS_SECONDS, GRACE_SECONDS
from records import schema
from tests.web.cast import ORIGIN, Site
from web.dev import cast as demo

NAMES = ("cb_login", "cb_renewal")


def cookies(site: Site) -> dict[str, str]:
    return {one.key: one.value for one in site.client.session.cookie_jar if one.key in NAMES}


def shown(held: dict[str, str]) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in held.items())}


async def status(site: Site, held: dict[str, str], path: str = "/api/v1/board") -> str:
    """What somebody with these cookies, and no others, is told."""
    kept = list(site.client.session.cookie_jar)
    site.client.session.cookie_jar.clear()
    answer = await (await site.client.get(path, headers=shown(held))).json()
    site.client.session.cookie_jar.clear()
    site.client.session.cookie_jar.update_cookies({one.key: one for one in kept})
    return "ok" if answer["ok"] else str(answer["code"])


async def test_a_token_that_has_run_out_is_renewed_with_the_answer(site: Site) -> None:
    await site.sign_in(demo.LENA)
    before = cookies(site)
    assert before.keys() == set(NAMES)
    assert (await site.client.get("/manager")).status == 200
    assert cookies(site) == before  # not before its time
    for _ in range(3):
        site.clock[0] += ACCESS_SECONDS + 1
        response = await site.client.get("/manager")
        assert response.status == 200
        for cookie in response.cookies.values():
            assert cookie["httponly"]
            assert cookie["samesite"] == "Lax"
        after = cookies(site)
        assert all(after[name] != before[name] for name in NAMES)
        before = after


async def test_a_form_that_was_open_for_long_is_taken_and_its_answer_renews(site: Site) -> None:
    await site.sign_in(demo.LENA)
    before = cookies(site)
    page = "/manager/tablets"
    token = await site.csrf(page)
    site.clock[0] += ACCESS_SECONDS + 1
    answer = await site.client.post("/api/v1/here", headers={"X-CSRF-Token": token, "Origin": "x"})
    assert answer.status == 403  # refused before anybody looks at a cookie
    assert cookies(site) == before
    answer = await site.json("/api/v1/here", {}, page=page)
    assert answer.status == 200
    assert cookies(site) != before


async def test_a_copied_sign_in_is_ended_and_somebody_is_told(site: Site) -> None:
    await site.sign_in(demo.LENA)
    copy = cookies(site)
    site.clock[0] += ACCESS_SECONDS + 1
    assert await status(site, cookies(site)) == "ok"  # the owner's answer is lost
    assert await status(site, cookies(site)) == "ok"  # and comes again
    site.clock[0] += GRACE_SECONDS + ACCESS_SECONDS
    assert site.desk.alarms == []
    assert await status(site, copy) == "login-copied"
    assert [(one[0], one[3]) for one in site.desk.alarms] == [("copied", "alert.words.copied")]
    assert await status(site, copy) == "login-revoked"
    async with site.services.db.read() as conn:
        logged = select(schema.audit).where(schema.audit.c.action == "login.copied")
        row = (await conn.execute(logged)).one()
    assert (row.object_kind, row.outcome, row.place) == ("login", "refused", "127.0.0.1")
    page = await site.client.get("/manager", headers=shown(copy), allow_redirects=False)
    assert page.headers["Location"].startswith("/sign-in")


async def test_without_its_renewal_a_token_that_has_run_out_is_nothing(site: Site) -> None:
    await site.sign_in(demo.LENA)
    alone = {"cb_login": cookies(site)["cb_login"]}
    assert await status(site, alone) == "ok"
    site.clock[0] += ACCESS_SECONDS + 1
    assert await status(site, alone) == "not-signed-in"


async def test_signing_out_takes_both_away(site: Site) -> None:
    await site.sign_in(demo.LENA)
    held = cookies(site)
    site.clock[0] += ACCESS_SECONDS + 1  # also when they are renewed by the very same request
    response = await site.post("/sign-out", {}, page="/account")
    assert response.status == 303
    assert cookies(site) == {}
    assert await status(site, held) in {"login-revoked", "login-copied"}


async def test_a_connection_is_opened_by_the_renewal_and_uses_nothing_up(site: Site) -> None:
    """Its answer's head is out before anybody is asked: a used-up token would be a lost one."""
    await site.sign_in(demo.DANA)
    before = cookies(site)
    site.clock[0] += ACCESS_SECONDS + 1
    for held, answered in ((before, True), ({"cb_login": before["cb_login"]}, False)):
        site.client.session.cookie_jar.clear()
        headers = {"Origin": ORIGIN, **shown(held)}
        async with site.client.ws_connect("/ws", headers=headers) as socket:
            hello = {"type": "hello", "protocol": 1, "page": "console", "stream": "s" * 22}
            await socket.send_json(hello)
            first = await socket.receive_json(timeout=10)
            assert (first["type"] == "welcome") is answered, first
    site.clock[0] += GRACE_SECONDS + 1
    assert await status(site, before) == "forbidden"  # no board for a clinician, who is known
