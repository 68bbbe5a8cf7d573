"""Every address of the table × nobody, the wrong role, the wrong place; forms from elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.policy import RULES, Action
from records import schema
from records.engine import Database
from tests.web.cast import (
    AWAY,
    AWAY_MANAGER,
    AWAY_SUPERVISOR,
    NOW,
    ORIGIN,
    PASSWORD,
    Site,
    open_site,
)
from tests.web.programs import token as program_token
from web.app import polling_of, routes
from web.assets import Assets
from web.dev import cast as demo
from web.limits import RATES
from web.routes import Route, Who

PEOPLE = {Who.PERSON, Who.NEWCOMER, Who.ABSENT}
STAFF = (demo.DANA, demo.ADA, demo.LENA, demo.TOM)


def everything_of(site: Site) -> list[Route]:
    return routes(site.services, Assets(), polling_of(site.services))


def table(site: Site) -> list[Route]:
    return [one for one in everything_of(site) if not one.machine]


def filled_in(path: str) -> str:
    known = path.replace("{id}", "ses_nobody").replace("{other}", "ses_other")
    known = known.replace("{person}", "per_nobody").replace("{agency}", "agy_nobody")
    known = known.replace("{issuer}", "prairie").replace("{why}", "away")
    known = known.replace("{other}", "ses_nobody_else")
    known = known.replace("{code}/{version}", "field-safety/1.0")
    return known.replace("{build}/{name:.+}", "x/y")


async def ask(site: Site, route: Route, token: str = "") -> tuple[int, str]:
    headers = {"Origin": ORIGIN, "X-CSRF-Token": token}
    path = filled_in(route.path)
    body: dict[str, str] | None = (
        {} if path.startswith("/api/") and route.method == "POST" else None
    )
    response = await site.client.request(
        route.method, path, headers=headers, allow_redirects=False, json=body
    )
    await response.read()
    return response.status, response.headers.get("Location", "")


async def test_nobody_gets_past_a_guarded_address(site: Site) -> None:
    for route in table(site):
        if route.who is Who.ANYBODY:
            continue
        status, location = await ask(site, route)
        if route.who is Who.GUEST:
            assert status == 410, route.path
        elif route.method == "GET" and not route.path.startswith("/api/"):
            assert (status, location.partition("?")[0]) == (
                303,
                "/enrol" if route.who is Who.TABLET else "/sign-in",
            ), route.path
        else:
            assert status == 401, route.path


async def test_only_doors_forms_and_probes_are_open_to_everybody(site: Site) -> None:
    everything = everything_of(site)
    assert {one.path for one in everything if one.who is Who.ANYBODY} == {
        "/",
        "/sign-in",
        "/sign-in/with/{issuer}",  # the directory's answer is the right
        "/sign-in/with/{issuer}/back",
        "/sign-in/with/{issuer}/left",
        "/sign-in/with/{issuer}/trouble/{why}",
        "/sign-in/second",  # nothing without the cookie of the step before
        "/api/v1/passkeys/sign-in",  # the passkey is the right
        "/api/v1/passkeys/sign-in/ask",
        "/welcome",  # shows nothing without the invitation's secret
        "/welcome/choose",
        "/enrol",
        "/api/v1/enrol",
        "/api/v1/openapi.json",  # what there is, nothing of what it holds
        "/alert",
        "/join",  # spends nothing
        "/plan",  # shows nothing without the secret
        "/api/v1/plan",
        "/api/v1/plan.pdf",  # the secret of the person's link is the right
        "/api/v1/join",  # the secret of a guest's link is the right, once
        "/calendar/{name}",  # the secret in the address is the right
        "/api/v1/alert",  # the secret of a page's link is the right
        "/service-worker.js",
        "/manifest.webmanifest",
        "/ws",  # authenticates in its own hello
        "/poll",  # the same
        "/.well-known/jwks.json",  # public halves of keys
        "/healthz",
        "/readyz",
        "/metrics",
        "/static/{build}/{name:.+}",
        "/-/patterns",
    }


@pytest.mark.parametrize("member", STAFF, ids=lambda one: str(one.role))
async def test_a_role_opens_exactly_the_pages_that_the_policy_names(
    site: Site, member: demo.Member
) -> None:
    await site.sign_in(member)
    token = await site.csrf("/manager/tablets" if member is demo.TOM else _own_page(member))
    for route in table(site):
        if route.who not in PEOPLE or route.path in {"/sign-out", "/api/v1/cover"}:
            continue
        allowed = any(member.role in RULES[action] for action in route.needs)
        if allowed and route.path == "/console":
            continue  # that page's own tests open it
        status, _ = await ask(site, route, token)
        assert (status != 403) == allowed, (member.role, route.path, status)


def _own_page(member: demo.Member) -> str:
    return {"clinician": "/console", "supervisor": "/manager", "manager": "/manager"}[member.role]


async def test_without_the_second_factor_that_is_needed_nothing_opens_but_its_set_up(
    db: Database, tmp_path: Path
) -> None:
    site = await open_site(tmp_path, db, second_factor=frozenset({"admin", "manager"}))
    try:
        await site.sign_in(demo.LENA)
        token = await site.csrf("/account")
        for route in table(site):
            if route.who is not Who.PERSON:
                continue
            status, location = await ask(site, route, token)
            if route.method == "GET" and not route.path.startswith("/api/"):
                assert (status, location.partition("?")[0]) == (303, "/account"), route.path
            else:
                assert status == 403, route.path
        hello = await site.client.get("/ws", headers={"Origin": ORIGIN})
        assert hello.status != 101
    finally:
        await site.client.close()


async def test_covered_pages_open_nothing_but_the_proof_of_who_one_is(
    db: Database, tmp_path: Path
) -> None:
    site = await open_site(tmp_path, db, idle_minutes=10.0)
    try:
        await site.sign_in(demo.LENA)
        token = await site.csrf("/manager")
        site.clock[0] += 601
        for route in table(site):
            if route.who not in {Who.PERSON, Who.NEWCOMER}:
                continue
            status, location = await ask(site, route, token)
            if route.method == "GET" and not route.path.startswith("/api/"):
                assert (status, location.partition("?")[0]) == (303, "/prove"), route.path
            else:
                assert status == 423, route.path
    finally:
        await site.client.close()


async def test_a_tablet_is_no_person_and_a_person_no_tablet(site: Site) -> None:
    await site.enrol()
    response = await site.client.get("/manager", allow_redirects=False)
    assert response.status == 303
    assert response.headers["Location"].startswith("/sign-in")
    site.client.session.cookie_jar.clear()
    await site.sign_in(demo.LENA)
    response = await site.client.get("/tablet", allow_redirects=False)
    assert (response.status, response.headers["Location"]) == (303, "/enrol")


async def test_a_session_of_another_program_looks_like_none_at_all(site: Site) -> None:
    row = await site.session(**AWAY, tablet_id="tab_away", officer_id=None, lead_id=None)
    await site.sign_in(demo.LENA)
    theirs = await site.client.get(f"/manager/sessions/{row.id}")
    nothing = await site.client.get("/manager/sessions/ses_nobody")
    assert theirs.status == nothing.status == 404
    texts = [(await one.text()).replace(row.id, "ses_nobody") for one in (theirs, nothing)]
    assert texts[0].partition("req_")[0] == texts[1].partition("req_")[0]


async def test_the_log_and_its_export_show_no_other_programs_sessions(site: Site) -> None:
    await site.session(**AWAY, tablet_id="tab_away", officer_id=None, lead_id=None, code="999111")
    own = await site.session(code="482913", press_key="own")
    await site.sign_in(demo.LENA)
    page = await (await site.client.get("/manager")).text()
    export = await (await site.client.get("/manager/sessions.csv?names=1")).text()
    for text in (page, export):
        assert own.id in text
        assert "Away" not in text
        assert "999111" not in text
        assert "999 111" not in text


async def test_another_agencys_filter_is_refused(site: Site) -> None:
    await site.sign_in(demo.LENA)
    response = await site.client.get("/manager?agency=agy_away")
    assert response.status == 400


async def test_tablets_of_others_can_neither_be_seen_nor_changed(site: Site) -> None:
    await site.sign_in(AWAY_MANAGER)
    listed = await (await site.client.get("/manager/tablets")).text()
    assert "Unit 99" in listed
    assert "Unit 12" not in listed
    for what in ("code", "revoke"):
        path = f"/manager/tablets/{demo.UNIT_12.id}/{what}"
        response = await site.post(path, {}, page="/manager/tablets")
        assert response.status == 404
    async with site.services.db.read() as conn:
        codes = await conn.execute(select(func.count()).select_from(schema.enrolment))
        revoked = await conn.execute(
            select(func.count()).where(schema.tablet.c.revoked_at.is_not(None))
        )
    assert codes.scalar_one() == 0
    assert revoked.scalar_one() == 0
    assert site.desk.dismissed == []


async def test_a_supervisor_of_another_provider_reads_none_of_ours(site: Site) -> None:
    row = await site.session()
    await site.sign_in(AWAY_SUPERVISOR)
    assert (await site.client.get(f"/manager/sessions/{row.id}")).status == 404


async def test_an_officer_of_another_agency_cannot_take_the_tablet(site: Site) -> None:
    await site.enrol()
    person = schema.person

    async def move(conn: AsyncConnection) -> None:
        await conn.execute(
            update(person).where(person.c.id == demo.JO.id).values(agency_id="agy_away")
        )

    await site.services.db.write(move)
    body = {"officer": demo.JO.id, "pin": demo.JO.pin}
    response = await site.json("/api/v1/shift", body, page="/tablet")
    assert response.status == 401
    assert (await response.json())["code"] == "bad-pin"
    assert site.desk.changed == []


@pytest.mark.parametrize("origin", ["https://evil.example", "null", None])
async def test_a_form_from_elsewhere_changes_nothing(site: Site, origin: str | None) -> None:
    token = await site.csrf()
    headers = {} if origin is None else {"Origin": origin}
    form = {"csrf": token, "email": demo.LENA.email, "password": PASSWORD, "next": ""}
    response = await site.client.post("/sign-in", data=form, headers=headers)
    assert response.status == 403
    async with site.services.db.read() as conn:
        logins = await conn.execute(select(func.count()).select_from(schema.login))
    assert logins.scalar_one() == 0


async def test_a_form_without_its_token_or_with_anothers_changes_nothing(site: Site) -> None:
    await site.sign_in(demo.LENA)
    stranger = await site.csrf("/sign-in")  # good for the anonymous cookie, not for Lena's login
    path = f"/manager/tablets/{demo.UNIT_12.id}/revoke"
    for token in ("", "nonsense", "a.b.c", stranger):
        response = await site.client.post(path, data={"csrf": token}, headers={"Origin": ORIGIN})
        assert response.status == 403, token
    assert site.desk.dismissed == []


async def test_an_expired_sign_in_leads_back_to_where_it_ended(site: Site) -> None:
    await site.sign_in(demo.LENA)
    site.clock[0] = NOW + 13 * 3600
    response = await site.client.get("/manager/tablets", allow_redirects=False)
    assert response.headers["Location"] == "/sign-in?next=/manager/tablets&why=expired"
    answer = await (await site.client.get("/api/v1/board")).json()
    assert (answer["ok"], answer["code"]) == (False, "login-expired")


async def test_who_asks_for_what_their_role_never_may_is_in_the_trail(site: Site) -> None:
    row = await site.session()
    secret = await program_token(site, "log.read")
    for member, path in (
        (demo.DANA, "/manager/sessions.csv"),
        (demo.LENA, f"/manager/sessions/{row.id}/fhir"),
        (demo.LENA, "/manager/sessions/<b>nobody/fhir"),
        (None, "/api/v1/followups"),
    ):
        more = {} if member else {"Authorization": f"Bearer {secret}"}
        if member is not None:
            await site.sign_in(member)
        assert (await site.client.get(path, headers=more)).status == 403
    assert await refusals(site) == [
        (demo.DANA.id, "log.export", None),
        (demo.LENA.id, "record.export", row.id),
        (demo.LENA.id, "record.export", None),  # no id of ours: not kept
        ("token", "followup.read", None),
    ]
    await site.sign_in(demo.DANA)
    for _ in range(30):
        assert (await site.client.get("/manager/audit.csv")).status == 403
    assert len(await refusals(site)) == 4 + RATES["refusal"].burst - 1, "nobody fills it up"


async def refusals(site: Site) -> list[tuple[str | None, str, str | None]]:
    """Who was refused what, about which record."""
    one = schema.audit.c
    async with site.services.db.read() as conn:
        rows = await conn.execute(
            select(one.actor_kind, one.actor_id, one.action, one.object_id)
            .where(one.outcome == "refused")
            .order_by(one.no)
        )
        return [
            (who if kind == "person" else kind, action, about) for kind, who, action, about in rows
        ]


async def test_every_action_of_a_route_is_one_of_the_policys(site: Site) -> None:
    for route in table(site):
        assert all(action in Action for action in route.needs)
        if route.who is Who.TABLET:
            assert route.needs, route.path
