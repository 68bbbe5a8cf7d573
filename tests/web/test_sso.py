"""Signing in by a directory: a real OpenID provider on this machine, and what it must not do."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from sqlalchemy import func, insert, select, update

import crisisbridge
from auth import audit, issuer_links, logins, sso, totp
from auth.errors import NotAskedAnew
from records import schema
from records.engine import Database
from records.schema_parties import participant
from records.schema_signin import issuer_link
from signaling import sso_file
from signaling.settings import Settings, with_changes
from tests.auth.authenticator import Authenticator
from tests.directory import Directory, trip
from tests.web.cast import ORIGIN, PASSWORD, Site, open_site
from tests.web.test_account import asked, set_up_app
from web.dev import cast as demo
from web.keys import ISSUERS
from web.server import CannotStart

EVERYBODY = frozenset({"clinician", "supervisor", "manager", "admin"})
MFA = {"second_factor_amr": '["otp"]'}
BEGIN = "/sign-in/with/prairie"
Opened = Callable[..., Any]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directory]:
    running = Directory(tmp_path_factory.mktemp("directory"), [ORIGIN]).start()
    yield running
    running.kill()


@pytest.fixture
async def opened(db: Database, tmp_path: Path, directory: Directory) -> AsyncIterator[Opened]:
    """Opens the pages with this directory; its clock is the real one, as the directory's is."""
    sites: list[Site] = []

    async def open_it(given: Directory = directory, **more: Any) -> Site:
        described = more.pop("described", {})
        issuers = sso_file.read(str(given.described(**described)))
        site = await open_site(tmp_path, db, single_sign_on=issuers, **more)
        site.clock[0] = time.time()
        sites.append(site)
        return site

    yield open_it
    for site in sites:
        await site.client.close()


class Browser:
    """One browser at our pages and at the directory's."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.jar = aiohttp.CookieJar(unsafe=True)

    async def there(self, path: str = BEGIN) -> str:
        response = await self.site.client.get(path, allow_redirects=False)
        assert response.status == 303, await response.text()
        return response.headers["Location"]

    async def back(self, address: str) -> str:
        """Take the directory's answer to us; where that leads."""
        parts = urlsplit(address)
        assert address.startswith(ORIGIN) or parts.hostname == "127.0.0.1"
        response = await self.site.client.get(f"{parts.path}?{parts.query}", allow_redirects=False)
        assert response.status == 303, await response.text()
        return response.headers["Location"]

    async def through(self, who: str, path: str = BEGIN, say: str = "yes") -> str:
        self.jar.clear()
        return await self.back(await trip(self.jar, await self.there(path), who, say))


async def person(site: Site, sub: str) -> Any:
    async with site.services.db.read() as conn:
        found = await conn.execute(
            select(schema.person)
            .join(issuer_link, issuer_link.c.person_id == schema.person.c.id)
            .where(issuer_link.c.subject == sub)
        )
        return found.first()


async def roles(site: Site, person_id: str) -> set[str]:
    grant = schema.role_grant
    async with site.services.db.read() as conn:
        return set(
            (
                await conn.execute(select(grant.c.role).where(grant.c.person_id == person_id))
            ).scalars()
        )


async def count(site: Site, table: Any) -> int:
    async with site.services.db.read() as conn:
        number: int = (await conn.execute(select(func.count()).select_from(table))).scalar_one()
        return number


async def recorded(site: Site, kind: str) -> list[tuple[str, str, str | None]]:
    table = schema.audit
    async with site.services.db.read() as conn:
        rows = await conn.execute(
            select(table.c.action, table.c.outcome, table.c.object_id)
            .where(table.c.object_kind == kind)
            .order_by(table.c.no)
        )
        return [(row.action, row.outcome, row.object_id) for row in rows]


# --- signing in -----------------------------------------------------------------------------------


async def test_the_button_names_the_directory_and_leads_there_with_pkce_and_nonce(
    opened: Opened, directory: Directory
) -> None:
    site = await opened()
    text = await (await site.client.get("/sign-in?next=/manager")).text()
    assert "Sign in with Prairie County" in text
    assert 'href="/sign-in/with/prairie?next=/manager"' in text
    where = urlsplit(await Browser(site).there(f"{BEGIN}?next=https://evil.example"))
    asked_for = {name: value[0] for name, value in parse_qs(where.query).items()}
    assert f"{where.scheme}://{where.netloc}" == directory.issuer
    assert asked_for["response_type"] == "code"
    assert asked_for["code_challenge_method"] == "S256"
    assert asked_for["redirect_uri"] == f"{ORIGIN}/sign-in/with/prairie/back"
    assert len(asked_for["nonce"]) == len(asked_for["code_challenge"]) == 43
    assert "evil" not in where.query


