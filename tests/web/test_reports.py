"""The page of reports: figures with their numbers, of one's own program, small counts hidden."""

from __future__ import annotations

import csv
import html
import io
import re
from dataclasses import replace

import pytest
from sqlalchemy import insert

from records.medication_rules import month_of
from records.schema import agency_place
from records.schema_reports import medication_count
from tests.web import pdfs
from tests.web.cast import AWAY, AWAY_MANAGER, NOW, Site
from web.dev import cast as demo
from web.i18n import load
from web.report_figures import Figure
from web.report_pdf import behind

DAYS = "from=2027-01-01&until=2027-01-31"  # NOW is 2027-01-15


async def text(site: Site, path: str) -> str:
    response = await site.client.get(path)
    assert response.status == 200, (path, response.status)
    return html.unescape(await response.text())


async def several(site: Site, count: int = 12) -> None:
    for no in range(count):
        kept = {"actual_disposition": "remain_in_place", "difference_reason": None}
        await site.session(press_key=f"several-{no:020}", **(kept if no else {}))


async def test_each_figure_stands_with_its_numbers_and_its_meaning(site: Site) -> None:
    await several(site)
    await site.sign_in(demo.LENA)
    shown = await text(site, f"/manager/reports?{DAYS}")
    assert re.search(r'data-ending="offered">\s*12\s*<', shown)
    figure = re.search(r'data-figure="in_place".*?</tr>', shown, re.DOTALL)
    assert figure is not None
    assert "91.7 %" in figure[0]
    assert "11 of 12" in figure[0]
    assert "The officer said that the person stayed" in figure[0]


async def test_a_report_to_share_hides_small_counts_everywhere(site: Site) -> None:
    await several(site, 12)
    await site.sign_in(demo.LENA)
    for path in (f"/manager/reports?{DAYS}&share=1", f"/manager/reports.csv?{DAYS}&share=1"):
        shown = await text(site, path)
        assert "<11" in shown
        if ".csv" not in path:
            assert "not against other reports" in shown
        cells = re.findall(r">\s*(\d+)\s*</td>", shown)
        assert not [cell for cell in cells if 0 < int(cell) < 11], cells


def test_the_value_before_stands_apart_from_the_numbers_behind_a_figure() -> None:
    texts = load()["en"]
    alone = Figure("flag_force_used", "0.9 %", "91", "9857")
    assert behind(alone, texts) == "91 of 9857"
    assert behind(replace(alone, before="0.8 %"), texts) == "91 of 9857 · Before: 0.8 %"


async def test_the_csv_has_the_same_figures(site: Site) -> None:
    await several(site)
    await site.sign_in(demo.LENA)
    rows = list(csv.reader(io.StringIO((await text(site, f"/manager/reports.csv?{DAYS}"))[1:])))
    found = {row[0]: row[1:] for row in rows}
    assert found["offered"][0] == "12"
    assert found["in_place"][:4] == ["91.7 %", "11", "12", ""]
    assert all(len(row) == 7 for row in rows)


async def test_another_programs_sessions_are_in_no_report(site: Site) -> None:
    await site.session()
    away = {**AWAY, "tablet_id": "tab_away", "officer_id": None, "lead_id": None}
    await site.session(**away)
    for member in (demo.LENA, AWAY_MANAGER):
        await site.sign_in(member)
        shown = await text(site, f"/manager/reports?{DAYS}")
        assert re.search(r'data-ending="offered">\s*1\s*<', shown), member.id
    response = await site.client.get(f"/manager/reports?{DAYS}&agency={demo.AGENCY_ID}")
    assert response.status == 400


@pytest.mark.parametrize(
    "query",
    ["from=x", "from=2027-02-30", "agency=agy_nobody", "until=99999-01-01"],
)
async def test_a_day_or_an_agency_that_is_none_is_refused(site: Site, query: str) -> None:
    await site.sign_in(demo.LENA)
    assert (await site.client.get(f"/manager/reports?{query}")).status == 400


@pytest.mark.parametrize("query", ["from=2027-01-02&until=2027-01-01", "from=1900-01-01"])
@pytest.mark.parametrize("page", ["reports", "reports.csv", "reports.pdf"])
async def test_days_in_the_wrong_order_or_too_many_are_refused_with_how_many_fit(
    site: Site, page: str, query: str
) -> None:
    await site.sign_in(demo.LENA)
    response = await site.client.get(f"/manager/{page}?{query}")
    assert response.status == 422
    assert "at most 3660 days fit at once" in await response.text()


async def test_an_empty_span_has_no_rates_instead_of_wrong_ones(site: Site) -> None:
    await site.sign_in(demo.LENA)
    shown = await text(site, "/manager/reports?from=2026-01-01&until=2026-01-03&lang=en")
    assert "0 of 0" in shown
    assert "none" in shown
    assert "nan" not in shown.lower()


