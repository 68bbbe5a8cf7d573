"""The manager's page for programs of others: tokens and addresses, made, shown once, and ended."""

from __future__ import annotations

import base64
import html
import re

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from records import deliveries, schema, webhooks
from records.schema_programs import api_token, webhook, webhook_delivery
from tests.web.cast import AWAY_MANAGER, NOW, XSS, Site
from tests.web.programs import PAGE, ask, secret_in, token
from web.dev import cast as demo

HOOK = {
    "webhook_name": "County records",
    "url": "https://records.example.org/in?key=abc",
    "event:session.closed": "1",
    "event:disposition.recorded": "1",
}
TOKEN = {"name": "Dashboard", "expires": "2027-02-01", "agency": "", "provider": ""}


async def shown(site: Site, path: str = PAGE) -> str:
    response = await site.client.get(path)
    assert response.status == 200, await response.text()
    return html.unescape(await response.text())


async def hooked(site: Site, **typed: str) -> str:
    """A registered address's id."""
    response = await site.post(f"{PAGE}/webhooks", {**HOOK, **typed}, page=PAGE)
    assert response.status == 200, await response.text()
    async with site.services.db.read() as conn:
        found = await conn.scalar(select(webhook.c.id).order_by(webhook.c.made_at.desc()))
    assert isinstance(found, str)
    return found


async def administrator(site: Site) -> demo.Member:
    """Lena's password opens an administrator's account of the program."""
    person, grant = schema.person, schema.role_grant

    async def work(conn: AsyncConnection) -> None:
        row = (await conn.execute(select(person).where(person.c.id == demo.LENA.id))).one()
        values = {**row._mapping, "id": "per_alba", "name": "Alba Admin", "short_name": "Alba"}
        values["email"] = demo.Member("per_alba", "Alba Admin", "Alba", "manager").email
        await conn.execute(insert(person).values(values))
        await conn.execute(insert(grant).values(person_id="per_alba", role="admin", granted_at=NOW))

    await site.services.db.write(work)
    return demo.Member("per_alba", "Alba Admin", "Alba", "manager")


async def test_a_token_is_shown_once_then_listed_without_its_secret_and_ends_at_once(
    site: Site,
) -> None:
    secret = await token(site, "log.read", "log.names", name=f"Board {XSS}")
    await site.sign_in(demo.LENA)
    text = await (await site.client.get(PAGE)).text()
    assert XSS not in text
    assert f"Board {XSS}" in html.unescape(text)
    assert secret not in text
    assert "2027-03-01" in text
    assert "never" in text
    await ask(site, "sessions", secret)
    assert "2027-01-15 02:00" in await shown(site), "the last use, in the agency's time"
    async with site.services.db.read() as conn:
        token_id = await conn.scalar(select(api_token.c.id))
    response = await site.post(f"{PAGE}/tokens/{token_id}/revoke", {}, page=PAGE)
    assert response.status == 303
    assert (await ask(site, "sessions", secret))[0] == 401
    assert "taken back" in await shown(site)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"name": "  "}, "a name of at most"),
        ({"name": "x" * 81}, "a name of at most"),
        ({"expires": "2028-01-17"}, "at most a year"),
        ({"expires": "2027-01-14"}, "at most a year"),
        ({"expires": "soon"}, "at most a year"),
        ({"agency": "agy_away"}, "one of your agencies"),
        ({"provider": "prv_away"}, "one of your providers"),
        ({"scope:log.read": ""}, "at least one thing"),
    ],
)
async def test_a_token_that_cannot_be_is_not_made_and_the_field_is_named(
    site: Site, typed: dict[str, str], says: str
) -> None:
    await site.sign_in(demo.LENA)
    form = {**TOKEN, "scope:log.read": "1", "scope:root": "1", **typed}
    response = await site.post(f"{PAGE}/tokens", form, page=PAGE)
    text = html.unescape(await response.text())
    assert response.status == 422
    assert says in text
    assert 'aria-invalid="true"' in text
    async with site.services.db.read() as conn:
        assert (await conn.execute(select(api_token))).first() is None


async def test_a_year_is_the_longest_and_must_be_chosen(site: Site) -> None:
    assert await token(site, "log.read", expires="2028-01-15")