async def test_another_sites_page_presses_no_button_of_ours(
    opened: Opened, directory: Directory
) -> None:
    site = await opened()
    response = await site.client.get(
        f"{BEGIN}?next=/manager", headers={"Sec-Fetch-Site": "cross-site"}, allow_redirects=False
    )
    assert response.headers["Location"] == "/sign-in?next=/manager"


async def test_a_person_of_a_mapped_group_is_made_at_the_first_sign_in_and_known_at_the_second(
    opened: Opened, directory: Directory
) -> None:
    site = await opened()
    directory.person("maya", ["staff", "crisis-managers"])
    browser = Browser(site)
    assert await browser.through("maya", f"{BEGIN}?next=/manager/tablets") == "/manager/tablets"
    assert (await site.client.get("/manager/tablets")).status == 200
    made = await person(site, "maya")
    assert (made.name, made.short_name, made.email) == (
        "Maya Directory",
        "Maya",
        "maya@prairie.invalid",
    )
    assert (made.agency_id, made.provider_id, made.program_id) == (None, None, "prg_prairie")
    assert await roles(site, made.id) == {"manager"}
    assert ("person.add", "allowed", made.id) in await recorded(site, "person")
    before = await count(site, schema.person)
    assert await browser.through("maya") == "/manager"
    assert await count(site, schema.person) == before


async def test_nobody_without_a_mapped_group_is_made_or_let_in(
    opened: Opened, directory: Directory
) -> None:
    site = await opened()
    directory.person("nora", ["staff"])
    before = await count(site, schema.person)
    where = await Browser(site).through("nora")
    assert where == "/sign-in/with/prairie/trouble/no-group"
    page = await site.client.get(where)
    assert page.status == 403
    text = await page.text()
    assert "none of your groups has access here" in text
    assert 'href="/sign-in/with/prairie?again=1"' in text
    assert await count(site, schema.person) == before
    assert ("login.start", "refused", "prairie") in await recorded(site, "issuer")
    assert (await site.client.get("/manager", allow_redirects=False)).status == 303


async def test_an_address_of_somebody_else_is_no_proof(
    opened: Opened, directory: Directory
) -> None:
    site = await opened()
    directory.person("mallory", ["crisis-managers"], email=demo.LENA.email.upper())
    where = await Browser(site).through("mallory")
    assert where.endswith("/trouble/email-taken")
    assert (await site.client.get(where)).status == 409
    assert await person(site, "mallory") is None


async def test_who_is_there_already_connects_the_directory_and_then_signs_in_by_it_alone(
    opened: Opened, directory: Directory
) -> None:
    site = await opened()
    directory.person("lena", ["crisis-managers"], email=demo.LENA.email)
    await site.sign_in(demo.LENA)
    browser = Browser(site)
    assert "Connect Prairie County" in await (await site.client.get("/account")).text()
    assert await browser.through("lena", "/account/with/prairie") == "/account?done=connected"
    found = await person(site, "lena")
    assert found.id == demo.LENA.id
    assert "You sign in with Prairie County" in await (await site.client.get("/account")).text()
    site.client.session.cookie_jar.clear()
    form = {"email": demo.LENA.email, "password": PASSWORD, "next": ""}
    assert (await site.post("/sign-in", form)).status == 401
    assert await browser.through("lena") == "/manager"


async def test_connecting_takes_a_fresh_proof_and_our_own_page(
    opened: Opened, directory: Directory
) -> None:
    site = await opened()
    await site.sign_in(demo.LENA)
    foreign = {"Sec-Fetch-Site": "cross-site"}
    response = await site.client.get("/account/with/prairie", headers=foreign)
    assert response.status == 403
    site.clock[0] += 16 * 60
    response = await site.client.get("/account/with/prairie", allow_redirects=False)
    assert response.headers["Location"].startswith("/prove?why=change")


