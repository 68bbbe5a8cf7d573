"""The log's search, its further filters and its saved views, as pages; who may use which."""

from __future__ import annotations

import csv
import html
import io
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from records import case_numbers, near_misses, saved_views, schema
from records.flags import BIT
from records.near_misses import NewMiss
from records.saved_views import Reader
from records.sessions import SessionRow
from tests.web.cast import AWAY, AWAY_MANAGER, NOW, XSS, Site
from web.dev import cast as demo

PAGE = "/manager"


async def text(site: Site, path: str = PAGE) -> str:
    response = await site.client.get(path)
    assert response.status == 200, (path, response.status)
    return html.unescape(await response.text())


async def shown(site: Site, query: str) -> set[str]:
    return set(re.findall(r'<tr data-session="(\w+)"', await text(site, f"{PAGE}?{query}")))


async def search(site: Site, typed: str, **form: str) -> dict[str, list[str]] | str:
    """Where a search leads, as the address's fields; or the page that says that nothing is so."""
    response = await site.post("/manager/search", {"q": typed, **form}, page=f"{PAGE}?all=1")
    if response.status == 303:
        return parse_qs(urlsplit(response.headers["Location"]).query)
    assert response.status == 200
    return html.unescape(await response.text())


async def missed(site: Site, row: SessionRow, kind: str = "to_phone") -> None:
    new = [NewMiss(row.id, kind, NOW, row.pressed_at)]
    await site.services.db.write(lambda conn: near_misses.open_all(conn, new, NOW))


# --- filters --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("county=Prairie|SD", {"one"}),
        ("clinician=per_dana", {"one"}),
        ("clinician=per_miguel", {"two"}),
        ("flag=weapon_present", {"one"}),
        ("flag=force_used", set()),
        ("miss=any", {"two"}),
        ("miss=open", {"two"}),
        ("miss=to_phone", {"two"}),
        ("miss=unanswered", set()),
        ("span=1", {"one", "two"}),
        ("clinician=per_dana&flag=weapon_present&county=Prairie|SD&span=7", {"one"}),
    ],
)
async def test_a_further_filter_shows_only_what_it_says(
    site: Site, query: str, found: set[str]
) -> None:
    one = await site.session(press_key="one", flags=BIT["weapon_present"])
    two = await site.session(
        press_key="two", lead_id=demo.MIGUEL.id, place_county="Elsewhere", place_state="ND",
        actual_disposition="remain_in_place",
    )  # fmt: skip
    await missed(site, two)
    await site.sign_in(demo.LENA)
    assert await shown(site, query) == {{"one": one.id, "two": two.id}[key] for key in found}


@pytest.mark.parametrize(
    "query",
    [
        "county=Prairie",
        "county=Elsewhere|ND",
        "county=' OR 1=1 --|SD",
        "clinician=per_amanda",
        "clinician=' OR '1'='1",
        "flag=naloxone_given",
        "flag=opioid",
        "miss=x",
        "span=8",
        "found=tab_away",
        "found=per_dana",
        "found=' OR 1=1",
        f"found={'tab_unit12.' * 61}",
    ],
)
async def test_what_is_not_this_readers_to_choose_is_refused(site: Site, query: str) -> None:
    await site.sign_in(demo.LENA)
    for address in (PAGE, "/manager/sessions.csv"):
        assert (await site.client.get(f"{address}?{query}")).status == 400


async def test_there_is_no_filter_about_opioids(site: Site) -> None:
    await site.session(opioid="yes", flags=BIT["naloxone_given"])
    await site.sign_in(demo.LENA)
    page = await text(site, f"{PAGE}?all=1")
    assert "pioid" not in page
    assert "aloxone" not in page
    assert len(await shown(site, "opioid=no&all=1")) == 1, "an unknown field narrows nothing"


async def test_the_export_has_the_rows_of_the_filter_and_harms_no_sheet(site: Site) -> None:
    one = await site.session(press_key="one", flags=BIT["weapon_present"])
    await site.session(press_key="two")
    await site.sign_in(demo.LENA)
    response = await site.client.get("/manager/sessions.csv?flag=weapon_present")
    table = (await response.read()).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    assert [row["session"] for row in rows] == [one.id]
    assert not [cell for row in rows for cell in row.values() if cell[:1] in "=+-@\t\r"]


