"""The page of keeping: shows what a rule would delete before it is saved; holds on a session."""

from __future__ import annotations

import html

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from records import retention
from records.retention_rules import YEAR, Rule
from tests.web.cast import AWAY_MANAGER, AWAY_SUPERVISOR, NOW, XSS, Site
from web.dev import cast as demo

PAGE = "/manager/keeping"
FORM = {"adult_years": "7", "juvenile_years": "25", "test_days": "30", "keep_numbers": "1"}


async def text(site: Site, query: str = "") -> str:
    response = await site.client.get(PAGE + query)
    assert response.status == 200, query
    return html.unescape(await response.text())


async def saved(site: Site) -> dict[str, Rule]:
    async with site.services.db.read() as conn:
        return {owner: one.rule for owner, one in (await retention.rules(conn)).items()}


def query(owner: str, **more: str) -> str:
    return "?" + "&".join(f"{k}={v}" for k, v in {"owner": owner, **FORM, **more}.items())


async def test_nothing_is_deleted_without_a_rule_and_a_preview_saves_none(site: Site) -> None:
    await site.session(pressed_at=NOW - 30 * YEAR, closed_at=NOW - 30 * YEAR)
    await site.sign_in(demo.LENA)
    assert "Nothing is due." in await text(site)
    tried = await text(site, query(demo.PROGRAM_ID))
    assert "One session would be deleted." in tried
    assert "482 913" in tried
    assert "Is deleted" in tried
    assert await saved(site) == {}


async def test_a_rule_is_saved_after_it_was_looked_at_and_counts_from_then_on(site: Site) -> None:
    await site.session(pressed_at=NOW - 30 * YEAR, closed_at=NOW - 30 * YEAR)
    await site.sign_in(demo.LENA)
    form = {"owner": demo.PROGRAM_ID, "rev": "0", **FORM}
    assert (await site.post(PAGE, form, page=PAGE)).status == 303
    assert await saved(site) == {demo.PROGRAM_ID: Rule(7, 25, 30, keep_numbers=True)}
    assert "One session would be deleted." in await text(site)
    again = await site.post(PAGE, form, page=PAGE)
    assert again.status == 409, "somebody was faster"


@pytest.mark.parametrize(
    ("field", "value"),
    [("adult_years", "5"), ("adult_years", "x"), ("juvenile_years", "6"), ("test_days", "0"),
     ("test_days", "99999999"), ("adult_years", "")],
)  # fmt: skip
async def test_times_that_cannot_be_are_refused_at_their_field(
    site: Site, field: str, value: str
) -> None:
    await site.sign_in(demo.LENA)
    form = {"owner": demo.PROGRAM_ID, "rev": "0", **FORM, field: value}
    response = await site.post(PAGE, form, page=PAGE)
    assert response.status == 422
    assert f'id="{field}-{demo.PROGRAM_ID}-error"' in await response.text()
    assert await saved(site) == {}
    looked = await site.client.get(PAGE + query(demo.PROGRAM_ID, **{field: value}))
    assert looked.status == 422


async def test_nobody_sets_a_rule_for_others(site: Site) -> None:
    await site.sign_in(AWAY_MANAGER)
    form = {"owner": demo.PROGRAM_ID, "rev": "0", **FORM}
    assert (await site.post(PAGE, form, page=PAGE)).status == 403
    looked = await site.client.get(PAGE + query(demo.PROGRAM_ID))
    assert looked.status == 400
    await site.sign_in(demo.ADA)
    assert demo.PROVIDER_ID in await text(site)
    own = {"owner": demo.PROVIDER_ID, "rev": "0", **FORM}
    assert (await site.post(PAGE, own, page=PAGE)).status == 303
    await site.sign_in(demo.DANA)
    assert (await site.client.get(PAGE)).status == 403
    assert list(await saved(site)) == [demo.PROVIDER_ID]


async def test_a_preview_never_shows_an_officers_own_session_to_the_program(site: Site) -> None:
    await site.session(pressed_at=NOW - 30 * YEAR, closed_at=NOW - 30 * YEAR, wellness=True)
    await site.sign_in(demo.LENA)
    assert "Nothing is due." in await text(site, query(demo.PROGRAM_ID))
    await site.sign_in(demo.ADA)
    assert "One session would be deleted." in await text(site, query(demo.PROVIDER_ID))


async def test_a_hold_is_set_and_lifted_on_the_sessions_page_and_its_words_stay_inside(
    site: Site,
) -> None:
    row = await site.session()
    page = f"/manager/sessions/{row.id}"
    await site.sign_in(demo.ADA)
    form = {"reason": f"Case 17 {XSS}"}
    assert (await site.post(f"/holds/{row.id}", form, page=PAGE)).status == 303
    shown = await (await site.client.get(page)).text()
    assert XSS not in shown
    assert "Case 17" in shown
    assert 'data-hold="open"' in shown
    assert (await site.post(f"/holds/{row.id}", {"reason": " "}, page=PAGE)).status == 422
    await site.sign_in(demo.LENA)
    managers = await (await site.client.get(page)).text()
    assert 'data-hold="open"' in managers
    assert "Case 17" not in managers
    async with site.services.db.read() as conn:
        (hold,) = await retention.holds(conn, site.services.vault, row.id)
    response = await site.post(f"/holds/{row.id}/lift", {"hold": hold.id}, page=PAGE)
    assert response.status == 303
    assert 'data-hold="lifted"' in await (await site.client.get(page)).text()


@pytest.mark.parametrize("member", [demo.DANA, demo.TOM, AWAY_MANAGER, AWAY_SUPERVISOR])
async def test_nobody_else_holds_or_lifts(site: Site, member: demo.Member) -> None:
    row = await site.session()
    await site.sign_in(member)
    for path, form in (("", {"reason": "Why"}), ("/lift", {"hold": "hld_1"})):
        response = await site.post(f"/holds/{row.id}{path}", form)
        assert response.status in (403, 404)
    async with site.services.db.read() as conn:
        assert await retention.holds(conn, site.services.vault, row.id) == []


async def test_a_session_that_is_a_row_of_numbers_is_gone_from_log_page_and_export(
    site: Site,
) -> None:
    row = await site.session(pressed_at=NOW - 30 * YEAR, closed_at=NOW - 30 * YEAR)
    services = site.services

    async def write(conn: AsyncConnection) -> None:
        await retention.save_rule(
            conn, demo.PROVIDER_ID, 0, Rule(), demo.ADA.id, NOW, program=False
        )
        assert await retention.erase(conn, services.vault, row.id, NOW) is not None

    await services.db.write(write)
    await site.sign_in(demo.ADA)
    assert (await site.client.get(f"/manager/sessions/{row.id}")).status == 404
    for path in ("/manager", "/manager/sessions.csv", "/followups?whose=all"):
        assert row.id not in await (await site.client.get(path)).text()
