"""Languages and themes of pages, static files, what live pages are given, and the probes."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from records.engine import Database
from signaling.settings import Sensitive
from tests.web.cast import Site, open_site
from web import present
from web.dev import cast as demo
from web.errors import TooOften
from web.limits import RATES, Limits

TURN = Sensitive("a relay's secret that is long enough")


def island(html: str) -> dict[str, Any]:
    found = re.search(r'<script id="boot" type="application/json">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


async def test_the_language_follows_the_browser_and_then_the_choice(site: Site) -> None:
    spanish = {"Accept-Language": "es-US,es;q=0.9"}
    html = await (await site.client.get("/sign-in", headers=spanish)).text()
    assert '<html lang="es"' in html
    assert "Contraseña" in html
    response = await site.client.get("/sign-in?next=/manager&lang=en", allow_redirects=False)
    assert (response.status, response.headers["Location"]) == (303, "/sign-in?next=/manager")
    html = await (await site.client.get("/sign-in", headers=spanish)).text()
    assert '<html lang="en"' in html


async def test_switching_the_language_never_leads_to_another_site(site: Site) -> None:
    for path in ("//evil.example/?lang=es", "/%5Cevil.example?lang=es", "/%2Fevil.example?lang=es"):
        raw = URL(str(site.client.make_url("/")).rstrip("/") + path, encoded=True)
        response = await site.client.session.get(raw, allow_redirects=False)
        location = response.headers.get("Location", "/")
        assert location.startswith("/")
        assert not location.startswith(("//", "/\\"))


async def test_a_signed_in_persons_own_language_counts(site: Site) -> None:
    async def learn(conn: Any) -> None:
        await conn.exec_driver_sql("UPDATE person SET locale = 'es' WHERE id = 'per_lena'")

    await site.services.db.write(learn)
    await site.sign_in(demo.LENA)
    html = await (await site.client.get("/manager", headers={"Accept-Language": "en"})).text()
    assert "Registro de sesiones" in html


async def test_a_theme_is_rendered_from_the_cookie_and_the_tablet_is_dark(site: Site) -> None:
    assert 'data-theme="auto"' in await (await site.client.get("/")).text()
    light = {"Cookie": "cb_theme=light"}
    assert 'data-theme="light"' in await (await site.client.get("/", headers=light)).text()
    odd = {"Cookie": 'cb_theme="><script>'}
    assert 'data-theme="auto"' in await (await site.client.get("/", headers=odd)).text()
    await site.enrol()
    assert 'data-theme="dark"' in await (await site.client.get("/tablet")).text()


# --- static files ---------------------------------------------------------------------------------


async def test_static_files_may_be_kept_for_ever_under_their_builds_name(site: Site) -> None:
    html = await (await site.client.get("/")).text()
    address = re.search(r'href="(/static/\w{12}/css/tokens.css)"', html)
    assert address is not None
    response = await site.client.get(address[1])
    assert response.status == 200
    assert "immutable" in response.headers["Cache-Control"]
    assert response.headers["Content-Type"] == "text/css; charset=utf-8"
    again = await site.client.get(address[1], headers={"If-None-Match": response.headers["ETag"]})
    assert again.status == 304
    packed = await site.client.get(
        address[1], headers={"Accept-Encoding": "gzip"}, auto_decompress=False
    )
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(await packed.read()) == await response.read()


async def test_an_older_builds_page_still_gets_its_files_but_keeps_none(site: Site) -> None:
    response = await site.client.get("/static/000000000000/css/tokens.css")
    assert (response.status, response.headers["Cache-Control"]) == (200, "no-cache")


@pytest.mark.parametrize(
    "name", ["../app.py", "..%2fapp.py", "%2e%2e/app.py", "css/../../app.py", "css", "", "css/"]
)
async def test_nothing_outside_the_static_folder_can_be_asked_for(site: Site, name: str) -> None:
    response = await site.client.get(f"/static/x/{name}")
    assert response.status == 404


# --- live pages -----------------------------------------------------------------------------------


async def test_a_tablet_that_nobody_has_checked_out_speaks_its_browser_s_language(
    site: Site,
) -> None:
    spanish = {"Accept-Language": "es-US,es;q=0.9"}
    await site.enrol(demo.UNIT_21)
    html = await (await site.client.get("/tablet", headers=spanish)).text()
    assert '<html lang="es"' in html
    html = await (await site.client.get("/tablet", headers={"Accept-Language": "en"})).text()
    assert '<html lang="en"' in html


async def test_the_tablet_is_given_what_it_needs_and_nobody_elses(site: Site) -> None:
    await site.enrol()
    given = island(await (await site.client.get("/tablet")).text())
    assert given["page"] == "tablet"
    assert given["ws"] == "/ws"
    assert (given["agency"], given["unit"]) == (demo.AGENCY, "Unit 12")
    assert (given["regionalLine"], given["providerLine"]) == (demo.REGIONAL_LINE, demo.BRIDGE_LINE)
    # names of officers and credentials of the relay come when the device has proved what it is
    assert not {"officers", "onShift"} & set(given)
    assert demo.SAM.name not in json.dumps(given)
    assert given["tiles"] == list(demo.TILES)
    assert given["relay"] == {"servers": [], "expires_at": 0}
    assert "tablet.connect" in given["strings"]
    assert "common.disposition.remain_in_place" in given["strings"]
    assert not any(key.startswith(("console.", "manager.")) for key in given["strings"])


# --- probes ---------------------------------------------------------------------------------------


async def test_health_says_alive_while_readiness_follows_the_parts(site: Site) -> None:
    ready = await site.client.get("/readyz")
    assert (ready.status, (await ready.json())["ok"]) == (200, True)
    site.desk.ready = False
    ready = await site.client.get("/readyz")
    assert ready.status == 503
    assert (await ready.json())["parts"] == {"database": True, "desk": False, "disk": True}
    assert (await site.client.get("/healthz")).status == 200
    site.desk.ready = True
    await site.services.db.close()
    ready = await site.client.get("/readyz")
    assert (ready.status, (await ready.json())["parts"]["database"]) == (503, False)


async def test_a_disk_that_is_nearly_full_is_no_place_to_send_people(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.disk.free_bytes", lambda _settings: 31 * 1024**2)
    ready = await site.client.get("/readyz")
    assert (ready.status, (await ready.json())["parts"]["disk"]) == (503, False)
    numbers = await (await site.client.get("/metrics")).text()
    assert "crisisbridge_disk_free_bytes 3.2505856e+07" in numbers


async def test_metrics_count_sessions_and_name_nobody(site: Site) -> None:
    await site.session(
        state="waiting", close_reason=None, lead_id=None, ended_at=None, closed_at=None
    )
    response = await site.client.get("/metrics")
    text = await response.text()
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert 'crisisbridge_sessions{state="waiting"} 1.0' in text
    assert 'crisisbridge_bridge_total{what="packets_in"} 3.0' in text
    assert "Rivera" not in text


async def test_metrics_of_a_public_server_do_not_pass_a_proxy(db: Database, tmp_path: Path) -> None:
    site = await open_site(tmp_path, db, host="0.0.0.0", demo=False)
    try:
        assert (await site.client.get("/metrics")).status == 200
        forwarded = {"X-Forwarded-For": "203.0.113.9"}
        assert (await site.client.get("/metrics", headers=forwarded)).status == 404
        assert (await site.client.get("/-/patterns")).status == 404  # nor the portfolio
    finally:
        await site.client.close()


# --- small things ---------------------------------------------------------------------------------


def test_a_place_gets_its_tries_back_with_time_and_places_are_bounded() -> None:
    limits = Limits(most=2)
    burst = int(RATES["shift"].burst)
    for _ in range(burst):
        limits.take("shift", "a", 0.0)
    with pytest.raises(TooOften) as refused:
        limits.take("shift", "a", 0.0)
    wait = 1 / RATES["shift"].refill
    assert refused.value.retry_after == pytest.approx(wait)
    limits.take("shift", "b", 0.0)
    limits.take("shift", "a", wait)
    with pytest.raises(TooOften):
        limits.take("shift", "a", wait / 2)  # a clock that goes back gives nothing
    limits.take("shift", "c", 5.0)
    limits.take("shift", "d", 5.0)
    assert len(limits._levels) == 2


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "–"), (0, "0:00"), (42.9, "0:42"), (725, "12:05"), (3723, "1:02:03"), (-3, "0:00")],
)
def test_a_duration_reads_as_on_a_clock(seconds: float | None, words: str) -> None:
    assert present.span(seconds) == words


def test_times_are_shown_where_the_agency_is_and_kept_in_utc() -> None:
    assert present.moment(1_800_000_000, "America/Chicago") == "2027-01-15 02:00"
    assert present.iso(1_800_000_000) == "2027-01-15T08:00:00Z"
    assert present.moment(None, "UTC") == "–"