async def test_nobody_connects_whom_another_person_is_already(
    opened: Opened, directory: Directory
) -> None:
    site = await opened()
    directory.person("taken", ["crisis-managers"])
    browser = Browser(site)
    await browser.through("taken")
    site.client.session.cookie_jar.clear()
    await site.sign_in(demo.LENA)
    where = await browser.through("taken", "/account/with/prairie")
    assert where.endswith("/trouble/other-person")
    assert (await person(site, "taken")).id != demo.LENA.id


# --- roles follow the groups ----------------------------------------------------------------------


async def test_a_lost_group_is_a_lost_role_and_the_end_of_every_sign_in(
    opened: Opened, directory: Directory
) -> None:
    site = await opened()
    directory.person("olga", ["crisis-managers"])
    browser = Browser(site)
    await browser.through("olga")
    made = await person(site, "olga")
    kept = {one.key: one.value for one in site.client.session.cookie_jar}["cb_login"]
    directory.person("olga", ["staff"])
    site.client.session.cookie_jar.clear()
    assert (await browser.through("olga")).endswith("/trouble/no-group")
    assert await roles(site, made.id) == set()
    old = {"Cookie": f"cb_login={kept}"}
    response = await site.client.get("/manager", headers=old, allow_redirects=False)
    assert response.headers["Location"].startswith("/sign-in")
    assert ("person.set_roles", "allowed", made.id) in await recorded(site, "person")
    directory.person("olga", ["crisis-clinicians"])
    assert await browser.through("olga") == "/console"
    assert await roles(site, made.id) == {"clinician"}
    assert (await person(site, "olga")).provider_id == "prv_plains"


async def test_a_change_of_groups_waits_for_the_end_of_a_call(
    opened: Opened, directory: Directory
) -> None:
    site = await opened()
    directory.person("carl", ["crisis-clinicians"])
    browser = Browser(site)
    await browser.through("carl")
    made = await person(site, "carl")
    kept = {one.key: one.value for one in site.client.session.cookie_jar}["cb_login"]
    row = await site.session()
    await sit_down(site, row.id, made.id)
    directory.person("carl", ["staff"])
    site.client.session.cookie_jar.clear()
    where = await browser.through("carl")
    assert where.endswith("/trouble/in-a-call")
    assert (await site.client.get(where)).status == 409
    assert await roles(site, made.id) == {"clinician"}
    old = {"Cookie": f"cb_login={kept}"}
    still = await site.client.get("/account", headers=old, allow_redirects=False)
    assert still.status == 200  # the call's own sign-in goes on
    await stand_up(site, made.id)
    gone = await site.client.get("/account", headers=old, allow_redirects=False)
    assert gone.headers["Location"].startswith("/sign-in")
    assert (await browser.through("carl")).endswith("/trouble/no-group")
    assert await roles(site, made.id) == set()


async def sit_down(site: Site, session_id: str, person_id: str) -> None:
    values = {"id": "par_test", "session_id": session_id, "seat": "clinician", "role": "lead",
              "epoch": 1, "person_id": person_id, "joined_at": site.clock[0]}  # fmt: skip
    await site.services.db.write(lambda conn: conn.execute(insert(participant).values(**values)))


async def stand_up(site: Site, person_id: str) -> None:
    await site.services.db.write(
        lambda conn: conn.execute(
            update(participant)
            .where(participant.c.person_id == person_id)
            .values(left_at=site.clock[0])
        )
    )


async def test_signing_in_once_more_in_a_call_ends_the_first_sign_in_after_it(
    opened: Opened, directory: Directory
) -> None:
    site = await opened()
    directory.person("kurt", ["crisis-clinicians"])
    browser = Browser(site)
    await browser.through("kurt")
    made = await person(site, "kurt")
    kept = {one.key: one.value for one in site.client.session.cookie_jar}["cb_login"]
    row = await site.session()
    await sit_down(site, row.id, made.id)
    assert await browser.through("kurt") == "/console"  # another tab of the same browser
    site.client.session.cookie_jar.clear()
    old = {"Cookie": f"cb_login={kept}"}
    assert (await site.client.get("/account", headers=old, allow_redirects=False)).status == 200
    async with site.services.db.read() as conn:
        mine = await logins.actor_for_login(conn, site.services.tokens, kept, site.clock[0])
        assert await crisisbridge.still_welcome(conn, mine)
    await stand_up(site, made.id)
    async with site.services.db.read() as conn:
        assert not await crisisbridge.still_welcome(conn, mine)
    gone = await site.client.get("/account", headers=old, allow_redirects=False)
    assert gone.headers["Location"].startswith("/sign-in")