# --- search ---------------------------------------------------------------------------------------


async def test_a_search_finds_codes_units_officers_and_numbers_and_puts_no_name_in_the_address(
    site: Site,
) -> None:
    row = await site.session()
    await site.services.db.write(
        lambda conn: case_numbers.save(conn, row.id, "26-004417A", demo.SAM.id, NOW)
    )
    await site.sign_in(demo.LENA)
    assert await search(site, "482 913") == {"code": ["482913"]}
    assert await search(site, " unit  12 ") == {"found": ["tab_unit12"]}
    assert await search(site, "rivera sam") == {"found": ["per_sam"]}
    assert await search(site, "26-004417a") == {"found": [row.id]}
    assert await search(site, "unit 12", state="closed", code="111111", tests="1") == {
        "state": ["closed"], "found": ["tab_unit12"], "tests": ["1"],
    }  # fmt: skip
    for query in ("code=482913", "found=tab_unit12", "found=per_sam", f"found={row.id}"):
        assert await shown(site, query) == {row.id}
    assert "Found: Sam Rivera" in await text(site, f"{PAGE}?found=per_sam")
    nothing = await search(site, f"nobody {XSS}")
    assert isinstance(nothing, str)
    assert "Nothing is called that." in nothing
    raw = await site.post("/manager/search", {"q": XSS}, page=f"{PAGE}?all=1")
    assert XSS not in await raw.text()


@pytest.mark.parametrize("typed", ["' OR 1=1 --", "%", "_", "=1+1", "\x00", "x" * 5000, " "])
async def test_a_search_takes_any_text_as_text(site: Site, typed: str) -> None:
    await site.session()
    await site.sign_in(demo.LENA)
    assert isinstance(await search(site, typed), str)


async def test_a_supervisor_searches_no_officer_by_name_and_no_dispatch_number(site: Site) -> None:
    row = await site.session()
    await site.services.db.write(
        lambda conn: case_numbers.save(conn, row.id, "26-1", demo.SAM.id, NOW)
    )
    await site.sign_in(demo.ADA)
    assert isinstance(await search(site, "Rivera"), str)
    assert isinstance(await search(site, "26-1"), str)
    assert await search(site, "Unit 12") == {"found": ["tab_unit12"]}
    for query in ("found=per_sam", f"found={row.id}"):
        assert (await site.client.get(f"{PAGE}?{query}")).status == 400


async def test_another_program_finds_none_of_it_and_a_wellness_session_is_found_by_no_employer(
    site: Site,
) -> None:
    theirs: dict[str, Any] = {**AWAY, "tablet_id": "tab_away", "officer_id": None, "lead_id": None}
    away = await site.session(press_key="away", **theirs)
    hidden = await site.session(press_key="hidden", wellness=True)

    async def number(conn: AsyncConnection) -> None:
        for one in (away.id, hidden.id):
            await case_numbers.save(conn, one, "26-77", demo.SAM.id, NOW)

    await site.services.db.write(number)
    await site.sign_in(demo.LENA)
    assert isinstance(await search(site, "26-77"), str)
    assert isinstance(await search(site, "Unit 99"), str)
    assert await shown(site, "found=per_sam") == set()
    assert await shown(site, "found=tab_unit12") == set()
    await site.sign_in(AWAY_MANAGER)
    assert await search(site, "26-77") == {"found": [away.id]}


# --- saved views ----------------------------------------------------------------------------------


async def save(site: Site, name: str, chosen: str, **form: str) -> tuple[int, str]:
    response = await site.post(
        "/manager/views", {"name": name, "filter": chosen, **form}, page=f"{PAGE}?all=1"
    )
    if response.status == 303:
        return 303, response.headers["Location"].partition("view=")[2]
    return response.status, await response.text()