async def test_another_programs_manager_neither_sees_nor_ends_what_is_here(site: Site) -> None:
    secret = await token(site, "log.read")
    await site.sign_in(demo.LENA)
    hook = await hooked(site)
    async with site.services.db.read() as conn:
        token_id = await conn.scalar(select(api_token.c.id))
    site.client.session.cookie_jar.clear()
    await site.sign_in(AWAY_MANAGER)
    text = await shown(site)
    assert "County" not in text
    for path in (
        f"{PAGE}/tokens/{token_id}/revoke",
        *(f"{PAGE}/webhooks/{hook}/{what}" for what in ("pause", "test", "retry", "remove")),
        f"{PAGE}/webhooks/{hook}/resume",
    ):
        assert (await site.post(path, {}, page=PAGE)).status == 404, path
    assert (await site.client.get(f"{PAGE}/webhooks/{hook}")).status == 404
    assert (await ask(site, "sessions", secret))[0] == 200
    async with site.services.db.read() as conn:
        assert await conn.scalar(select(webhook.c.state)) == "active"


async def test_a_clinician_has_no_such_page_and_an_administrator_only_ends_things(
    site: Site,
) -> None:
    secret = await token(site, "log.read")
    await site.sign_in(demo.LENA)
    hook = await hooked(site)
    site.client.session.cookie_jar.clear()
    await site.sign_in(demo.DANA)
    assert (await site.client.get(PAGE)).status == 403
    site.client.session.cookie_jar.clear()
    await site.sign_in(await administrator(site))
    text = await shown(site)
    assert "Your role reads no log" in text
    assert 'id="new-token"' not in text
    assert 'id="new-webhook"' not in text
    for path, form in ((f"{PAGE}/tokens", TOKEN | {"scope:log.read": "1"}),
                       (f"{PAGE}/webhooks", HOOK)):  # fmt: skip
        assert (await site.post(path, form, page=PAGE)).status == 403
    assert (await site.post(f"{PAGE}/webhooks/{hook}/pause", {}, page=PAGE)).status == 303
    resumed = await site.post(f"{PAGE}/webhooks/{hook}/resume", {}, page=PAGE)
    assert resumed.status == 403, "who reads no log vouches for no address"
    async with site.services.db.read() as conn:
        token_id = await conn.scalar(select(api_token.c.id))
    assert (await site.post(f"{PAGE}/tokens/{token_id}/revoke", {}, page=PAGE)).status == 303
    assert (await ask(site, "sessions", secret))[0] == 401


async def test_an_address_is_kept_sealed_and_its_secret_shown_once(site: Site) -> None:
    await site.sign_in(demo.LENA)
    response = await site.post(f"{PAGE}/webhooks", HOOK, page=PAGE)
    secret = secret_in(await response.text())
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    async with site.services.db.read() as conn:
        row = (await conn.execute(select(webhook))).one()
        sealed = await webhooks.opened(conn, site.services.vault, row.id)
    assert sealed is not None
    assert (sealed.url, f"whsec_{base64.b64encode(sealed.secret).decode()}") == (
        HOOK["url"], secret,
    )  # fmt: skip
    assert b"key=abc" not in row.url_enc
    text = await shown(site)
    assert "records.example.org" in text
    assert "key=abc" not in text + await shown(site, f"{PAGE}/webhooks/{row.id}")
    assert secret not in text


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"webhook_name": ""}, "a name of at most"),
        ({"url": "http://records.example.org/"}, "begin with https://"),
        ({"url": "https://user:pw@records.example.org/"}, "begin with https://"),
        ({"url": "https://10.1.2.3/"}, "begin with https://"),
        ({"url": "ftp://records.example.org/"}, "begin with https://"),
        ({"url": "https://"}, "begin with https://"),
        ({"url": "https://records.example.org/ x"}, "begin with https://"),
        ({"event:session.closed": "", "event:disposition.recorded": ""}, "at least one thing"),
    ],
)
async def test_an_address_that_cannot_be_is_not_registered_and_the_field_is_named(
    site: Site, typed: dict[str, str], says: str
) -> None:
    await site.sign_in(demo.LENA)
    response = await site.post(f"{PAGE}/webhooks", {**HOOK, **typed}, page=PAGE)
    assert response.status == 422
    assert says in html.unescape(await response.text())
    async with site.services.db.read() as conn:
        assert (await conn.execute(select(webhook))).first() is None


