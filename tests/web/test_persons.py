"""Who a session was about, on its page: for the provider only, found again, joined, taken apart."""

from __future__ import annotations

import html
import re

import pytest
from sqlalchemy import select

from records import schema, sessions
from records.schema_identities import identity_merge
from records.sessions import SessionRow
from tests.web.cast import AWAY_SUPERVISOR, XSS, Site
from web.dev import cast as demo

NAME = f"John {XSS}"


async def tell(site: Site, row: SessionRow, rev: str = "0", **typed: str) -> int:
    form = {"name": "", "born": "", "alias": "", "rev": rev} | typed
    return (await site.post(f"/persons/{row.id}", form, page="/notes")).status


async def page(site: Site, row: SessionRow) -> str:
    response = await site.client.get(f"/manager/sessions/{row.id}")
    assert response.status == 200
    return await response.text()


async def two(site: Site) -> tuple[SessionRow, SessionRow]:
    first = await site.session(press_key="first-" + "0" * 20, code="482913")
    second = await site.session(press_key="second-" + "0" * 20, code="731046")
    await site.sign_in(demo.DANA)
    return first, second


async def test_who_it_is_about_is_for_the_provider_and_stands_in_no_log(site: Site) -> None:
    first, second = await two(site)
    for row in (first, second):
        assert await tell(site, row, name=NAME, born="1990-02-03") == 303
    shown = await page(site, first)
    assert XSS not in shown
    assert NAME in html.unescape(shown)
    assert "One other session of the same person" in shown
    assert f'href="/manager/sessions/{second.id}"' in shown
    await site.sign_in(demo.LENA)
    managers = await page(site, first)
    assert "John" not in managers
    assert "1990-02-03" not in managers
    assert 'action="/persons/' not in managers
    table = await (await site.client.get("/manager/sessions.csv")).text()
    assert "John" not in table
    async with site.services.db.read() as conn:
        told = [(e.kind, e.data) for e in await sessions.timeline_of(conn, first.id)]
    assert ("person.told", {}) in told


@pytest.mark.parametrize("member", [demo.MIGUEL, demo.LENA, AWAY_SUPERVISOR, demo.TOM])
async def test_nobody_else_writes_it(site: Site, member: demo.Member) -> None:
    first, second = await two(site)
    for row in (first, second):
        await tell(site, row, name="John Doe", born="1990-02-03")
    await site.sign_in(member)
    form = {"name": "Jim", "born": "", "alias": "", "rev": "1"}
    response = await site.post(f"/persons/{first.id}", form)
    assert response.status in (403, 404)
    join = {"other": second.id, "reason": "told_so", "rev": "1", "other_rev": "1"}
    for path, more in (("same", {"code": "731046"}), ("join", join), ("apart", {"join": "mrg_1"})):
        response = await site.post(f"/persons/{first.id}/{path}", more)
        assert response.status in (403, 404)
    beside = await site.client.get(f"/persons/{first.id}/same/{second.id}")
    assert beside.status in (403, 404)
    assert "John" not in await beside.text()


async def test_a_stale_or_impossible_writing_is_refused_in_words(site: Site) -> None:
    first, _ = await two(site)
    assert await tell(site, first, name="John Doe") == 303
    assert await tell(site, first, name="Jim") == 409
    assert await tell(site, first, "1", born="2030-01-01") == 422
    assert await tell(site, first, "x", name="Jim") == 400
    assert "John Doe" in await page(site, first)


async def test_a_misspelt_person_is_seen_beside_the_other_joined_with_a_reason_and_taken_apart(
    site: Site,
) -> None:
    first, second = await two(site)
    assert await tell(site, first, name=f"Jon {XSS}", born="1990-02-04") == 303
    same, other = f"/persons/{first.id}/same", {"code": second.code}
    assert (await site.post(same, other, page="/notes")).status == 303
    beside = await site.client.get(f"{same}/{second.id}")
    assert beside.status == 404, "nothing is written of the other one"
    assert await tell(site, second, name="John Doe", born="1990-02-03") == 303
    for wrong in ("000000", "' OR 1=1", first.code, ""):
        answer = await site.post(same, {"code": wrong}, page="/notes")
        assert answer.status == 422
    found = await site.post(same, other, page="/notes")
    assert found.headers["Location"] == f"{same}/{second.id}"
    shown = await (await site.client.get(found.headers["Location"])).text()
    assert XSS not in shown
    for name in ("John Doe", "1990-02-03", "1990-02-04", "The days of birth differ"):
        assert name in shown
    join = {"other": second.id, "reason": "name_spelt", "rev": "1", "other_rev": "1"}
    at = f"/persons/{first.id}/join"
    for wrong_form, status in (({"reason": ""}, 422), ({"rev": "x"}, 400), ({"rev": "7"}, 409)):
        assert (await site.post(at, join | wrong_form, page="/notes")).status == status
    assert (await site.post(at, join, page="/notes")).status == 303
    again = await (await site.client.get(f"{same}/{second.id}")).text()
    assert "These are one person already." in again
    assert f'action="{at}"' not in again
    shown = await page(site, second)
    assert re.search(r"One session was joined by Dana Whitefeather", shown)
    assert "The name was spelt differently." in shown
    async with site.services.db.read() as conn:
        merge = (await conn.execute(select(identity_merge.c.id))).scalar_one()
        entries = select(schema.audit.c.action, schema.audit.c.object_id)
        seen = {tuple(one) for one in await conn.execute(entries)}
    for row in (first, second):
        assert {("record.read_clinical", row.id), ("person.join", row.id)} <= seen
    apart = {"join": merge}
    assert (await site.post(f"/persons/{second.id}/apart", apart, page="/notes")).status == 303
    assert (await site.post(f"/persons/{second.id}/apart", apart, page="/notes")).status == 404
    for row in (first, second):
        shown = await page(site, row)
        assert 'id="visits"' not in shown
        assert "Taken apart by Dana Whitefeather" in shown
    await site.sign_in(demo.ADA)  # a supervisor, of all of the provider's
    assert (await site.client.get(f"{same}/{second.id}")).status == 200
    assert (await site.post(at, join, page="/notes")).status == 303
    assert "One session was joined by Ada Okafor" in await page(site, first)


async def test_an_officer_who_called_for_themselves_is_read_by_their_provider_alone(
    site: Site,
) -> None:
    await site.session(press_key="own-" + "0" * 20, wellness=True)
    other = await site.session(press_key="other-" + "0" * 20)
    async with site.services.db.read() as conn:
        rows = (await conn.execute(select(schema.session.c.id, schema.session.c.wellness))).all()
    own = next(row.id for row in rows if row.wellness)
    await site.sign_in(demo.LENA)
    shown = await (await site.client.get("/manager")).text()
    assert other.id in shown
    assert own not in shown
    assert (await site.client.get(f"/manager/sessions/{own}")).status == 404
    assert own not in await (await site.client.get("/manager/sessions.csv")).text()
    days = "from=2027-01-01&until=2027-01-31"
    report = await (await site.client.get(f"/manager/reports?{days}")).text()
    assert re.search(r'data-ending="offered">\s*1\s*<', report)
    await site.sign_in(demo.ADA)
    assert (await site.client.get(f"/manager/sessions/{own}")).status == 200
    await site.sign_in(demo.DANA)
    assert (await site.client.get(f"/manager/sessions/{own}")).status == 200