async def leads_to(site: Site, path: str) -> str:
    response = await site.client.get(path, allow_redirects=False)
    return response.headers.get("Location", "") if response.status == 303 else ""


async def test_a_view_is_saved_opened_renamed_begun_with_and_removed(site: Site) -> None:
    row = await site.session()
    await site.sign_in(demo.LENA)
    assert await leads_to(site, PAGE) == ""
    status, view = await save(site, f"Closed {XSS}", "state=closed&clinician=per_dana", first="1")
    assert status == 303
    where = f"/manager?state=closed&clinician=per_dana&view={view}"
    assert await leads_to(site, PAGE) == where
    assert await leads_to(site, f"{PAGE}?view={view}") == where
    assert await leads_to(site, f"{PAGE}?all=1") == ""
    raw = await (await site.client.get(where)).text()
    assert XSS not in raw
    assert XSS in html.unescape(raw)
    assert f'data-session="{row.id}"' in raw
    assert 'id="view-name"' not in raw, "it is saved already"
    form = {"name": "Dana's", "shared": "1"}
    response = await site.post(f"/manager/views/{view}", form, page="/manager/views")
    assert response.status == 303
    assert "Dana's" in await text(site, "/manager/views")
    await site.post("/manager/views/first", {"view": ""}, page="/manager/views")
    assert await leads_to(site, PAGE) == ""
    response = await site.post(f"/manager/views/{view}/remove", {}, page="/manager/views")
    assert response.status == 303
    assert "Dana's" not in await text(site, "/manager/views")
    assert (await site.client.get(f"{PAGE}?view={view}")).status == 404
    async with site.services.db.read() as conn:
        entries = await conn.scalar(
            select(func.count()).where(
                schema.audit.c.action == "view.keep", schema.audit.c.object_id == view
            )
        )
    assert entries == 3


async def test_what_cannot_be_kept_is_said_and_the_filter_stays(site: Site) -> None:
    await site.sign_in(demo.LENA)
    await save(site, "one", "state=closed")
    for name in ("one", "  "):
        status, page = await save(site, name, "state=closed")
        assert status == 422
        assert 'role="alert"' in page
        assert '<option value="closed" selected>' in page
    for chosen in ("state=x", "after=1", "opioid=yes", "found=tab_away"):
        assert (await save(site, "two", chosen))[0] == 400
    assert (await save(site, "two", ""))[0] == 303


async def test_a_shared_view_is_there_for_the_program_and_for_nobody_else(site: Site) -> None:
    await site.sign_in(demo.LENA)
    _, own = await save(site, "Lena's own", "state=closed")
    _, shared = await save(site, "Shared one", "state=closed", shared="1")
    colleague = Reader("per_tom", frozenset({demo.PROGRAM_ID}), frozenset())
    async with site.services.db.read() as conn:
        found = [one.id for one in await saved_views.listed(conn, colleague)]
    assert found == [shared]
    for member in (AWAY_MANAGER, demo.ADA):  # another program; the provider
        await site.sign_in(member)
        assert "Shared one" not in await text(site, f"{PAGE}?all=1")
        for view in (own, shared):
            assert (await site.client.get(f"{PAGE}?view={view}")).status == 404
            response = await site.post(f"/manager/views/{view}/remove", {}, page="/manager/views")
            assert response.status == 404
    await site.sign_in(demo.DANA)
    assert (await site.client.get("/manager/views")).status == 403


async def test_parts_of_a_view_that_are_gone_are_left_out_and_that_is_said(site: Site) -> None:
    await site.sign_in(demo.LENA)
    lena = Reader(demo.LENA.id, frozenset({demo.PROGRAM_ID}), frozenset())
    view = await site.services.db.write(
        lambda conn: saved_views.add(
            conn, lena, (demo.PROGRAM_ID, None), "Old", "agency=agy_gone&state=closed",
            shared=False, now=NOW,
        )
    )  # fmt: skip
    where = await leads_to(site, f"{PAGE}?view={view}")
    assert where == f"/manager?state=closed&view={view}&left=1"
    assert "They were left out." in await text(site, where)
