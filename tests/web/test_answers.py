"""What every answer carries, and what bad input gets."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from aiohttp import FormData

from records.engine import Database
from tests.web.cast import AWAY_SUPERVISOR, ORIGIN, XSS, Site, open_site
from web import headers as security
from web.dev import cast as demo
from web.limits import RATES

EVERYWHERE = (
    "/",
    "/sign-in",
    "/enrol",
    "/manager",
    "/tablet",
    "/nothing/here",
    "/healthz",
    "/readyz",
    "/metrics",
    "/static/x/css/tokens.css",
    "/static/x/nothing.css",
    "/manager/sessions.csv",
    "/manager/sessions/ses_x",
    "/api/v1/board",
    "/api/v1/nothing",
    "/ws",
)


@pytest.mark.parametrize("signed_in", [False, True])
async def test_every_answer_carries_the_security_headers(site: Site, signed_in: bool) -> None:
    if signed_in:
        await site.sign_in(demo.LENA)
    expected = security.of(site.services.settings)
    for path in EVERYWHERE:
        for method in ("GET", "POST", "DELETE", "TRACE", "PUT"):
            response = await site.client.request(method, path, allow_redirects=False)
            await response.read()
            assert method not in {"TRACE", "PUT"} or response.status in {404, 405}, path
            for name, value in expected.items():
                assert response.headers.get(name) == value, (method, path, name)
            assert response.headers["X-Request-Id"].startswith("req_")
            if not path.startswith("/static/"):
                assert response.headers["Cache-Control"] == "no-store", (method, path)


async def test_the_policy_allows_no_inline_script_and_no_other_site(site: Site) -> None:
    policy = (await site.client.get("/")).headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert f"connect-src 'self' {ORIGIN.replace('https', 'wss')}" in policy
    for path in ("/", "/sign-in", "/enrol", "/-/patterns", "/nothing"):
        html = await (await site.client.get(path)).text()
        assert "style=" not in html
        assert "<style" not in html
        assert "javascript:" not in html
        assert html.count("<script") - html.count('<script type="module" src="/static/') == 1


async def test_hsts_and_bound_cookies_come_with_tls(db: Database, tmp_path: Path) -> None:
    site = await open_site(tmp_path, db, cookie_secure=True)
    try:
        response = await site.client.get("/sign-in")
        cookie = response.headers["Set-Cookie"]
        assert response.headers["Strict-Transport-Security"].startswith("max-age=31536000")
        assert cookie.startswith("__Host-cb_form=")
        for word in ("Secure", "HttpOnly", "SameSite=Strict", "Path=/"):
            assert word in cookie
        assert "Domain" not in cookie
    finally:
        await site.client.close()


async def test_an_unknown_address_is_json_for_the_api_and_a_page_for_people(site: Site) -> None:
    answer = await site.client.get("/api/v1/nothing")
    body = await answer.json()
    assert answer.status == 404
    assert set(body) == {"ok", "code", "message", "request"}
    assert body["code"] == "page-not-found"
    assert body["request"] == answer.headers["X-Request-Id"]
    page = await site.client.get("/nothing", headers={"Accept": "text/html"})
    text = await page.text()
    assert page.status == 404
    assert "Check the address" in text
    assert 'href="tel:988"' in text


async def test_a_body_that_is_too_large_is_refused(site: Site) -> None:
    token = await site.csrf("/enrol")
    headers = {"Origin": ORIGIN, "X-CSRF-Token": token}
    big = await site.client.post("/api/v1/enrol", json={"code": "x" * 70_000}, headers=headers)
    assert big.status == 413
    assert (await big.json())["code"] == "too-large"
    form = {"csrf": token, "email": "a" * 70_000, "password": "x", "next": ""}
    answer = await site.client.post("/sign-in", data=form, headers={"Origin": ORIGIN})
    assert answer.status == 413


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"code": 7}', "application/json", 400),
        (b'{"code": "x", "more": 1}', "application/json", 400),
        (b"[]", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"code": "x"}', "text/plain", 415),
        (b'{"code": "K7QF-2MXP"}', "application/json", 401),
    ],
)
async def test_a_malformed_body_gets_a_clear_error(
    site: Site, body: bytes, kind: str, status: int
) -> None:
    token = await site.csrf("/enrol")
    headers = {"Origin": ORIGIN, "X-CSRF-Token": token, "Content-Type": kind}
    response = await site.client.post("/api/v1/enrol", data=body, headers=headers)
    assert response.status == status
    assert (await response.json())["ok"] is False


async def test_a_form_with_a_file_in_place_of_text_is_refused(site: Site) -> None:
    form = FormData({"csrf": await site.csrf(), "password": "y"})
    form.add_field("email", b"x", filename="x.txt")
    response = await site.client.post("/sign-in", data=form, headers={"Origin": ORIGIN})
    assert response.status == 415  # a form with a file is taken where one is asked for only
    response = await site.post("/sign-in", {"email": "x"})
    assert response.status == 400


@pytest.mark.parametrize(
    "query",
    [
        "state=dead",
        "disposition=x",
        "from=yesterday",
        "until=9999-12-31",
        "after=zzz",
        "code=123456789",
    ],
)
async def test_a_filter_that_no_form_of_ours_sends_is_refused(site: Site, query: str) -> None:
    await site.sign_in(demo.LENA)
    response = await site.client.get(f"/manager?{query}")
    assert response.status in {400, 422}


async def test_too_many_tries_from_one_place_must_wait(site: Site) -> None:
    token = await site.csrf("/enrol")
    headers = {"Origin": ORIGIN, "X-CSRF-Token": token}
    statuses = []
    for _ in range(int(RATES["enrol"].burst) + 1):
        response = await site.client.post(
            "/api/v1/enrol", json={"code": "K7QF-2MXP"}, headers=headers
        )
        statuses.append(response.status)
    assert statuses[:-1] == [401] * (len(statuses) - 1)
    assert statuses[-1] == 429
    assert response.headers["Retry-After"] == "2"
    site.clock[0] += 2
    again = await site.client.post("/api/v1/enrol", json={"code": "K7QF-2MXP"}, headers=headers)
    assert again.status == 401


async def test_names_with_markup_are_only_text(site: Site) -> None:
    await site.sign_in(AWAY_SUPERVISOR)
    place = {"agency_id": "agy_away", "provider_id": "prv_away", "program_id": "prg_away"}
    row = await site.session(
        **place, tablet_id="tab_away", officer_id=None, lead_id=AWAY_SUPERVISOR.id
    )
    for path in ("/manager", f"/manager/sessions/{row.id}", "/manager/tablets"):
        response = await site.client.get(path)
        html = await response.text()
        assert response.status == 200
        assert "&lt;script&gt;alert(1)" in html, path
        assert "<script>alert" not in html
        assert "<img src=x" not in html
    export = await (await site.client.get("/manager/sessions.csv")).text()
    assert XSS in export  # text in a file; nothing renders it


async def test_titles_and_addresses_name_nobody(site: Site) -> None:
    row = await site.session()
    await site.sign_in(demo.LENA)
    names = {word for member in demo.CAST for word in member.name.split()}
    for path in ("/manager", f"/manager/sessions/{row.id}", "/manager/tablets", "/sign-in"):
        html = await (await site.client.get(path)).text()
        title = html.partition("<title>")[2].partition("</title>")[0]
        assert title
        assert not any(name in title for name in names)
        assert not any(f"={name}" in html for name in names)


async def test_the_log_line_of_a_request_holds_its_pattern_and_no_id(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    row = await site.session()
    await site.sign_in(demo.LENA)
    with caplog.at_level(logging.INFO, logger="web"):
        await site.client.get(f"/manager/sessions/{row.id}?x=secret")
        await site.client.get("/nothing/personal@example.org")
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("web")]
    assert any("route=/manager/sessions/{id} method=GET status=200" in line for line in lines)
    assert any("route=none method=GET status=404" in line for line in lines)
    assert not any(row.id in line or "secret" in line or "@" in line for line in lines)
    assert not any("127.0.0.1" in line for line in lines)


async def test_a_mistake_of_ours_is_a_page_with_a_number_and_no_detail(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await site.sign_in(demo.LENA)

    async def broken() -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(site.desk, "picture", broken)
    response = await site.client.get("/manager")
    text = await response.text()
    assert response.status == 500
    assert "a secret detail" not in text
    assert response.headers["X-Request-Id"] in text
    assert response.headers["X-Request-Id"] in caplog.text
    body = await (await site.client.get("/api/v1/board")).json()
    assert body["code"] == "internal"
