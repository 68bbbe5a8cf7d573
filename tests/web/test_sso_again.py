"""Proving by a directory who one is, once more; and all that goes wrong on the way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import update

import crisisbridge
from auth import audit, issuer_links, logins, sso
from auth.errors import NotAskedAnew
from records import schema
from signaling.settings import Settings, with_changes
from tests.directory import Directory, trip
from tests.web.cast import ORIGIN, Site
from tests.web.signing_on import (
    BEGIN,
    Browser,
    Opened,
    person,
    recorded,
)
from web.dev import cast as demo
from web.keys import ISSUERS
from web.server import CannotStart

# --- proving again --------------------------------------------------------------------------------


async def test_covered_pages_are_uncovered_by_the_directory_which_has_to_ask_anew(
    opened: Opened, directory: Directory
) -> None:
    site = await opened(idle_minutes=15.0)
    directory.person("vera", ["crisis-managers"])
    browser = Browser(site)
    await browser.through("vera")
    await logins.cover(site.services.db, await actor(site), site.clock[0])
    response = await site.client.get("/manager", allow_redirects=False)
    assert response.headers["Location"] == "/prove?next=/manager"
    text = await (await site.client.get("/prove?next=/manager")).text()
    assert "Ask Prairie County" in text
    assert 'id="password"' not in text  # they have none
    where = await browser.there("/prove/with/prairie?next=/manager")
    query = parse_qs(urlsplit(where).query)
    assert (query["prompt"], query["max_age"]) == (["login"], ["0"])
    assert await browser.back(await trip(browser.jar, where, "vera")) == "/manager"
    assert (await site.client.get("/manager")).status == 200


async def test_another_person_at_the_directory_uncovers_nothing(
    opened: Opened, directory: Directory
) -> None:
    site = await opened(idle_minutes=15.0)
    directory.person("wanda", ["crisis-managers"])
    directory.person("xaver", ["crisis-managers"])
    browser = Browser(site)
    await browser.through("wanda")
    await logins.cover(site.services.db, await actor(site), site.clock[0])
    where = await browser.through("xaver", "/prove/with/prairie")
    assert where.endswith("/trouble/other-person")
    assert (await site.client.get("/manager", allow_redirects=False)).status == 303
    assert await person(site, "xaver") is None


async def test_twelve_hours_are_made_longer_by_the_directory_alone(
    opened: Opened, directory: Directory
) -> None:
    site = await opened()
    directory.person("yara", ["crisis-managers"])
    browser = Browser(site)
    await browser.through("yara")
    mine = await actor(site)
    login = schema.login
    await site.services.db.write(  # as twelve hours later
        lambda conn: conn.execute(
            update(login).where(login.c.id == mine.login_id).values(expires_at=site.clock[0] - 1)
        )
    )
    assert (await site.client.get("/manager", allow_redirects=False)).status == 303
    text = await (await site.client.get("/prove")).text()
    assert 'id="password"' not in text
    assert await browser.through("yara", "/prove/with/prairie?next=/manager") == "/manager"
    assert (await actor(site)).expires_at == pytest.approx(site.clock[0] + 12 * 3600, abs=5)


async def actor(site: Site) -> Any:
    token = {one.key: one.value for one in site.client.session.cookie_jar}["cb_login"]
    async with site.services.db.read() as conn:
        return await logins.actor_for_login(
            conn, site.services.tokens, token, site.clock[0], allow=("expired", "covered")
        )


async def test_signing_out_says_that_the_directory_may_still_know_them(
    opened: Opened, directory: Directory
) -> None:
    site = await opened()
    directory.person("zoe", ["crisis-managers"])
    await Browser(site).through("zoe")
    response = await site.post("/sign-out", {}, page="/manager")
    assert response.headers["Location"] == "/sign-in/with/prairie/left"
    text = await (await site.client.get("/sign-in/with/prairie/left")).text()
    assert "Sign out at Prairie County" in text
    assert f"{directory.issuer}/session/end?client_id=crisisbridge" in text


# --- what goes wrong ------------------------------------------------------------------------------


async def test_the_person_said_no(opened: Opened, directory: Directory) -> None:
    site = await opened()
    where = await Browser(site).through("nobody", say="no")
    assert where.endswith("/trouble/refused")
    assert "said no" in await (await site.client.get(where)).text()


async def test_an_answer_counts_once_and_only_in_the_browser_that_asked(
    opened: Opened, directory: Directory
) -> None:
    site = await opened()
    directory.person("alma", ["crisis-managers"])
    browser = Browser(site)
    address = await trip(browser.jar, await browser.there(), "alma")
    flow = {one.key: one.value for one in site.client.session.cookie_jar}["cb_flow"]
    site.client.session.cookie_jar.clear()
    assert (await browser.back(address)).endswith("/trouble/stale")  # another browser
    site.client.session.cookie_jar.update_cookies({"cb_flow": flow})
    assert await browser.back(address) == "/manager"
    site.client.session.cookie_jar.clear()
    site.client.session.cookie_jar.update_cookies({"cb_flow": flow})
    assert (await browser.back(address)).endswith("/trouble/used")
    assert (await site.client.get("/manager", allow_redirects=False)).status == 303


async def test_an_answer_that_comes_after_ten_minutes_is_too_late(
    opened: Opened, directory: Directory
) -> None:
    site = await opened()
    directory.person("bert", ["crisis-managers"])
    browser = Browser(site)
    address = await trip(browser.jar, await browser.there(), "bert")
    site.clock[0] += 601
    assert (await browser.back(address)).endswith("/trouble/stale")
    assert await person(site, "bert") is None


@pytest.mark.parametrize(
    ("change", "trouble"),
    [
        ({"iss": "https://evil.example"}, "bad"),
        ({"iss": None}, "bad"),
        ({"code": "made-up"}, "bad"),
        ({"code": None}, "bad"),
        ({"code": "x" * 5000}, "bad"),
        ({"state": "made-up"}, "stale"),
        ({"state": None}, "stale"),
        ({"state": "ä"}, "bad"),
        ({"error": "server_error"}, "away"),
        ({"error": "invalid_scope"}, "bad"),
    ],
)
async def test_an_answer_that_was_changed_on_its_way_is_refused(
    opened: Opened, directory: Directory, change: dict[str, str | None], trouble: str
) -> None:
    site = await opened()
    directory.person("cora", ["crisis-managers"])
    browser = Browser(site)
    address = await trip(browser.jar, await browser.there(), "cora")
    query = {name: value[0] for name, value in parse_qs(urlsplit(address).query).items()}
    kept = {name: value for name, value in {**query, **change}.items() if value is not None}
    response = await site.client.get(f"{BEGIN}/back", params=kept, allow_redirects=False)
    assert response.headers["Location"] == f"/sign-in/with/prairie/trouble/{trouble}"
    assert await person(site, "cora") is None
    assert ("login.start", "refused", "prairie") in await recorded(site, "issuer")


@pytest.mark.parametrize("seconds", [-120, 120])
async def test_a_wrong_clock_is_named_and_nobody_is_let_in(
    opened: Opened, directory: Directory, seconds: int
) -> None:
    site = await opened()
    directory.person("dora", ["crisis-managers"])
    site.clock[0] += seconds if seconds < 0 else 3700
    where = await Browser(site).through("dora")
    assert where.endswith("/trouble/clock")
    assert "clock" in await (await site.client.get(where)).text()


async def test_a_directory_that_is_away_is_said_at_once_and_its_return_is_seen(
    opened: Opened, tmp_path: Path
) -> None:
    away = Directory(tmp_path / "away", [ORIGIN])
    site = await opened(away)
    response = await site.client.get(BEGIN, allow_redirects=False)
    assert response.headers["Location"] == "/sign-in/with/prairie/trouble/away"
    page = await site.client.get(response.headers["Location"])
    assert page.status == 503
    assert 'id="again"' in await page.text()
    away.start()
    away.person("emil", ["crisis-managers"])
    try:
        assert await Browser(site).through("emil") == "/manager"
    finally:
        away.kill()


async def test_new_keys_are_fetched_when_they_are_used_but_not_for_ever(
    opened: Opened, tmp_path: Path
) -> None:
    own = Directory(tmp_path / "rotating", [ORIGIN]).start()
    try:
        own.person("fred", ["crisis-managers"])
        site = await opened(own)
        client = site.client.server.app[ISSUERS]["prairie"]
        browser = Browser(site)
        assert await browser.through("fred") == "/manager"
        for _ in range(5):
            own.rotate()
            site.client.session.cookie_jar.clear()
            assert await browser.through("fred") == "/manager"
        own.rotate()
        site.client.session.cookie_jar.clear()
        assert (await browser.through("fred")).endswith("/trouble/bad")
        client._anew.clear()  # a minute later
        assert await browser.through("fred") == "/manager"
    finally:
        own.kill()


async def test_a_sign_in_there_that_is_older_than_one_here_may_be_is_not_taken(
    opened: Opened, directory: Directory
) -> None:
    site = await opened()
    directory.person("ines", ["crisis-managers"])
    await Browser(site).through("ines")
    (issuer,) = site.services.settings.single_sign_on
    now = site.clock[0]
    claims = {"sub": "ines", "groups": ["crisis-managers"], "auth_time": now - 12 * 3600 - 61}
    work = sso.sign_in(
        site.services.db, site.services.tokens, issuer, claims, now, sso.Terms(hours=12)
    )
    with pytest.raises(NotAskedAnew):
        await work


async def test_what_the_settings_say_holds_from_the_start_on(
    opened: Opened, directory: Directory
) -> None:
    site = await opened()
    directory.person("jana", ["crisis-managers"])
    await Browser(site).through("jana")
    made, services = await person(site, "jana"), site.services

    async def alone(settings: Settings) -> bool:
        await crisisbridge._follow_issuers(services.db, settings)
        async with services.db.read() as conn:
            return await issuer_links.is_alone(conn, made.id)

    (issuer,) = services.settings.single_sign_on
    assert await alone(services.settings)
    too = (replace(issuer, other_ways=True),)
    assert not await alone(with_changes(services.settings, single_sign_on=too))
    assert await alone(services.settings)
    assert not await alone(with_changes(services.settings, single_sign_on=()))
    nowhere = replace(issuer.rules[0], provider_id="prv_nowhere")
    typo = (replace(issuer, rules=(nowhere,)),)
    wrong = with_changes(services.settings, demo=False, single_sign_on=typo)
    with pytest.raises(CannotStart, match=r"\[prairie\] provider prv_nowhere"):
        await alone(wrong)


async def test_unknown_directories_and_troubles_have_no_page(
    opened: Opened, directory: Directory
) -> None:
    site = await opened()
    for path in ("/sign-in/with/other", "/sign-in/with/other/back", f"{BEGIN}/trouble/none",
                 f"{BEGIN}/trouble/only", "/sign-in/with/other/left"):  # fmt: skip
        assert (await site.client.get(path)).status == 404, path


async def test_the_trail_is_whole_after_all_that(opened: Opened, directory: Directory) -> None:
    site = await opened()
    directory.person("gina", ["crisis-managers"])
    await Browser(site).through("gina")
    async with site.services.db.read() as conn:
        assert await audit.verify(conn) is None


async def test_an_administrator_sees_who_signs_in_by_a_directory(
    opened: Opened, directory: Directory
) -> None:
    site = await opened()
    directory.person("hans", ["crisis-clinicians"])
    await Browser(site).through("hans")
    site.client.session.cookie_jar.clear()
    await site.sign_in(demo.TOM)
    text = await (await site.client.get("/manager/people")).text()
    assert "by Prairie County" in text
    made = await person(site, "hans")
    page = await (await site.client.get(f"/manager/people/{made.id}")).text()
    assert "by Prairie County, and in no other way" in page
    assert f"/manager/people/{made.id}/invite" not in page
