"""The door behind a guest's link: what opens it, how often, and what is seen from outside."""

from __future__ import annotations

import pytest
from aiohttp import ClientResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import guests
from records import guest_links
from records.guest_links import GuestLinkRow
from tests.web.cast import NOW, ORIGIN, Site
from web.dev import cast as demo


async def link_of(site: Site, **session: object) -> tuple[str, GuestLinkRow]:
    """A fresh link into a running call of the cast."""
    values: dict[str, object] = {"state": "connected", "lead_id": demo.DANA.id, **session}
    row = await site.session(**values)
    secret = guests.fresh_secret()

    async def write(conn: AsyncConnection) -> GuestLinkRow | None:
        return await guest_links.add(
            conn,
            row.id,
            role="interpreter",
            token_hash=guests.digest(secret),
            created_by=demo.DANA.id,
            now=NOW,
            seconds=guests.LINK_SECONDS,
        )

    made = await site.services.db.write(write)
    assert made is not None
    return secret, made


async def enter(site: Site, secret: str, name: str = "Marta R.") -> ClientResponse:
    token = await site.csrf("/join")
    return await site.client.post(
        "/api/v1/join",
        json={"token": secret, "name": name},
        headers={"Origin": ORIGIN, "X-CSRF-Token": token},
    )


async def test_a_link_opens_the_call_s_page_once(site: Site) -> None:
    secret, _ = await link_of(site)
    assert (await site.client.get("/guest")).status == 410
    door = await site.client.get("/join")
    assert door.status == 200, "opening the door spends nothing"
    answer = await enter(site, secret)
    assert (answer.status, (await answer.json())["next"]) == (200, "/guest")
    page = await site.client.get("/guest")
    assert page.status == 200
    assert secret not in await page.text()
    site.client.session.cookie_jar.clear()
    again = await enter(site, secret)
    assert (again.status, (await again.json())["code"]) == (410, "bad-link")


async def test_a_guest_s_call_is_in_the_language_of_the_browser_as_the_door_was(site: Site) -> None:
    spanish = {"Accept-Language": "es-MX,es;q=0.9,en;q=0.5"}
    secret, _ = await link_of(site)
    assert '<html lang="es"' in await (await site.client.get("/join", headers=spanish)).text()
    assert (await enter(site, secret)).status == 200
    for headers, lang in ((spanish, "es"), ({"Accept-Language": "en"}, "en")):
        html = await (await site.client.get("/guest", headers=headers)).text()
        assert f'<html lang="{lang}"' in html


@pytest.mark.parametrize("name", ["", "   ", "x" * 41, "Mar\x00ta", "a\u202eb"])
async def test_a_name_that_is_none_is_refused_and_the_link_stays_good(
    site: Site, name: str
) -> None:
    secret, made = await link_of(site)
    assert (await enter(site, secret, name)).status == 400
    async with site.services.db.read() as conn:
        kept = await guest_links.get(conn, made.id)
    assert kept is not None
    assert kept.used_at is None


async def test_a_guest_s_cookie_opens_no_other_page(site: Site) -> None:
    secret, _ = await link_of(site)
    await enter(site, secret)
    for path in ("/console", "/manager", "/tablet", "/alerts"):
        response = await site.client.get(path, allow_redirects=False)
        assert response.status == 303, path


async def test_a_link_taken_back_closes_the_page_that_it_had_opened(site: Site) -> None:
    secret, made = await link_of(site)
    await enter(site, secret)

    async def write(conn: AsyncConnection) -> None:
        await guest_links.revoke(conn, made.id, NOW)

    await site.services.db.write(write)
    response = await site.client.get("/guest")
    assert response.status == 410
    assert "over for you" in await response.text()


async def test_the_name_is_sealed_at_rest(site: Site) -> None:
    secret, made = await link_of(site)
    await enter(site, secret, "Marta Rosenqvist")
    async with site.services.db.read() as conn:
        kept = await guest_links.get(conn, made.id)
        names = await guest_links.names(conn, site.services.vault, made.session_id)
    assert kept is not None
    assert kept.name_enc is not None
    assert b"Rosenqvist" not in kept.name_enc
    assert names == {made.id: "Marta Rosenqvist"}