async def test_no_figure_of_a_shared_report_gives_a_hidden_ending_away(site: Site) -> None:
    await several(site, 40)
    failed = {"media_at": None, "close_reason": "moved_to_phone", "recommended_disposition": None}
    for no in range(12):
        await site.session(press_key=f"failed-{no:020}", **failed)
    gone = {"lead_id": None, "accepted_at": None, "media_at": None, "ended_at": NOW + 4,
            "close_reason": "cancelled_by_officer", "recommended_disposition": None,
            "actual_disposition": None, "difference_reason": None}  # fmt: skip
    for no in range(3):
        await site.session(press_key=f"short-{no:020}", **gone)
    await site.sign_in(demo.LENA)
    path = f"/manager/reports.csv?{DAYS}&share=1"
    rows = {row[0]: row[1:] for row in csv.reader(io.StringIO((await text(site, path))[1:]))}
    assert (rows["short"][0], rows["failed"][0], rows["offered"][0]) == ("<11", "*", "55")
    assert rows["failure"][:3] == ["*", "*", "*"]
    assert rows["level_30"][1:3] == ["*", "*"], "of 52 would tell that 3 were short"
    assert rows["abandonment"][:3] == ["0 %", "*", "*"], "the table of endings says 0 as well"
    whole = {row[0]: row[1:] for row in csv.reader(
        io.StringIO((await text(site, f"/manager/reports.csv?{DAYS}"))[1:]))}  # fmt: skip
    assert whole["failure"][1:3] == ["12", "55"]


async def test_the_report_comes_as_an_accessible_pdf_with_the_same_figures(site: Site) -> None:
    await several(site)
    await site.sign_in(demo.LENA)
    for lang, title in (("en", "Reports"), ("es", "Informes")):
        response = await site.client.get(f"/manager/reports.pdf?{DAYS}&lang={lang}")
        assert response.status == 200, await response.text()
        found = pdfs.read(await response.read())
        assert (found.lang, found.marked, found.standard) == (lang, True, True)
        assert found.title == f"{title} 2027-01-01 – 2027-01-31"
        assert {"/H1", "/Table", "/TH", "/TD"} <= set(found.tags)
        assert "91.7" in found.words
    assert (await site.client.get("/manager/reports.pdf?agency=agy_nobody")).status == 400


async def test_a_county_is_the_incidents_or_else_the_agencys_own(site: Site) -> None:
    other = insert(agency_place).values(
        agency_id=demo.AGENCY_ID, no=9, county="Elsewhere", state=demo.STATE
    )
    await site.services.db.write(lambda conn: conn.execute(other))
    await site.session(press_key="home-" + "0" * 20)
    there = {"place_county": "Elsewhere", "place_state": demo.STATE}
    for no in range(2):
        await site.session(press_key=f"away-{no:020}", **there)
    await site.sign_in(demo.LENA)
    page = await text(site, "/manager/reports")
    keys = set(re.findall(r'<option value="([A-Z]{2}[|][^"]+)"', page))
    home = next(key for key in keys if "Elsewhere" not in key and "Prairie" in key)
    for key, count in ((home, 1), (f"{demo.STATE}|Elsewhere", 2), ("", 3)):
        shown = await text(site, f"/manager/reports?{DAYS}&county={key}")
        assert re.search(rf'data-ending="offered">{count}<', shown), key
    assert (await site.client.get("/manager/reports?county=XX|Nowhere")).status == 400


async def test_medication_is_told_for_whole_months_and_not_by_place_or_payer(site: Site) -> None:
    january = month_of(NOW)
    told = {"program_id": demo.PROGRAM_ID, "provider_id": demo.PROVIDER_ID, "count": 14}
    here = {**told, "agency_id": demo.AGENCY_ID, "outcome": "arranged", "month": january}
    away = {**here, **{key: AWAY[key] for key in ("program_id", "provider_id", "agency_id")}}
    await site.services.db.write(
        lambda conn: conn.execute(insert(medication_count), [here, {**away, "count": 77}])
    )
    await site.sign_in(demo.LENA)
    whole = await text(site, f"/manager/reports?{DAYS}")
    cell = 'data-count="medication_{}">{}<'
    assert cell.format("arranged", 14) in whole
    assert cell.format("declined", "<11") in whole, "few and none look alike"
    table = await text(site, f"/manager/reports.csv?{DAYS}")
    assert "medication_arranged,14," in table
    part = await text(site, "/manager/reports?from=2027-01-02&until=2027-01-31")
    assert cell.format("arranged", "<11") in part
    payer = await text(site, f"/manager/reports?{DAYS}&funding=county")
    assert "medication_" not in payer