async def test_what_became_of_the_notices_is_shown_with_the_last_answer(site: Site) -> None:
    await site.sign_in(demo.LENA)
    hook = await hooked(site)
    row = await site.session()
    async with site.services.db.read() as conn:
        (waits,) = await deliveries.newest(conn, hook, 9) or (None,)
    assert waits is None, "nothing that it is told of has happened"
    response = await site.post(f"{PAGE}/webhooks/{hook}/test", {}, page=f"{PAGE}/webhooks/{hook}")
    assert response.status == 303
    table = webhook_delivery
    await site.services.db.write(
        lambda conn: conn.execute(
            update(table).values(
                state="failed", attempt=8, status=503, reason="refused", session_id=row.id
            )
        )
    )
    text = re.sub(r"\s+", " ", await shown(site, f"{PAGE}/webhooks/{hook}"))
    for words in ("failed", "8 of 8", "503 refused", f"/manager/sessions/{row.id}", "one failed"):
        assert words in text, words
    again = await site.post(f"{PAGE}/webhooks/{hook}/retry", {}, page=f"{PAGE}/webhooks/{hook}")
    assert again.status == 303
    async with site.services.db.read() as conn:
        (one,) = await deliveries.newest(conn, hook, 9)
    assert (one.state, one.attempt) == ("queued", 0)


async def test_an_address_is_paused_goes_on_by_the_right_of_who_says_so_and_is_forgotten(
    site: Site,
) -> None:
    await site.sign_in(demo.LENA)
    hook = await hooked(site)
    await site.services.db.write(
        lambda conn: conn.execute(update(webhook).values(owner_id=demo.DANA.id))
    )
    for what, state in (("pause", "paused"), ("pause", "paused"), ("resume", "active")):
        assert (await site.post(f"{PAGE}/webhooks/{hook}/{what}", {}, page=PAGE)).status == 303
        async with site.services.db.read() as conn:
            assert await conn.scalar(select(webhook.c.state)) == state
    async with site.services.db.read() as conn:
        assert await conn.scalar(select(webhook.c.owner_id)) == demo.LENA.id
    await site.post(f"{PAGE}/webhooks/{hook}/test", {}, page=PAGE)
    assert (await site.post(f"{PAGE}/webhooks/{hook}/remove", {}, page=PAGE)).status == 303
    assert (await site.client.get(f"{PAGE}/webhooks/{hook}")).status == 404
    assert "County records" not in await shown(site)
    async with site.services.db.read() as conn:
        row = (await conn.execute(select(webhook))).one()
        assert (row.state, row.url_enc, row.secret_enc) == ("removed", None, None)
        assert await conn.scalar(select(webhook_delivery.c.state)) == "dropped"


async def test_each_change_is_on_record(site: Site) -> None:
    await token(site, "log.read")
    await site.sign_in(demo.LENA)
    hook = await hooked(site)
    await shown(site, f"{PAGE}/webhooks/{hook}")
    audit = schema.audit
    async with site.services.db.read() as conn:
        rows = await conn.execute(
            select(audit.c.action, audit.c.outcome)
            .where(audit.c.object_kind.in_(("token", "webhook")))
            .order_by(audit.c.no)
        )
        assert [tuple(row) for row in rows] == [
            ("token.make", "allowed"),
            ("webhook.add", "allowed"),
            ("webhook.read", "allowed"),
        ]


async def test_there_is_a_bound_for_tokens_and_for_addresses(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("records.api_tokens.MOST", 1)
    monkeypatch.setattr("records.webhooks.MOST", 1)
    await token(site, "log.read")
    await site.sign_in(demo.LENA)
    form = TOKEN | {"scope:log.read": "1"}
    response = await site.post(f"{PAGE}/tokens", form, page=PAGE)
    assert (response.status, "too many tokens" in await response.text()) == (422, True)
    await hooked(site)
    response = await site.post(f"{PAGE}/webhooks", HOOK, page=PAGE)
    assert (response.status, "too many addresses" in await response.text()) == (422, True)
