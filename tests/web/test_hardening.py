"""What holds for every address of the table: headers, limits, sizes, nobody else's servers."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientResponse

from auth.tablets import make_enrolment
from records.engine import Database
from tests.web.cast import ORIGIN, PASSWORD, Site, open_site
from tests.web.test_guards import everything_of, filled_in
from tests.web.test_guests import link_of
from web import limits
from web.dev import cast as demo
from web.limits import RATES, Rate
from web.routes import SAFE, Route, Who

STATIC = Path(__file__).parents[2] / "web" / "static"
# names of formats look like addresses; nothing is ever fetched from them
FORMATS = ("http://www.w3.org/2000/svg", "http://hl7.org/fhir/StructureDefinition/")
KEPT = {  # by everybody, for a while
    "/service-worker.js",
    "/manifest.webmanifest",
    "/static/{build}/{name:.+}",
    "/.well-known/jwks.json",
}


async def asked(site: Site, route: Route, **more: Any) -> ClientResponse:
    response = await site.client.request(
        route.method, filled_in(route.path), allow_redirects=False, **more
    )
    await response.read()
    return response


@pytest.fixture
async def everybody(site: Site) -> Site:
    """One browser with a manager's sign-in and a tablet's enrolment."""
    await site.sign_in(demo.LENA)
    await site.enrol()
    return site


# --- headers --------------------------------------------------------------------------------------


async def test_every_answer_has_every_header_and_is_kept_by_nobody(everybody: Site) -> None:
    routes = everything_of(everybody)
    for route in routes:
        if route.path == "/console":
            continue  # a clinician's; its own tests open it
        response = await asked(everybody, route, headers={"Origin": ORIGIN})
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy, route.path
        assert "unsafe" not in policy
        assert "*" not in policy
        assert "require-trusted-types-for 'script'; trusted-types crisisbridge" in policy
        for name, value in {
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Embedder-Policy": "require-corp",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Origin-Agent-Cluster": "?1",
        }.items():
            assert response.headers.getall(name) == [value], route.path
        assert "geolocation=()" in response.headers["Permissions-Policy"]
        assert not any(name.startswith("Access-Control-") for name in response.headers), route.path
        kind = response.headers.get("Content-Type", "")
        assert not kind.startswith("text/") or "charset=utf-8" in kind.lower(), route.path
        if route.path not in KEPT:
            assert response.headers.getall("Cache-Control") == ["no-store"], route.path
    missing = await everybody.client.get("/nothing/here")
    assert missing.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in missing.headers["Content-Security-Policy"]


async def test_over_tls_cookies_are_bound_to_the_host_and_browsers_told_to_stay(
    db: Database, tmp_path: Path
) -> None:
    site = await open_site(tmp_path, db, cookie_secure=None)
    try:
        response = await site.client.get("/sign-in")
        assert response.headers["Strict-Transport-Security"].startswith("max-age=31536000;")
        form = response.headers.getall("Set-Cookie")
        token = re.search(r'name="csrf" value="([^"]+)"', await response.text())
        assert token is not None
        now = site.clock[0]
        code = await db.write(lambda conn: make_enrolment(conn, demo.UNIT_12.id, now))
        secret, _ = await link_of(site)
        sent: dict[str, dict[str, Any]] = {
            "/sign-in": {
                "data": {"email": demo.LENA.email, "password": PASSWORD, "next": ""}
                | {"csrf": token[1]}
            },
            "/api/v1/enrol": {"json": {"code": code}},
            "/api/v1/join": {"json": {"token": secret, "name": "Marta"}},
        }
        holder = {"Origin": ORIGIN, "Cookie": form[0].partition(";")[0], "X-CSRF-Token": token[1]}
        for path, body in sent.items():
            answer = await site.client.post(path, headers=holder, allow_redirects=False, **body)
            assert answer.status in {200, 303}, (path, await answer.text())
            form += answer.headers.getall("Set-Cookie")
        kept = {one.partition("=")[0] for one in form if "Max-Age=0" not in one}
        assert {
            f"__Host-cb_{name}" for name in ("form", "login", "renewal", "tablet", "guest")
        } == (kept)
        for one in form:
            assert one.startswith("__Host-cb_")
            lax = one.startswith(("__Host-cb_login", "__Host-cb_renewal", "__Host-cb_step"))
            for part in ("Secure", "HttpOnly", "Path=/", f"SameSite={'Lax' if lax else 'Strict'}"):
                assert part in one
            assert "Domain" not in one
    finally:
        await site.client.close()


async def test_on_this_machine_without_tls_nothing_claims_tls(site: Site) -> None:
    response = await site.client.get("/sign-in")
    assert "Strict-Transport-Security" not in response.headers
    assert all("Secure" not in one for one in response.headers.getall("Set-Cookie"))


# --- limits ---------------------------------------------------------------------------------------


async def test_every_address_has_a_limit_that_is_really_asked(
    everybody: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    routes = everything_of(everybody)
    assert {route.limited for route in routes} <= RATES.keys()
    nothing = {kind: Rate(burst=0.0, refill=1.0) for kind in RATES}
    monkeypatch.setattr(limits, "RATES", nothing)
    for route in routes:
        response = await asked(everybody, route, headers={"Origin": ORIGIN})
        assert response.status == 429, route.path
        assert response.headers["Retry-After"] == "1"
    stray = await everybody.client.get("/no/such/address")
    assert stray.status == 429


async def test_one_kinds_limit_leaves_the_others_alone(site: Site) -> None:
    for _ in range(int(RATES["stray"].burst)):
        assert (await site.client.get("/no/such/address")).status == 404
    assert (await site.client.get("/no/such/address")).status == 429
    assert (await site.client.get("/sign-in")).status == 200
    site.clock[0] += 2 / RATES["stray"].refill
    assert (await site.client.get("/no/such/address")).status == 404


# --- sizes ----------------------------------------------------------------------------------------


async def test_no_address_takes_a_body_without_end(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As whoever may post there, so that it is the size that is refused."""
    monkeypatch.setattr(limits, "RATES", {kind: Rate(1e9, 1.0) for kind in RATES})
    guests_only = 0
    for member in (demo.DANA, demo.ADA, demo.LENA):
        site.client.session.cookie_jar.clear()
        await site.sign_in(member)
        await site.enrol()
        for route in everything_of(site):
            if route.method in SAFE:
                continue
            if route.who is Who.GUEST:
                guests_only += 1
                continue
            largest = max(route.largest or 0, 300 * 1024)
            response = await asked(
                site,
                route,
                data=b"a=" + b"x" * largest,
                headers={"Origin": ORIGIN, "Content-Type": "application/x-www-form-urlencoded"},
            )
            assert response.status in {413, 403}, (member.role, route.path)
            assert response.status == 413 or route.who is Who.PERSON
    assert guests_only == 0, "a guest posts nowhere; if that changes, try it here"


