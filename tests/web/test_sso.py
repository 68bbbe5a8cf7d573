"""Signing in by a directory: a real OpenID provider on this machine, and what it must not do."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import insert, update

from auth import logins, totp
from auth.welcome import still_welcome
from records import schema
from records.schema_parties import participant
from tests.auth.authenticator import Authenticator
from tests.directory import Directory
from tests.web.cast import ORIGIN, PASSWORD, Site
from tests.web.signing_on import (
    BEGIN,
    EVERYBODY,
    MFA,
    Browser,
    Opened,
    count,
    person,
    recorded,
    roles,
)
from tests.web.test_account import asked, set_up_app
from web.dev import cast as demo

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


async def test_an_administrator_sees_what_groups_give_and_whether_the_directory_works(
    opened: Opened, directory: Directory
) -> None:
    site = await opened()

    async def shown(member: demo.Member = demo.TOM) -> str:
        await site.sign_in(member)
        text = await (await site.client.get("/manager/people")).text()
        found = re.search(r'<section[^>]*id="directory-prairie".*?</section>', text, re.DOTALL)
        return " ".join(re.sub("<[^>]*>", " ", found[0]).split()) if found else ""

    before = await shown()
    assert "Signing in by Prairie County Not used yet" in before
    assert f"crisis-clinicians Clinician {demo.PROVIDER} " in before
    assert "crisis-admins Administrator" in before
    directory.person("maya", ["crisis-managers"])
    await Browser(site).through("maya")
    assert "Works Somebody last signed in by it" in await shown()
    site.clock[0] += 60
    await Browser(site).through("maya", say="no")
    assert "The last try was refused or failed" in await shown()
    # groups of another agency are nobody's business here
    site = await opened(
        described={"agency": '"agy_away"', "provider": '"prv_away"', "program": '"prg_away"'}
    )
    assert await shown() == ""


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
        assert await still_welcome(conn, [mine]) == {mine}
    await stand_up(site, made.id)
    async with site.services.db.read() as conn:
        assert await still_welcome(conn, [mine]) == set()
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
