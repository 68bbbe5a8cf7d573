"""Break-glass on the pages: a form with a reason, the alarm, the list that is reviewed."""

from __future__ import annotations

import re

import pytest

from tests.web.cast import XSS, Site
from web.dev import cast as demo

WHY = f"She is in danger now; the lead is asleep. {XSS}"


async def test_a_record_is_opened_with_a_reason_and_the_supervisors_are_told_at_once(
    site: Site,
) -> None:
    row = await site.session(lead_id=demo.MIGUEL.id)
    await site.sign_in(demo.DANA)
    assert (await site.client.get(f"/manager/sessions/{row.id}")).status == 404
    form = {"code": "482 913", "reason": WHY}
    response = await site.post("/records/open", form, page="/records/open")
    assert (response.status, response.headers["Location"]) == (303, f"/manager/sessions/{row.id}")
    kind, provider, _, words, managers = site.desk.alarms[0]
    assert (kind, provider, words, managers) == (
        "opening",
        demo.PROVIDER_ID,
        "alert.words.opening",
        True,
    )
    page = await (await site.client.get(f"/manager/sessions/{row.id}")).text()
    assert 'id="opened"' in page
    site.clock[0] += 3601
    assert (await site.client.get(f"/manager/sessions/{row.id}")).status == 404

    site.client.session.cookie_jar.clear()
    await site.sign_in(demo.ADA)
    listed = await (await site.client.get("/manager/openings")).text()
    assert XSS not in listed
    assert "She is in danger now" in listed
    found = re.search(r'action="(/manager/openings/[\w-]+/reviewed)"', listed)
    assert found is not None
    response = await site.post(found[1], {}, page="/manager/openings")
    assert response.headers["Location"] == "/manager/openings?done=reviewed"
    assert "Reviewed by Ada" in await (await site.client.get("/manager/openings")).text()


async def test_a_manager_reads_that_it_was_opened_and_not_why(site: Site) -> None:
    await site.session(lead_id=demo.MIGUEL.id)
    await site.sign_in(demo.DANA)
    form = {"code": "482913", "reason": WHY}
    await site.post("/records/open", form, page="/records/open")
    site.client.session.cookie_jar.clear()
    await site.sign_in(demo.LENA)
    listed = await (await site.client.get("/manager/openings")).text()
    assert demo.DANA.name in listed
    assert "She is in danger" not in listed


async def test_an_officers_own_care_is_told_to_supervisors_only(site: Site) -> None:
    await site.session(lead_id=demo.MIGUEL.id, wellness=True)
    await site.sign_in(demo.DANA)
    form = {"code": "482913", "reason": WHY}
    await site.post("/records/open", form, page="/records/open")
    assert [one[-1] for one in site.desk.alarms] == [False]


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"code": "482913", "reason": "because"}, 422),
        ({"code": "000000", "reason": WHY}, 404),
        ({"code": "", "reason": WHY}, 404),
    ],
)
async def test_what_opens_nothing_says_so_and_keeps_what_was_typed(
    site: Site, form: dict[str, str], status: int
) -> None:
    await site.session(lead_id=demo.MIGUEL.id)
    await site.sign_in(demo.DANA)
    response = await site.post("/records/open", form, page="/records/open")
    text = await response.text()
    assert response.status in {status, 400}
    assert "Nothing was opened" in text
    assert site.desk.alarms == []
    assert form["reason"].split(";")[0] in text