async def test_who_is_shut_out_or_locked_here_stays_so(
    opened: Opened, directory: Directory
) -> None:
    site = await opened()
    directory.person("pete", ["crisis-managers"])
    browser = Browser(site)
    await browser.through("pete")
    made = await person(site, "pete")

    async def change(**values: Any) -> None:
        person_ = schema.person
        await site.services.db.write(
            lambda conn: conn.execute(
                update(person_).where(person_.c.id == made.id).values(**values)
            )
        )

    await change(locked_at=site.clock[0])
    assert (await browser.through("pete")).endswith("/trouble/locked")
    await change(locked_at=None, active=False)
    assert (await browser.through("pete")).endswith("/trouble/no-group")
    assert ("login.start", "refused", made.id) in await recorded(site, "person")


# --- second factors -------------------------------------------------------------------------------


async def test_the_directorys_second_factor_counts_only_where_the_settings_say_so(
    opened: Opened, directory: Directory
) -> None:
    directory.person("rita", ["crisis-managers"], amr=["pwd", "otp"])
    site = await opened(second_factor=EVERYBODY)
    assert (await Browser(site).through("rita")).startswith("/account")  # to set one up first
    site.client.session.cookie_jar.clear()
    trusting = await opened(second_factor=EVERYBODY, described=MFA)
    assert await Browser(trusting).through("rita") == "/manager"
    directory.person("rita", ["crisis-managers"], amr=["pwd"])
    trusting.client.session.cookie_jar.clear()
    assert (await Browser(trusting).through("rita")).startswith("/account")


async def test_a_second_factor_of_ours_is_asked_after_the_directory(
    opened: Opened, directory: Directory
) -> None:
    site = await opened(second_factor=EVERYBODY)
    directory.person("sara", ["crisis-managers"])
    browser = Browser(site)
    await browser.through("sara")
    secret = await set_up_app(site)
    site.client.session.cookie_jar.clear()
    site.clock[0] += 31
    where = await browser.through("sara", f"{BEGIN}?next=/manager/tablets")
    assert where == "/sign-in/second?next=/manager/tablets"
    assert (await site.client.get("/manager", allow_redirects=False)).status == 303
    code = totp.code_at(secret, int(site.clock[0] // 30))
    form = {"code": code, "next": "/manager/tablets"}
    response = await site.post("/sign-in/second", form, page="/sign-in/second")
    assert response.headers["Location"] == "/manager/tablets"
    assert "Prairie County" in await (await site.client.get("/account")).text()


async def test_a_passkey_is_a_second_factor_and_no_way_around_the_directory(
    opened: Opened, directory: Directory
) -> None:
    site = await opened(second_factor=EVERYBODY)
    directory.person("tess", ["crisis-managers"])
    browser, device = Browser(site), Authenticator()
    await browser.through("tess")
    made = device.make(await asked(site, "/api/v1/passkeys/add/ask", "/account"))
    body = {"credential": made, "name": "Laptop"}
    assert (await site.json("/api/v1/passkeys/add", body, page="/account")).status == 200
    site.client.session.cookie_jar.clear()
    answer = device.answer(await asked(site, "/api/v1/passkeys/sign-in/ask", "/sign-in"))
    response = await site.json("/api/v1/passkeys/sign-in", {"credential": answer}, page="/sign-in")
    assert (response.status, (await response.json())["code"]) == (403, "sign-on-only")
    assert await browser.through("tess") == "/sign-in/second"
    answer = device.answer(await asked(site, "/api/v1/passkeys/sign-in/ask", "/sign-in/second"))
    body = {"credential": answer}
    response = await site.json("/api/v1/passkeys/sign-in", body, page="/sign-in/second")
    assert response.status == 200, await response.text()
    assert (await site.client.get("/manager")).status == 200


async def test_other_ways_are_open_where_the_settings_say_so(
    opened: Opened, directory: Directory
) -> None:
    site = await opened(described={"other_ways": "true"})
    directory.person("ulla", ["crisis-managers"], email=demo.LENA.email)
    await site.sign_in(demo.LENA)
    await Browser(site).through("ulla", "/account/with/prairie")
    site.client.session.cookie_jar.clear()
    await site.sign_in(demo.LENA)
    assert (await site.client.get("/manager")).status == 200


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
