"""With an admin network: numbers and administrators' pages there, everything else here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from auth.policy import Action
from records.engine import Database
from signaling.settings import Sensitive, Settings, load, unfit_to_serve
from tests.web.cast import ORIGIN, PASSWORD, Site, make_site
from tests.web.test_guards import everything_of
from web.app import create_app, sides
from web.dev import cast as demo
from web.routes import Route, Who, guarded

INSIDE = "https://admin.example.org"
SECRET = "fine-and-long-0123456789-abcdefghijk"
NUMBERS = ("/healthz", "/readyz", "/metrics")


async def opened(folder: Path, db: Database, *, inside: bool) -> TestClient[Any, Any]:
    more: dict[str, Any] = {"admin_listen": ("127.0.0.1", 9090), "admin_origins": (INSIDE,)}
    services, _, _ = make_site(folder, db, **more)
    app = create_app(services, inside=inside)
    client: TestClient[Any, Any] = TestClient(TestServer(app))
    await client.start_server()
    return client


async def test_numbers_are_inside_and_calls_are_outside(db: Database, tmp_path: Path) -> None:
    outside, inside = [await opened(tmp_path, db, inside=one) for one in (False, True)]
    try:
        for path in NUMBERS:
            assert (await outside.get(path)).status == 404
            assert (await inside.get(path)).status == 200
        for path in ("/tablet", "/console", "/manager", "/ws", "/poll", "/api/v1/board", "/join"):
            assert (await inside.get(path, allow_redirects=False)).status == 404
        assert (await outside.get("/enrol")).status == 200
        assert (await inside.get("/sign-in")).status == 200
        away = await inside.get("/", allow_redirects=False)
        assert (away.status, away.headers["Location"]) == (303, "/sign-in")
    finally:
        await outside.close()
        await inside.close()


async def test_each_side_takes_forms_of_its_own_pages_only(db: Database, tmp_path: Path) -> None:
    outside, inside = [await opened(tmp_path, db, inside=one) for one in (False, True)]
    try:
        for client, own, other in ((outside, ORIGIN, INSIDE), (inside, INSIDE, ORIGIN)):
            site = Site(client, None, None)  # type: ignore[arg-type]
            form = {"csrf": await site.csrf(), "email": demo.LENA.email, "password": "x"}
            for origin, status in ((other, 403), (own, 401)):
                response = await client.post(
                    "/sign-in", data={**form, "next": ""}, headers={"Origin": origin}
                )
                assert response.status == status
    finally:
        await outside.close()
        await inside.close()


async def test_an_invitation_made_inside_leads_to_the_address_that_everybody_opens(
    db: Database, tmp_path: Path
) -> None:
    outside, inside = [await opened(tmp_path, db, inside=one) for one in (False, True)]
    try:
        assert (await outside.get("/manager/people", allow_redirects=False)).status == 404
        site = Site(inside, None, None)  # type: ignore[arg-type]
        form = {"email": demo.TOM.email, "password": PASSWORD, "next": ""}
        signed = await inside.post(
            "/sign-in", data={"csrf": await site.csrf(), **form}, headers={"Origin": INSIDE}
        )
        assert signed.url.path == "/manager/people"
        form = {"name": "Noor", "short_name": "Noor", "email": "noor@demo.invalid", "role": "admin"}
        made = await inside.post(
            "/manager/people",
            data={"csrf": await site.csrf("/manager/people"), **form},
            headers={"Origin": INSIDE},
        )
        text = await made.text()
        assert made.status == 200, text
        assert f">{ORIGIN}/welcome#" in text
        assert f"{INSIDE}/welcome" not in text
    finally:
        await outside.close()
        await inside.close()


def test_what_only_administrators_may_do_is_inside_by_itself() -> None:
    def route(*needs: Action) -> Route:
        return Route("GET", "/x", guarded, Who.PERSON, needs)  # type: ignore[arg-type]

    assert route(Action.PERSON_MANAGE).inside
    assert not route(Action.TABLET_MANAGE).inside  # a manager's daily work
    assert not route(Action.PERSON_MANAGE, Action.TABLET_READ).inside
    assert not route().inside


async def test_no_address_is_lost_between_the_two_sides(site: Site) -> None:
    table = everything_of(site)
    inside, outside = sides(table, inside=True), sides(table, inside=False)
    assert {one.path for one in inside} | {one.path for one in outside} == {
        one.path for one in table
    }
    both = {one.path for one in inside} & {one.path for one in outside}
    doors = (
        "/sign-",
        "/account",
        "/prove",
        "/api/v1/passkeys",
        "/api/v1/cover",
        "/api/v1/prove",
        "/static/",
    )
    others = {path for path in both if path != "/" and not path.startswith(doors)}
    assert others == set()
    assert not {one.path for one in outside} & set(NUMBERS)


async def test_without_an_admin_network_everything_is_where_it_was(site: Site) -> None:
    for path in NUMBERS:
        assert (await site.client.get(path)).status == 200


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10.0.0.5:9090", ("10.0.0.5", 9090)),
        ("[::1]:9090", ("::1", 9090)),
        ("localhost:1", ("localhost", 1)),
    ],
)
def test_an_address_with_a_port_is_understood(text: str, value: tuple[str, int]) -> None:
    given = {"CRISISBRIDGE_SECRET": SECRET, "CRISISBRIDGE_ADMIN_LISTEN": text}
    assert load(given).admin_listen == value


def settings(**more: Any) -> Settings:
    return Settings(secret=Sensitive(SECRET), admin_listen=("10.0.0.5", 9090), **more)


def test_an_admin_network_beyond_this_machine_needs_tls_as_well() -> None:
    assert any("TLS" in one for one in unfit_to_serve(settings()))
    named = settings(trust_proxy=True, public_origins=(ORIGIN,))
    assert unfit_to_serve(named) == []
    plain = settings(
        trust_proxy=True, public_origins=(ORIGIN,), admin_origins=("http://admin.example.org",)
    )
    assert any("ADMIN_ORIGINS must be https" in one for one in unfit_to_serve(plain))
    near = Settings(secret=Sensitive(SECRET), admin_listen=("127.0.0.1", 9090))
    assert unfit_to_serve(near) == []
    same = Settings(secret=Sensitive(SECRET), admin_listen=("127.0.0.1", 8080))
    assert any("another address" in one for one in unfit_to_serve(same))