async def test_a_form_in_pieces_that_is_none_is_refused_and_is_no_failure_of_ours(
    site: Site,
) -> None:
    for kind, body in (
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=q", b"--q\r\nno header here"),
        ("multipart/form-data; boundary=q", b"--q\r\nContent-Disposition: form-data\r\n\r\nx"),
        ("application/x-www-form-urlencoded; charset=nonsense", b"a=b"),
        ("application/x-www-form-urlencoded", b"a=%ff%fe"),
    ):
        response = await site.client.post(
            "/sign-in", data=body, headers={"Origin": ORIGIN, "Content-Type": kind}
        )
        assert 400 <= response.status < 500, kind


# --- nobody else's servers ------------------------------------------------------------------------


def addresses(text: str) -> set[str]:
    """Whatever in a page makes a browser fetch, send or lead somewhere."""
    found = re.findall(
        r"""\b(?:src|href|action|formaction|poster|data|srcset|ping|cite|content)\s*=\s*"([^"]*)""",
        text,
    )
    return {html.unescape(one) for one in found}


async def test_no_page_leads_a_browser_to_anybody_else(everybody: Site) -> None:
    seen = 0
    for member in (demo.LENA, demo.ADA, demo.DANA):
        await everybody.sign_in(member)
        for route in everything_of(everybody):
            if route.method != "GET" or (member is demo.DANA and route.path == "/console"):
                continue
            response = await asked(everybody, route, headers={"Accept": "text/html"})
            if response.content_type != "text/html":
                continue
            seen += 1
            text = await response.text()
            for one in addresses(text):
                parts = urlsplit(one)
                foreign = parts.netloc or parts.scheme not in {"", "tel", "mailto", "sms"}
                assert not foreign or one == ORIGIN, (route.path, one)
            assert "<style" not in text
            assert " style=" not in text
            assert not re.search(r"\son[a-z]+=", text), route.path
            for script in re.findall(r"<script[^>]*>", text):
                assert 'src="/static/' in script or 'type="application/json"' in script
    assert seen > 60


def test_no_file_of_ours_names_an_address_elsewhere() -> None:
    """Styles and modules: a comment may name where something is explained, code may not."""
    for path in STATIC.rglob("*"):
        if path.suffix not in {".css", ".js", ".webmanifest"}:
            continue
        code = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        code = re.sub(r"(?m)(^|\s)//.*$", "", code)
        names = set(re.findall(r"""(?:https?|wss?):?//[^\s"'`)]+""", code))
        assert {one for one in names if not one.startswith(FORMATS)} == set(), path
